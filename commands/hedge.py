"""Hedging: the process that follows a hedge until its delta is traded away, or a person is told.

Several orders of a hedge work at once, one an instrument. Whenever one is over and something is left, the hedge asks to
go on, on fresh evidence: with the next slice of the leg, or with a new plan for what no leg accounts for any more,
without the instruments that failed. Events wake it inside their own append; what needs evidence it asks for by a wake.
"""

from commands.hedging_rest import abandoned, completed, idle_legs, live_legs, may_plan_anew, rest, traded
from commands.hedging_slices import begin, continuing, due, retry_ms
from commands.order import closing
from commands.process import Arm, Message, Record
from domain.book import Book
from domain.fill import FillRecorded
from domain.hedge import HedgeLegCompleted, HedgePlanned, HedgeRerouted, OpenHedge, OpenLeg
from domain.instant import MILLISECOND_US
from domain.legs import leg_of
from domain.order import Ending, OrderAcknowledged, OrderClosed
from domain.wake import Wake


def react_planned(book: Book, event: HedgePlanned, at_us: int) -> tuple[Message, ...]:
    """Send the first order of each leg, or be done when there is nothing to trade."""
    if not event.legs:
        return (Record(completed(book.hedges[event.hedge_id])),)
    return begin(book, event, at_us)


def react_rerouted(book: Book, event: HedgeRerouted, at_us: int) -> tuple[Message, ...]:
    """Send the first order of each new leg."""
    return begin(book, event, at_us)


def react_acknowledged(book: Book, event: OrderAcknowledged, _at_us: int) -> tuple[Message, ...]:
    """Close the order when the venue is done and its fills are all here."""
    closed = closing(book.orders[event.order_id])
    return (Record(closed),) if closed else ()


def react_fill(book: Book, event: FillRecorded, _at_us: int) -> tuple[Message, ...]:
    """Close the order when this was the last fill the venue told of."""
    order = book.orders.get(event.order_id) if event.order_id else None
    closed = closing(order) if order is not None else None
    return (Record(closed),) if closed else ()


def react_closed(book: Book, event: OrderClosed, at_us: int) -> tuple[Message, ...]:
    """Complete the hedge, give it up and say so, or ask to go on with what is left."""
    hedge = book.hedges[event.hedge_id]
    leg = leg_of(hedge, event.order_id)
    sign = -1 if leg is not None and leg.leg.quantity < 0 else 1
    told = Record(HedgeLegCompleted(hedge_id=event.hedge_id, order_id=event.order_id, filled=event.filled * sign))
    left, idle = rest(book, hedge), idle_legs(book, hedge)
    if not hedge.working and not idle:
        if left == 0:
            return (told, Record(completed(hedge)))
        if not may_plan_anew(book, hedge):
            return (told, Record(abandoned(hedge)))
    onward: list[Message] = []
    if leg is not None and any(each is leg for each in idle):
        onward.append(Arm(_next_slice(book, hedge, leg, event, at_us)))
    if left != 0 and may_plan_anew(book, hedge):
        wait_ms = 0 if _another_way(book, hedge, leg) else retry_ms(book)
        onward.append(Arm(continuing(event.hedge_id, f"{event.order_id}|rest", at_us, wait_ms)))
    if not onward and not hedge.working:  # legs that could not be sent before
        onward.append(Arm(continuing(event.hedge_id, f"{event.order_id}|idle", at_us, retry_ms(book))))
    return (told, *onward)


def _next_slice(book: Book, hedge: OpenHedge, leg: OpenLeg, event: OrderClosed, at_us: int) -> Wake:
    """Return the wake of a leg's next slice: when it is due, after a full one not before the book may have changed."""
    wait_ms = retry_ms(book) if event.ending is Ending.FILLED else 0
    at = max(due(hedge, leg).not_before_us, at_us + wait_ms * MILLISECOND_US)
    return continuing(event.hedge_id, f"{event.order_id}|slice", at)


def _another_way(book: Book, hedge: OpenHedge, leg: OpenLeg | None) -> bool:
    """Say whether a venue that failed just now can be left for another at once."""
    if leg is None or leg.leg.key not in hedge.failed:
        return False
    taken = {*hedge.failed, *(each.leg.key for each in live_legs(book, hedge))}
    return any(each.key not in taken for each in traded(book, hedge.planned.underlying))
