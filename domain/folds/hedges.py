"""How the Book folds hedges, the orders that begin and end for them, and what was filled of them."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import msgspec

from domain import legs
from domain.event import Event
from domain.fill import FillRecorded, Position, after_fill
from domain.folds.orders import follow, release
from domain.hedge import HedgeAbandoned, HedgeCompleted, HedgeLegCompleted, HedgePlanned, HedgeRerouted, Purpose
from domain.ids import position_key
from domain.internalisation import FlowInternalised
from domain.order import OrderClosed, OrderSubmissionRequested
from domain.order_state import OpenOrder
from domain.quantity import add, subtract
from domain.state import Book
from domain.surprise import FORCED, SurpriseClassified, SurpriseKind, rehedging


def _hedge_planned(book: Book, event: HedgePlanned, at_us: int) -> None:
    shunned = book.shunned.pop(event.underlying, ()) if event.purpose is Purpose.REHEDGE else ()
    book.hedges[event.hedge_id] = legs.begun(event, shunned, at_us)
    book.references[event.underlying] = event.reference
    book.carry_over(event.underlying, -add(event.exposure, event.quantity))
    request = book.requests.get(event.request_id)
    if request is not None:
        book.requests[event.request_id] = msgspec.structs.replace(request, hedge_id=event.hedge_id)


def _hedge_rerouted(book: Book, event: HedgeRerouted, at_us: int) -> None:
    hedge = book.hedges[event.hedge_id]
    book.hedges[event.hedge_id] = legs.rerouted(hedge, event, at_us)
    book.references[hedge.planned.underlying] = event.reference


def _hedge_completed(book: Book, event: HedgeCompleted, _at_us: int) -> None:
    planned = book.hedges[event.hedge_id].planned
    # Less than can be traded, or more than was asked for.
    book.carry_over(planned.underlying, subtract(planned.quantity, event.filled))
    _end_hedge(book, event.hedge_id)


def _hedge_abandoned(book: Book, event: HedgeAbandoned, _at_us: int) -> None:
    book.carry_over(book.hedges[event.hedge_id].planned.underlying, event.residual)
    _end_hedge(book, event.hedge_id)


def _end_hedge(book: Book, hedge_id: UUID) -> None:
    del book.hedges[hedge_id]
    book.versions.pop(hedge_id, None)
    book.disarm(hedge_id)


def _nothing(_book: Book, _event: Event, _at_us: int) -> None:
    """Change nothing: the fact is told for its readers, the Book follows its neighbours."""


def _order_requested(book: Book, event: OrderSubmissionRequested, _at_us: int) -> None:
    order = event.order
    book.orders[order.order_id] = OpenOrder(order=order, hedge_id=event.hedge_id)
    book.hedges[event.hedge_id] = legs.requested(book.hedges[event.hedge_id], event)


def _order_closed(book: Book, event: OrderClosed, at_us: int) -> None:
    order = release(book, event.order_id)
    book.hedges[event.hedge_id] = legs.closed(book.hedges[event.hedge_id], order, event.ending, at_us)


def _fill_recorded(book: Book, event: FillRecorded, _at_us: int) -> None:
    key = position_key(event.venue, event.account, event.symbol)
    before = book.positions.get(key) or Position(event.venue, event.account, event.symbol)
    book.positions[key] = after_fill(before, event)
    if event.order_id is not None and event.order_id in book.orders:
        follow(book, event.order_id, event)
    elif (underlying := book.underlying_of(event.venue, event.symbol)) is not None:
        book.carry_over(underlying, -event.signed)  # nothing planned it: the next hedge gives it back


def _surprise_classified(book: Book, event: SurpriseClassified, _at_us: int) -> None:
    if event.kind is not SurpriseKind.OVERFILL:
        book.disarm(rehedging(event.underlying))  # what waits to be tried again is tried now, with this
    if event.kind in FORCED and book.policy is not None:
        closed = tuple(
            position_key(each.venue, each.account, each.symbol)
            for each in book.policy.instruments
            if (each.base, each.venue) == (event.underlying, event.venue)
        )
        before = book.shunned.get(event.underlying, ())
        book.shunned[event.underlying] = (*before, *(key for key in closed if key not in before))


FOLDS: dict[type[Event], Callable[[Book, Any, int], None]] = {
    HedgePlanned: _hedge_planned,
    HedgeRerouted: _hedge_rerouted,
    HedgeLegCompleted: _nothing,
    FlowInternalised: _nothing,
    HedgeCompleted: _hedge_completed,
    HedgeAbandoned: _hedge_abandoned,
    OrderSubmissionRequested: _order_requested,
    OrderClosed: _order_closed,
    FillRecorded: _fill_recorded,
    SurpriseClassified: _surprise_classified,
}
"""How each of these events is folded."""
