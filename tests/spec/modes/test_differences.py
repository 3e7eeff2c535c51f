"""A venue's word beside the log: one difference says nothing, the same one in three observations running is a break."""

from collections.abc import Callable
from typing import Any

import pytest

from domain.difference import BREAKS_AFTER
from domain.mode import Mode
from tests.support.desk import Desk, tags

SYMBOL = "ETH/USDT:USDT"


def observe(desk: Desk, quantity: str, symbol: str = SYMBOL, venue: str = "binanceusdm") -> Any:
    """Let the venue say what its account holds, a minute after it last did."""
    desk.now_us += 60_000_000
    held: dict[str, object] = dict.fromkeys(
        ("entry_price", "mark_price", "unrealised", "liquidation_price", "initial_margin", "maintenance_margin"), "0"
    )
    body = {
        "venue": venue,
        "account": "main",
        "balances": [],
        "positions": [held | {"symbol": symbol, "quantity": quantity}] if quantity != "0" else [],
        "observed_at_us": desk.now_us,
    }
    return desk.do("account.observe", body)


def times(desk: Desk, count: int, observed: Callable[[], Any]) -> list[str]:
    return [tag for _ in range(count) for tag in tags(observed().events)]


def test_the_same_difference_again_and_again_reduces_the_venue():
    desk = Desk()
    assert "mode.changed" not in times(desk, BREAKS_AFTER - 1, lambda: observe(desk, "-2"))
    event = observe(desk, "-2").events[-1]
    assert (event.scope, event.mode, event.trigger) == ("venue:binanceusdm", Mode.REDUCE_ONLY, "reconciliation")
    assert "-2 of ETH/USDT:USDT" in event.reason
    assert desk.book.modes == {"venue:binanceusdm": Mode.REDUCE_ONLY}


def test_it_is_told_once_however_long_it_lasts():
    desk = Desk()
    told = times(desk, BREAKS_AFTER + 4, lambda: observe(desk, "-2"))
    assert told.count("mode.changed") == 1


def test_differences_that_come_and_go_are_orders_on_their_way():
    desk = Desk()
    for quantity in ("-2", "-1", "-2", "0", "-2", "-2", "-1.5"):
        observe(desk, quantity)
    assert desk.book.modes == {}
    observe(desk, "0")
    assert desk.book.differences == {}


def test_what_the_log_explains_is_no_difference():
    desk = Desk()
    desk.accept(desk.quote("1.5"))
    desk.trade(desk.order(), "1.5")
    for _ in range(BREAKS_AFTER):
        observe(desk, "-1.5")
    assert (desk.book.modes, desk.book.differences) == ({}, {})
    for _ in range(BREAKS_AFTER):
        observe(desk, "0")
    assert desk.book.modes == {"venue:binanceusdm": Mode.REDUCE_ONLY}


@pytest.mark.parametrize(("symbol", "venue"), [("DOGE/USDT:USDT", "binanceusdm"), (SYMBOL, "elsewhere")])
def test_what_the_policy_does_not_trade_is_not_compared(symbol: str, venue: str):
    desk = Desk()
    for _ in range(BREAKS_AFTER):
        observe(desk, "-2", symbol, venue)
    assert (desk.book.modes, desk.book.differences) == ({}, {})


def surprise(desk: Desk, venue: str, kind: str = "trade") -> list[Any]:
    """Let a venue tell of a fill that no order of ours asked for."""
    body = {
        "venue": venue,
        "account": "main",
        "symbol": SYMBOL,
        "trade_id": "t9",
        "venue_order_id": "v9",
        "client_order_id": "somebody",
        "side": "sell",
        "price": "2000",
        "quantity": "1",
        "fee_asset": "USDT",
        "fee": "0",
        "kind": kind,
        "source": "stream",
        "traded_at_us": desk.now_us,
    }
    return [event for event in desk.do("fill.recorded", body).events if event.TOPIC.startswith("mode.changed")]


def test_a_fill_that_nobody_asked_for_reduces_its_venue_at_once():
    (event,) = surprise(Desk(), "binanceusdm")
    assert (event.scope, event.trigger, event.mode) == ("venue:binanceusdm", "reconciliation", Mode.REDUCE_ONLY)
    assert "for no order of ours" in event.reason


def test_what_a_venue_closed_by_force_is_no_break():
    assert surprise(Desk(), "binanceusdm", "adl") == []


def test_a_venue_that_nothing_is_traded_on_has_no_mode():
    assert surprise(Desk(), "elsewhere") == []
