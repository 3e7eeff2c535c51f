"""Fills: every trade of ours, once."""

from uuid import UUID

import msgspec

from domain.fill import FillKind, FillRecorded, FillSource
from domain.instant import rfc3339
from domain.order import OrderClosed, OrderSide, OrderSubmissionRequested
from domain.quantity import Num, subtract
from projections.view import Row, Rows, View


class FillLine(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Show a fill: `quantity` in base units, positive; `fee` positive when it cost us.

    `surprise` says that no open order of ours explains it, or not all of it, or that the venue forced it.
    """

    fill_id: UUID
    venue: str
    account: str
    symbol: str
    trade_id: str
    venue_order_id: str
    order_id: UUID | None
    side: OrderSide
    price: Num
    quantity: Num
    fee_asset: str
    fee: Num
    kind: FillKind
    source: FillSource
    surprise: bool
    traded_at: str
    recorded_at: str


class Fills(Rows[FillLine]):
    """Hold what open orders have left to trade: a fill is over when it is told."""

    left: dict[str, Num] = msgspec.field(default_factory=dict[str, Num])


def is_surprise(fill: FillRecorded) -> bool:
    """Say whether nobody here ever asked for this fill; one of an order that is over is a surprise as well."""
    return fill.order_id is None or fill.kind is not FillKind.TRADE


def _requested(state: Fills, event: OrderSubmissionRequested, _position: int, _at_us: int) -> tuple[Row[FillLine], ...]:
    state.left[str(event.order.order_id)] = event.order.quantity
    return ()


def _closed(state: Fills, event: OrderClosed, _position: int, _at_us: int) -> tuple[Row[FillLine], ...]:
    state.left.pop(str(event.order_id), None)
    return ()


def _surprises(state: Fills, event: FillRecorded) -> bool:
    """Say whether a fill is a surprise, and take it off what its order has left."""
    key = str(event.order_id)
    if is_surprise(event) or key not in state.left:
        return True
    state.left[key] = subtract(state.left[key], event.quantity)
    return state.left[key] < 0


def _filled(state: Fills, event: FillRecorded, position: int, at_us: int) -> tuple[Row[FillLine], ...]:
    line = FillLine(
        fill_id=event.fill_id,
        venue=event.venue,
        account=event.account,
        symbol=event.symbol,
        trade_id=event.trade_id,
        venue_order_id=event.venue_order_id,
        order_id=event.order_id,
        side=event.side,
        price=event.price,
        quantity=event.quantity,
        fee_asset=event.fee_asset,
        fee=event.fee,
        kind=event.kind,
        source=event.source,
        surprise=_surprises(state, event),
        traded_at=rfc3339(event.traded_at_us),
        recorded_at=rfc3339(at_us),
    )
    return state.close(str(event.fill_id), position, line)


FILLS = View(
    name="fills",
    document=FillLine,
    state=Fills,
    steps={OrderSubmissionRequested: _requested, OrderClosed: _closed, FillRecorded: _filled},
    lookups=frozenset({"order_id", "symbol"}),
)
