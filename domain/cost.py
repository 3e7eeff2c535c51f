"""What hedges really cost: their fills beside the certificate that said what they should cost.

Nothing is converted by a guess: what a quote was worth comes from the certificate, and a fee in an asset whose price no
decision of the hedge rests on is shown by itself.
"""

from collections.abc import Iterable
from decimal import Decimal
from uuid import UUID

import msgspec

from domain.event import Event, catalogued
from domain.hedge import Purpose
from domain.ids import derive_id
from domain.market import BPS_STEP
from domain.quantity import BPS, ZERO, Num, Rounding, divide, round_to

USD_STEP = Decimal("0.00000001")
PRICE_STEP = Decimal("0.000000000001")
"""Costs are told to eight places of a dollar, average prices to twelve."""


class AssetSum(msgspec.Struct, frozen=True, gc=False):
    """Hold a sum of one asset, positive when it cost us."""

    asset: str
    amount: Num


class Cost(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Split what was paid, USD, positive when it cost us; `notional` is what was traded.

    `spread`, `depth` and `basis` are what the certificate's prices held, in proportion to what was traded; `slippage`
    is what the fills were worse than the certificate's average price, and `slippage_bps` that of the notional;
    `realised` is the sum of all five. `expected` is the certificate's sum of the same kinds: its funding and its
    penalties are left out, since no trade pays them.
    """

    notional: Num = ZERO
    spread: Num = ZERO
    depth: Num = ZERO
    slippage: Num = ZERO
    slippage_bps: Num = ZERO
    fee: Num = ZERO
    basis: Num = ZERO
    realised: Num = ZERO
    expected: Num = ZERO


class LegCost(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Hold what one instrument traded in one round of a hedge: `base` signed, prices in quote units.

    `expected_price` is the certificate's average; without a certificate the `middle` of its own book stands for it.
    `cost` is None where it is not known what the quote was worth. `fees` are as charged, positive when they cost us;
    of these `unconverted` is in no `cost`.
    """

    round: int
    venue: str
    account: str
    symbol: str
    base: Num
    average_price: Num
    middle: Num | None
    expected_price: Num | None
    usd_per_quote: Num | None
    cost: Cost | None
    fees: tuple[AssetSum, ...] = ()
    unconverted: tuple[AssetSum, ...] = ()


@catalogued
class CostRealised(Event, frozen=True, kw_only=True, tag="cost.realised.v1"):
    """A hedge is over, and this is what trading it cost. `day` is the UTC date of its end, `filled` signed base units.

    `total` is None where a leg's cost is not known; `certificates` are the hashes of the inputs that it is held to.
    """

    hedge_id: UUID
    request_id: UUID
    purpose: Purpose
    underlying: str
    day: str
    completed: bool
    filled: Num
    legs: tuple[LegCost, ...]
    total: Cost | None
    certificates: tuple[str, ...]

    @property
    def originator(self) -> UUID:
        """Return an id of the hedge's cost: a stream of one event, so the log's key forbids a second."""
        return derive_id(self.hedge_id, "cost")


def summed(sums: Iterable[AssetSum]) -> tuple[AssetSum, ...]:
    """Return one sum an asset, by name; what comes to nothing is left out."""
    found: dict[str, Num] = {}
    for each in sums:
        found[each.asset] = found.get(each.asset, ZERO) + each.amount
    return tuple(AssetSum(asset, amount) for asset, amount in sorted(found.items()) if amount != 0)


def split(notional: Num, parts: tuple[Num, Num, Num], slippage: Num, fee: Num, expected: Num) -> Cost:
    """Return a cost of these sums, USD; `parts` are spread, depth and basis."""
    rounded = [round_to(each, USD_STEP, Rounding.NEAREST) for each in (notional, *parts, slippage, fee, expected)]
    notional, spread, depth, basis, slippage, fee, expected = rounded
    return Cost(
        notional=notional,
        spread=spread,
        depth=depth,
        slippage=slippage,
        slippage_bps=slippage_bps(slippage, notional),
        fee=fee,
        basis=basis,
        realised=spread + depth + slippage + fee + basis,
        expected=expected,
    )


def slippage_bps(slippage: Num, notional: Num) -> Num:
    """Return a slippage as basis points of what was traded; nothing of nothing."""
    return ZERO if notional == 0 else round_to(divide(slippage * BPS, notional), BPS_STEP, Rounding.NEAREST)


def total(costs: Iterable[Cost]) -> Cost:
    """Add costs."""
    known = tuple(costs)

    def of(name: str) -> Num:
        return sum((getattr(each, name) for each in known), ZERO)

    return Cost(
        notional=of("notional"),
        spread=of("spread"),
        depth=of("depth"),
        slippage=of("slippage"),
        slippage_bps=slippage_bps(of("slippage"), of("notional")),
        fee=of("fee"),
        basis=of("basis"),
        realised=of("realised"),
        expected=of("expected"),
    )


def whole(legs: Iterable[LegCost]) -> Cost | None:
    """Return the cost of legs together, None where one of them is not known."""
    known: list[Cost] = []
    for leg in legs:
        if leg.cost is None:
            return None
        known.append(leg.cost)
    return total(known)
