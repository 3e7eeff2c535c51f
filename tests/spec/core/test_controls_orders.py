"""The controls of venue orders, through the commands that record them: refused at acceptance, waited for later."""

from typing import Any

import pytest

from commands.control import check_delta
from commands.handler import Decision
from domain.exposure import imbalance
from domain.quantity import num
from tests.support.controlled import interest, mark, said
from tests.support.desk import Desk, reason, tags
from tests.support.given import a_book
from tests.support.venues import WideDesk


def mint(desk: Desk, size: str = "1.5", *, nonce: int = 1) -> Decision:
    return desk.accept(desk.quote(size), nonce=nonce)


def owed(desk: Desk, control: str, value: str, *, scope: str = "global") -> Decision:
    """Let a hedge have a part left under a limit that is tighter by then, and return what came of its going on."""
    mint(desk)
    desk.trade(desk.order(), "1")
    desk.found_limit(control, value, scope=scope)
    desk.wake(250)
    (told,) = desk.wake(250)
    return told


def shallow() -> WideDesk:
    """Return a desk that needs several venues for one large hedge, and may send it."""
    desk = WideDesk(depth="10")
    desk.set_limit("net_delta", "200", scope="asset:ETH")
    desk.set_limit("order_notional", "250000")
    return desk


class TestValueAndPrice:
    @pytest.mark.control("order_notional")
    def test_an_order_is_cut_to_the_strictest_limit_of_its_scopes(self):
        desk = Desk()
        desk.set_limit("order_notional", "2001", scope="venue:binanceusdm")
        mint(desk)
        assert str(desk.order().quantity) == "1"
        desk.set_limit("order_notional", "601", scope="asset:ETH")
        desk.trade(desk.order(), "1")
        desk.wake(250)
        assert str(desk.order().quantity) == "0.3"

    @pytest.mark.control("price_collar")
    def test_a_limit_price_lies_near_the_middle_of_its_own_book(self):
        desk = Desk()
        desk.set_limit("price_collar", "40", scope="venue:binanceusdm")
        assert said(mint(desk)) == ("PRICE_COLLAR", "price_collar", "venue:binanceusdm", "40", "49.9988")
        assert said(owed(Desk(), "price_collar", "1"))[:4] == ("PRICE_COLLAR", "price_collar", "global", "1")

    @pytest.mark.control("price_collar_period")
    def test_after_a_fall_no_mint_is_priced_for_a_while_and_what_was_accepted_is_hedged(self):
        desk = Desk()
        mint(desk)
        desk.trade(desk.order(), "1")
        mark(desk, ETH="2150", USDT="1")
        mark(desk, ETH="2000", USDT="1")
        told = said(desk.quote("1.5"))
        assert told[:4] == ("PRICE_COLLAR_PERIOD", "price_collar_period", "global", "500")
        assert reason(desk.quote("1000", side="REDEEM")) == ""
        desk.wake(250)
        assert str(desk.order().quantity) == "0.5"
        desk.now_us += 61_000_000
        assert reason(desk.quote("1.5")) == ""

    @pytest.mark.control("reference_missing")
    @pytest.mark.control("quote_age")
    def test_a_hedge_that_is_owed_waits_for_a_price_and_a_person_is_told(self):
        for evidence, told in (((), "REFERENCE_MISSING"), ((a_book(age_ms=501),), "REFERENCE_STALE")):
            desk = Desk()
            mint(desk)
            desk.trade(desk.order(), "1")
            desk.evidence = evidence
            (refused,) = desk.wake(250)
            assert reason(refused) == told
            assert tags(refused.events) == ["control.refused"]
            desk.evidence = (a_book(),)
            desk.wake(250)
            assert str(desk.order().quantity) == "0.5"


