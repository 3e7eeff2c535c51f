"""Orders: each intent to trade, from the moment it was meant until the venue surely does no more with it.

A row ends with `order.closed`; a fill that comes for it later stands in the fills and is alerted.
"""

from collections.abc import Callable
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec

from domain.fill import FillRecorded
from domain.instant import rfc3339
from domain.order import (
    Ending,
    OrderAcknowledged,
    OrderAttempted,
    OrderCancelRequested,
    OrderClosed,
    OrderOutcomeUnknown,
    OrderRejected,
    OrderSide,
    OrderSubmissionRequested,
    TimeInForce,
)
from domain.quantity import ZERO, Num, Rounding, add, divide, multiply, round_to
from projections.view import Row, Rows, View

AVERAGE_STEP = Decimal("0.000000000001")
"""Average prices are shown to twelve places; the exact ones are quote_value / filled."""


class OrderState(StrEnum):
    """Say how far an order is. UNKNOWN: it may be at the venue, and counts as exposure until the venue was asked.

    AWAITING_FILLS: the venue is done with it, and told of fills that are not here yet.
    """

    REQUESTED = "requested"
    ATTEMPTED = "attempted"
    ACKNOWLEDGED = "acknowledged"
    PARTIALLY_FILLED = "partially_filled"
    AWAITING_FILLS = "awaiting_fills"
    UNKNOWN = "unknown"
    REJECTED = "rejected"
    CANCELLING = "cancelling"
    CLOSED = "closed"


class OrderLine(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Show an order: quantities in base units, positive; prices in quote units; `text` is the last word about it.

    `hedge_id` is its parent; `leg` (venue|account|symbol) is the leg of it that this order trades.
    """

    order_id: UUID
    hedge_id: UUID
    venue: str
    account: str
    symbol: str
    side: OrderSide
    quantity: Num
    limit_price: Num
    time_in_force: TimeInForce
    reduce_only: bool
    state: OrderState
    attempt: int
    client_order_id: str
    venue_order_id: str
    accepted_quantity: Num | None
    filled: Num
    quote_value: Num
    average_price: Num | None
    ending: Ending | None
    text: str
    requested_at: str
    updated_at: str
    leg: str = ""


class Orders(Rows[OrderLine]):
    """Hold the orders that are not closed."""


def _requested(state: Orders, event: OrderSubmissionRequested, position: int, at_us: int) -> tuple[Row[OrderLine], ...]:
    order, at = event.order, rfc3339(at_us)
    line = OrderLine(
        order_id=order.order_id,
        hedge_id=event.hedge_id,
        venue=order.venue,
        account=order.account,
        symbol=order.symbol,
        side=order.side,
        quantity=order.quantity,
        limit_price=order.limit_price,
        time_in_force=order.time_in_force,
        reduce_only=order.reduce_only,
        state=OrderState.REQUESTED,
        attempt=0,
        client_order_id="",
        venue_order_id="",
        accepted_quantity=None,
        filled=ZERO,
        quote_value=ZERO,
        average_price=None,
        ending=None,
        text="",
        requested_at=at,
        updated_at=at,
        leg=f"{order.venue}|{order.account}|{order.symbol}",
    )
    return state.keep(str(order.order_id), position, line)


def _attempted(_line: OrderLine, event: OrderAttempted) -> dict[str, object]:
    return {"state": OrderState.ATTEMPTED, "attempt": event.attempt, "client_order_id": event.client_order_id}


# A cancel that was asked for stands until the order is over.
_STANDS = frozenset({OrderState.CANCELLING, OrderState.AWAITING_FILLS})


def _acknowledged(line: OrderLine, event: OrderAcknowledged) -> dict[str, object]:
    if event.terminal:
        state = OrderState.AWAITING_FILLS
    elif line.state in _STANDS:
        state = line.state
    else:
        state = OrderState.PARTIALLY_FILLED if line.filled else OrderState.ACKNOWLEDGED
    return {"state": state, "venue_order_id": event.venue_order_id, "accepted_quantity": event.accepted_quantity}


def _rejected(_line: OrderLine, event: OrderRejected) -> dict[str, object]:
    return {"state": OrderState.REJECTED, "text": f"{event.code}: {event.text}"}


def _unknown(line: OrderLine, event: OrderOutcomeUnknown) -> dict[str, object]:
    return {"state": line.state if line.state in _STANDS else OrderState.UNKNOWN, "text": event.text}


def _cancelling(_line: OrderLine, event: OrderCancelRequested) -> dict[str, object]:
    return {"state": OrderState.CANCELLING, "text": event.text}


def _filled(line: OrderLine, event: FillRecorded) -> dict[str, object]:
    filled = add(line.filled, event.quantity)
    quote_value = add(line.quote_value, multiply(event.quantity, event.price))
    average = round_to(divide(quote_value, filled), AVERAGE_STEP, Rounding.NEAREST)
    state = line.state if line.state in _STANDS else OrderState.PARTIALLY_FILLED
    return {"state": state, "filled": filled, "quote_value": quote_value, "average_price": average}


def _changed(news: Callable[[OrderLine, Any], dict[str, object]]) -> Callable[..., tuple[Row[OrderLine], ...]]:
    """Return the step that writes what an event says into its order's line, if the order is open."""

    def step(state: Orders, event: Any, position: int, at_us: int) -> tuple[Row[OrderLine], ...]:
        key = str(event.order_id)
        line = state.find(key)
        if line is None:
            return ()
        changed = msgspec.structs.replace(line, updated_at=rfc3339(at_us), **news(line, event))
        return state.keep(key, position, changed)

    return step


def _closed(state: Orders, event: OrderClosed, position: int, at_us: int) -> tuple[Row[OrderLine], ...]:
    key = str(event.order_id)
    line = state.find(key)
    if line is None:
        return ()
    closed = msgspec.structs.replace(line, state=OrderState.CLOSED, ending=event.ending, updated_at=rfc3339(at_us))
    return state.close(key, position, closed)


ORDERS = View(
    name="orders",
    document=OrderLine,
    state=Orders,
    steps={
        OrderSubmissionRequested: _requested,
        OrderAttempted: _changed(_attempted),
        OrderAcknowledged: _changed(_acknowledged),
        OrderRejected: _changed(_rejected),
        OrderOutcomeUnknown: _changed(_unknown),
        OrderCancelRequested: _changed(_cancelling),
        FillRecorded: _changed(_filled),
        OrderClosed: _closed,
    },
    lookups=frozenset({"hedge_id", "symbol"}),
)
