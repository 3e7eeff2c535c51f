"""Surprises: what no open order accounts for is classified, carried, and traded again at once, elsewhere if need be."""

from typing import Any

import pytest

from domain.exposure import exposure, imbalance
from domain.hedge import HedgePlanned, Purpose
from domain.order import OrderSubmissionRequested
from domain.policy import BackTo, Band
from domain.quantity import Num
from domain.surprise import SurpriseClassified
from tests.support.desk import Desk, reason, tags
from tests.support.given import START_US
from tests.support.venues import VENUES, WideDesk, key, wide_policy


def hedged(size: str = "20", **changes: Any) -> WideDesk:
    """Return a desk that minted `size` and hedged it on the home venue."""
    desk = WideDesk(policy=wide_policy(**changes))
    (order,) = desk.mint(size).values()
    desk.whole(order)
    desk.confirm()
    return desk


def last_plan(desk: Desk) -> HedgePlanned:
    return next(event for event in reversed(desk.events) if isinstance(event, HedgePlanned))


def classified(desk: Desk) -> list[SurpriseClassified]:
    return [event for event in desk.events if isinstance(event, SurpriseClassified)]


class TestClassified:
    @pytest.mark.parametrize("kind", ["adl", "liquidation"])
    def test_what_a_venue_closes_by_itself(self, kind: str):
        desk = hedged()
        told = desk.surprise("binanceusdm", "4", kind=kind)
        assert tags(told.events) == ["fill.recorded", "surprise.classified"]
        surprise: Any = told.events[1]
        assert (surprise.kind, surprise.underlying, str(surprise.quantity)) == (kind, "ETH", "4")
        assert surprise.fill_id == told.events[0].originator
        assert (str(desk.book.carry["ETH"]), imbalance(desk.book, "ETH")) == ("-4", 0)

    def test_even_under_an_id_of_ours(self):
        desk = WideDesk()
        (order,) = desk.mint("20").values()
        desk.fill(order, "4", kind="adl")
        assert classified(desk)[0].kind == "adl"
        assert desk.book.orders[order.order_id].filled == 0
        assert imbalance(desk.book, "ETH") == 0

    def test_a_trade_of_no_order_of_ours(self):
        desk = hedged()
        desk.surprise("okx", "-1", kind="trade")
        assert classified(desk)[0].kind == "unknown_order"
        assert imbalance(desk.book, "ETH") == 0

    def test_a_late_fill_of_an_order_that_is_over(self):
        desk = WideDesk()
        (order,) = desk.mint("20").values()
        client_order_id = desk.book.orders[order.order_id].client_order_id
        desk.trade(order, "20")
        desk.fill(order, "0.5", trade="late", client_order_id=client_order_id)
        assert classified(desk)[0].kind == "late"
        assert classified(desk)[0].order_id == order.order_id
        assert (str(desk.book.carry["ETH"]), imbalance(desk.book, "ETH")) == ("0.5", 0)

    def test_what_goes_beyond_an_order_stays_with_its_hedge_until_that_is_over(self):
        desk = WideDesk()
        (order,) = desk.mint("20").values()
        told = desk.fill(order, "21")
        assert tags(told.events) == ["fill.recorded", "surprise.classified"]
        assert (classified(desk)[0].kind, str(classified(desk)[0].quantity)) == ("overfill", "-1")
        assert (desk.book.carry["ETH"], imbalance(desk.book, "ETH"), desk.book.wakes) == (0, 0, {})
        desk.acknowledge(order, filled="21")
        assert (str(desk.book.carry["ETH"]), imbalance(desk.book, "ETH")) == ("1", 0)
        desk.wake(250)
        assert (last_plan(desk).purpose, str(last_plan(desk).quantity)) == (Purpose.REHEDGE, "1")

    def test_an_overfill_does_not_take_the_turn_of_what_is_carried_already(self):
        desk = WideDesk()
        (order,) = desk.mint("20").values()
        desk.change_mode("HALTED")
        desk.surprise("okx", "-1", kind="trade")
        desk.wake(0)
        desk.fill(order, "21")
        assert [wake.kind for wake in desk.book.wakes.values()] == ["hedge.rehedge"]

    def test_each_part_of_an_overfill_tells_its_own_part(self):
        desk = WideDesk()
        (order,) = desk.mint("20").values()
        for number, quantity in enumerate(("19", "2", "3")):
            desk.fill(order, quantity, trade=f"t{number}")
        assert [str(each.quantity) for each in classified(desk)] == ["-1", "-3"]

    def test_a_fill_in_what_the_policy_does_not_trade_is_told_and_carries_nothing(self):
        desk = hedged()
        desk.surprise("okx", "-1", kind="adl", symbol="DOGE/USDT:USDT")
        assert (classified(desk)[0].underlying, desk.book.wakes) == ("", {})
        assert desk.book.carry["ETH"] == 0


