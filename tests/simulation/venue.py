"""A simulated trading venue: it does what it is told, late or twice if asked twice, and is not always heard.

The server (`VenueServer`) keeps the truth. As on real venues a client order id is unique among open orders only: the
same intent sent again after it filled trades again. Orders and fills become visible to queries a while after they
happen. A request that is late by more than its own validity (`RECEIVE_WINDOW_US`) is refused on arrival. It may go away
altogether for a while, in the middle of an order too, and tell of a fill after it said that the order was over.
"""

from bisect import bisect_left
from collections.abc import Callable
from decimal import Decimal
from typing import Literal

import msgspec

from domain.venue import (
    AccountEvent,
    Disconnected,
    FillReport,
    OrderReport,
    OrderStatus,
    Rejected,
    RejectReason,
    Unknown,
    VenueOrder,
)
from tests.simulation.market import Market
from tests.simulation.sim import Sim

RECEIVE_WINDOW_US = 5_000_000
VISIBLE_AFTER_US = 400_000
FILL_GAP_US = (1_000, 120_000)
FEE_RATE = Decimal("0.0005")
FILLS_PER_ORDER_MAX = 3
AWAY_US = (500_000, 9_000_000)
LATE_US = (200_000, 8_000_000)

SITES = (
    "venue.rejected",
    "venue.partial",
    "venue.unfilled",
    "venue.vanished",
    "venue.filled_late",
)


class Placed(msgspec.Struct):
    """One order as the venue keeps it; `late` is what of `filled` came when it was over."""

    order: VenueOrder
    venue_order_id: str
    placed_us: int
    status: OrderStatus = "new"
    filled: Decimal = Decimal(0)
    paid: Decimal = Decimal(0)
    late: Decimal = Decimal(0)
    updated_us: int = 0

    @property
    def open(self) -> bool:
        """Whether it may still trade."""
        return self.status in {"new", "partially_filled"}


