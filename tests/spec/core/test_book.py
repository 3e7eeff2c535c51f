"""The Book: what is asked of it directly, and the facts that only its readers need."""

from typing import Any
from uuid import UUID

from domain import venue
from domain.book import Book, evolve
from domain.depth import Level, sell_into, spend_on
from domain.exposure import exposure, imbalance
from domain.order import OrderCancelRequested
from domain.policy import Policy
from domain.quantity import Num
from domain.refusal import Reason, Refusal, least
from domain.watch import AlertResolved
from domain.ways import check_book
from tests.support.desk import Desk
from tests.support.given import START_US, a_book, a_policy


def test_pairs_are_found_in_any_case():
    book = Desk().book
    found: Any = book.pair("weth/usde")
    assert found.name == "WETH/USDe"
    assert book.pair("WETH/USDe ") is None


def test_a_book_without_a_policy_is_flat():
    seen = exposure(Book(), "ETH")
    assert (seen.certain, seen.interval.worst, seen.carry) == (0, 0, 0)
    assert imbalance(Book(), "ETH") == 0


def test_exposure_counts_only_its_own_underlying():
    desk = Desk()
    desk.held()
    desk.accept(desk.quote("1.5"), nonce=1)
    desk.accept(desk.quote("100", pair="USDT/USDe"), nonce=2)
    eth, usdt = exposure(desk.book, "ETH"), exposure(desk.book, "USDT")
    assert (str(eth.backing), str(eth.position), str(eth.certain)) == ("10", "-10", "0")
    assert (str(eth.interval.low), str(eth.interval.high)) == ("-1.5", "1.5")
    assert (str(usdt.interval.low), str(usdt.interval.high), usdt.position) == ("0", "100", 0)
    assert imbalance(desk.book, "USDT") == 0


def test_evidence_of_another_market_is_none():
    book, other = Desk().book, a_book()
    assert check_book(book, other.venue, other.symbol, (other,)) is other
    assert isinstance(check_book(book, "bybit", other.symbol, (other,)), Refusal)
    assert isinstance(check_book(book, other.venue, "BTC/USDT:USDT", (other,)), Refusal)


def test_walking_stops_when_nothing_is_left():
    levels = (Level(Num(10), Num(1)), Level(Num(9), Num(1)))
    assert sell_into(levels, Num(1)) == (1, 10)
    assert sell_into(levels, Num(3)) == (2, 19)
    assert spend_on(levels, Num(10)) == (1, 10)
    assert spend_on(levels, Num("14.5")) == (Num("1.5"), Num("14.5"))
    assert spend_on((), Num(5)) == (0, 0)


def test_a_cancel_that_was_asked_for_frees_nothing_until_the_venue_says_so():
    desk = Desk()
    desk.accept(desk.quote("1.5"))
    order = desk.order()
    before = exposure(desk.book, "ETH")
    event = OrderCancelRequested(order_id=order.order_id, text="too slow")
    assert event.originator == order.order_id
    version = desk.book.versions[order.order_id]
    evolve(desk.book, event, START_US)
    assert exposure(desk.book, "ETH") == before
    assert set(desk.book.orders) == {order.order_id}
    assert desk.book.versions[order.order_id] == version + 1


def test_a_resolved_alert_leaves_the_book():
    desk = Desk()
    body = {"alert_id": UUID(int=1), "severity": "info", "area": "a", "subject": "", "text": "", "cause_position": 1}
    desk.do("alert.raise", body)
    event = AlertResolved(alert_id=UUID(int=1), text="over")
    assert event.originator == UUID(int=1)
    evolve(desk.book, event, START_US)
    assert desk.book.alerts == {}


def test_of_several_refusals_the_least_is_told():
    late, early = Refusal(reason=Reason.MARKET_MOVED, text=""), Refusal(reason=Reason.HALTED, text="")
    assert least(None, late, None, early) is early
    assert least(None, None) is None
    assert least() is None


def test_a_policy_is_decided_by_its_event():
    policy: Policy | None = Desk().book.policy
    assert policy == a_policy()


class TestVenueReports:
    def test_a_book_update_has_a_top_when_it_has_both_sides(self):
        level = (Num(10), Num(1))
        update = venue.BookUpdate(
            venue="v",
            symbol="s",
            bids=(level,),
            asks=((Num(11), Num(2)),),
            sequence=1,
            exchange_at_us=1,
            received_at_us=1,
        )
        top = update.top
        assert top is not None
        assert (top.bid_price, top.bid_quantity, top.ask_price, top.ask_quantity) == (10, 1, 11, 2)
        empty = venue.BookUpdate(
            venue="v", symbol="s", bids=(), asks=(level,), sequence=1, exchange_at_us=1, received_at_us=1
        )
        assert empty.top is None

    def test_a_fill_counts_once_under_its_key(self):
        fill = venue.FillReport(
            venue="v",
            account="a",
            symbol="s",
            trade_id="1",
            venue_order_id="o",
            client_order_id=None,
            side="buy",
            price=Num(1),
            quantity=Num(1),
            fee_asset="USDT",
            fee_quantity=Num(0),
            liquidity="taker",
            kind="trade",
            source="stream",
            at_us=1,
        )
        assert fill.fill_key == ("v", "a", "s", "1", "o", "buy")

    def test_a_rejection_says_why(self):
        error = venue.Rejected("insufficient_margin", "not enough")
        assert (error.reason, error.code, error.text) == ("insufficient_margin", "insufficient_margin", "not enough")
        assert str(error) == "insufficient_margin: not enough"
