"""Suspensions: sources and assets that broke a law of market data, from the moment they did until they came back."""

from uuid import UUID

import msgspec

from domain.event import Event, catalogued
from domain.ids import natural_id
from domain.market import Law


@catalogued
class VenueSuspended(Event, frozen=True, kw_only=True, tag="venue.suspended.v1"):
    """Nothing that this venue says is believed, and nothing is hedged there."""

    venue: str
    law: Law
    text: str
    observed_at_us: int

    @property
    def originator(self) -> UUID:
        """Return the stream of its market data."""
        return natural_id("market", self.scope)

    @property
    def scope(self) -> str:
        """Return the scope."""
        return f"venue:{self.venue}"


@catalogued
class VenueResumed(Event, frozen=True, kw_only=True, tag="venue.resumed.v1"):
    """A venue is believed again; `law` is the one it had broken."""

    venue: str
    law: Law
    text: str
    observed_at_us: int

    @property
    def originator(self) -> UUID:
        """Return the stream of its market data."""
        return natural_id("market", self.scope)

    @property
    def scope(self) -> str:
        """Return the scope."""
        return f"venue:{self.venue}"


@catalogued
class InstrumentSuspended(Event, frozen=True, kw_only=True, tag="instrument.suspended.v1"):
    """An instrument is not believed and not traded; by `reference_data` until its listing fits the policy again."""

    venue: str
    symbol: str
    law: Law
    text: str
    observed_at_us: int

    @property
    def originator(self) -> UUID:
        """Return the stream of its market data."""
        return natural_id("market", self.scope)

    @property
    def scope(self) -> str:
        """Return the scope; what its listing contradicts is one of its own."""
        return _instrument(self.law, self.venue, self.symbol)


@catalogued
class InstrumentResumed(Event, frozen=True, kw_only=True, tag="instrument.resumed.v1"):
    """An instrument is believed and traded again; `law` is the one it had broken."""

    venue: str
    symbol: str
    law: Law
    text: str
    observed_at_us: int

    @property
    def originator(self) -> UUID:
        """Return the stream of its market data."""
        return natural_id("market", self.scope)

    @property
    def scope(self) -> str:
        """Return the scope; what its listing contradicts is one of its own."""
        return _instrument(self.law, self.venue, self.symbol)


def _instrument(law: Law, venue: str, symbol: str) -> str:
    return f"{'listing' if law is Law.REFERENCE_DATA else 'instrument'}:{venue}|{symbol}"


@catalogued
class OracleSuspended(Event, frozen=True, kw_only=True, tag="oracle.suspended.v1"):
    """Nothing that this oracle says is believed."""

    oracle: str
    law: Law
    text: str
    observed_at_us: int

    @property
    def originator(self) -> UUID:
        """Return the stream of its market data."""
        return natural_id("market", self.scope)

    @property
    def scope(self) -> str:
        """Return the scope."""
        return f"oracle:{self.oracle}"


@catalogued
class OracleResumed(Event, frozen=True, kw_only=True, tag="oracle.resumed.v1"):
    """An oracle is believed again; `law` is the one it had broken."""

    oracle: str
    law: Law
    text: str
    observed_at_us: int

    @property
    def originator(self) -> UUID:
        """Return the stream of its market data."""
        return natural_id("market", self.scope)

    @property
    def scope(self) -> str:
        """Return the scope."""
        return f"oracle:{self.oracle}"


@catalogued
class AssetSuspended(Event, frozen=True, kw_only=True, tag="asset.suspended.v1"):
    """Nobody can say what an asset is worth (`quorum`), or a stable is not worth about a dollar (`depeg`)."""

    asset: str
    law: Law
    text: str
    observed_at_us: int

    @property
    def originator(self) -> UUID:
        """Return the stream of its market data."""
        return natural_id("market", self.scope)

    @property
    def scope(self) -> str:
        """Return the scope."""
        return f"asset:{self.asset}"


@catalogued
class AssetResumed(Event, frozen=True, kw_only=True, tag="asset.resumed.v1"):
    """An asset has a price again that may be used; `law` is the one it had broken."""

    asset: str
    law: Law
    text: str
    observed_at_us: int

    @property
    def originator(self) -> UUID:
        """Return the stream of its market data."""
        return natural_id("market", self.scope)

    @property
    def scope(self) -> str:
        """Return the scope."""
        return f"asset:{self.asset}"


Suspended = VenueSuspended | InstrumentSuspended | OracleSuspended | AssetSuspended
Resumed = VenueResumed | InstrumentResumed | OracleResumed | AssetResumed


class Suspension(msgspec.Struct, frozen=True, gc=False):
    """Hold a scope that is suspended: by which law, why, and since when."""

    scope: str
    law: Law
    text: str
    since_us: int
