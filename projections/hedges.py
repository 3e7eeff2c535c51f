"""Hedges: what was planned and why there, what was ordered and filled, and what it cost beside its certificate.

A row ends when its hedge does. It holds the newest of its rounds, orders and fills, no more than `hedge_lines` says;
the counts beside them are whole, and the views `orders` and `fills` hold every one.
"""

from collections.abc import Callable
from typing import Any, TypeVar
from uuid import UUID

import msgspec

from domain.cost import PRICE_STEP, whole
from domain.fill import FillRecorded
from domain.hedge import HedgeAbandoned, HedgeCompleted, HedgePlanned, HedgeRerouted
from domain.instant import rfc3339
from domain.order import (
    OrderAcknowledged,
    OrderCancelRequested,
    OrderClosed,
    OrderOutcomeUnknown,
    OrderRejected,
    OrderSubmissionRequested,
)
from domain.policy import Policy, PolicyAdopted
from domain.quantity import ZERO, Rounding, add, divide, multiply, round_to, subtract
from domain.tally import Tallies, Tally, fold, leg_costs
from projections.hedge_lines import (
    FILLS_SHOWN,
    ORDERS_SHOWN,
    ROUNDS_SHOWN,
    HedgeFill,
    HedgeLine,
    HedgeOrder,
    HedgeState,
    RoundLine,
)
from projections.orders import OrderState
from projections.view import Row, Rows, View


class Hedges(Rows[HedgeLine]):
    """Hold the hedges under way, what they cost until now, which is whose order, and the policy in force."""

    tallies: Tallies = msgspec.field(default_factory=Tallies)
    orders: dict[UUID, UUID] = msgspec.field(default_factory=dict[UUID, UUID])
    policy: Policy | None = None


def _adopted(state: Hedges, event: PolicyAdopted, _position: int, _at_us: int) -> tuple[Row[HedgeLine], ...]:
    state.policy = event.policy
    return ()


def _round(number: int, at: str, event: HedgePlanned | HedgeRerouted) -> RoundLine:
    again = event if isinstance(event, HedgeRerouted) else None
    return RoundLine(
        number=number,
        at=at,
        quantity=event.quantity,
        reference=event.reference,
        legs=event.legs,
        failed=again.failed if again is not None else (),
        text=again.text if again is not None else "",
        certificate=event.certificate,
    )


def _planned(state: Hedges, event: HedgePlanned, position: int, at_us: int) -> tuple[Row[HedgeLine], ...]:
    fold(state.tallies, event, state.policy)
    at = rfc3339(at_us)
    line = HedgeLine(
        hedge_id=event.hedge_id,
        request_id=event.request_id,
        purpose=event.purpose,
        underlying=event.underlying,
        state=HedgeState.WORKING,
        style=event.style,
        exposure=event.exposure,
        internalised=event.internalised,
        quantity=event.quantity,
        filled=ZERO,
        residual=event.quantity,
        reference=event.reference,
        text="",
        cost=whole(()),
        legs=(),
        rounds=(_round(1, at, event),),
        orders=(),
        fills=(),
        rounds_told=1,
        orders_told=0,
        fills_told=0,
        planned_at=at,
        updated_at=at,
    )
    return state.keep(str(event.hedge_id), position, line)


def _write(state: Hedges, line: HedgeLine, position: int, at_us: int, **news: object) -> tuple[Row[HedgeLine], ...]:
    changed = msgspec.structs.replace(line, updated_at=rfc3339(at_us), **news)
    return state.keep(str(line.hedge_id), position, changed)


T = TypeVar("T")


def _newest(held: tuple[T, ...], one: T, most: int) -> tuple[T, ...]:
    return (*held, one)[-most:]


def _rerouted(state: Hedges, event: HedgeRerouted, position: int, at_us: int) -> tuple[Row[HedgeLine], ...]:
    fold(state.tallies, event, state.policy)
    line = state.find(str(event.hedge_id))
    if line is None:
        return ()
    number = line.rounds_told + 1
    rounds = _newest(line.rounds, _round(number, rfc3339(at_us), event), ROUNDS_SHOWN)
    return _write(state, line, position, at_us, rounds=rounds, rounds_told=number, text=event.text)


def _ordered(state: Hedges, event: OrderSubmissionRequested, position: int, at_us: int) -> tuple[Row[HedgeLine], ...]:
    fold(state.tallies, event, state.policy)
    line, order = state.find(str(event.hedge_id)), event.order
    if line is None:
        return ()
    state.orders[order.order_id] = event.hedge_id
    fresh = HedgeOrder(
        order_id=order.order_id,
        round=line.rounds_told,
        venue=order.venue,
        account=order.account,
        symbol=order.symbol,
        side=order.side,
        quantity=order.quantity,
        limit_price=order.limit_price,
        time_in_force=order.time_in_force,
        state=OrderState.REQUESTED,
        filled=ZERO,
        quote_value=ZERO,
        average_price=None,
        ending=None,
        text="",
        requested_at=rfc3339(at_us),
    )
    orders = _newest(line.orders, fresh, ORDERS_SHOWN)
    return _write(state, line, position, at_us, orders=orders, orders_told=line.orders_told + 1)


def _acknowledged(_order: HedgeOrder, _event: OrderAcknowledged) -> dict[str, object]:
    return {"state": OrderState.ACKNOWLEDGED}


