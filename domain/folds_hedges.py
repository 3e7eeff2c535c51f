"""How the Book folds hedges, the orders that begin and end for them, and what was filled of them."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import msgspec

from domain.event import Event
from domain.fill import FillRecorded, Position, after_fill
from domain.folds_orders import follow, release
from domain.hedge import HedgeAbandoned, HedgeCompleted, HedgeLegCompleted, HedgePlanned, HedgeRerouted, OpenHedge
from domain.order import Ending, OrderClosed, OrderSubmissionRequested
from domain.order_state import OpenOrder
from domain.quantity import add, subtract
from domain.state import Book


def position_key(venue: str, account: str, symbol: str) -> str:
    """Return the key of a position."""
    return f"{venue}|{account}|{symbol}"


def _hedge_planned(book: Book, event: HedgePlanned, _at_us: int) -> None:
    book.hedges[event.hedge_id] = OpenHedge(planned=event, legs=event.legs)
    book.carry_over(event.underlying, -add(event.exposure, event.quantity))
    request = book.requests.get(event.request_id)
    if request is not None:
        book.requests[event.request_id] = msgspec.structs.replace(request, hedge_id=event.hedge_id)


def _hedge_rerouted(book: Book, event: HedgeRerouted, _at_us: int) -> None:
    hedge = book.hedges[event.hedge_id]
    book.hedges[event.hedge_id] = msgspec.structs.replace(hedge, legs=event.legs, failed=event.failed)


def _hedge_completed(book: Book, event: HedgeCompleted, _at_us: int) -> None:
    planned = book.hedges[event.hedge_id].planned
    book.carry_over(planned.underlying, subtract(planned.quantity, event.filled))  # zero unless a venue overfilled
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
    hedge = book.hedges[event.hedge_id]
    working = (*hedge.working, order.order_id)
    book.hedges[event.hedge_id] = msgspec.structs.replace(hedge, orders=hedge.orders + 1, working=working)


def _order_closed(book: Book, event: OrderClosed, _at_us: int) -> None:
    order = release(book, event.order_id)
    hedge = book.hedges[event.hedge_id]
    book.hedges[event.hedge_id] = msgspec.structs.replace(
        hedge,
        filled=add(hedge.filled, order.filled * order.direction),
        quote_value=add(hedge.quote_value, order.quote_value),
        unfilled=hedge.unfilled + (event.ending is not Ending.FILLED),
        working=tuple(each for each in hedge.working if each != event.order_id),
    )


def _fill_recorded(book: Book, event: FillRecorded, _at_us: int) -> None:
    key = position_key(event.venue, event.account, event.symbol)
    before = book.positions.get(key) or Position(event.venue, event.account, event.symbol)
    book.positions[key] = after_fill(before, event)
    if event.order_id is not None and event.order_id in book.orders:
        follow(book, event.order_id, event)


FOLDS: dict[type[Event], Callable[[Book, Any, int], None]] = {
    HedgePlanned: _hedge_planned,
    HedgeRerouted: _hedge_rerouted,
    HedgeLegCompleted: _nothing,
    HedgeCompleted: _hedge_completed,
    HedgeAbandoned: _hedge_abandoned,
    OrderSubmissionRequested: _order_requested,
    OrderClosed: _order_closed,
    FillRecorded: _fill_recorded,
}
"""How each of these events is folded."""
