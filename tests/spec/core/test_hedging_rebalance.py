"""A hedge with legs of both signs: delta comes back to where it was, whichever of them trades."""

from collections.abc import Callable
from uuid import UUID

import pytest

from commands.dispatch import READERS
from domain.exposure import exposure, imbalance
from domain.hedge import HedgeCompleted, HedgePlanned, HedgeRerouted, PlannedLeg, Purpose
from domain.order import Order
from domain.quantity import ZERO, Num
from tests.support.desk import tags
from tests.support.venues import SYMBOL, WideDesk

Move = Callable[[WideDesk], dict[str, Order]]


def leg(venue: str, quantity: str, limit_price: str) -> PlannedLeg:
    return PlannedLeg(
        venue=venue,
        account="main",
        symbol=SYMBOL,
        quantity=Num(quantity),
        limit_price=Num(limit_price),
        reference=Num("2000.05"),
    )


def planned(*legs: PlannedLeg) -> HedgePlanned:
    return HedgePlanned(
        hedge_id=UUID(int=5),
        request_id=UUID(int=6),
        purpose=Purpose.REBALANCE,
        underlying="ETH",
        exposure=ZERO,
        quantity=ZERO,
        reference=Num("2000.05"),
        legs=legs,
    )


@pytest.fixture
def desk() -> WideDesk:
    """Twenty ETH are hedged on the home venue."""
    desk = WideDesk()
    (order,) = desk.mint("20").values()
    desk.whole(order)
    desk.confirm()
    return desk


@pytest.fixture
def move(monkeypatch: pytest.MonkeyPatch) -> Move:
    """Let a look at the hedges move ten of them to another venue."""

    def moved(desk: WideDesk) -> dict[str, Order]:
        decode, _ = READERS["rebalance.look"]
        legs = (leg("binanceusdm", "10", "2010"), leg("okx", "-10", "1990"))
        monkeypatch.setitem(READERS, "rebalance.look", (decode, lambda *_: (planned(*legs),)))
        desk.do("rebalance.look", {"underlying": "ETH"})
        return desk.orders()

    return moved


def over(desk: WideDesk) -> HedgeCompleted:
    return next(event for event in reversed(desk.events) if isinstance(event, HedgeCompleted))


def test_both_legs_are_sent_at_once_each_on_its_side(desk: WideDesk, move: Move):
    orders = move(desk)
    sides = {venue: (order.side, str(order.quantity), order.reduce_only) for venue, order in orders.items()}
    assert sides == {"binanceusdm": ("buy", "10", True), "okx": ("sell", "10", False)}
    interval = exposure(desk.book, "ETH").interval
    assert (interval.low, interval.high, imbalance(desk.book, "ETH")) == (-10, 10, 0)


def test_it_is_over_when_both_have_traded(desk: WideDesk, move: Move):
    orders = move(desk)
    told = desk.whole(orders["binanceusdm"])
    assert tags(told.events)[-1] == "hedge.leg_completed"
    desk.whole(orders["okx"])
    assert (over(desk).filled, over(desk).average_price) == (0, 0)
    assert (exposure(desk.book, "ETH").interval.worst, desk.book.carry["ETH"], imbalance(desk.book, "ETH")) == (0, 0, 0)


def test_a_leg_tells_its_own_side(desk: WideDesk, move: Move):
    orders = move(desk)
    bought = desk.whole(orders["binanceusdm"]).events[2]
    sold = desk.whole(orders["okx"]).events[2]
    assert [str(getattr(each, "filled", "")) for each in (bought, sold)] == ["10", "-10"]


def test_neither_traded_is_over_without_another_order(desk: WideDesk, move: Move):
    orders = move(desk)
    desk.reject(orders["okx"])
    assert desk.wake(0) == []
    desk.reject(orders["binanceusdm"])
    assert (over(desk).filled, desk.book.hedges, desk.book.wakes) == (0, {}, {})


@pytest.mark.parametrize(("fails", "trades", "left"), [("okx", "binanceusdm", "-10"), ("binanceusdm", "okx", "10")])
def test_what_one_leg_leaves_is_traded_elsewhere_so_that_delta_comes_back(
    desk: WideDesk, move: Move, fails: str, trades: str, left: str
):
    orders = move(desk)
    desk.reject(orders[fails])
    desk.whole(orders[trades])
    desk.wake(250)
    (rerouted,) = [event for event in desk.events if isinstance(event, HedgeRerouted)]
    assert (str(rerouted.quantity), fails in {leg.venue for leg in rerouted.legs}) == (left, False)
    for order in desk.orders().values():
        desk.whole(order, trade="back")
    assert (over(desk).filled, exposure(desk.book, "ETH").interval.worst, imbalance(desk.book, "ETH")) == (0, 0, 0)


def test_two_parts_of_different_size_leave_their_difference(desk: WideDesk, move: Move):
    orders = move(desk)
    desk.trade(orders["okx"], "4", trade="a")
    desk.trade(orders["binanceusdm"], "7", trade="b")
    desk.wake(250)
    (order,) = desk.orders().values()
    assert (order.side, str(order.quantity)) == ("sell", "3")
    desk.whole(order, trade="c")
    assert (over(desk).filled, exposure(desk.book, "ETH").interval.worst) == (0, 0)


def test_what_cannot_be_brought_back_is_carried_and_traded_again(desk: WideDesk, move: Move):
    orders = move(desk)
    desk.reject(orders["okx"])
    desk.whole(orders["binanceusdm"])
    while desk.book.hedges:
        for order in desk.orders().values():
            desk.reject(order)
        desk.wake(250)
    assert (str(desk.book.carry["ETH"]), imbalance(desk.book, "ETH")) == ("-10", 0)
    desk.wake(30_000)
    for order in desk.orders().values():
        desk.whole(order, trade="at last")
    assert exposure(desk.book, "ETH").interval.worst == 0
