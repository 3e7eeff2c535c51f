"""Fills: every trade of ours, once."""

from uuid import UUID

import msgspec

from domain.fill import FillKind, FillRecorded, FillSource
from domain.instant import rfc3339
from domain.order import OrderSide
from domain.quantity import Num
from projections.view import Row, Rows, View


class FillLine(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Show a fill: `quantity` in base units, positive; `fee` positive when it cost us.

    `surprise` says that no order of ours explains it, or that the venue forced it.
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
    """Hold nothing: a fill is over when it is told."""


def is_surprise(fill: FillRecorded) -> bool:
    """Say whether nobody here asked for this fill."""
    return fill.order_id is None or fill.kind is not FillKind.TRADE


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
        surprise=is_surprise(event),
        traded_at=rfc3339(event.traded_at_us),
        recorded_at=rfc3339(at_us),
    )
    return state.close(str(event.fill_id), position, line)


FILLS = View(
    name="fills",
    document=FillLine,
    state=Fills,
    steps={FillRecorded: _filled},
    lookups=frozenset({"order_id", "symbol"}),
)
