"""A venue account of a few lines, in virtual time: it keeps the contract of the port, and fails as it is told.

An order is filled in the share `fills` as it arrives; the rest of it expires, or rests until it is cancelled. What a
call is scripted to do happens once, in order: `down` (surely not sent), `lost` (sent, never arrived, no answer),
`unanswered` (done, no answer), `refused`, `rate`.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import AsyncGenerator, Sequence
from decimal import Decimal
from typing import Literal

import msgspec

from domain.approval import Approved
from domain.venue import (
    AccountEvent,
    Acknowledgement,
    Connected,
    FillReport,
    OrderReport,
    OrderStatus,
    RateSpent,
    Rejected,
    Unavailable,
    Unknown,
    VenueOrder,
)

How = Literal["down", "lost", "unanswered", "refused", "rate"]
ANSWER_S = 0.05
TIMEOUT_S = 1.0


class Placed(msgspec.Struct):
    """One order as the venue keeps it."""

    order: VenueOrder
    venue_order_id: str
    status: OrderStatus = "new"
    filled: Decimal = Decimal(0)


class ModelVenue:
    """Trade on one account; `script` says what goes wrong next, by call, `sent` and `cancels` what was asked."""

    absence_after_ms = 5_400

    def __init__(self, name: str, *, rests: bool = False, fills: str = "1") -> None:
        self.name = name
        self.account = "main"
        self.rests = rests
        self.share = Decimal(fills)
        self.script: dict[str, deque[How]] = defaultdict(deque)
        self.is_down = False
        self.sent: list[str] = []
        self.cancels: list[str] = []
        self.asked: list[str] = []
        self.placed: dict[str, Placed] = {}
        self.fills: list[FillReport] = []
        self.events: asyncio.Queue[AccountEvent] = asyncio.Queue()

    def _next(self, call: str) -> How | None:
        if self.is_down:
            return "down"
        return self.script[call].popleft() if self.script[call] else None

    async def _travel(self, call: str) -> How | None:
        how = self._next(call)
        if how == "down":
            raise Unavailable("no connection")
        if how == "rate":
            raise RateSpent("no room")
        await asyncio.sleep(ANSWER_S)
        return how

    async def _unanswered(self) -> None:
        await asyncio.sleep(TIMEOUT_S)
        raise Unknown("no answer in time")

    async def submit(self, approved: Approved[VenueOrder]) -> Acknowledgement:
        """See `Venue.submit`."""
        order = approved.value
        self.sent.append(order.client_order_id)
        how = await self._travel("submit")
        if how == "refused":
            raise Rejected("insufficient_margin", "no money")
        if how != "lost":
            self.place(order)
        if how is not None:
            await self._unanswered()
        return self._acknowledged(self.placed[order.client_order_id])

    def place(self, order: VenueOrder) -> None:
        """Take an order that has arrived."""
        assert order.client_order_id not in self.placed, "sent twice"
        placed = self.placed[order.client_order_id] = Placed(order, f"v{len(self.placed) + 1}")
        self.fill(order.client_order_id, order.quantity * self.share)
        if placed.status != "filled" and not self.rests:
            placed.status = "expired"

    def fill(self, client_order_id: str, quantity: Decimal) -> None:
        """Trade some of an open order, and let whoever sweeps find it."""
        placed = self.placed[client_order_id]
        if quantity == 0:
            return
        order = placed.order
        placed.filled += quantity
        placed.status = "filled" if placed.filled >= order.quantity else "partially_filled"
        self.fills.append(
            FillReport(
                venue=self.name,
                account=self.account,
                symbol=order.symbol,
                trade_id=str(len(self.fills) + 1),
                venue_order_id=placed.venue_order_id,
                client_order_id=order.client_order_id,
                side=order.side,
                price=order.limit_price or Decimal(2_000),
                quantity=quantity,
                fee_asset="USDT",
                fee_quantity=Decimal(0),
                liquidity="taker",
                kind="trade",
                source="sweep",
                at_us=1 << 60,
            )
        )

    async def cancel(self, symbol: str, client_order_id: str) -> OrderReport:
        """See `Venue.cancel`."""
        self.cancels.append(client_order_id)
        how = await self._travel("cancel")
        placed = self.placed.get(client_order_id)
        is_open = placed is not None and placed.status in {"new", "partially_filled"}
        if placed is not None and is_open and how != "lost":
            placed.status = "canceled"
        if how is not None:
            await self._unanswered()
        if placed is None or not is_open or placed.order.symbol != symbol:
            raise Rejected("unknown_order", client_order_id)
        return self.report(placed)

    async def order_state(self, symbol: str, client_order_id: str) -> OrderReport | None:
        """See `Venue.order_state`."""
        self.asked.append(client_order_id)
        if await self._travel("order_state") is not None:
            await self._unanswered()
        placed = self.placed.get(client_order_id)
        return self.report(placed) if placed is not None and placed.order.symbol == symbol else None

    async def fills_since(self, symbol: str, since_us: int) -> Sequence[FillReport]:
        """See `Venue.fills_since`."""
        await self._travel("fills_since")
        return [fill for fill in self.fills if fill.symbol == symbol and fill.at_us >= since_us]

    async def account_events(self) -> AsyncGenerator[AccountEvent, None]:
        """See `Venue.account_events`."""
        yield Connected(venue=self.name, account=self.account, at_us=1)
        while True:
            yield await self.events.get()

    def report(self, placed: Placed) -> OrderReport:
        """Describe an order as it stands."""
        order = placed.order
        return OrderReport(
            venue=self.name,
            account=self.account,
            symbol=order.symbol,
            venue_order_id=placed.venue_order_id,
            client_order_id=order.client_order_id,
            side=order.side,
            status=placed.status,
            quantity=order.quantity,
            filled=placed.filled,
            limit_price=order.limit_price,
            average_price=order.limit_price if placed.filled else None,
            reduce_only=order.reduce_only,
            at_us=1,
        )

    def _acknowledged(self, placed: Placed) -> Acknowledgement:
        return Acknowledgement(
            venue_order_id=placed.venue_order_id,
            client_order_id=placed.order.client_order_id,
            status=placed.status,
            filled=placed.filled,
            accepted_quantity=placed.order.quantity,
            at_us=1,
        )
