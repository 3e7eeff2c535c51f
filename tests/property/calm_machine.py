"""A desk under any sequence of requests and reports, and the laws that hold at each step: others drive it further."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from commands.handler import Decision, Handler
from domain.book import Book, remaining
from domain.chain import GENESIS
from domain.codec import decode_event, decoder, encode, encode_state
from domain.exposure import exposure, imbalance
from domain.fill import FillRecorded
from domain.hedge import HedgePlanned, OpenHedge
from domain.instant import parse_rfc3339
from domain.log import Head
from domain.market import SourceKind
from domain.order import OrderClosed, OrderSubmissionRequested
from domain.order_state import OpenOrder
from domain.quantity import ZERO, Num, Rounding, add, multiply, round_to
from domain.quote import QuoteIssued, Side
from domain.request import RequestAccepted, RequestCancelled, RequestCompleted, RequestSettlementFailed
from domain.settlement import SettlementConfirmed
from domain.surprise import SurpriseClassified
from tests.support.desk import Desk, as_read
from tests.support.given import a_book, a_policy

LOT = Decimal("0.001")
# No price of these worlds is below it: what is worth a venue's least at it may always be traded.
LEAST_PRICE = Num(1_900)
SIZES = (st.integers(50, 20_000) | st.integers(1, 200)).map(lambda lots: str(Num(Decimal(lots).scaleb(-4))))
PARTS = st.sampled_from([Decimal(text) for text in ("0", "0.1", "0.5", "0.9", "1", "1.2")])


class CalmMachine(RuleBasedStateMachine):
    """Drive a desk with requests, and a venue that fills and reports them in any order."""

    @initialize()
    def open(self) -> None:
        self.desk = Desk(policy=a_policy(hedge_orders_max=2))
        self.desk.held()
        self.nonce = 0
        self.trades = 0

    def pick(self, number: int) -> OpenOrder:
        orders = list(self.desk.book.orders.values())
        return orders[number % len(orders)]

    @rule(size=SIZES)
    def mint(self, size: str) -> None:
        self.request(size, Side.MINT)

    @rule(size=SIZES)
    def redeem(self, size: str) -> None:
        self.request(size, Side.REDEEM)

    def request(self, size: str, side: Side) -> None:
        dollars = str(multiply(Num(size), Num(2000)))
        quote = self.desk.quote(size if side is Side.MINT else dollars, side=side.value)
        if quote.outcome.status == "accepted":
            self.nonce += 1
            self.desk.accept(quote, nonce=self.nonce)

    @rule(size=st.integers(1, 1_000).map(str), side=st.sampled_from(Side))
    def request_a_stable(self, size: str, side: Side) -> None:
        quote = self.desk.quote(size, pair="USDT/USDe", side=side.value)
        if quote.outcome.status == "accepted":
            self.nonce += 1
            self.desk.accept(quote, nonce=self.nonce)

    @precondition(lambda self: self.desk.book.orders)
    @rule(number=st.integers(0, 20), part=PARTS)
    def fill(self, number: int, part: Decimal) -> None:
        order = self.pick(number).order
        quantity = round_to(multiply(order.quantity, part), LOT, Rounding.DOWN)
        if quantity > 0:
            self.trades += 1
            self.desk.fill(order, str(quantity), trade=f"t{self.trades}")

    @precondition(lambda self: self.desk.book.orders)
    @rule(number=st.integers(0, 20), terminal=st.booleans(), more=st.sampled_from(["0", "0.001", "0.5"]))
    def acknowledge(self, number: int, terminal: bool, more: str) -> None:
        order = self.pick(number)
        filled = min(add(order.filled, Num(more)), max(order.order.quantity, order.filled))
        self.desk.acknowledge(order.order, filled=str(filled), terminal=terminal)

    @precondition(lambda self: self.desk.book.orders)
    @rule(number=st.integers(0, 20), part=PARTS)
    def finish(self, number: int, part: Decimal) -> None:
        """Let the venue fill part of what it has not filled, report it and be done, in either order."""
        order = self.pick(number)
        quantity = round_to(multiply(abs(remaining(order)), part), LOT, Rounding.DOWN)
        if quantity > 0:
            self.trades += 1
            self.desk.fill(order.order, str(quantity), trade=f"t{self.trades}")
        self.desk.acknowledge(order.order, filled=str(add(order.filled, quantity)))

    @precondition(lambda self: self.desk.book.orders)
    @rule(
        number=st.integers(0, 20),
        how=st.sampled_from(["reject", "absent", "unknown"]),
        attempt=st.sampled_from([1, 1, 1, 0, 2]),
    )
    def fail(self, number: int, how: str, attempt: int) -> None:
        report: Callable[..., Decision] = getattr(self.desk, how)
        report(self.pick(number).order, attempt=attempt)

    @precondition(lambda self: self.desk.book.settlements)
    @rule(number=st.integers(0, 20), good=st.booleans())
    def settle(self, number: int, good: bool) -> None:
        settlements: list[UUID] = list(self.desk.book.settlements)
        settlement_id = settlements[number % len(settlements)]
        if good:
            self.desk.do("settlement.confirmed", {"settlement_id": settlement_id, "reference": "0x1"})
        else:
            self.desk.do("settlement.reverted", {"settlement_id": settlement_id, "text": "reverted"})

    @rule(later_ms=st.sampled_from([0, 1, 250, 1_000, 30_000]))
    def wake(self, later_ms: int) -> None:
        self.desk.wake(later_ms)

    @rule(bid=st.integers(1_990, 2_010), age_ms=st.sampled_from([0] * 9 + [600]))
    def move_the_market(self, bid: int, age_ms: int) -> None:
        self.show(bid, age_ms)

    def show(self, bid: int, age_ms: int) -> None:
        self.desk.evidence = (a_book(str(bid), f"{bid}.1", age_ms=age_ms),)

    @rule()
    def restart(self) -> None:
        """Go on from a snapshot, as after a crash."""
        handler = self.desk.handler
        book = decoder(Book).decode(encode_state(handler.book))
        self.desk.handler = Handler(book, Head(1, handler.position, handler.sequence, GENESIS))

    def events(self, *kinds: type[Any]) -> list[Any]:
        return [event for event in self.desk.events if isinstance(event, kinds)]

    @invariant()
    def the_hedging_law(self) -> None:
        """Backing, positions, everything planned and the carry cancel, whatever came that nobody planned."""
        assert imbalance(self.desk.book, "ETH") == 0

    @invariant()
    def positions_and_backing_are_sums(self) -> None:
        book = self.desk.book
        held = sum((position.quantity for position in book.positions.values()), ZERO)
        assert held == sum((fill.signed for fill in self.events(FillRecorded)), ZERO)
        backing: dict[str, int] = {}
        issued = 0
        for settled in self.events(SettlementConfirmed):
            sign = 1 if settled.side is Side.MINT else -1
            backing[settled.collateral.asset] = (
                backing.get(settled.collateral.asset, 0) + sign * settled.collateral.atoms
            )
            issued += sign * settled.issued.atoms
        assert (book.backing, book.issued) == (backing, issued)

    @invariant()
    def every_request_is_under_way_or_ended_once(self) -> None:
        book = self.desk.book
        accepted = {event.request_id for event in self.events(RequestAccepted)}
        ends = self.events(RequestCompleted, RequestCancelled, RequestSettlementFailed)
        ended = [event.request_id for event in ends]
        assert len(ended) == len(set(ended))
        assert set(book.requests) == accepted - set(ended)
        hedged = {hedge.planned.request_id for hedge in book.hedges.values()}
        settling = {asked.requested.request_id for asked in book.settlements.values()}
        assert set(book.requests) <= hedged | settling

    @invariant()
    def every_hedge_is_being_worked_on(self) -> None:
        book = self.desk.book
        waiting = {wake.subject for wake in book.wakes.values()}
        for hedge_id, hedge in book.hedges.items():
            assert set(hedge.working) <= set(book.orders)
            assert hedge.working or hedge_id in waiting
            orders = [book.orders[order_id] for order_id in hedge.working]
            assert len({(each.order.venue, each.order.symbol) for each in orders}) == len(orders)
            self.no_more_than_was_planned(hedge, orders)
        assert {order.hedge_id for order in book.orders.values()} <= set(book.hedges)
        assert set(book.client_orders.values()) == set(book.orders)

    def no_more_than_was_planned(self, hedge: OpenHedge, orders: list[OpenOrder]) -> None:
        """What a hedge traded and has at work is within its plan, unless a venue traded more than it was asked."""
        overfilled = {event.order_id for event in self.events(SurpriseClassified) if event.kind == "overfill"}
        mine = {
            event.order.order_id
            for event in self.events(OrderSubmissionRequested)
            if event.hedge_id == hedge.planned.hedge_id
        }
        if not overfilled & mine:
            at_work = sum((each.order.quantity for each in orders), ZERO)
            assert abs(hedge.filled) + at_work <= abs(hedge.planned.quantity)

    @invariant()
    def carry_beyond_the_band_is_being_worked_on(self) -> None:
        book = self.desk.book
        policy, carry = book.policy, book.carry.get("ETH", ZERO)
        assert policy is not None
        band = policy.band("ETH")
        beyond = max(abs(carry) - (band.width if band is not None else ZERO), ZERO)
        if beyond * LEAST_PRICE >= policy.instruments[0].minimum_notional:
            assert {"hedge.rehedge", "hedge.unwind"} & {wake.kind for wake in book.wakes.values()}

    @invariant()
    def every_surprise_is_classified_once(self) -> None:
        unowned = {event.fill_id for event in self.events(FillRecorded) if self.unaccounted(event)}
        told = [event.fill_id for event in self.events(SurpriseClassified) if event.kind != "overfill"]
        assert len(told) == len(set(told))
        assert set(told) == unowned

    def unaccounted(self, fill: FillRecorded) -> bool:
        """Say whether no open order accounted for a fill when it came."""
        if fill.order_id is None:
            return True
        for event in self.desk.events:
            if event is fill:
                return False
            if isinstance(event, OrderClosed) and event.order_id == fill.order_id:
                return True
        return False

    @invariant()
    def no_order_is_empty_or_off_the_lot(self) -> None:
        for event in self.events(OrderSubmissionRequested):
            assert event.order.quantity > 0
            assert event.order.quantity % LOT == 0
        for event in self.events(HedgePlanned):
            assert event.quantity % LOT == 0

    @invariant()
    def the_interval_holds_every_corner(self) -> None:
        book = self.desk.book
        seen = exposure(book, "ETH")
        assert seen.interval.low <= seen.certain <= seen.interval.high

    @invariant()
    def no_price_without_its_quorum(self) -> None:
        for event in self.events(QuoteIssued, HedgePlanned):
            kinds = [source.kind for source in event.sources]
            assert kinds.count(SourceKind.ORACLE) >= 1
            hedged = isinstance(event, HedgePlanned) or event.pair == "WETH/USDe"
            assert not hedged or len({each.venue for each in event.sources if each.kind is SourceKind.LINEAR}) >= 2

    @invariant()
    def streams_have_no_gaps(self) -> None:
        assert self.desk.handler.position == len(self.desk.stored)
        versions: dict[UUID, int] = {}
        for event in self.desk.stored:
            versions[event.originator_id] = versions.get(event.originator_id, 0) + 1
            assert event.version == versions[event.originator_id]

    def teardown(self) -> None:
        """Fold the log again: the same Book; then let every open thing end somehow: the truth stays in the interval."""
        if not hasattr(self, "desk"):
            return
        again = Handler(Book(), Head(1, 0, 0, GENESIS))
        for event in as_read(self.desk.stored, 1):
            decoded = decode_event(event.topic, event.state)
            assert encode(decoded) == event.state
            at_us = parse_rfc3339(msgspec.json.decode(event.metadata)["at"])
            again.replay(decoded, event.position, at_us)
        live, folded = (msgspec.structs.replace(book, wakes={}) for book in (self.desk.book, again.book))
        assert encode_state(folded) == encode_state(live)
        assert set(self.desk.book.wakes) <= set(again.book.wakes)
        self.the_truth_stays_in_the_interval()

    def the_truth_stays_in_the_interval(self) -> None:
        interval = exposure(self.desk.book, "ETH").interval
        for number, order in enumerate(list(self.desk.book.orders.values())):
            quantity = abs(remaining(order))
            if number % 2 == 0 and quantity > 0:
                self.trades += 1
                self.desk.fill(order.order, str(quantity), trade=f"t{self.trades}")
                certain = exposure(self.desk.book, "ETH").certain
                assert interval.low <= certain <= interval.high
        for number, settlement_id in enumerate(list(self.desk.book.settlements)):
            self.end(number, settlement_id)
            certain = exposure(self.desk.book, "ETH").certain
            assert interval.low <= certain <= interval.high

    def end(self, number: int, settlement_id: UUID) -> None:
        """Let a settlement end one way or the other."""
        if number % 2:
            self.desk.do("settlement.confirmed", {"settlement_id": settlement_id, "reference": "0x2"})
        else:
            self.desk.do("settlement.reverted", {"settlement_id": settlement_id, "text": "at the end"})