class VenueServer:
    """The venue itself: orders, fills, positions, and whoever listens to the account."""

    def __init__(self, sim: Sim, name: str, market: Market, wall_us: Callable[[], int]) -> None:
        self.sim = sim
        self.name = name
        self.market = market
        self.wall_us = wall_us
        self.orders: list[Placed] = []
        self.fills: list[FillReport] = []
        self.fill_times_us: list[int] = []
        self.positions: dict[str, Decimal] = {}
        self.listeners: list[Callable[[AccountEvent], None]] = []
        self.on_placed: list[Callable[[Placed], None]] = []
        self.on_filled: list[Callable[[FillReport], None]] = []
        self.late: set[str] = set()
        self._away_until_us = 0
        self._by_client_id: dict[str, list[Placed]] = {}

    @property
    def is_away(self) -> bool:
        """Whether nobody reaches it now."""
        return self.sim.loop.now_us < self._away_until_us and not self.sim.faults.healed

    def vanish(self) -> None:
        """Go away for a drawn time: nothing arrives, nothing is answered, no stream is heard; what is open goes on."""
        away_us = self.sim.faults.between("venue.away", *AWAY_US)
        self._away_until_us = self.sim.loop.now_us + away_us
        self.sim.note(self.name, "away for", away_us)
        for listener in list(self.listeners):
            listener(Disconnected(venue=self.name, account="main", reason="away", at_us=self.wall_us()))

    def place(self, order: VenueOrder, sent_us: int) -> Placed | Rejected | Unknown:
        """Take an order that has arrived, sent at `sent_us` of virtual time; a second open one of its id is `Unknown`.

        The venue does refuse the second, but it may be an echo of the first: as adapters do, tell it as not known.
        """
        now_us = self.sim.loop.now_us
        if any(known.open for known in self._by_client_id.get(order.client_order_id, ())):
            return Unknown(f"an order {order.client_order_id} is open")
        refusal = self._refusal(order, now_us - sent_us)
        if refusal is not None:
            self.sim.note(self.name, "rejected", order.client_order_id, refusal)
            return Rejected(refusal, f"order {order.client_order_id}")
        placed = Placed(order, f"{len(self.orders) + 1}", now_us, updated_us=now_us)
        self.orders.append(placed)
        self._by_client_id.setdefault(order.client_order_id, []).append(placed)
        self.sim.note(self.name, "placed", order.client_order_id, order.side, order.quantity)
        for told in self.on_placed:
            told(placed)
        self._execute(placed)
        if self.sim.faults.hit("venue.vanished"):
            self.vanish()
        return placed

    def _refusal(self, order: VenueOrder, age_us: int) -> RejectReason | None:
        if age_us > RECEIVE_WINDOW_US:
            return "malformed"
        if order.quantity <= 0:
            return "size_or_price_step"
        if self.sim.faults.hit("venue.rejected"):
            return "insufficient_margin"
        if order.reduce_only and not self._reducible(order):
            return "reduce_only"
        return None

    def _reducible(self, order: VenueOrder) -> Decimal:
        """Return how much of its position an order's side may close."""
        held = self.positions.get(order.symbol, Decimal(0))
        return max(Decimal(0), -held if order.side == "buy" else held)

    def _execute(self, placed: Placed) -> None:
        """Fill what the price allows, in up to three parts; what is left of the order expires."""
        faults, order = self.sim.faults, placed.order
        late = faults.hit("venue.filled_late")
        share = faults.between("venue.share", 1, 99)
        parts = faults.between("venue.parts", 1, FILLS_PER_ORDER_MAX)
        partial, nothing = faults.hit("venue.partial"), faults.hit("venue.unfilled")
        price = self.market.best_ask if order.side == "buy" else self.market.best_bid
        limit = order.limit_price
        crossed = limit is None or (price <= limit if order.side == "buy" else price >= limit)
        lot = Decimal("0.001")
        total = Decimal(0) if nothing or not crossed else order.quantity
        if partial or late:
            total = (total * share / 100 / lot).to_integral_value(rounding="ROUND_DOWN") * lot
        each = (total / parts / lot).to_integral_value(rounding="ROUND_DOWN") * lot
        quantities = [each] * (parts - 1) + [total - each * (parts - 1)]
        delay_us = 0
        for quantity in quantities:
            if quantity > 0:
                delay_us += faults.between("venue.fill_gap", *FILL_GAP_US)
                self.sim.loop.after_us(delay_us, self._fill, placed, quantity, price)
        delay_us += faults.between("venue.fill_gap", *FILL_GAP_US)
        self.sim.loop.after_us(delay_us, self._end, placed)
        late_us, rest = faults.between("venue.late_by", *LATE_US), order.quantity - total
        if late and total > 0 and rest > 0 and order.time_in_force == "ioc":
            self.sim.loop.after_us(delay_us + late_us, self._fill_late, placed, rest, price)

    def _fill(self, placed: Placed, quantity: Decimal, price: Decimal) -> None:
        if placed.order.reduce_only:
            quantity = min(quantity, self._reducible(placed.order))
        if not placed.open or quantity <= 0:
            return
        placed.filled += quantity
        placed.paid += quantity * price
        placed.status = "filled" if placed.filled == placed.order.quantity else "partially_filled"
        placed.updated_us = self.sim.loop.now_us
        self._trade(self._trade_of(placed, quantity, price))
        self._tell(self.report(placed))

    def _fill_late(self, placed: Placed, quantity: Decimal, price: Decimal) -> None:
        """Tell of a fill of an order that was said to be over."""
        if placed.order.reduce_only:
            quantity = min(quantity, self._reducible(placed.order))
        if quantity <= 0 or placed.status != "expired":
            return
        placed.filled += quantity
        placed.late += quantity
        placed.paid += quantity * price
        fill = self._trade_of(placed, quantity, price)
        self.late.add(fill.trade_id)
        self._trade(fill)

    def _trade_of(self, placed: Placed, quantity: Decimal, price: Decimal) -> FillReport:
        order = placed.order
        return FillReport(
            venue=self.name,
            account=order.account,
            symbol=order.symbol,
            trade_id=f"{len(self.fills) + 1}",
            venue_order_id=placed.venue_order_id,
            client_order_id=order.client_order_id,
            side=order.side,
            price=price,
            quantity=quantity,
            fee_asset="USDT",
            fee_quantity=quantity * price * FEE_RATE,
            liquidity="taker",
            kind="trade",
            source="stream",
            at_us=self.wall_us(),
        )

    def force(self, account: str, symbol: str, quantity: Decimal, kind: Literal["liquidation", "adl"]) -> None:
        """Buy back a part of a short, if there is one, that nobody of ours ordered: a fill without an order."""
        quantity = min(quantity, -self.positions.get(symbol, Decimal(0)))
        if quantity <= 0:
            return
        self._trade(
            FillReport(
                venue=self.name,
                account=account,
                symbol=symbol,
                trade_id=f"{len(self.fills) + 1}",
                venue_order_id=f"autoclose-{len(self.fills) + 1}",
                client_order_id=None,
                side="buy",
                price=self.market.best_ask,
                quantity=quantity,
                fee_asset="USDT",
                fee_quantity=quantity * self.market.best_ask * FEE_RATE,
                liquidity="taker",
                kind=kind,
                source="stream",
                at_us=self.wall_us(),
            )
        )

    def _trade(self, fill: FillReport) -> None:
        signed = fill.quantity if fill.side == "buy" else -fill.quantity
        self.positions[fill.symbol] = self.positions.get(fill.symbol, Decimal(0)) + signed
        self.fills.append(fill)
        self.fill_times_us.append(self.sim.loop.now_us)
        self.sim.note(self.name, "filled", fill.client_order_id or fill.kind, signed, "at", fill.price)
        for told in self.on_filled:
            told(fill)
        self._tell(fill)

    def _end(self, placed: Placed) -> None:
        if placed.open:
            placed.status = "expired"
            placed.updated_us = self.sim.loop.now_us
            self._tell(self.report(placed))

    def cancel(self, placed: Placed) -> None:
        """Take an order off the book, as far as it did not trade."""
        if placed.open:
            placed.status = "canceled"
            placed.updated_us = self.sim.loop.now_us
            self._tell(self.report(placed))

    def report(self, placed: Placed) -> OrderReport:
        """Describe an order as it stands."""
        order = placed.order
        return OrderReport(
            venue=self.name,
            account=order.account,
            symbol=order.symbol,
            venue_order_id=placed.venue_order_id,
            client_order_id=order.client_order_id,
            side=order.side,
            status=placed.status,
            quantity=order.quantity,
            filled=placed.filled,
            limit_price=order.limit_price,
            average_price=placed.paid / placed.filled if placed.filled else None,
            reduce_only=order.reduce_only,
            at_us=self.wall_us(),
        )

    def placed(self, client_order_id: str) -> list[Placed]:
        """Return every order that ever came under a client id, visible to queries or not."""
        return self._by_client_id.get(client_order_id, [])

    def find(self, client_order_id: str) -> Placed | None:
        """Return the newest order of that client id that queries can see yet."""
        visible = self.sim.loop.now_us - VISIBLE_AFTER_US
        seen = [one for one in self._by_client_id.get(client_order_id, ()) if one.placed_us <= visible]
        return seen[-1] if seen else None

    def first_fill_since(self, since_us: int) -> int:
        """Return the index of the first fill at or after an instant of the venue's clock."""
        return bisect_left(self.fills, since_us, key=lambda fill: fill.at_us)

    def fills_after(self, symbol: str, index: int, limit: int) -> tuple[list[FillReport], int]:
        """Return up to `limit` fills from `index` on that queries can see yet, and the index after the last."""
        visible = self.sim.loop.now_us - VISIBLE_AFTER_US
        found: list[FillReport] = []
        while index < len(self.fills) and len(found) < limit and self.fill_times_us[index] <= visible:
            if self.fills[index].symbol == symbol:
                found.append(msgspec.structs.replace(self.fills[index], source="sweep"))
            index += 1
        return found, index

    def _tell(self, event: AccountEvent) -> None:
        for listener in list(self.listeners):
            listener(event)
