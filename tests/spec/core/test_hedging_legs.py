"""A hedge over several venues: what one of them leaves, the others trade; bounded, and within what was planned."""

from typing import Any

import pytest

from domain.exposure import imbalance
from domain.hedge import HedgeAbandoned, HedgeRerouted
from domain.quantity import Num
from tests.support.desk import reason, tags
from tests.support.venues import VENUES, WideDesk, a_venue_book, key, wide_policy


@pytest.fixture
def desk() -> WideDesk:
    """Ten ETH at each of two prices on three venues: a mint of 45 takes all three."""
    desk = WideDesk(depth="10")
    desk.set_limit("net_delta", "200", scope="asset:ETH")
    return desk


def rerouted(desk: WideDesk) -> HedgeRerouted:
    return next(event for event in reversed(desk.events) if isinstance(event, HedgeRerouted))


class TestAtOnce:
    def test_a_plan_over_three_venues_begins_an_order_at_each(self, desk: WideDesk):
        orders = desk.mint("45")
        assert {venue: str(order.quantity) for venue, order in orders.items()} == {
            "binanceusdm": "20",
            "okx": "15",
            "bybit": "10",
        }
        assert {each.order_id for each in orders.values()} == set(desk.hedge().working)
        assert imbalance(desk.book, "ETH") == 0

    def test_it_is_complete_when_the_last_is(self, desk: WideDesk):
        orders = desk.mint("45")
        assert "hedge.completed" not in tags(desk.whole(orders["okx"]).events)
        assert "hedge.completed" not in tags(desk.whole(orders["binanceusdm"]).events)
        done = desk.whole(orders["bybit"])
        assert tags(done.events)[2:4] == ["hedge.leg_completed", "hedge.completed"]
        completed: Any = done.events[3]
        assert (str(completed.filled), str(completed.average_price)) == ("-45", "2000")
        assert (imbalance(desk.book, "ETH"), desk.book.wakes) == (0, {})


class TestReroutes:
    @pytest.mark.parametrize("how", ["reject", "absent"])
    def test_what_a_venue_refuses_goes_to_the_others_at_once(self, desk: WideDesk, how: str):
        orders = desk.mint("45")
        desk.whole(orders["binanceusdm"])
        desk.whole(orders["okx"])
        getattr(desk, how)(orders["bybit"])
        (fired,) = desk.wake(0)
        assert tags(fired.events)[0] == "hedge.rerouted"
        assert str(rerouted(desk).quantity) == "-10"
        assert rerouted(desk).failed == (key("bybit"),)
        assert set(desk.orders()) <= {"binanceusdm", "okx"}
        assert rerouted(desk).certificate is not None
        for order in desk.orders().values():
            desk.whole(order)
        assert "hedge.completed" in tags(desk.events)
        assert imbalance(desk.book, "ETH") == 0

    def test_the_others_go_on_meanwhile_and_are_not_given_a_second_order(self, desk: WideDesk):
        orders = desk.mint("45")
        desk.reject(orders["bybit"])
        (fired,) = desk.wake(250)
        assert (fired.outcome.status, fired.events) == ("accepted", ()), "both other venues are at work"
        desk.whole(orders["okx"])
        desk.wake(250)
        assert set(desk.orders()) == {"binanceusdm", "okx"}
        assert str(rerouted(desk).quantity) == "-10"
        assert imbalance(desk.book, "ETH") == 0

    def test_a_part_filled_leg_may_try_its_venue_once_more_and_then_no_more(self, desk: WideDesk):
        desk.show(binanceusdm="50")
        (order,) = desk.mint("40").values()
        desk.trade(order, "30")
        assert desk.wake(249) == []
        desk.wake(1)
        assert rerouted(desk).failed == ()
        desk.show(binanceusdm="50", okx="50")
        (order,) = desk.orders().values()
        desk.trade(order, "4", trade="again")
        desk.wake(0)
        assert rerouted(desk).failed == (key("binanceusdm"),)
        assert {venue: str(each.quantity) for venue, each in desk.orders().items()} == {"okx": "6"}

    def test_fresh_evidence_decides_where_the_rest_goes(self, desk: WideDesk):
        orders = desk.mint("45")
        desk.whole(orders["binanceusdm"])
        desk.whole(orders["okx"])
        desk.reject(orders["bybit"])
        desk.evidence = (a_venue_book("binanceusdm", "1990"), a_venue_book("okx", "1995"))
        desk.wake(0)
        assert {venue: str(each.quantity) for venue, each in desk.orders().items()} == {"okx": "10"}

    def test_a_venue_that_is_suspended_by_then_is_no_way(self, desk: WideDesk):
        orders = desk.mint("45")
        desk.whole(orders["binanceusdm"])
        desk.whole(orders["okx"])
        desk.reject(orders["bybit"])
        desk.do("market.suspend", {"scope": "venue:okx", "law": "stale", "text": "", "at_us": desk.now_us})
        desk.wake(0)
        assert set(desk.orders()) == {"binanceusdm"}

    def test_when_every_way_failed_all_are_tried_again_a_while_later(self, desk: WideDesk):
        for order in desk.mint("45").values():
            desk.reject(order)
        assert desk.wake(249) == []
        desk.wake(1)
        assert rerouted(desk).failed == ()
        assert set(desk.orders()) == set(VENUES)
        assert imbalance(desk.book, "ETH") == 0

    def test_what_failed_is_not_tried_again_at_once_though_the_others_are_closed(self, desk: WideDesk):
        orders = desk.mint("45")
        for venue in ("binanceusdm", "okx"):
            desk.whole(orders[venue])
        desk.reject(orders["bybit"])
        desk.evidence = tuple(each for each in desk.evidence if each.venue == "bybit")
        (refused,) = desk.wake(0)
        assert (refused.outcome.status, desk.orders()) == ("refused", {})
        desk.wake(250)
        assert set(desk.orders()) == {"bybit"}

    def test_it_ends_after_as_many_rounds_as_the_policy_allows_and_the_request_falls(self, desk: WideDesk):
        desk.mint("45")
        rounds = 0
        while desk.book.hedges:
            rounds += 1
            for order in desk.orders().values():
                desk.reject(order)
            for _ in range(4):
                desk.wake(250)
                if desk.orders():
                    break
            assert rounds < 10
        assert rounds == 4
        (given_up,) = [event for event in desk.events if isinstance(event, HedgeAbandoned)]
        assert (given_up.filled, str(given_up.residual)) == (0, "-45")
        assert (desk.book.requests, imbalance(desk.book, "ETH")) == ({}, 0)

    def test_what_was_traded_before_it_ended_is_unwound(self, desk: WideDesk):
        orders = desk.mint("45")
        desk.whole(orders["binanceusdm"])
        desk.reject(orders["okx"])
        desk.reject(orders["bybit"])
        for _ in range(20):
            for order in desk.orders().values():
                desk.reject(order)
            desk.wake(250)
            if "hedge.abandoned" in tags(desk.events):
                break
        desk.show(**dict.fromkeys(VENUES, "50"))
        desk.wake(0)
        assert sum(order.quantity for order in desk.orders().values()) == 20
        for order in desk.orders().values():
            assert (order.side, order.reduce_only) == ("buy", order.venue == "binanceusdm")
            desk.whole(order)
        assert (imbalance(desk.book, "ETH"), desk.book.carry["ETH"]) == (0, 0)


