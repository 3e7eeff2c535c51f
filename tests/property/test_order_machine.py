"""Orders under any interleaving of messages, beside a venue whose truth is known.

The venue takes, fills, amends, refuses, loses, cancels and ends orders; what it says of that comes late, twice, out of
order or not at all. Whatever comes: what is filled is the sum of the unique fills, the remaining interval contains the
truth, nothing is called absent or refused that the venue had, and when the venue answers every order ends.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from commands.handler import Handler
from domain.book import Book, remaining
from domain.chain import GENESIS
from domain.codec import decoder, encode_state
from domain.fill import FillRecorded
from domain.log import Head
from domain.order import Ending, Order, OrderClosed, OrderSide
from domain.order_state import MAY_FOLLOW, Over, State
from domain.quantity import ZERO, Num, Rounding, add, round_to
from tests.support.desk import Desk
from tests.support.given import a_policy

LOT = Decimal("0.001")
ORDERS_MAX = 4
PARTS = st.sampled_from([Decimal(text) for text in ("0.1", "0.3", "0.5", "1")])
NUMBERS = st.integers(0, 50)


class Truth(msgspec.Struct):
    """Hold what really happened to one order, and what was said of it.

    `told_size` is the greatest size that reached us, `heard` what reached us of `filled`. `wild` says that the venue
    did what no bound can foresee: it filled beyond every size that it had told, or called the order over too early.
    """

    order: Order
    client_order_id: str
    status: str = "away"  # away, lost, refused, open, over
    accepted: Decimal = ZERO
    told_size: Decimal = ZERO
    filled: Decimal = ZERO
    heard: Decimal = ZERO
    wild: bool = False

    @property
    def here(self) -> bool:
        """Say whether the venue has it, or had it."""
        return self.status in {"open", "over"}


class OrderMachine(RuleBasedStateMachine):
    """Let a desk hear of a venue's orders."""

    @initialize()
    def open(self) -> None:
        self.desk = Desk(policy=a_policy(hedge_orders_max=1))
        self.truths: list[Truth] = []
        self.bag: list[Callable[[], None]] = []
        self.fills: set[str] = set()
        self.trades = 0
        self.states: dict[str, State] = {}
        for size in ("1.5", "1", "0.5"):
            self.send(size)
        for truth, factor in zip(self.truths, ("2", "1"), strict=False):
            self.take(truth, Decimal(factor))

    def has(self, *statuses: str) -> bool:
        return any(truth.status in statuses for truth in self.truths)

    def pick(self, number: int, *statuses: str) -> Truth | None:
        those = [truth for truth in self.truths if truth.status in statuses]
        return those[number % len(those)] if those else None

    # What the venue does

    @precondition(lambda self: len(self.desk.book.orders) < ORDERS_MAX)
    @rule(size=st.sampled_from(["0.5", "1", "1.5"]))
    def send_another(self, size: str) -> None:
        self.send(size)

    def send(self, size: str) -> None:
        before = set(self.desk.book.orders)
        quote = self.desk.quote(size)
        if quote.outcome.status == "accepted":
            self.desk.accept(quote, nonce=len(self.truths) + 1)
        for order_id in set(self.desk.book.orders) - before:
            held = self.desk.book.orders[order_id]
            self.truths.append(
                Truth(order=held.order, client_order_id=held.client_order_id, told_size=held.order.quantity)
            )

    @precondition(lambda self: self.has("away"))
    @rule(number=NUMBERS, how=st.sampled_from(["1", "1", "0.5", "2", "refuse", "lose"]))
    def arrive(self, number: int, how: str) -> None:
        """Let an order arrive, in the size that the venue writes down; or be refused; or be lost on its way."""
        truth = self.pick(number, "away")
        if truth is not None and how == "refuse":
            truth.status = "refused"
            self.bag.append(lambda: self.done(self.desk.reject(truth.order)))
        elif truth is not None and how == "lose":
            truth.status = "lost"
            self.bag.append(lambda: self.done(self.desk.absent(truth.order)))
        elif truth is not None:
            self.take(truth, Decimal(how))

    def take(self, truth: Truth, factor: Decimal) -> None:
        truth.status, truth.accepted = "open", truth.order.quantity * factor
        self.report(truth)

    @precondition(lambda self: self.has("open"))
    @rule(number=NUMBERS, part=PARTS)
    def trade(self, number: int, part: Decimal) -> None:
        """Fill some of what is left of the size that we may know of."""
        truth = self.pick(number, "open")
        if truth is not None:
            room = max(min(truth.accepted, truth.told_size) - truth.filled, ZERO)
            self.fill(truth, round_to(room * part, LOT, Rounding.DOWN))

    def fill(self, truth: Truth, quantity: Decimal) -> None:
        if quantity <= 0:
            return
        truth.filled += quantity
        if truth.filled >= truth.accepted:
            truth.status = "over"
        self.trades += 1
        trade = f"t{self.trades}"
        self.bag.append(lambda: self.hear_fill(truth, trade, quantity))

    @precondition(lambda self: self.has("away", "lost", "open"))
    @rule(number=NUMBERS)
    def ask_for_a_cancel(self, number: int) -> None:
        truth = self.pick(number, "away", "lost", "open")
        if truth is not None:
            body = {"order_id": str(truth.order.order_id), "text": "for this test"}
            self.done(self.desk.do("order.cancel", body))

    @rule(number=NUMBERS, nothing=st.booleans())
    def say(self, number: int, nothing: bool) -> None:
        """Let the venue say how an order stands, or not answer."""
        truth = self.pick(number, "open", "over")
        if truth is not None and not nothing:
            self.report(truth)
        elif (truth := self.pick(number, "away", "lost", "open", "over")) is not None:
            unheard = truth.order
            self.bag.append(lambda: self.done(self.desk.unknown(unheard)))

    @precondition(lambda self: self.has("open"))
    @rule(number=NUMBERS, how=st.sampled_from(["overfill", "over too early", *["end"] * 3]))
    def end(self, number: int, how: str) -> None:
        """Let the venue end an order, expired or as we asked; or overfill it; or end with less than it did."""
        truth = self.pick(number, "open")
        if truth is not None and how == "end":
            truth.status = "over"
            self.report(truth)
        elif truth is not None and how == "overfill":
            truth.wild = True
            self.fill(truth, round_to(truth.order.quantity, LOT, Rounding.DOWN))
        elif truth is not None and how == "over too early" and truth.filled:
            truth.wild = True
            self.report(truth, filled=ZERO, terminal=True)

    def report(self, truth: Truth, *, filled: Decimal | None = None, terminal: bool | None = None) -> None:
        """Put what the venue says now on its way."""
        body: dict[str, Any] = {
            "order_id": truth.order.order_id,
            "attempt": 1,
            "venue_order_id": f"v-{truth.client_order_id}",
            "accepted_quantity": str(truth.accepted),
            "filled": str(truth.filled if filled is None else filled),
            "terminal": truth.status == "over" if terminal is None else terminal,
        }

        def hear() -> None:
            truth.told_size = max(truth.told_size, Decimal(body["accepted_quantity"]))
            self.done(self.desk.do("order.acknowledged", body))

        self.bag.append(hear)

    # What reaches us

    @precondition(lambda self: self.bag)
    @rule(numbers=st.lists(NUMBERS, min_size=1, max_size=4), again=st.sampled_from([False, False, True]))
    def deliver(self, numbers: list[int], again: bool) -> None:
        """Hear some messages, in whichever order; they may come again."""
        for number in numbers:
            if self.bag:
                index = number % len(self.bag)
                self.bag[index]() if again else self.bag.pop(index)()

    @precondition(lambda self: self.has("open"))
    @rule(number=NUMBERS, part=PARTS, numbers=st.lists(NUMBERS, max_size=4))
    def trade_and_deliver(self, number: int, part: Decimal, numbers: list[int]) -> None:
        self.trade(number, part)
        self.deliver(numbers, again=False)

    @precondition(lambda self: self.bag)
    @rule(number=NUMBERS)
    def drop(self, number: int) -> None:
        """Lose a message for ever, but for fills: these are swept until they are heard."""
        index = number % len(self.bag)
        if self.bag[index].__name__ == "hear":
            self.bag.pop(index)

    def hear_fill(self, truth: Truth, trade: str, quantity: Decimal) -> None:
        """Hear of a fill; under its natural key it enters once, as the inbox and the log see to."""
        if trade in self.fills:
            return
        self.fills.add(trade)
        truth.heard += quantity
        ids = {"client_order_id": truth.client_order_id, "venue_order_id": f"v-{truth.client_order_id}"}
        self.done(self.desk.fill(truth.order, str(quantity), trade=trade, **ids))

    def done(self, decision: Any) -> None:
        assert decision.outcome.status == "accepted", decision.outcome

    @precondition(lambda self: any(held.venue_order_id or held.filled for held in self.desk.book.orders.values()))
    @rule(number=NUMBERS, how=st.sampled_from(["reject", "absent", "unknown"]))
    def hear_nonsense(self, number: int, how: str) -> None:
        """Hear late that an order was refused, or is not there, which the venue has acknowledged or filled."""
        those = [held.order for held in self.desk.book.orders.values() if held.venue_order_id or held.filled]
        self.done(getattr(self.desk, how)(those[number % len(those)]))

    @rule()
    def restart(self) -> None:
        """Go on from a snapshot, as after a crash."""
        handler = self.desk.handler
        book = decoder(Book).decode(encode_state(handler.book))
        self.desk.handler = Handler(book, Head(1, handler.position, handler.sequence, GENESIS))

    # What always holds

    def closing(self, truth: Truth) -> OrderClosed | None:
        those = [
            event
            for event in self.desk.events
            if isinstance(event, OrderClosed) and event.order_id == truth.order.order_id
        ]
        assert len(those) <= 1, "an order ends once"
        return those[0] if those else None

    @invariant()
    def what_is_filled_is_the_sum_of_the_unique_fills(self) -> None:
        for truth in self.truths:
            held = self.desk.book.orders.get(truth.order.order_id)
            if held is not None:
                assert held.filled == truth.heard
        signed = [event.signed for event in self.desk.events if isinstance(event, FillRecorded)]
        position = sum((each.quantity for each in self.desk.book.positions.values()), ZERO)
        assert position == sum(signed, ZERO)

    @invariant()
    def the_remaining_interval_contains_the_truth(self) -> None:
        for truth in self.truths:
            held = self.desk.book.orders.get(truth.order.order_id)
            if held is not None and not truth.wild:
                left = remaining(held)
                assert (left <= 0) if truth.order.side is OrderSide.SELL else (left >= 0)
                assert held.filled <= truth.filled <= add(held.filled, abs(left))

    @invariant()
    def an_order_ends_as_it_did_at_the_venue(self) -> None:
        for truth in self.truths:
            ended = self.closing(truth)
            if ended is None or truth.wild:
                continue
            if truth.here:
                assert truth.status == "over"
                assert ended.filled == truth.filled
                full = ended.filled >= truth.order.quantity
                assert ended.ending in ({Ending.FILLED} if full else {Ending.EXPIRED, Ending.CANCELLED})
            else:
                assert ended.ending is (Ending.ABSENT if truth.status == "lost" else Ending.REJECTED)

    @invariant()
    def nothing_follows_but_what_may(self) -> None:
        for order_id, held in self.desk.book.orders.items():
            before = self.states.get(str(order_id), held.state)
            reachable, frontier = {type(before)}, {type(before)}
            while frontier := {then for state in frontier for then in MAY_FOLLOW[state]} - reachable:
                reachable |= frontier
            assert type(held.state) in reachable
            self.states[str(order_id)] = held.state

    @invariant()
    def an_order_is_known_by_its_ids_while_it_is_open(self) -> None:
        book = self.desk.book
        assert {name: book.orders[each].client_order_id for name, each in book.client_orders.items()} == {
            held.client_order_id: held.client_order_id for held in book.orders.values()
        }
        assert set(book.venue_orders.values()) == {
            order_id for order_id, held in book.orders.items() if held.venue_order_id
        }

    def teardown(self) -> None:
        """Let the venue answer for everything: every order ends, and the position is what was really traded."""
        if not hasattr(self, "desk"):
            return
        for truth in self.truths:
            truth.status = "lost" if truth.status == "away" else truth.status
            if truth.status == "open":
                truth.status = "over"
            if truth.here:
                self.report(truth)
            elif truth.status == "lost":
                self.bag.append(lambda truth=truth: self.done(self.desk.absent(truth.order)))
            else:
                self.bag.append(lambda truth=truth: self.done(self.desk.reject(truth.order)))
        for message in self.bag:
            message()
        assert self.desk.book.orders == {}
        assert all(self.closing(truth) is not None for truth in self.truths)
        self.an_order_ends_as_it_did_at_the_venue()
        traded = sum(
            (truth.filled if truth.order.side is OrderSide.BUY else -truth.filled for truth in self.truths), Decimal(0)
        )
        assert sum((each.quantity for each in self.desk.book.positions.values()), ZERO) == traded


TestOrders = OrderMachine.TestCase
TestOrders.settings = settings(max_examples=100, stateful_step_count=50, deadline=None)


def test_the_machine_sees_every_state() -> None:
    """Say by hand what the machine meets by chance: an order that is over and waits for its fills."""
    desk = Desk(policy=a_policy(hedge_orders_max=1))
    desk.accept(desk.quote("1"))
    order = desk.order()
    desk.acknowledge(order, filled="1")
    held = desk.book.orders[order.order_id]
    assert isinstance(held.state, Over)
    assert remaining(held) == Num(-1)
