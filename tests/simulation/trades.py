"""The auditor of orders and fills: what the log says of them against what the venues truly did, at every moment.

A fill that comes after its order was over, or that a venue made by itself, is a surprise: nobody can know of it before
it is told, so it counts from the moment it is recorded, on both sides.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any
from uuid import UUID

from domain.book import Book
from domain.event import Event
from domain.fill import FillKind, FillRecorded
from domain.hedge import Purpose
from domain.limit import Control
from domain.log import StoredEvent
from domain.order import Ending, OrderAttempted, OrderClosed, OrderSubmissionRequested
from domain.quantity import ZERO, Num, add, multiply
from domain.surprise import SurpriseClassified
from domain.venue import FillReport
from tests.simulation.venue import Placed, VenueServer

Check = Callable[..., None]


class Trades:
    """Hold the invariants of orders and fills over every venue of one world."""

    def __init__(self, book: Book, venues: Mapping[str, VenueServer], check: Check) -> None:
        self._book = book
        self._venues = venues
        self._check = check
        self._fills: set[UUID] = set()
        self._attempts: dict[str, OrderSubmissionRequested] = {}
        self._orders: dict[UUID, OrderSubmissionRequested] = {}
        self._by_hedge: dict[UUID, list[OrderSubmissionRequested]] = {}
        self._closed: set[UUID] = set()
        self._traded: dict[UUID, Decimal] = {}
        self._planned: dict[UUID, Num | None] = {}
        self._unclassified: dict[UUID, FillRecorded] = {}
        self.bought = ZERO
        self.surprises = ZERO
        self.surprised = 0
        self.on_filled: Callable[[], None] = lambda: None
        self.rules: dict[type[Event], Callable[[Any, StoredEvent], None]] = {
            OrderSubmissionRequested: self._requested,
            OrderAttempted: self._attempted,
            OrderClosed: self._order_closed,
            FillRecorded: self._fill_recorded,
            SurpriseClassified: self._surprise_classified,
        }
        for venue in venues.values():
            venue.on_placed.append(self._placed)
            venue.on_filled.append(self._filled)

    # The log

    def committed(self) -> None:
        """Check what must be true after each commit."""
        for fill in self._unclassified.values():
            self._check(False, "a surprise is classified as it is recorded", fill)

    def _requested(self, event: OrderSubmissionRequested, _stored: StoredEvent) -> None:
        order, book = event.order, self._book
        instrument = book.instrument(order.venue, order.symbol)
        self._check(order.quantity >= instrument.minimum_quantity, "an order has a size the venue takes", order)
        limit, hedge = book.limit(Control.ORDER_NOTIONAL), book.hedges[event.hedge_id]
        dollars = multiply(order.quantity, hedge.planned.reference)
        inside = limit is not None and dollars <= multiply(limit.value, Decimal("1.05"))
        self._check(inside, "an order's notional is inside its limit", order, limit)
        siblings = self._by_hedge.setdefault(event.hedge_id, [])
        alone = all(_where(each) != _where(event) or each.order.order_id in self._closed for each in siblings)
        self._check(alone, "a hedge has one order at a time on an instrument", event.hedge_id)
        siblings.append(event)
        self._orders[order.order_id] = event
        rebalances = hedge.planned.purpose is Purpose.REBALANCE
        self._planned[event.hedge_id] = None if rebalances else hedge.planned.quantity

    def _attempted(self, event: OrderAttempted, _stored: StoredEvent) -> None:
        fresh = event.client_order_id not in self._attempts
        self._check(fresh, "a client order id is used once", event.client_order_id)
        self._attempts[event.client_order_id] = self._orders[event.order_id]

    def _order_closed(self, event: OrderClosed, _stored: StoredEvent) -> None:
        order = self._book.orders[event.order_id]
        self._closed.add(event.order_id)
        venue = self._venues[order.order.venue]
        placed = venue.placed(order.client_order_id)
        filled = sum((one.filled for one in placed), Decimal(0))
        late = sum((one.late for one in placed), Decimal(0))
        whole = filled - late <= event.filled <= filled
        self._check(whole, "a closed order has all its fills", event, "venue says", filled, "late", late)
        self._check(not any(one.open for one in placed), "a closed order is over at the venue", event)
        if event.ending in {Ending.REJECTED, Ending.ABSENT}:
            self._check(not placed, "an order that ended without the venue is not there", event)

    def _fill_recorded(self, event: FillRecorded, stored: StoredEvent) -> None:
        self._check(event.fill_id not in self._fills, "a fill is recorded once", stored.position, event.trade_id)
        self._fills.add(event.fill_id)
        venue = self._venues[event.venue]
        truth = venue.fills[int(event.trade_id) - 1]
        told = (event.quantity, event.price, event.symbol, event.side.value, event.kind.value)
        same = told == (truth.quantity, truth.price, truth.symbol, truth.side, truth.kind)
        self._check(same, "a recorded fill happened", event)
        is_open, is_late = event.order_id in self._book.orders, truth.trade_id in venue.late
        known = is_open == (event.kind is FillKind.TRADE) or (is_late and not is_open)
        self._check(known, "a fill of ours is of an order that is open", event)
        if is_late or not is_open:
            self.surprises = add(self.surprises, event.signed)
        if not is_open:
            self.surprised += 1
            self._unclassified[event.fill_id] = event

    def _surprise_classified(self, event: SurpriseClassified, _stored: StoredEvent) -> None:
        fill = self._unclassified.pop(event.fill_id, None)
        if fill is not None:
            self._check(event.quantity == fill.signed, "a surprise is as large as its fill", event, fill)

    # The venues

    def _placed(self, placed: Placed) -> None:
        order = placed.order
        requested = self._attempts.get(order.client_order_id)
        self._check(requested is not None, "an order is recorded before the venue sees it", order.client_order_id)
        if requested is None:
            return
        under_id = sum(len(venue.placed(order.client_order_id)) for venue in self._venues.values())
        self._check(under_id == 1, "a client order id reaches one venue once", order.client_order_id)
        asked = requested.order
        same = (order.venue, order.symbol, order.quantity, order.limit_price, order.side, order.reduce_only) == (
            asked.venue,
            asked.symbol,
            asked.quantity,
            asked.limit_price,
            asked.side.value,
            asked.reduce_only,
        )
        self._check(same, "the venue sees the order as recorded", order)
        self._check(asked.order_id in self._book.orders, "no order reaches the venue after it was given up", order)
        for sibling in self._by_hedge[requested.hedge_id]:
            if sibling is not requested and _where(sibling) == _where(requested):
                over = sibling.order.order_id in self._closed
                self._check(over, "no second order of a hedge on an instrument while the first is open", order)

    def _filled(self, fill: FillReport) -> None:
        signed = fill.quantity if fill.side == "buy" else -fill.quantity
        late = fill.trade_id in self._venues[fill.venue].late
        if fill.kind == "trade" and not late:
            self.bought = add(self.bought, signed)
        requested = self._attempts.get(fill.client_order_id or "")
        if requested is not None and not late:
            hedge_id = requested.hedge_id
            traded = self._traded[hedge_id] = self._traded.get(hedge_id, Decimal(0)) + signed
            planned = self._planned[hedge_id]
            within = planned is None or (abs(traded) <= abs(planned) and traded * planned >= 0)
            self._check(within, "a hedge trades once", hedge_id, traded, planned)
        self.on_filled()


def _where(event: OrderSubmissionRequested) -> tuple[str, str, str]:
    return event.order.venue, event.order.account, event.order.symbol
