"""Laws of rebalancing: at any interleaving of what two legs do, delta stays in its band and the day in its budget."""

from decimal import Decimal

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from domain.exposure import exposure, imbalance
from domain.hedge import HedgePlanned, Purpose
from domain.order_state import OpenOrder
from domain.quantity import Num, Rounding, add, multiply, round_to, subtract
from domain.rebalancing.rebalance import Cause, RebalanceStarted, day_of
from tests.support.desk import Desk
from tests.support.rebalancing import LOOK, MINUTE_MS, MOVING, a_desk, funded

DELTA_MAX = Num(3)
BUDGET = Num(12)
TERMS = msgspec.structs.replace(MOVING, cost_budget_per_day=BUDGET, step_notional_max=Num(20_000))
LOT = Decimal("0.001")
RATES = st.sampled_from(["-0.003", "-0.001", "0", "0.0001", "0.001", "0.003"])
PARTS = st.sampled_from([Decimal(text) for text in ("0", "0.2", "0.7", "1")])


class RebalancingMachine(RuleBasedStateMachine):
    """Drive a desk that rebalances: funding flips, and venues trade all, some or nothing of each leg, in any order."""

    @initialize()
    def open(self) -> None:
        self.desk: Desk = a_desk(TERMS)
        self.desk.set_limit("net_delta", str(DELTA_MAX), scope="asset:ETH")
        self.trades = 0

    def pick(self, number: int) -> OpenOrder:
        orders = list(self.desk.book.orders.values())
        return orders[number % len(orders)]

    @rule(home=RATES, other=RATES)
    def flip(self, home: str, other: str) -> None:
        funded(self.desk, home, other)

    @rule(later_ms=st.sampled_from([250, 5_000, MINUTE_MS, 60 * MINUTE_MS]))
    def let_time_pass(self, later_ms: int) -> None:
        self.desk.wake(later_ms)

    @rule()
    def look(self) -> None:
        waiting = self.desk.book.wakes.get(LOOK)
        if waiting is not None:
            self.desk.now_us = max(self.desk.now_us, waiting.at_us)
            self.desk.wake()

    @precondition(lambda self: self.desk.book.orders)
    @rule(number=st.integers(0, 9), part=PARTS)
    def fill(self, number: int, part: Decimal) -> None:
        """Let a venue fill a part of an order, before it says whether it is done."""
        order = self.pick(number)
        left = subtract(order.order.quantity, order.filled)
        quantity = round_to(multiply(left, part), LOT, Rounding.DOWN)
        if quantity > 0:
            self.trades += 1
            self.desk.fill(order.order, str(quantity), trade=f"t{self.trades}")

    @precondition(lambda self: self.desk.book.orders)
    @rule(number=st.integers(0, 9))
    def finish(self, number: int) -> None:
        """Let a venue say that it is done with an order, with what it filled so far."""
        order = self.pick(number)
        self.desk.acknowledge(order.order, filled=str(order.filled), attempt=order.attempt)

    @precondition(lambda self: self.desk.book.orders)
    @rule(number=st.integers(0, 9))
    def refuse(self, number: int) -> None:
        order = self.pick(number)
        if order.filled == 0:
            self.desk.reject(order.order, attempt=order.attempt)

    @invariant()
    def delta_stays_in_its_band(self) -> None:
        assert exposure(self.desk.book, "ETH").interval.worst <= DELTA_MAX

    @invariant()
    def nothing_is_left_unhedged(self) -> None:
        assert imbalance(self.desk.book, "ETH") == 0

    @invariant()
    def no_day_costs_more_than_it_may(self) -> None:
        spent: dict[int, Num] = {}
        for event in self.desk.events:
            if isinstance(event, RebalanceStarted):
                spent[event.day] = add(spent.get(event.day, Num(0)), event.worst)
                assert event.spent == spent[event.day] <= BUDGET
        assert all(day <= day_of(self.desk.now_us) for day in spent)

    @invariant()
    def every_move_is_worth_it_and_cancels_out(self) -> None:
        for event in self.desk.events:
            if isinstance(event, RebalanceStarted):
                assert event.move.cause is Cause.CARRY
                assert event.move.saving >= multiply(event.move.cost, TERMS.saving_to_cost_min) > 0
            elif isinstance(event, HedgePlanned) and event.purpose is Purpose.REBALANCE:
                assert event.quantity == 0
                assert add(*(leg.quantity for leg in event.legs)) == 0


TestRebalancing = RebalancingMachine.TestCase
TestRebalancing.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
