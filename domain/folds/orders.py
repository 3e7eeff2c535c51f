"""How the Book folds venue orders: attempts, what the venue says of them, and that nobody knows."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from domain.event import Event
from domain.order import (
    OrderAcknowledged,
    OrderAttempted,
    OrderCancelRequested,
    OrderOutcomeUnknown,
    OrderRejected,
    TimeInForce,
)
from domain.order_state import OpenOrder, after
from domain.state import Book

# Ids of ended orders that are remembered, oldest forgotten first: a fill that comes later still is a stranger's.
ENDED_MAX = 512


def venue_order_key(order: OpenOrder, venue_order_id: str) -> str:
    """Return the key under which an order is known by an id: the venue's own, or ours once it is over."""
    return f"{order.order.venue}|{order.order.account}|{order.order.symbol}|{venue_order_id}"


def follow(book: Book, order_id: UUID, event: Event) -> None:
    """Take an open order on by an event of its own, and know it by the venue's id from when that is told."""
    before = book.orders[order_id]
    order = book.orders[order_id] = after(before, event)
    if order.venue_order_id != before.venue_order_id:
        _forget(book, before)
        book.venue_orders.setdefault(venue_order_key(order, order.venue_order_id), order_id)


def release(book: Book, order_id: UUID) -> OpenOrder:
    """Take an order out of the Book, with all that it is known by, and return it as it was."""
    order = book.orders.pop(order_id)
    book.client_orders.pop(order.client_order_id, None)
    _forget(book, order)
    book.versions.pop(order_id, None)
    for told in (order.client_order_id, order.venue_order_id):
        if told:
            book.ended_orders[venue_order_key(order, told)] = order_id
    while len(book.ended_orders) > ENDED_MAX:
        del book.ended_orders[next(iter(book.ended_orders))]
    if order.order.time_in_force is not TimeInForce.IOC:
        book.disarm(order_id)  # what rests may have a wake that cancels it
    return order


def _forget(book: Book, order: OpenOrder) -> None:
    key = venue_order_key(order, order.venue_order_id)
    if book.venue_orders.get(key) == order.order.order_id:
        del book.venue_orders[key]


def _order_attempted(book: Book, event: OrderAttempted, _at_us: int) -> None:
    book.client_orders[event.client_order_id] = event.order_id
    follow(book, event.order_id, event)


def _order_told(
    book: Book,
    event: OrderAcknowledged | OrderRejected | OrderOutcomeUnknown | OrderCancelRequested,
    _at_us: int,
) -> None:
    follow(book, event.order_id, event)


FOLDS: dict[type[Event], Callable[[Book, Any, int], None]] = {
    OrderAttempted: _order_attempted,
    OrderAcknowledged: _order_told,
    OrderRejected: _order_told,
    OrderOutcomeUnknown: _order_told,
    OrderCancelRequested: _order_told,
}
"""How each of these events is folded."""
