"""What the router is asked and what it answers: targets, the instruments that may be traded, and the venues' room."""

from enum import StrEnum

import msgspec

from domain.depth import Level
from domain.quantity import ZERO, Num
from domain.routing.certificate import Certificate, Excluded, RoutedLeg


class InstrumentKind(StrEnum):
    """Say how an instrument turns quantity into delta."""

    LINEAR = "linear"  # a perpetual sized in base units
    INVERSE = "inverse"  # a perpetual sized in quote units, settled in the base
    FUTURE = "future"  # a dated linear future
    SPOT = "spot"


class Candidate(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Describe one instrument that may be traded now.

    `lot`, `minimum_quantity`, `room_buy`, `room_sell` are in the instrument's own units (base; quote on inverse);
    `minimum_notional` in quote units. Levels are best first, quote per base, base quantities. `usd_per_quote` converts.
    `funding_per_hour` is the forecast rate (positive: longs pay shorts), spot and dated futures have none;
    `expires_in_ms` is 0 for what does not expire. `room_*` is how much may at most be bought or sold here, whatever
    binds first (size limits, position caps), what reduces a position included. `position` is the signed base delta
    held there now.
    """

    venue: str
    account: str
    symbol: str
    underlying: str
    kind: InstrumentKind
    lot: Num
    minimum_quantity: Num
    minimum_notional: Num
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    usd_per_quote: Num
    taker_fee_bps: Num
    room_buy: Num
    room_sell: Num
    funding_per_hour: Num = ZERO
    expires_in_ms: int = 0
    position: Num = ZERO


class PenaltyStep(msgspec.Struct, frozen=True, gc=False):
    """Charge `bps` of notional for what is marginally traded once a venue's gross notional is above `from_usd`.

    The last step below the notional counts; steps are not added up.
    """

    from_usd: Num
    bps: Num


class VenueRoom(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Bound what a venue account may take on: `notional_max` USD more of gross position, all its instruments together.

    `notional` is what it holds now, USD gross. `steps` rise (convex): concentration and rank for auto-deleveraging.
    What reduces a position needs none of this room, frees it for others and gets its penalties back. Notional is
    counted at the reference, not at the prices traded.
    """

    venue: str
    account: str
    notional: Num
    notional_max: Num
    steps: tuple[PenaltyStep, ...] = ()


class Target(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Ask for `quantity` signed base units of an underlying, worth `reference_usd` each."""

    underlying: str
    quantity: Num
    reference_usd: Num


class Problem(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Hold everything a routing decision rests on; `horizon_ms` is how long funding is looked ahead.

    `excluded` and `doubts` are passed on to the certificate: what was left out beforehand, and what is a candidate
    still though something of it (its funding, say) was not believed and counted adverse.
    """

    targets: tuple[Target, ...]
    candidates: tuple[Candidate, ...]
    venues: tuple[VenueRoom, ...]
    horizon_ms: int
    excluded: tuple[Excluded, ...] = ()
    doubts: tuple[Excluded, ...] = ()


class Routed(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Answer a problem: the legs, largest first, with the certificate that they rest on.

    What no venue could take stands in the certificate as `unrouted`: the caller carries it and says so.
    """

    legs: tuple[RoutedLeg, ...]
    certificate: Certificate

    def left(self, underlying: str) -> Num:
        """Return the signed base quantity of an underlying that no leg brings."""
        return next((each.quantity for each in self.certificate.unrouted if each.underlying == underlying), ZERO)
