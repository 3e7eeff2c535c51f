"""What a person should be told about orders, fills and hedges."""

from collections.abc import Callable
from typing import Any

from domain.book import Book
from domain.cost import CostRealised
from domain.event import Event
from domain.hedge import HedgeAbandoned, HedgeRerouted
from domain.order import OrderOutcomeUnknown
from domain.quantity import Num
from domain.rebalancing.rebalance import RebalanceProposed
from domain.stable import StableProposed, stable_key
from domain.surprise import SurpriseClassified, SurpriseKind
from domain.watch import REBALANCING_AREA, STABLE_AREA, Severity
from projections.alert_causes import Candidate, caused

SLIPPAGE_TOLD_BPS = Num(10)
"""A hedge that cost so much more than its certificate's prices is told of."""
REROUTED_OFTEN = 2
"""From so many reroutes on, a hedge is no matter of one venue's bad moment."""

_SURPRISES = {
    SurpriseKind.LATE: "a fill came for an order that was over",
    SurpriseKind.UNKNOWN_ORDER: "a fill of no order of ours that is known",
    SurpriseKind.LIQUIDATION: "the venue liquidated",
    SurpriseKind.ADL: "the venue deleveraged our position automatically",
    SurpriseKind.OVERFILL: "an order was filled beyond what was asked",
}


def _outcome_unknown(event: OrderOutcomeUnknown, position: int) -> Candidate:
    text = f"what became of attempt {event.attempt} is not known, it counts as exposure: {event.text}"
    return caused(position, Severity.CRITICAL, "order", str(event.order_id), text)


def _surprised(event: SurpriseClassified, position: int) -> Candidate:
    traded = "it is carried, and traded again" if event.underlying else "the policy does not trade it: nobody hedges it"
    what = f"{event.quantity!s} {event.underlying or 'units'} in {event.symbol}"
    text = f"{event.venue} {event.account}: {event.kind}: {_SURPRISES[event.kind]}, {what}; {traded}"
    return caused(position, Severity.CRITICAL, "fill", str(event.fill_id), text)


def _abandoned(event: HedgeAbandoned, position: int) -> Candidate:
    text = f"{event.residual!s} base units are untraded, and carried until a hedge can trade them: {event.text}"
    return caused(position, Severity.CRITICAL, "hedge", str(event.hedge_id), text)


def _slipped(event: CostRealised, position: int) -> Candidate | None:
    total = event.total
    if total is None or total.slippage_bps <= SLIPPAGE_TOLD_BPS:
        return None
    text = (
        f"its fills were {total.slippage_bps!s} bps ({total.slippage!s} USD) worse than its certificate's prices: "
        f"{event.filled!s} {event.underlying} over {len(event.legs)} legs"
    )
    return caused(position, Severity.WARNING, "cost", str(event.hedge_id), text)


def _rebalance(event: RebalanceProposed, position: int) -> Candidate:
    text = f"{len(event.moves)} moves would save {event.saving!s} USD and cost {event.cost!s} USD: {event.text}"
    return caused(position, Severity.INFO, REBALANCING_AREA, event.underlying, text)


def _stable(event: StableProposed, position: int) -> Candidate:
    text = f"{event.units!s} {event.asset} would earn {event.earned!s} USD and cost {event.cost!s} USD: {event.text}"
    return caused(position, Severity.INFO, STABLE_AREA, stable_key(event.asset, event.underlying), text)


RULES: dict[type[Event], Callable[[Any, int], Candidate | None]] = {
    OrderOutcomeUnknown: _outcome_unknown,
    SurpriseClassified: _surprised,
    HedgeAbandoned: _abandoned,
    CostRealised: _slipped,
    RebalanceProposed: _rebalance,
    StableProposed: _stable,
}
"""The alerts that these events are by themselves the cause of."""


def rerouted(book: Book, event: HedgeRerouted, position: int) -> tuple[Candidate, ...]:
    """Tell of a hedge that is traded elsewhere than it was planned; louder when that is not for the first time."""
    tally = book.costs.open.get(event.hedge_id)
    if tally is None:
        return ()
    again = tally.rounds - 1
    severity = Severity.CRITICAL if again >= REROUTED_OFTEN else Severity.WARNING
    without = f", without {', '.join(event.failed)}" if event.failed else ""
    text = f"reroute {again} of a hedge of {tally.underlying}: {event.text}{without}"
    return (caused(position, severity, "hedge", str(event.hedge_id), text),)