class TestRehedged:
    def test_at_once_and_elsewhere(self):
        desk = hedged()
        desk.surprise("binanceusdm", "4")
        (fired,) = desk.wake(0)
        assert tags(fired.events) == ["hedge.planned", "order.submission_requested", "order.attempted"]
        plan = last_plan(desk)
        assert (plan.purpose, str(plan.quantity), plan.exposure) == (Purpose.REHEDGE, "-4", 0)
        assert [leg.venue for leg in plan.legs] == ["okx"]
        desk.whole(desk.orders()["okx"])
        assert (exposure(desk.book, "ETH").interval.worst, desk.book.carry["ETH"]) == (0, 0)
        assert desk.book.wakes == {}

    def test_not_at_that_venue_even_when_the_others_fail(self):
        desk = hedged()
        desk.surprise("binanceusdm", "4")
        desk.wake(0)
        desk.reject(desk.orders()["okx"])
        desk.wake(0)
        assert set(desk.orders()) == {"bybit"}

    def test_at_that_venue_where_there_is_no_other_way(self):
        desk = hedged()
        desk.show(binanceusdm="50")
        desk.surprise("binanceusdm", "4")
        desk.wake(0)
        assert set(desk.orders()) == {"binanceusdm"}

    def test_the_next_one_may_use_that_venue_again(self):
        desk = hedged()
        desk.surprise("binanceusdm", "4")
        desk.wake(0)
        desk.whole(desk.orders()["okx"])
        desk.surprise("okx", "1", kind="trade", trade="s2")
        desk.wake(0)
        assert set(desk.orders()) == {"binanceusdm"}

    def test_what_was_bought_or_sold_without_us_is_given_back(self):
        desk = hedged()
        desk.surprise("okx", "-1", kind="trade")
        desk.wake(0)
        assert (str(last_plan(desk).quantity), exposure(desk.book, "ETH").certain) == ("1", -1)

    def test_two_at_once_are_one_hedge(self):
        desk = hedged()
        desk.surprise("binanceusdm", "4")
        desk.surprise("binanceusdm", "3", trade="s2")
        fired = desk.wake(0)
        assert len(fired) == 1
        assert str(last_plan(desk).quantity) == "-7"

    def test_one_more_while_a_rehedge_works_is_added_to_it_not_hedged_twice(self):
        desk = hedged()
        desk.surprise("binanceusdm", "4")
        desk.wake(0)
        desk.surprise("binanceusdm", "3", trade="s2")
        desk.wake(0)
        assert str(last_plan(desk).quantity) == "-3"
        assert imbalance(desk.book, "ETH") == 0
        for order in [each.order for each in desk.book.orders.values()]:
            desk.whole(order)
        assert (exposure(desk.book, "ETH").certain, desk.book.carry["ETH"]) == (0, 0)

    def test_two_in_the_same_instant_are_both_traded(self):
        desk = hedged()
        desk.surprise("binanceusdm", "4")
        desk.wake(0)
        desk.surprise("binanceusdm", "4", trade="s2")
        desk.wake(0)
        assert len(desk.book.hedges) == 2

    def test_opposite_ones_cancel_and_nothing_is_sent(self):
        desk = hedged()
        desk.surprise("binanceusdm", "4")
        desk.surprise("okx", "-4", trade="s2", kind="trade")
        assert [fired.events for fired in desk.wake(0)] == []
        assert desk.book.carry["ETH"] == 0


