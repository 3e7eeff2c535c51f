"""A hedge trades until its quantity is done, retries within bounds, and says aloud when it gives up."""

from typing import Any

import pytest

from commands.order import intend, sendable
from domain.exposure import imbalance
from domain.order import Order
from domain.policy import Hedging, Pair
from domain.quantity import Num
from tests.support.desk import Desk, reason, tags
from tests.support.given import START_US, a_book, a_policy


def open_hedge(desk: Desk, size: str = "1.5") -> Order:
    desk.accept(desk.quote(size))
    return desk.order()


class TestRetries:
    def test_what_an_order_left_is_traded_by_the_next(self):
        desk = Desk()
        desk.trade(open_hedge(desk), "1")
        assert desk.book.orders == {}
        assert desk.wake(249) == []
        (fired,) = desk.wake(1)
        assert tags(fired.events) == ["hedge.rerouted", "order.submission_requested", "order.attempted"]
        assert str(desk.order().quantity) == "0.5"
        done = desk.trade(desk.order(), "0.5", trade="t2")
        assert tags(done.events)[-3:] == ["hedge.completed", "settlement.submission_requested", "cost.realised"]

    def test_the_next_order_is_priced_on_what_the_market_is_then(self):
        desk = Desk()
        desk.trade(open_hedge(desk), "1")
        desk.evidence = (a_book("1900", "1900.1"),)
        desk.wake(250)
        assert str(desk.order().limit_price) == "1890.55"

    def test_a_rest_too_small_for_the_venue_completes_the_hedge_and_is_carried(self):
        desk = Desk()
        done = desk.trade(open_hedge(desk), "1.495")
        assert "hedge.completed" in tags(done.events)
        assert str(desk.book.carry["ETH"]) == "-0.005"
        assert imbalance(desk.book, "ETH") == 0

    def test_a_rest_that_became_too_small_completes_it_too(self):
        desk = Desk()
        desk.trade(open_hedge(desk), "1.489")  # 0.011 is 22 USD, just enough
        desk.evidence = (a_book("1700", "1700.1"),)  # now it is 18.70
        (fired,) = desk.wake(250)
        assert tags(fired.events) == ["hedge.completed", "settlement.submission_requested", "cost.realised"]
        assert imbalance(desk.book, "ETH") == 0

    def test_it_is_given_up_after_its_last_order(self):
        desk = Desk()
        order = open_hedge(desk)
        for _ in range(3):
            desk.reject(order)
            desk.wake(250)
            order = desk.order()
        given_up = desk.absent(order).events
        assert tags(given_up) == ["order.closed", "hedge.leg_completed", "hedge.abandoned", "request.cancelled"]
        abandoned: Any = given_up[2]
        assert (abandoned.filled, str(abandoned.residual)) == (0, "-1.5")
        assert imbalance(desk.book, "ETH") == 0
        assert desk.book.wakes == {}

    @pytest.mark.parametrize(
        ("prepare", "told"),
        [
            (lambda desk: desk.change_mode("HALTED"), "HALTED"),
            (lambda desk: desk.change_mode("HALTED", scope="venue:binanceusdm"), "HALTED"),
            (lambda desk: desk.change_mode("HALTED", scope="asset:ETH"), "HALTED"),
            (lambda desk: desk.change_mode("HALTED", scope="pair:WETH/USDe"), "HALTED"),
            (lambda desk: setattr(desk, "evidence", ()), "REFERENCE_MISSING"),
            (lambda desk: setattr(desk, "evidence", (a_book(age_ms=501),)), "REFERENCE_STALE"),
            (lambda desk: desk.remove_limit("order_notional"), "LIMIT_MISSING"),
            (lambda desk: desk.remove_limit("price_collar"), "LIMIT_MISSING"),
            (lambda desk: desk.set_limit("price_collar", "1"), "PRICE_COLLAR"),
        ],
    )
    def test_what_forbids_the_next_order_postpones_it(self, prepare: Any, told: str):
        desk = Desk()
        desk.trade(open_hedge(desk), "1")
        prepare(desk)
        (refused,) = desk.wake(250)
        assert reason(refused) == told
        assert desk.wake(249) == []
        (refused,) = desk.wake(1)
        assert reason(refused) == told
        assert desk.wake(499) == []
        assert len(desk.wake(1)) == 1

    def test_a_limit_below_the_least_order_postpones_it_too(self):
        desk = Desk()
        desk.trade(open_hedge(desk), "1")
        desk.set_limit("order_notional", "19.99")
        (fired,) = desk.wake(250)
        assert tags(fired.events) == ["hedge.rerouted"]
        assert reason(desk.wake(250)[0]) == "ORDER_NOTIONAL"
        desk.set_limit("order_notional", "100000")
        assert tags(desk.wake(250)[0].events) == ["order.submission_requested", "order.attempted"]

    @pytest.mark.parametrize("scope", ["global", "asset:ETH"])
    def test_reduce_only_lets_an_accepted_obligation_be_hedged(self, scope: str):
        desk = Desk()
        desk.trade(open_hedge(desk), "1")
        desk.change_mode("REDUCE_ONLY", scope=scope)
        (fired,) = desk.wake(250)
        assert "order.attempted" in tags(fired.events)

    def test_a_wake_for_what_is_over_or_at_work_changes_nothing(self):
        desk = Desk()
        order = open_hedge(desk)
        hedge_id = next(iter(desk.book.hedges))
        assert desk.do("hedge.continue", {"hedge_id": hedge_id}).events == ()
        desk.trade(order, "1.5")
        assert desk.do("hedge.continue", {"hedge_id": hedge_id}).events == ()


