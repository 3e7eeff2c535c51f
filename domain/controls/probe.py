"""Probes: what a decider means to do, as far as controls look at it; and usages, what of each limit is used."""

import msgspec

from domain.hedge import PlannedLeg, Purpose
from domain.limit import Control
from domain.limits import Bound, Stage
from domain.order import Order
from domain.quantity import ZERO, Num, Rounding, round_to

# In the unit of whatever limit.
TOLD_STEP = Num("0.000001")


class Probe(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Say what would be done, at which stage; what a stage does not look at is left out.

    Of a quote or a request: `pair`, its collateral `asset`, `mint` or redeem, `issued` atoms, their `notional` USD; of
    a request the signed `change` of backing and what its plan trades (`quantity`, `legs`), base units. Of an order: the
    `order` itself, those `ahead` of it that this decision approved and the Book does not hold yet, the middle of its
    own book (`reference`, quote per base), and of the hedge it works for the `purpose`. Of a transfer: `quantity` units
    of an `asset` between two places. `reference_usd` is what a unit of the underlying is worth; without it the marks
    tell. `age_ms` is how old the evidence is; None where the decision judged that already.
    """

    stage: Stage
    at_us: int
    underlying: str = ""
    pair: str = ""
    asset: str = ""
    mint: bool = False
    change: Num = ZERO
    quantity: Num = ZERO
    notional: Num = ZERO
    issued: int = 0
    order: Order | None = None
    ahead: tuple[Order, ...] = ()
    legs: tuple[PlannedLeg, ...] = ()
    purpose: Purpose | None = None
    reference: Num | None = None
    reference_usd: Num | None = None
    age_ms: int | None = None
    source: str = ""
    destination: str = ""


class Usage(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Say how much of a limit is used, and by which `subject` most: the narrower scope that is nearest to it.

    `used` is None where it is unknown, or where there is nothing to measure between two decisions; `share_bps` is the
    part of the limit, rounded up. What is `standing` is a state that may be warned of; the rest is of single decisions.
    """

    control: Control
    scope: str
    subject: str
    limit: Num
    unit: str
    bound: Bound
    used: Num | None
    share_bps: int | None
    standing: bool

    @property
    def told(self) -> Num | None:
        """Return what is used as people are told it: rounded towards the limit, by no more than `TOLD_STEP`."""
        if self.used is None:
            return None
        return round_to(self.used, TOLD_STEP, Rounding.UP if self.bound is Bound.MAXIMUM else Rounding.DOWN)
