"""A stable is held unless it earns more, by more than it costs, as spot that is sold short; that is proposed."""

import msgspec

from commands.handler import Decision
from domain.event import Event
from domain.quantity import Num
from domain.rebalancing.terms import Rebalancing
from domain.stable import StableHeld, StableProposed
from tests.support.desk import Desk
from tests.support.given import a_book, a_mark, a_policy
from tests.support.rebalancing import HOME, LOOK, TERMS

SPOT = msgspec.structs.replace(a_book(), venue="binance", symbol="ETH/USDT")


def a_desk(rate: str = "0.002", *, terms: Rebalancing = TERMS, spot: bool = True, size: str = "50000") -> Desk:
    """Return a desk that holds a stable, and may buy spot with it."""
    (home,) = a_policy().instruments
    bought = msgspec.structs.replace(home, venue="binance", symbol="ETH/USDT", kind="spot")
    desk = Desk(policy=a_policy(instruments=(home, bought) if spot else (home,), rebalancing=terms))
    desk.evidence = (HOME, SPOT)
    desk.marks = (a_mark(rate=rate),)
    if size:
        desk.accept(desk.quote(size, pair="USDT/USDe"))
        desk.confirm()
    return desk


def look(desk: Desk) -> tuple[Event, ...]:
    desk.now_us = max(desk.book.wakes[LOOK].at_us, desk.now_us)
    found: list[Decision] = [each for each in desk.wake() if each.envelope.kind == "rebalance.look"]
    return tuple(event for each in found for event in each.events if isinstance(event, StableProposed | StableHeld))


def test_a_stable_that_would_earn_more_sold_short_is_proposed() -> None:
    (event,) = look(a_desk())
    assert isinstance(event, StableProposed)
    assert (event.asset, event.units, event.underlying) == ("USDT", Num(50_000), "ETH")
    spot, short = event.legs
    assert (spot.venue, short.venue) == ("binance", "binanceusdm")
    assert spot.base == -short.base == Num("3.999")  # a step of 8000 USD
    # A quarter of a bp of spread and 5 of fee, on two sides, in and out, of 50000 USD.
    assert Num("104.99") < event.cost <= Num(105)
    # 21 payments in a week: an anchor of 0.01 %, and 0.19 % above it that fades by 3 % an hour.
    assert Num(541) < event.earned < Num(542)
    assert "put 50000 USDT into ETH, sold short" in event.text


def test_it_is_held_while_that_earns_no_more_than_it_must() -> None:
    for desk in (a_desk("0.0001"), a_desk("-0.002"), a_desk(spot=False), a_desk(size="")):
        assert look(desk) == ()


def test_funding_that_cannot_be_believed_earns_nothing() -> None:
    desk = a_desk()
    desk.marks = ()
    assert look(desk) == ()


def test_a_proposal_is_told_once_anew_when_it_earns_otherwise_and_withdrawn_when_it_would_not() -> None:
    desk = a_desk()
    look(desk)
    assert look(desk) == ()
    desk.marks = (a_mark(rate="0.003"),)
    (again,) = look(desk)
    assert isinstance(again, StableProposed)
    desk.marks = (a_mark(rate="0.0001"),)
    (held,) = look(desk)
    assert held == StableHeld(asset="USDT", underlying="ETH", text="USDT is better held than put into ETH")
    assert look(desk) == ()


def test_what_is_owed_is_not_put_anywhere() -> None:
    desk = a_desk()
    desk.accept(desk.quote("49000", pair="USDT/USDe", side="REDEEM"), nonce=2)
    (event,) = look(desk)
    assert isinstance(event, StableProposed)
    assert Num(1000) <= event.units < Num(1100)


def test_both_sides_are_what_the_thinner_book_holds() -> None:
    desk = a_desk()
    thin = msgspec.structs.replace(SPOT, asks=SPOT.asks[:1])
    desk.evidence = (
        HOME,
        msgspec.structs.replace(thin, asks=(msgspec.structs.replace(thin.asks[0], quantity=Num(1)),)),
    )
    (event,) = look(desk)
    assert isinstance(event, StableProposed)
    assert [leg.base for leg in event.legs] == [Num(1), Num(-1)]