class TestLimits:
    def test_halted_refuses_tells_a_person_and_tries_again_later_each_time(self):
        desk = hedged()
        desk.change_mode("HALTED")
        desk.surprise("binanceusdm", "4")
        (refused,) = desk.wake(0)
        assert (reason(refused), tags(refused.events)) == ("HALTED", ["control.refused"])
        told: Any = refused.events[0]
        assert told.control == "unhedged"
        for wait_ms in (250, 500, 1_000):
            assert desk.wake(wait_ms - 1) == []
            (refused,) = desk.wake(1)
            assert (reason(refused), refused.events) == ("HALTED", ())
        desk.change_mode("ACTIVE", actor="bob")
        desk.wake(2_000)
        assert str(last_plan(desk).quantity) == "-4"

    def test_waiting_is_bounded(self):
        desk = hedged()
        desk.change_mode("HALTED")
        desk.surprise("binanceusdm", "4")
        for _ in range(20):
            desk.wake(30_000)
        (wake,) = desk.book.wakes.values()
        assert wake.at_us - desk.now_us <= 30_000_000

    def test_a_surprise_does_not_wait_for_the_one_before(self):
        desk = hedged()
        desk.change_mode("HALTED")
        desk.surprise("binanceusdm", "4")
        for _ in range(5):
            desk.wake(30_000)
        desk.change_mode("ACTIVE", actor="bob")
        desk.surprise("binanceusdm", "1", trade="s2")
        assert len(desk.book.wakes) == 1
        desk.wake(0)
        assert str(last_plan(desk).quantity) == "-5"

    def test_reduce_only_lets_delta_be_lowered(self):
        desk = hedged()
        desk.change_mode("REDUCE_ONLY")
        desk.surprise("binanceusdm", "4")
        desk.wake(0)
        assert str(last_plan(desk).quantity) == "-4"

    def test_no_order_is_worth_more_than_its_limit(self):
        desk = hedged()
        desk.set_limit("order_notional", "4000")
        desk.surprise("binanceusdm", "4")
        desk.wake(0)
        for number in range(10):
            for order in desk.orders().values():
                assert order.quantity * 2000 <= 4000
                desk.whole(order, trade=f"r{number}")
            desk.wake(250)
        assert exposure(desk.book, "ETH").interval.worst == 0

    @pytest.mark.parametrize(
        ("control", "scope"), [("order_notional", "global"), ("price_collar", "global"), ("net_delta", "asset:ETH")]
    )
    def test_without_a_limit_nothing_is_sent(self, control: str, scope: str):
        desk = hedged()
        desk.remove_limit(control, scope=scope)
        desk.surprise("binanceusdm", "4")
        (refused,) = desk.wake(0)
        # What only lowers the worst case passes any limit on it, one that is not set too.
        assert reason(refused) == ("" if control == "net_delta" else "LIMIT_MISSING")

    def test_delta_that_is_out_of_its_limit_is_brought_back(self):
        desk = hedged()
        desk.set_limit("net_delta", "1", scope="asset:ETH")
        desk.surprise("binanceusdm", "4")
        desk.wake(0)
        assert str(last_plan(desk).quantity) == "-4"

    def test_what_would_make_the_worst_case_worse_beyond_its_limit_waits(self):
        desk = hedged()
        (order,) = desk.mint("20", nonce=2).values()
        desk.whole(order, trade="second")
        desk.revert()
        desk.wake(0)
        interval = exposure(desk.book, "ETH").interval
        assert (interval.low, interval.high) == (-20, 0), "the order that unwinds fills or not"
        desk.set_limit("net_delta", "18", scope="asset:ETH")
        desk.surprise("binanceusdm", "4")  # what is sold for it comes on top of the lower end
        assert [reason(fired) for fired in desk.wake(0)] == ["NET_DELTA"]
        for unwinding in desk.orders().values():
            desk.whole(unwinding, trade="unwound")
        desk.wake(250)
        assert str(last_plan(desk).quantity) == "-4"