class TestSlices:
    def test_an_order_is_cut_to_the_limit_in_whole_lots_and_the_rest_follows(self):
        desk = Desk()
        quote = desk.quote("1.5")
        desk.set_limit("order_notional", "3000")  # 1.5 at the bid is 3000, at the mid a little more
        desk.accept(quote)
        assert str(desk.order().quantity) == "1.499"
        done = desk.trade(desk.order(), "1.499")
        assert "hedge.completed" in tags(done.events)  # 0.001 is below the venue's minimum: carried
        assert str(desk.book.carry["ETH"]) == "-0.001"

    def test_a_carry_far_above_the_limit_is_traded_in_as_many_full_orders_as_it_takes(self):
        desk = Desk()
        desk.accept(desk.quote("10"))
        desk.trade(desk.order(), "10")
        desk.set_limit("order_notional", "2500")
        desk.revert()
        trades = 0
        for number in range(20):
            desk.wake(250)
            if not desk.book.orders:
                break
            order = desk.order()
            assert order.quantity * Num("2000.05") <= 2500
            desk.trade(order, str(order.quantity), trade=f"u{number}")
            trades += 1
        assert trades == 8
        assert "hedge.abandoned" not in tags(desk.events)
        assert imbalance(desk.book, "ETH") == 0
        assert str(desk.book.carry["ETH"]) == "0.008"  # 8 times 1.249 was traded, this is below the venue's minimum

    def test_an_order_of_nothing_is_never_sent(self):
        desk = Desk()
        desk.accept(desk.quote("10"))
        desk.trade(desk.order(), "10")
        desk.set_limit("order_notional", "1")  # less than a lot
        desk.revert()
        assert tags(desk.wake(0)[0].events) == ["hedge.planned"]
        assert desk.book.orders == {}
        (refused,) = desk.wake(250)
        assert reason(refused) == "ORDER_NOTIONAL"
        assert tags(refused.events) == ["control.refused"]
        desk.set_limit("order_notional", "30")
        desk.wake(1_000)
        assert str(desk.order().quantity) == "0.014"


