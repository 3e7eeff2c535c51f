"""What a hedge has left: what its legs may still trade, and what none of them accounts for any more."""

from decimal import Decimal
from uuid import UUID

from domain.book import Book, remaining
from domain.hedge import (
    HedgeAbandoned,
    HedgeCompleted,
    HedgePlanned,
    OpenHedge,
    OpenLeg,
    PlannedLeg,
    Purpose,
)
from domain.policy import Hedging, Instrument, Pair
from domain.quantity import ZERO, Num, Rounding, add, divide, round_to, subtract
from domain.sizing import tradable

# The average price of a hedge is told to this step.
_PRICE_STEP = Decimal("0.000000000000000001")


def instrument_of(book: Book, leg: PlannedLeg) -> Instrument | None:
    """Return the instrument of a leg; None when the policy does not have it any more."""
    known = book.policy.instruments if book.policy is not None else ()
    return next((each for each in known if (each.venue, each.symbol) == (leg.venue, leg.symbol)), None)


def traded(book: Book, underlying: str) -> tuple[Instrument, ...]:
    """Return every instrument that an underlying may be hedged with."""
    return book.policy.traded(underlying) if book.policy is not None else ()


def tradable_somewhere(book: Book, underlying: str, quantity: Decimal) -> bool:
    """Say whether some venue would take a signed base quantity, at the reference of the underlying's latest plan."""
    reference = book.references.get(underlying, ZERO)
    return any(tradable(each, quantity, reference) != 0 for each in traded(book, underlying))


def live_legs(book: Book, hedge: OpenHedge) -> tuple[OpenLeg, ...]:
    """Return the legs that go on: an order works for them, or one may follow."""
    return tuple(each for each in hedge.legs if each.order_id in hedge.working or _goes_on(book, each))


def _goes_on(book: Book, leg: OpenLeg) -> bool:
    instrument = None if leg.over else instrument_of(book, leg.leg)
    return instrument is not None and tradable(instrument, leg.left, leg.leg.reference) != 0


def idle_legs(book: Book, hedge: OpenHedge) -> tuple[OpenLeg, ...]:
    """Return the legs that go on and have no order at work."""
    return tuple(each for each in live_legs(book, hedge) if each.order_id not in hedge.working)


def _worst(book: Book, hedge: OpenHedge, leg: OpenLeg) -> Num:
    """Return what a leg may still trade, signed: what it has left, or what its order may come to if that is more."""
    order_id: UUID | None = leg.order_id
    order = book.orders.get(order_id) if order_id is not None and order_id in hedge.working else None
    if order is None:
        return leg.left
    ordered = add(order.filled * order.direction, remaining(order))
    return ordered if abs(ordered) > abs(leg.left) else leg.left


def rest(book: Book, hedge: OpenHedge) -> Num:
    """Return what must be planned anew, signed base units: planned, not traded, and no leg may trade it any more.

    What was overtraded waits for the end of the hedge, and is carried. A rebalance has legs of both signs: only when
    none goes on is it known what they leave, and on which side.
    """
    legs = live_legs(book, hedge)
    left = subtract(hedge.planned.quantity, hedge.filled)
    for leg in legs:
        left = subtract(left, _worst(book, hedge, leg))
    rebalance = hedge.planned.purpose is Purpose.REBALANCE
    if (rebalance and legs) or (not rebalance and (left > 0) != (hedge.planned.quantity > 0)):
        return ZERO
    return left if tradable_somewhere(book, hedge.planned.underlying, left) else ZERO


def may_plan_anew(book: Book, hedge: OpenHedge) -> bool:
    """Say whether a hedge has a round left; how many it has is a bound of the policy's."""
    return book.policy is not None and hedge.rounds < book.policy.hedge_orders_max


def home_of(book: Book, planned: HedgePlanned) -> Pair | None:
    """Return the pair whose home gives a hedge's reference: its request's, or else one of its underlying."""
    request = book.requests.get(planned.request_id)
    named = book.pair(request.accepted.pair) if request is not None else None
    return named or home_pair(book, planned.underlying)


def home_pair(book: Book, underlying: str) -> Pair | None:
    """Return the first pair that is hedged with an underlying."""
    pairs = book.policy.pairs if book.policy is not None else ()
    hedged = (pair for pair in pairs if pair.hedging is Hedging.PERPETUAL)
    return next((pair for pair in hedged if book.asset(pair.collateral).underlying == underlying), None)


def completed(hedge: OpenHedge) -> HedgeCompleted:
    """Return the end of a hedge that has nothing left to trade."""
    average = ZERO if hedge.filled == 0 else divide(hedge.quote_value, abs(hedge.filled))
    return HedgeCompleted(
        hedge_id=hedge.planned.hedge_id,
        request_id=hedge.planned.request_id,
        filled=hedge.filled,
        average_price=round_to(average, _PRICE_STEP, Rounding.NEAREST),
    )


def abandoned(hedge: OpenHedge) -> HedgeAbandoned:
    """Return the end of a hedge that has something left and no round more: it is carried, and a person is told."""
    left = subtract(hedge.planned.quantity, hedge.filled)
    return HedgeAbandoned(
        hedge_id=hedge.planned.hedge_id,
        request_id=hedge.planned.request_id,
        filled=hedge.filled,
        residual=left,
        text=f"{hedge.orders} orders in {hedge.rounds} rounds left {left} {hedge.planned.underlying} untraded",
    )
