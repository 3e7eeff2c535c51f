"""Listings: what a venue says of an instrument, and whether the policy's idea of it fits."""

from uuid import UUID

import msgspec

from domain.event import Event, catalogued
from domain.ids import natural_id
from domain.policy import Instrument
from domain.quantity import EXACT, Num, num
from domain.venue import FeeRates, InstrumentReport


class Tier(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Hold the margin rule that holds from a notional (quote units; base units on inverse contracts) upwards."""

    notional_from: Num
    maintenance_rate: Num
    leverage_max: Num


class Listing(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Describe an instrument as its venue lists it and bills us: steps and bounds in units, fees as parts of notional.

    `kind` is linear, inverse or spot; `funding_interval_ms` is 0 where nothing is paid, `expiry_us` where nothing
    expires.
    """

    venue: str
    symbol: str
    kind: str
    base: str
    quote: str
    settle: str
    market_id: str
    contract_size: Num
    tick: Num
    step: Num
    quantity_min: Num
    quantity_max: Num
    notional_min: Num
    funding_interval_ms: int
    expiry_us: int
    maker_fee: Num
    taker_fee: Num
    margin_tiers: tuple[Tier, ...] = ()


@catalogued
class InstrumentListed(Event, frozen=True, kw_only=True, tag="instrument.listed.v1"):
    """A venue was first seen to list an instrument so."""

    listing: Listing
    observed_at_us: int

    @property
    def originator(self) -> UUID:
        """Return the stream of the instrument's listing."""
        return natural_id("listing", self.listing.venue, self.listing.symbol)


@catalogued
class InstrumentChanged(Event, frozen=True, kw_only=True, tag="instrument.changed.v1"):
    """A venue lists an instrument otherwise than before; `changed` names the fields."""

    listing: Listing
    changed: tuple[str, ...]
    observed_at_us: int

    @property
    def originator(self) -> UUID:
        """Return the stream of the instrument's listing."""
        return natural_id("listing", self.listing.venue, self.listing.symbol)


def listing(report: InstrumentReport, fees: FeeRates) -> Listing:
    """Return what a venue's own reports say of one instrument."""
    tiers = tuple(
        Tier(
            notional_from=num(tier.notional_from),
            maintenance_rate=num(tier.maintenance_rate),
            leverage_max=num(tier.leverage_max),
        )
        for tier in report.margin_tiers
    )
    return Listing(
        venue=report.venue,
        symbol=report.symbol,
        kind=report.kind,
        base=report.base,
        quote=report.quote,
        settle=report.settle,
        market_id=report.market_id,
        contract_size=num(report.contract_size),
        tick=num(report.tick),
        step=num(report.step),
        quantity_min=num(report.quantity_min),
        quantity_max=num(report.quantity_max),
        notional_min=num(report.notional_min),
        funding_interval_ms=report.funding_interval_ms,
        expiry_us=report.expiry_us,
        maker_fee=num(fees.maker),
        taker_fee=num(fees.taker),
        margin_tiers=tiers,
    )


def listing_key(venue: str, symbol: str) -> str:
    """Return the key of a listing in the book."""
    return f"{venue}|{symbol}"


def contradictions(instrument: Instrument, listing: Listing) -> tuple[str, ...]:
    """Return in what a listing contradicts the policy's instrument: orders made by it would be refused, or mean else.

    The policy may be coarser than the venue, never finer.
    """
    checks = (
        ("kind", instrument.kind == listing.kind),
        ("base", instrument.base == listing.base),
        ("quote", instrument.quote == listing.quote),
        ("contract_size", instrument.contract_size == listing.contract_size),
        ("lot", _multiple(instrument.lot, listing.step)),
        ("tick", _multiple(instrument.tick, listing.tick)),
        ("minimum_quantity", instrument.minimum_quantity >= listing.quantity_min),
        ("minimum_notional", instrument.minimum_notional >= listing.notional_min),
    )
    return tuple(name for name, fits in checks if not fits)


def _multiple(ours: Num, theirs: Num) -> bool:
    return theirs > 0 and EXACT.remainder(ours, theirs) == 0