class TestUnwinding:
    def test_a_reverted_settlement_buys_its_hedge_back(self):
        desk = Desk()
        desk.trade(open_hedge(desk), "1.5")
        assert tags(desk.revert().events) == ["settlement.reverted", "request.settlement_failed"]
        (fired,) = desk.wake(0)
        assert tags(fired.events) == ["hedge.planned", "order.submission_requested", "order.attempted"]
        assert (desk.order().side, str(desk.order().quantity)) == ("buy", "1.5")
        done = desk.trade(desk.order(), "1.5", trade="back")
        ended = ["order.closed", "hedge.leg_completed", "hedge.completed", "cost.realised"]
        assert tags(done.events) == ["fill.recorded", *ended]
        assert (imbalance(desk.book, "ETH"), desk.book.carry["ETH"]) == (0, 0)

    def test_nothing_is_unwound_of_a_stable(self):
        desk = Desk()
        desk.accept(desk.quote("100", pair="USDT/USDe"))
        desk.revert()
        assert desk.book.wakes == {}
        assert desk.book.requests == {}

    def test_it_waits_while_halted_and_for_evidence(self):
        desk = Desk()
        desk.trade(open_hedge(desk), "1.5")
        desk.revert()
        desk.change_mode("HALTED")
        desk.evidence = ()
        assert reason(desk.wake(0)[0]) == "HALTED"
        desk.change_mode("ACTIVE", actor="bob")
        assert reason(desk.wake(250)[0]) == "REFERENCE_MISSING"
        desk.evidence = (a_book(),)
        assert "order.attempted" in tags(desk.wake(500)[0].events)

    def test_a_carry_that_was_traded_away_meanwhile_needs_no_unwinding(self):
        desk = Desk()
        desk.trade(open_hedge(desk), "1.5")
        desk.revert()
        redone: Any = desk.accept(desk.quote("1.5"), nonce=2).events[2]
        assert redone.quantity == 0
        (fired,) = desk.wake(0)
        assert (fired.outcome.status, fired.events) == ("accepted", ())

    def test_a_carry_too_small_to_trade_stays_carried(self):
        desk = Desk()
        desk.trade(open_hedge(desk, "0.015"), "0.015")
        desk.revert()
        desk.evidence = (a_book("1000", "1000.1"),)  # 30 USD then, 15 now
        (fired,) = desk.wake(0)
        assert (fired.outcome.status, fired.events) == ("accepted", ())
        assert str(desk.book.carry["ETH"]) == "0.015"

    def test_nothing_traded_is_nothing_to_unwind(self):
        desk = Desk()
        desk.accept(desk.quote("0.009"))
        desk.revert()
        assert desk.book.carry["ETH"] == 0
        assert desk.book.wakes == {}

    def test_a_pair_that_is_gone_is_left_to_people(self):
        desk = Desk()
        desk.trade(open_hedge(desk), "1.5")
        desk.revert()
        body = {"request_id": next(iter(desk.book.wakes.values())).subject, "pair": "GONE/USDe"}
        assert desk.do("hedge.unwind", body).events == ()
        desk.book.policy = None
        assert desk.do("hedge.unwind", body).events == ()

    def test_an_unwind_that_fails_leaves_its_carry_to_the_next_hedge(self):
        desk = Desk()
        desk.trade(open_hedge(desk), "1.5")
        desk.revert()
        desk.wake(0)
        for _ in range(4):
            desk.reject(desk.order())
            desk.wake(250)
        assert tags(desk.events)[-1] == "hedge.abandoned"
        assert (str(desk.book.carry["ETH"]), imbalance(desk.book, "ETH")) == ("1.5", 0)
        planned: Any = desk.accept(desk.quote("2"), nonce=2).events[2]
        assert str(planned.quantity) == "-0.5"


def test_a_halted_pair_halts_its_own_hedges_only():
    policy = a_policy()
    weth = policy.pairs[0]
    second = Pair(
        name="WETH2/USDe",
        collateral="USDT",
        hedging=Hedging.HOLD,
        venue=weth.venue,
        symbol=weth.symbol,
        fee_bps=Num(0),
        buffer_bps=Num(0),
    )
    desk = Desk(policy=a_policy(pairs=(second, *policy.pairs)))
    desk.trade(open_hedge(desk), "1")
    desk.change_mode("HALTED", scope="pair:WETH2/USDe")
    assert "order.attempted" in tags(desk.wake(250)[0].events)


def test_only_an_attempt_of_its_own_intent_can_be_sent():
    desk = Desk()
    one, two = plan_of(desk, 1), plan_of(desk, 2)
    first = intend(one.hedge_id, one.legs[0], 1, quantity=Num(-1), sources=one.sources, at_us=START_US)
    second = intend(two.hedge_id, two.legs[0], 1, quantity=Num(1), sources=(), at_us=START_US)
    approved = sendable(*first)
    assert (approved.value, approved.intent_id) == (first[0].order, first[1].order_id)
    assert approved.send_before_us == START_US + 2_000_000
    with pytest.raises(ValueError, match="is no attempt of"):
        sendable(first[0], second[1])


def plan_of(desk: Desk, number: int) -> Any:
    return desk.accept(desk.quote(str(number)), nonce=number).events[2]


def test_every_hedge_and_order_says_who_vouches_for_its_price():
    desk = Desk()
    order = open_hedge(desk)
    planned, requested = (
        next(event for event in desk.events if tags((event,)) == [tag])
        for tag in ("hedge.planned", "order.submission_requested")
    )
    names = ["binanceusdm", "bybit", "okx", "pyth", "pyth", "redstone", "redstone"]
    seen: Any = (planned, requested)
    assert [[source.venue for source in event.sources] for event in seen] == [names, names]
    desk.trade(order, "1")
    desk.heard = tuple(each for each in desk.witnesses if each.source != "okx")
    desk.wake(250)
    again: Any = next(event for event in desk.events[::-1] if tags((event,)) == ["order.submission_requested"])
    assert [source.venue for source in again.sources] == [name for name in names if name != "okx"]


def test_the_same_intent_has_the_same_ids():
    one, two = Desk(), Desk()
    assert open_hedge(one) == open_hedge(two)
    assert list(one.book.client_orders) == list(two.book.client_orders)
    (client_order_id,) = one.book.client_orders
    assert len(client_order_id) == 32
    assert client_order_id.isalnum()
