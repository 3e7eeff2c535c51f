"""Execution styles: slices follow from the log alone, and under faults a leg still ends traded or planned anew."""

from typing import Any
from uuid import UUID

import pytest

from domain.execution import SWEEP, Progress, Slice, Style, StyleKind, next_slice
from domain.exposure import imbalance
from domain.hedge import HedgePlanned, HedgeRerouted
from domain.market import Witness
from domain.order import Order, TimeInForce
from domain.policy import Styles
from domain.quantity import Num
from tests.support.desk import reason, tags
from tests.support.given import START_US, an_oracle, pegged
from tests.support.venues import WideDesk, a_venue_book, wide_policy

HEDGE = UUID(int=7)
POST = Style(kind=StyleKind.POST_THEN_CROSS, rest_ms=2_000)
TWAP = Style(kind=StyleKind.TWAP, slices=4, over_ms=4_000, jitter_bps=2_000)
ICEBERG = Style(kind=StyleKind.ICEBERG, shown=Num(3))
RESTING_ICEBERG = Style(kind=StyleKind.ICEBERG, shown=Num(3), rest_ms=2_000)
STYLES = [SWEEP, POST, TWAP, ICEBERG, RESTING_ICEBERG]


def desk_of(style: Style, *, slippage: str = "50", **changes: Any) -> WideDesk:
    policy = wide_policy(styles=Styles(open=style), hedge_slippage_bps=Num(slippage), **changes)
    desk = WideDesk(policy=policy)
    desk.set_limit("net_delta", "200", scope="asset:ETH")
    return desk


def begun(style: Style, size: str = "12", **changes: Any) -> WideDesk:
    desk = desk_of(style, **changes)
    desk.mint(size)
    desk.wake(0)
    return desk


def crashed(desk: WideDesk) -> tuple[Witness, ...]:
    """Return the word of witnesses who agree with the books that are shown now."""
    desk.heard = None
    mid = desk.evidence[0].mid
    oracles = (an_oracle("pyth", mid), an_oracle("redstone", mid))
    return (*(each for each in desk.witnesses if each.kind != "oracle"), *oracles, *pegged())


def only(desk: WideDesk) -> Order:
    return desk.order()


class TestSlices:
    def test_a_sweep_is_all_at_once(self):
        assert next_slice(SWEEP, Progress(Num(5), 3, START_US), HEDGE) == Slice(Num(5), START_US)

    def test_what_rests_is_offered_until_it_must_cross(self):
        assert next_slice(POST, Progress(Num(5), 0, START_US), HEDGE) == Slice(Num(5), START_US, True, 2_000)
        crossing = Progress(Num(4), 1, START_US, crossing=True)
        assert next_slice(POST, crossing, HEDGE) == Slice(Num(4), START_US)

    def test_an_iceberg_shows_no_more_than_it_may(self):
        assert next_slice(ICEBERG, Progress(Num(5), 0, START_US), HEDGE).quantity == 3
        assert next_slice(ICEBERG, Progress(Num(2), 9, START_US), HEDGE).quantity == 2
        assert next_slice(Style(kind=StyleKind.ICEBERG), Progress(Num(5), 0, START_US), HEDGE).quantity == 5

    def test_a_twap_is_equal_slices_and_the_last_is_what_is_left(self):
        left = Num(12)
        for number in range(4):
            part = next_slice(TWAP, Progress(left, number, START_US), HEDGE)
            assert part.quantity == 3
            left -= part.quantity
        assert next_slice(TWAP, Progress(Num(5), 3, START_US), HEDGE).quantity == 5
        assert next_slice(TWAP, Progress(Num(5), 4, START_US), HEDGE) == Slice(Num(5), START_US + 4_000_000)

    def test_its_instants_are_jittered_within_their_interval_and_always_the_same(self):
        def instants(hedge_id: UUID) -> list[int]:
            return [next_slice(TWAP, Progress(Num(5), n, START_US), hedge_id).not_before_us for n in range(4)]

        assert instants(HEDGE) == instants(HEDGE)
        assert instants(HEDGE)[0] == START_US
        assert len({tuple(instants(UUID(int=number))) for number in range(20)}) == 20
        for number in range(200):
            for place, at in enumerate(instants(UUID(int=number))):
                assert 0 <= at - START_US - place * 1_000_000 <= 200_000

    def test_jitter_never_reaches_the_next_interval(self):
        style = Style(kind=StyleKind.TWAP, slices=4, over_ms=4_000, jitter_bps=50_000)
        for number in range(200):
            at = next_slice(style, Progress(Num(5), 1, START_US), UUID(int=number)).not_before_us
            assert 1_000_000 <= at - START_US < 2_000_000


