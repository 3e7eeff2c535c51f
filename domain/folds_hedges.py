"""How the Book folds hedges, their orders at the venues, and what was filled of them."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import msgspec

from domain.event import Event
from domain.fill import FillRecorded, Position, after_fill
from domain.hedge import HedgeAbandoned, HedgeCompleted, HedgeLegCompleted, HedgePlanned, OpenHedge
from domain.order import (
    OpenOrder,
    OrderAcknowledged,
    OrderAttempted,
    OrderCancelRequested,
    OrderClosed,
    OrderOutcomeUnknown,
    OrderRejected,
    OrderSubmissionRequested,
)
from domain.quantity import ZERO, add, multiply, subtract
from domain.state import Book


def position_key(venue: str, account: str, symbol: str) -> str:
    """Return the key of a position."""
    return f"{venue}|{account}|{symbol}"


def _hedge_planned(book: Book, event: HedgePlanned, _at_us: int) -> None:
    book.hedges[event.hedge_id] = OpenHedge(event, 0, ZERO, ZERO)
    book.carry_over(event.underlying, -add(event.exposure, event.quantity))
    request = book.requests.get(event.request_id)
    if request is not None:
        book.requests[event.request_id] = msgspec.structs.replace(request, hedge_id=event.hedge_id)


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
    book.hedges[event.hedge_id] = msgspec.structs.replace(hedge, orders=hedge.orders + 1, working=order.order_id)


def _order_attempted(book: Book, event: OrderAttempted, _at_us: int) -> None:
    order = book.orders[event.order_id]
    book.client_orders[event.client_order_id] = event.order_id
    book.orders[event.order_id] = msgspec.structs.replace(
        order, attempt=event.attempt, client_order_id=event.client_order_id, send_before_us=event.send_before_us
    )


def _order_acknowledged(book: Book, event: OrderAcknowledged, _at_us: int) -> None:
    order = book.orders[event.order_id]
    book.venue_orders[venue_order_key(order, event.venue_order_id)] = event.order_id
    book.orders[event.order_id] = msgspec.structs.replace(
        order,
        venue_order_id=event.venue_order_id,
        reported=event.filled if event.terminal else order.reported,
        accepted=event.accepted_quantity,
        unknown=False,
    )


def venue_order_key(order: OpenOrder, venue_order_id: str) -> str:
    """Return the key under which a venue's own order id is known."""
    return f"{order.order.venue}|{order.order.account}|{order.order.symbol}|{venue_order_id}"


def _order_unknown(book: Book, event: OrderOutcomeUnknown, _at_us: int) -> None:
    book.orders[event.order_id] = msgspec.structs.replace(book.orders[event.order_id], unknown=True)


def _order_closed(book: Book, event: OrderClosed, _at_us: int) -> None:
    order = book.orders.pop(event.order_id)
    book.client_orders.pop(order.client_order_id, None)
    book.venue_orders.pop(venue_order_key(order, order.venue_order_id), None)
    book.versions.pop(event.order_id, None)
    hedge = book.hedges[event.hedge_id]
    book.hedges[event.hedge_id] = msgspec.structs.replace(
        hedge,
        filled=add(hedge.filled, order.filled * order.direction),
        quote_value=add(hedge.quote_value, order.quote_value),
        working=None,
    )


def _fill_recorded(book: Book, event: FillRecorded, _at_us: int) -> None:
    key = position_key(event.venue, event.account, event.symbol)
    before = book.positions.get(key) or Position(event.venue, event.account, event.symbol)
    book.positions[key] = after_fill(before, event)
    order = book.orders.get(event.order_id) if event.order_id else None
    if order is not None:
        book.orders[order.order.order_id] = msgspec.structs.replace(
            order,
            filled=add(order.filled, event.quantity),
            quote_value=add(order.quote_value, multiply(event.quantity, event.price)),
        )


FOLDS: dict[type[Event], Callable[[Book, Any, int], None]] = {
    HedgePlanned: _hedge_planned,
    HedgeLegCompleted: _nothing,
    HedgeCompleted: _hedge_completed,
    HedgeAbandoned: _hedge_abandoned,
    OrderSubmissionRequested: _order_requested,
    OrderAttempted: _order_attempted,
    OrderAcknowledged: _order_acknowledged,
    OrderRejected: _nothing,
    OrderOutcomeUnknown: _order_unknown,
    OrderCancelRequested: _nothing,
    OrderClosed: _order_closed,
    FillRecorded: _fill_recorded,
}
"""How each of these events is folded."""
