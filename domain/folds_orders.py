"""How the Book folds venue orders: attempts, what the venue says of them, and that nobody knows."""

from collections.abc import Callable
from typing import Any

import msgspec

from domain.event import Event
from domain.order import (
    OpenOrder,
    OrderAcknowledged,
    OrderAttempted,
    OrderCancelRequested,
    OrderOutcomeUnknown,
    OrderRejected,
)
from domain.state import Book


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


def _nothing(_book: Book, _event: Event, _at_us: int) -> None:
    """Change nothing: the fact is told for its readers, the Book follows its neighbours."""


FOLDS: dict[type[Event], Callable[[Book, Any, int], None]] = {
    OrderAttempted: _order_attempted,
    OrderAcknowledged: _order_acknowledged,
    OrderRejected: _nothing,
    OrderOutcomeUnknown: _order_unknown,
    OrderCancelRequested: _nothing,
}
"""How each of these events is folded."""