class TestBand:
    def banded(self, width: str = "2", back_to: BackTo = BackTo.EDGE) -> WideDesk:
        band = Band(underlying="ETH", width=Num(width), back_to=back_to)
        desk = WideDesk(policy=wide_policy(bands=(band,)))
        (order,) = desk.mint("20").values()
        desk.whole(order)
        desk.confirm()
        return desk

    def test_what_lies_inside_is_left(self):
        desk = self.banded()
        desk.surprise("okx", "-1", kind="trade")
        assert (desk.wake(0), str(desk.book.carry["ETH"])) == ([], "-1")

    @pytest.mark.parametrize(("back_to", "rests"), [(BackTo.EDGE, "-2"), (BackTo.ZERO, "0")])
    def test_what_lies_beyond_is_brought_back(self, back_to: BackTo, rests: str):
        desk = self.banded(back_to=back_to)
        desk.surprise("binanceusdm", "10")
        desk.wake(0)
        assert str(desk.book.carry["ETH"]) == rests
        assert imbalance(desk.book, "ETH") == 0

    def test_a_tightened_band_is_traded(self):
        desk = self.banded()
        rests = desk.book.carry["ETH"]
        assert rests != 0
        desk.do("policy.adopt", {"policy": wide_policy()}, actor="system")
        desk.wake(0)
        assert (last_plan(desk).quantity, desk.book.carry["ETH"]) == (rests, 0)

    def test_a_fallen_request_is_unwound_beyond_the_band_only(self):
        desk = self.banded()
        desk.mint("5", nonce=2)
        for _ in range(30):
            for order in desk.orders().values():
                desk.reject(order)
            desk.wake(250)
        assert tags(desk.events)[-1] == "request.cancelled"
        assert (str(desk.book.carry["ETH"]), desk.book.wakes) == ("-2", {})


class TestAbandoned:
    def test_many_that_leave_carry_ask_once(self):
        desk = hedged()
        desk.surprise("binanceusdm", "4")
        desk.change_mode("HALTED")
        for _ in range(4):
            desk.wake(30_000)
        desk.do("policy.adopt", {"policy": wide_policy(hedge_orders_max=5)}, actor="system")
        (wake,) = desk.book.wakes.values()
        assert (wake.at_us, wake.tries) == (desk.now_us, 0), "the one that waited is asked now"
        desk.wake(0)
        (wake,) = desk.book.wakes.values()
        assert wake.tries == 1

    def test_what_a_rehedge_leaves_is_tried_again_for_ever_slowly(self):
        desk = hedged()
        desk.surprise("binanceusdm", "4")
        for _ in range(2):
            desk.wake(0)
            while desk.book.hedges:
                for order in desk.orders().values():
                    desk.reject(order)
                desk.wake(250)
            assert str(desk.book.carry["ETH"]) == "-4"
            assert imbalance(desk.book, "ETH") == 0
            (wake,) = desk.book.wakes.values()
            assert wake.kind == "hedge.rehedge"
            desk.now_us = wake.at_us
        assert tags(desk.events).count("hedge.abandoned") == 2
        desk.wake(0)
        for order in desk.orders().values():
            desk.whole(order)
        assert exposure(desk.book, "ETH").interval.worst == 0


def test_the_same_surprise_has_the_same_ids():
    one, two = hedged(), hedged()
    for desk in (one, two):
        desk.surprise("binanceusdm", "4")
        desk.wake(0)
    assert [event for event in one.events if isinstance(event, OrderSubmissionRequested)] == [
        event for event in two.events if isinstance(event, OrderSubmissionRequested)
    ]
    assert one.now_us == START_US
    assert key(VENUES[0]) in one.hedge().failed


def test_what_was_traded_along_with_a_request_meanwhile_is_not_asked_for_even_while_halted():
    desk = hedged()
    desk.change_mode("HALTED")
    desk.surprise("binanceusdm", "4")
    desk.wake(0)
    desk.change_mode("ACTIVE", actor="bob")
    desk.mint("1", nonce=2)
    assert str(last_plan(desk).quantity) == "-5"
    desk.change_mode("HALTED")
    (fired,) = desk.wake(250)
    assert (fired.outcome.status, fired.events) == ("accepted", ())