class TestOpen:
    @pytest.mark.control("open_orders")
    def test_so_many_are_open_and_no_more(self):
        desk = Desk()
        desk.set_limit("open_orders", "1", scope="venue:binanceusdm")
        mint(desk)
        assert said(mint(desk, nonce=2)) == ("OPEN_ORDERS", "open_orders", "venue:binanceusdm", "1", "2")
        desk.trade(desk.order(), "1.5")
        assert reason(mint(desk, nonce=3)) == ""

    @pytest.mark.control("open_order_notional")
    def test_so_much_is_open_and_no_more_whatever_its_outcome(self):
        desk = Desk()
        desk.set_limit("open_order_notional", "5000")
        mint(desk)
        desk.unknown(desk.order())
        told = said(mint(desk, nonce=2))
        assert told[:4] == ("OPEN_ORDER_NOTIONAL", "open_order_notional", "global", "5000")
        desk.absent(desk.order())
        assert reason(mint(desk, "1", nonce=3)) == ""

    @pytest.mark.control("open_orders")
    def test_the_legs_of_one_plan_are_counted_together(self):
        desk = shallow()
        desk.set_limit("open_orders", "1")
        quote = desk.quote("60")
        assert said(desk.accept(quote)) == ("OPEN_ORDERS", "open_orders", "global", "1", "2")
        desk.set_limit("open_orders", "3")
        assert reason(desk.accept(quote)) == ""
        assert len(desk.book.orders) > 1

    def test_what_is_owed_and_may_not_be_sent_whole_is_sent_as_far_as_it_may_be(self):
        desk = shallow()
        first = desk.mint("60")
        for order in first.values():
            desk.acknowledge(order, filled="0")
        desk.set_limit("open_orders", "1")
        for _ in range(4):
            desk.wake(250)
        assert len(first) > len(desk.book.orders) == 1
        assert imbalance(desk.book, "ETH") == 0


class TestRates:
    @pytest.mark.control("duplicate_orders")
    def test_orders_alike_within_a_moment_are_refused(self):
        desk = Desk()
        desk.set_limit("duplicate_orders", "2")
        mint(desk)
        mint(desk, nonce=2)
        assert said(mint(desk, nonce=3)) == ("DUPLICATE_ORDERS", "duplicate_orders", "global", "2", "3")
        assert reason(mint(desk, "1.4", nonce=4)) == ""
        desk.now_us += 1_001_000
        assert reason(mint(desk, nonce=5)) == ""

    @pytest.mark.control("order_rate")
    def test_an_order_that_is_owed_waits_for_its_turn_and_a_person_is_told(self):
        desk = Desk()
        refused = owed(desk, "order_rate", "1")
        assert said(refused) == ("ORDER_RATE", "order_rate", "global", "1", "2")
        assert tags(refused.events) == ["control.refused"]
        assert not desk.book.orders
        assert imbalance(desk.book, "ETH") == 0
        desk.now_us += 61_000_000
        desk.wake()
        assert str(desk.order().quantity) == "0.5"

    @pytest.mark.control("message_rate")
    def test_orders_and_cancels_count_as_messages_and_cancels_are_never_refused(self):
        desk = Desk()
        desk.set_limit("message_rate", "2", scope="venue:binanceusdm")
        mint(desk)
        cancelled = desk.do("order.cancel", {"order_id": desk.order().order_id, "text": "for this test"})
        assert tags(cancelled.events) == ["order.cancel_requested"]
        assert said(mint(desk, nonce=2)) == ("MESSAGE_RATE", "message_rate", "venue:binanceusdm", "2", "3")
        desk.now_us += 1_100_000
        desk.found_limit("message_rate", "0")
        again = desk.do("order.cancel", {"order_id": desk.order().order_id, "text": "for this test"})
        assert again.outcome.status == "accepted"

    @pytest.mark.control("order_to_trade")
    def test_too_many_orders_for_what_trades_are_refused(self):
        desk = Desk()
        desk.set_limit("order_to_trade", "2")
        mint(desk)
        mint(desk, "1.4", nonce=2)
        assert said(mint(desk, nonce=3)) == ("ORDER_TO_TRADE", "order_to_trade", "global", "2", "3")
        for number, each in enumerate(list(desk.book.orders.values())):
            desk.trade(each.order, str(each.order.quantity), trade=f"t{number}")
        assert reason(mint(desk, nonce=4)) == ""

    def test_what_the_house_does_in_ordinary_operation_trips_nothing(self):
        """Fifty mints a second for five seconds, each hedged in whole at once."""
        desk = Desk()
        for number in range(250):
            desk.now_us += 20_000
            size = f"1.{number % 10 + 1}"
            accepted = desk.accept(desk.quote(size), nonce=number + 1)
            assert reason(accepted) == "", number
            desk.trade(desk.order(), size, trade=f"t{number}")
            desk.confirm()
            if number % 5 == 4:
                redeemed = desk.accept(desk.quote("13000", side="REDEEM"), nonce=10_000 + number)
                assert reason(redeemed) == "", number
                desk.trade(desk.order(), str(desk.order().quantity), trade=f"r{number}")
                desk.confirm()


