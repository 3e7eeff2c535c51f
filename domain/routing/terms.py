"""Terms of routing: what the policy says that concentration, margin, leverage and funding are worth to a router."""

import msgspec

from domain.carry import FundingTerms
from domain.quantity import ZERO, Num


class ShareStep(msgspec.Struct, frozen=True, kw_only=True):
    """Charge `bps` on what is traded once a venue account holds more than `share` of all gross notional.

    `share` is a part of one.
    """

    share: Num
    bps: Num


class RankStep(msgspec.Struct, frozen=True, kw_only=True):
    """Charge `bps` on what is traded at a venue account whose rank for auto-deleveraging is at least `rank`.

    The rank is as venues count it: a position's profit as a part of its entry value, times the account's leverage.
    """

    rank: Num
    bps: Num


class VenueCap(msgspec.Struct, frozen=True, kw_only=True):
    """Bound the gross notional of a venue account, USD."""

    venue: str
    account: str
    notional: Num


class Routing(msgspec.Struct, frozen=True, kw_only=True):
    """Set the terms on which hedges are routed.

    Funding is looked ahead for `horizon_ms`. Steps rise with what they start from. `margin_rate` is the initial margin
    that a unit of notional is taken to need (a venue that asks for more is believed), `margin_floor` the part of an
    account's margin that stays free; at a rate of zero margin is not looked at.
    """

    horizon_ms: int = 8 * 3_600_000
    funding: FundingTerms = FundingTerms()
    concentration: tuple[ShareStep, ...] = ()
    ranks: tuple[RankStep, ...] = ()
    caps: tuple[VenueCap, ...] = ()
    margin_rate: Num = ZERO
    margin_floor: Num = ZERO

    def cap(self, venue: str, account: str) -> Num | None:
        """Return the bound on a venue account's gross notional, USD; None where there is none."""
        return next((each.notional for each in self.caps if (each.venue, each.account) == (venue, account)), None)