class TestPostThenCross:
    def test_it_rests_at_our_side_and_never_takes(self):
        desk = begun(POST)
        order = only(desk)
        assert (order.time_in_force, str(order.limit_price)) == (TimeInForce.POST_ONLY, "2000.1")
        assert str(order.quantity) == "12"

    def test_filled_while_it_rests_it_is_complete_and_nothing_is_cancelled(self):
        desk = begun(POST)
        assert "hedge.completed" in tags(desk.whole(only(desk)).events)
        assert [wake.kind for wake in desk.book.wakes.values()] == []

    def test_what_it_did_not_trade_in_time_is_cancelled_and_crosses(self):
        desk = begun(POST)
        order = only(desk)
        desk.acknowledge(order, filled="0", terminal=False)
        desk.fill(order, "5")
        assert desk.wake(1_999) == []
        (fired,) = desk.wake(1)
        assert tags(fired.events) == ["order.cancel_requested"]
        desk.acknowledge(order, filled="5")
        desk.wake(0)
        rest = only(desk)
        assert (rest.time_in_force, str(rest.quantity), str(rest.limit_price)) == (TimeInForce.IOC, "7", "1990.05")
        assert "hedge.completed" in tags(desk.whole(rest).events)
        assert imbalance(desk.book, "ETH") == 0

    def test_a_fill_that_is_faster_than_the_cancel_counts(self):
        desk = begun(POST)
        order = only(desk)
        desk.acknowledge(order, filled="0", terminal=False)
        desk.wake(2_000)
        assert "hedge.completed" in tags(desk.whole(order).events)

    def test_one_that_would_have_taken_crosses_at_once(self):
        desk = begun(POST)
        desk.refuse(only(desk), "post_only_would_take")
        desk.wake(0)
        assert only(desk).time_in_force is TimeInForce.IOC
        assert not [event for event in desk.events if isinstance(event, HedgeRerouted)]

    def test_one_that_is_refused_otherwise_is_swept_elsewhere(self):
        desk = begun(POST)
        desk.refuse(only(desk), "margin")
        desk.wake(0)
        assert (only(desk).venue, only(desk).time_in_force) == ("okx", TimeInForce.IOC)


class TestStopped:
    @pytest.mark.parametrize("scope", ["global", "venue:binanceusdm", "asset:ETH"])
    def test_what_rests_is_cancelled_where_trading_is_halted_and_crosses_when_it_is_not(self, scope: str):
        desk = begun(POST)
        order = only(desk)
        desk.acknowledge(order, filled="0", terminal=False)
        desk.change_mode("HALTED", scope=scope)
        (fired,) = desk.wake(0)
        assert tags(fired.events) == ["order.cancel_requested"]
        desk.acknowledge(order, filled="0")
        if scope != "venue:binanceusdm":  # a halted venue is left for another at once
            assert [reason(each) for each in desk.wake(0)] == ["HALTED"]
            desk.change_mode("ACTIVE", scope=scope, actor="bob")
        desk.wake(250)
        assert only(desk).time_in_force is TimeInForce.IOC

    @pytest.mark.parametrize(
        ("scope", "law"),
        [("venue:binanceusdm", "stale"), ("instrument:binanceusdm|ETH/USDT:USDT", "stale"), ("asset:ETH", "quorum")],
    )
    def test_so_it_is_where_nobody_can_tell_the_price(self, scope: str, law: str):
        desk = begun(POST)
        desk.acknowledge(only(desk), filled="0", terminal=False)
        desk.do("market.suspend", {"scope": scope, "law": law, "text": "", "at_us": desk.now_us})
        (fired,) = desk.wake(0)
        assert tags(fired.events) == ["order.cancel_requested"]

    def test_not_elsewhere_nor_by_a_milder_mode(self):
        desk = begun(POST)
        desk.acknowledge(only(desk), filled="0", terminal=False)
        for scope in ("venue:okx", "pair:USDT/USDe"):
            desk.change_mode("HALTED", scope=scope)
        desk.change_mode("REDUCE_ONLY")
        assert desk.wake(0) == []