class TestOwed:
    """What is owed is never lost: refused, it waits, is told, and goes on; what is beyond a limit is not made worse."""

    @pytest.mark.control("gross_notional")
    @pytest.mark.control("position_notional")
    @pytest.mark.parametrize("control", ["gross_notional", "position_notional"])
    def test_what_would_make_it_worse_waits_and_what_gives_back_goes_on(self, control: str):
        desk = Desk()
        refused = owed(desk, control, "2500")
        assert refused.outcome.control == control
        assert tags(refused.events) == ["control.refused"]
        desk.set_limit(control, "3001")
        desk.wake(500)
        desk.trade(desk.order(), "0.5", trade="t2")
        desk.set_limit(control, "1")
        desk.revert()
        desk.wake()
        unwinding = desk.order()
        assert (unwinding.side.value, str(unwinding.quantity)) == ("buy", "1.5")

    @pytest.mark.control("open_interest_share")
    def test_interest_that_fell_does_not_stop_what_closes(self):
        desk = Desk()
        desk.held()
        interest(desk, "10.5")
        assert reason(mint(desk, "0.1")) == "OPEN_INTEREST_SHARE"
        assert reason(desk.accept(desk.quote("4000", side="REDEEM"), nonce=2)) == ""

    @pytest.mark.control("depeg")
    def test_what_is_owed_is_traded_in_a_stable_that_lost_its_peg(self):
        desk = Desk()
        mint(desk)
        desk.trade(desk.order(), "1")
        desk.do("market.suspend", {"scope": "asset:USDT", "law": "depeg", "text": "0.97", "at_us": desk.now_us})
        desk.wake(250)
        assert str(desk.order().quantity) == "0.5"
        assert reason(desk.quote("1.5")) == "ASSET_DEPEGGED"

    @pytest.mark.control("net_delta")
    def test_what_would_bring_delta_out_of_its_limit_is_not_planned(self):
        desk = Desk()
        assert check_delta(desk.book, "ETH", num(0), num(40)) is None
        refused = check_delta(desk.book, "ETH", num(0), num(-41))
        assert refused is not None
        assert (refused.reason.name, refused.limit, refused.value) == ("NET_DELTA", "40", "41")
        desk.remove_limit("net_delta", scope="asset:ETH")
        missing = check_delta(desk.book, "ETH", num(0), num(1))
        assert missing is not None
        assert missing.reason.name == "LIMIT_MISSING"

    def test_every_refusal_of_what_is_owed_keeps_the_hedge_whole(self):
        for control, value, enough in (
            ("price_collar", "1", "100"),
            ("open_orders", "0", "1"),
            ("open_order_notional", "1", "100000"),
            ("order_rate", "0", "1"),
            ("message_rate", "0", "1"),
            ("order_to_trade", "0", "2"),
            ("duplicate_orders", "0", "1"),
            ("order_notional", "1", "100000"),
        ):
            desk = Desk()
            refused = owed(desk, control, value)
            assert refused.outcome.control == control
            assert refused.transient
            told: Any = [event for event in desk.events if event.TOPIC == "control.refused.v2"]
            assert [each.control for each in told] == [control]
            assert len(desk.book.hedges) == 1
            assert imbalance(desk.book, "ETH") == 0
            desk.set_limit(control, enough)
            desk.wake(601_000)
            assert str(desk.order().quantity) == "0.5", control