def _rejected(_order: HedgeOrder, event: OrderRejected) -> dict[str, object]:
    return {"state": OrderState.REJECTED, "text": f"{event.code}: {event.text}"}


def _unknown(_order: HedgeOrder, event: OrderOutcomeUnknown) -> dict[str, object]:
    return {"state": OrderState.UNKNOWN, "text": event.text}


def _cancelling(_order: HedgeOrder, event: OrderCancelRequested) -> dict[str, object]:
    return {"state": OrderState.CANCELLING, "text": event.text}


def _over(_order: HedgeOrder, event: OrderClosed) -> dict[str, object]:
    return {"state": OrderState.CLOSED, "ending": event.ending}


def _traded(order: HedgeOrder, event: FillRecorded) -> dict[str, object]:
    filled = add(order.filled, event.quantity)
    quote_value = add(order.quote_value, multiply(event.quantity, event.price))
    average = round_to(divide(quote_value, filled), PRICE_STEP, Rounding.NEAREST)
    return {"filled": filled, "quote_value": quote_value, "average_price": average}


def _with(orders: tuple[HedgeOrder, ...], event: Any, news: Callable[..., dict[str, object]]) -> tuple[HedgeOrder, ...]:
    return tuple(
        msgspec.structs.replace(each, **news(each, event)) if each.order_id == event.order_id else each
        for each in orders
    )


def _changed(news: Callable[[HedgeOrder, Any], dict[str, object]]) -> Callable[..., tuple[Row[HedgeLine], ...]]:
    """Return the step that writes what an event says of an order into its hedge's row."""

    def step(state: Hedges, event: Any, position: int, at_us: int) -> tuple[Row[HedgeLine], ...]:
        line = _of_order(state, event.order_id)
        return () if line is None else _write(state, line, position, at_us, orders=_with(line.orders, event, news))

    return step


def _of_order(state: Hedges, order_id: UUID | None) -> HedgeLine | None:
    hedge_id = state.orders.get(order_id) if order_id is not None else None
    return None if hedge_id is None else state.find(str(hedge_id))


def _closed(state: Hedges, event: OrderClosed, position: int, at_us: int) -> tuple[Row[HedgeLine], ...]:
    fold(state.tallies, event, state.policy)
    line = _of_order(state, event.order_id)
    state.orders.pop(event.order_id, None)
    return () if line is None else _write(state, line, position, at_us, orders=_with(line.orders, event, _over))


def _filled(state: Hedges, event: FillRecorded, position: int, at_us: int) -> tuple[Row[HedgeLine], ...]:
    fold(state.tallies, event, state.policy)
    line = _of_order(state, event.order_id)
    if line is None or event.order_id is None:
        return ()
    fill = HedgeFill(
        fill_id=event.fill_id,
        order_id=event.order_id,
        venue=event.venue,
        symbol=event.symbol,
        price=event.price,
        quantity=event.quantity,
        fee_asset=event.fee_asset,
        fee=event.fee,
        kind=event.kind,
        traded_at=rfc3339(event.traded_at_us),
    )
    news: dict[str, object] = {
        "orders": _with(line.orders, event, _traded),
        "fills": _newest(line.fills, fill, FILLS_SHOWN),
        "fills_told": line.fills_told + 1,
    }
    return _write(state, line, position, at_us, **news, **_counted(line, state.tallies.open.get(line.hedge_id)))


def _counted(line: HedgeLine, tally: Tally | None) -> dict[str, object]:
    """Return what a tally says of a hedge."""
    if tally is None:
        return {}
    legs = leg_costs(tally)
    filled = ZERO
    for leg in legs:
        filled = add(filled, leg.base)
    return {"legs": legs, "cost": whole(legs), "filled": filled, "residual": subtract(line.quantity, filled)}


def _ended(
    state: Hedges, event: HedgeCompleted | HedgeAbandoned, position: int, at_us: int
) -> tuple[Row[HedgeLine], ...]:
    fold(state.tallies, event, state.policy)
    state.tallies.ended = None  # the row holds what it counted
    state.orders = {order: hedge for order, hedge in state.orders.items() if hedge != event.hedge_id}
    key = str(event.hedge_id)
    line = state.find(key)
    if line is None:
        return ()
    abandoned = event if isinstance(event, HedgeAbandoned) else None
    over = msgspec.structs.replace(
        line,
        state=HedgeState.COMPLETED if abandoned is None else HedgeState.ABANDONED,
        filled=event.filled,
        residual=subtract(line.quantity, event.filled) if abandoned is None else abandoned.residual,
        text=line.text if abandoned is None else abandoned.text,
        updated_at=rfc3339(at_us),
    )
    return state.close(key, position, over)


HEDGES = View(
    name="hedges",
    document=HedgeLine,
    state=Hedges,
    steps={
        PolicyAdopted: _adopted,
        HedgePlanned: _planned,
        HedgeRerouted: _rerouted,
        OrderSubmissionRequested: _ordered,
        OrderAcknowledged: _changed(_acknowledged),
        OrderRejected: _changed(_rejected),
        OrderOutcomeUnknown: _changed(_unknown),
        OrderCancelRequested: _changed(_cancelling),
        FillRecorded: _filled,
        OrderClosed: _closed,
        HedgeCompleted: _ended,
        HedgeAbandoned: _ended,
    },
    lookups=frozenset({"hedge_id", "request_id", "underlying"}),
)