class TestSlices:
    def test_each_leg_is_cut_to_the_limit_and_goes_on_with_its_next_slice(self, desk: WideDesk):
        quote = desk.quote("45")
        desk.set_limit("order_notional", "20000")
        assert reason(desk.accept(quote)) == "ORDER_NOTIONAL"
        desk.set_limit("order_notional", "100000")
        desk.accept(quote)
        desk.set_limit("order_notional", "20000")
        orders = desk.orders()
        assert str(orders["binanceusdm"].quantity) == "20"
        for order in orders.values():
            desk.whole(order)
        assert "hedge.completed" in tags(desk.events)

    def test_a_slice_follows_beside_the_other_legs(self):
        desk = WideDesk(depth="10", policy=wide_policy())
        desk.set_limit("net_delta", "200", scope="asset:ETH")
        desk.mint("45")
        for order in desk.orders().values():
            desk.whole(order)
        desk.set_limit("order_notional", "20000")
        desk.revert()
        desk.wake(0)
        for number in range(30):
            if not desk.book.hedges:
                break
            for order in desk.orders().values():
                assert order.quantity * Num(1999) <= 20000
                desk.whole(order, trade=f"{number}-{order.venue}")
            desk.wake(250)
        assert not [event for event in desk.events if isinstance(event, HedgeRerouted)]
        assert imbalance(desk.book, "ETH") == 0
        assert abs(desk.book.carry["ETH"]) < Num("0.01")


class TestReduceOnly:
    def redeemed(self, size: str = "20000") -> WideDesk:
        desk = WideDesk()
        (order,) = desk.mint("20").values()
        desk.whole(order)
        desk.confirm()
        desk.show(binanceusdm="50")
        desk.accept(desk.quote(size, side="REDEEM"), nonce=2)
        return desk

    def test_what_can_only_close_a_position_says_so(self):
        desk = self.redeemed()
        (order,) = desk.orders().values()
        assert (order.side, order.reduce_only) == ("buy", True)

    def test_what_opens_one_does_not(self):
        desk = WideDesk()
        (order,) = desk.mint("20").values()
        assert not order.reduce_only

    def test_two_that_would_close_the_same_position_do_not_both(self):
        desk = WideDesk()
        (order,) = desk.mint("20").values()
        desk.whole(order)
        desk.confirm()
        desk.surprise("okx", "-5")
        desk.show(binanceusdm="50")
        for nonce, dollars in ((2, "30000"), (3, "9000")):  # 15 and the 5 of the surprise, then 4.5
            desk.accept(desk.quote(dollars, side="REDEEM"), nonce=nonce)
        flags = [each.order.reduce_only for each in desk.book.orders.values()]
        assert flags == [True, False]

    def test_a_venue_that_does_not_see_it_is_asked_again_without_the_flag(self):
        desk = self.redeemed()
        (order,) = desk.orders().values()
        desk.refuse(order, "reduce_only")
        desk.wake(250)
        again = desk.orders()["binanceusdm"]
        assert (again.quantity, again.reduce_only) == (order.quantity, False)
        assert rerouted(desk).failed == ()