class TestTwap:
    def test_slices_follow_at_their_instants(self):
        desk = begun(TWAP)
        times: list[int] = []
        for number in range(4):
            times.append(desk.now_us)
            assert str(only(desk).quantity) == "3"
            desk.whole(only(desk), trade=f"t{number}")
            if number < 3:
                (wake,) = desk.book.wakes.values()
                desk.now_us = wake.at_us
                desk.wake(0)
        assert "hedge.completed" in tags(desk.events)
        assert [(at - START_US) // 1_000_000 for at in times] == [0, 1, 2, 3]

    def test_what_a_slice_leaves_is_spread_over_the_others(self):
        desk = begun(TWAP)
        desk.trade(only(desk), "1.5")
        desk.wake(1_250)
        assert str(only(desk).quantity) == "3.5"
        assert not [event for event in desk.events if isinstance(event, HedgeRerouted)]

    def test_what_the_last_leaves_is_swept(self):
        desk = begun(TWAP)
        for number in range(4):
            desk.trade(only(desk), "1", trade=f"t{number}")
            desk.wake(1_250)
        assert [event for event in desk.events if isinstance(event, HedgeRerouted)]
        assert sum(each.order.quantity for each in desk.book.orders.values()) == 8

    def test_a_slice_that_is_refused_moves_all_that_is_left_elsewhere(self):
        desk = begun(TWAP)
        desk.whole(only(desk), trade="t0")
        desk.wake(1_250)
        desk.reject(only(desk))
        desk.wake(0)
        assert (only(desk).venue, str(only(desk).quantity)) == ("okx", "9")

    def test_a_slice_below_the_venues_least_is_as_large_as_that(self):
        style = Style(kind=StyleKind.TWAP, slices=100, over_ms=4_000)
        desk = begun(style, "0.05")
        assert str(only(desk).quantity) == "0.01"

    def test_a_slice_whose_venue_is_gone_by_then_is_swept_elsewhere(self):
        desk = self.waiting()
        desk.wake(1_250)
        assert (only(desk).venue, str(only(desk).quantity)) == ("okx", "9")

    def test_without_a_round_left_it_waits_for_its_venue(self):
        desk = self.waiting(hedge_orders_max=1)
        (refused,) = desk.wake(1_250)
        assert reason(refused) == "VENUE_SUSPENDED"
        desk.do("market.resume", {"scope": "venue:binanceusdm", "law": "stale", "text": "", "at_us": desk.now_us})
        desk.wake(250)
        assert (only(desk).venue, str(only(desk).quantity)) == ("binanceusdm", "3")

    def waiting(self, **changes: Any) -> WideDesk:
        """Return a desk that waits for its second slice, while its venue is suspended."""
        desk = begun(TWAP, **changes)
        desk.whole(only(desk), trade="t0")
        suspended = {"scope": "venue:binanceusdm", "law": "stale", "text": "", "at_us": desk.now_us}
        desk.do("market.suspend", suspended)
        return desk

    def test_a_slice_outside_the_collar_waits(self):
        desk = begun(TWAP)
        desk.whole(only(desk), trade="t0")
        desk.set_limit("price_collar", "1")
        (refused,) = desk.wake(1_250)
        assert reason(refused) == "PRICE_COLLAR"

    def test_what_became_too_small_for_its_venue_is_carried(self):
        desk = begun(Style(kind=StyleKind.TWAP, slices=2, over_ms=2_000), "0.021")
        assert str(only(desk).quantity) == "0.01"
        desk.trade(only(desk), "0.01")
        for venue in ("binanceusdm", "okx", "bybit"):  # 22 dollars then, 18.7 now
            desk.evidence = (a_venue_book(venue, "1700"), *(each for each in desk.evidence if each.venue != venue))
        desk.heard = tuple(each for each in crashed(desk))
        desk.wake(2_000)
        assert ("hedge.completed" in tags(desk.events), str(desk.book.carry["ETH"])) == (True, "-0.011")

    def test_a_crash_in_the_middle_changes_no_instant(self):
        desk, other = begun(TWAP), begun(TWAP)
        for each in (desk, other):
            each.whole(only(each), trade="t0")
        assert [wake.at_us for wake in desk.book.wakes.values()] == [wake.at_us for wake in other.book.wakes.values()]


class TestIceberg:
    def test_each_slice_follows_the_last(self):
        desk = begun(ICEBERG)
        for number, shown in enumerate(("3", "3", "3", "3")):
            assert (str(only(desk).quantity), only(desk).time_in_force) == (shown, TimeInForce.IOC)
            desk.whole(only(desk), trade=f"t{number}")
            desk.wake(250)
        assert "hedge.completed" in tags(desk.events)

    def test_each_is_offered_first_where_it_may_rest(self):
        desk = begun(RESTING_ICEBERG)
        order = only(desk)
        assert (order.time_in_force, str(order.quantity)) == (TimeInForce.POST_ONLY, "3")
        desk.acknowledge(order, filled="0", terminal=False)
        desk.wake(2_000)
        desk.acknowledge(order, filled="0")
        desk.wake(0)
        crossed = only(desk)
        assert (crossed.time_in_force, str(crossed.quantity)) == (TimeInForce.IOC, "3")
        desk.whole(crossed)
        desk.wake(250)
        assert only(desk).time_in_force is TimeInForce.POST_ONLY


@pytest.mark.parametrize("style", STYLES, ids=lambda style: f"{style.kind}-{style.rest_ms}")
class TestFaults:
    """Whatever befalls a style in its middle, the hedge ends, and the law holds at each step."""

    def drive(self, desk: WideDesk, fault: str) -> None:
        for step in range(60):
            if not desk.book.hedges:
                break
            for order in [each.order for each in desk.book.orders.values()]:
                self.befall(desk, order, fault if step < 2 else "", step)
                assert imbalance(desk.book, "ETH") == 0
            desk.wake(500)
            assert imbalance(desk.book, "ETH") == 0

    def befall(self, desk: WideDesk, order: Order, fault: str, step: int) -> None:
        part = str(Num("1.5") if order.quantity > 2 else order.quantity)
        match fault:
            case "rejected":
                desk.reject(order)
            case "absent":
                desk.absent(order)
            case "order_rate":
                desk.refuse(order, "order_rate")
            case "unknown":
                desk.unknown(order)
                desk.trade(order, part, trade=f"{order.order_id}{step}")
            case "partial":
                desk.trade(order, part, trade=f"{order.order_id}{step}")
            case "fill_first":
                desk.fill(order, part, trade=f"{order.order_id}{step}")
                desk.acknowledge(order, filled=part)
            case "halted":
                desk.change_mode("HALTED")
                desk.wake(600)
                desk.change_mode("ACTIVE", actor="bob")
                desk.whole(order)
            case "suspended" if step == 0:  # of three venues two must vouch
                desk.do("market.suspend", {"scope": f"venue:{order.venue}", "law": "stale", "text": "", "at_us": 1})
                desk.trade(order, part, trade=f"{order.order_id}{step}")
            case _:
                desk.whole(order, trade=f"{order.order_id}{step}")

    @pytest.mark.parametrize(
        "fault", ["", "rejected", "absent", "order_rate", "unknown", "partial", "fill_first", "halted", "suspended"]
    )
    def test_it_ends_with_all_of_it_traded(self, style: Style, fault: str):
        desk = begun(style, hedge_orders_max=8)
        self.drive(desk, fault)
        assert "hedge.completed" in tags(desk.events)
        assert sum(position.quantity for position in desk.book.positions.values()) == -12
        assert (desk.book.hedges, desk.book.orders) == ({}, {})

    def test_the_plan_says_it(self, style: Style):
        desk = begun(style)
        (planned,) = [event for event in desk.events if isinstance(event, HedgePlanned)]
        assert planned.style == style
