"""Hedges are moved where carry, caps and unsettled profit say, for less than that saves."""

from typing import Any

import msgspec
import pytest

from domain.carry import FundingTerms
from domain.depth import Level
from domain.quantity import ZERO, Num, subtract
from domain.rebalancing.ideal import Desk, Standing
from domain.rebalancing.moves import Assessment, assess, common_lot
from domain.rebalancing.rebalance import Cause
from domain.rebalancing.terms import Rebalancing, UnsettledCap, faults
from domain.routing.problem import Candidate, InstrumentKind, PenaltyStep, Problem, Target, VenueRoom
from domain.venue import HOUR_MS
from tests.support.given import START_US, a_mark

STEP = Num(5)
TERMS = Rebalancing(every_ms=1, horizon_ms=24 * HOUR_MS)
STEADY = FundingTerms(persistence_per_hour=Num("0.999"))


def a_candidate(venue: str, position: str, **changes: Any) -> Candidate:
    candidate = Candidate(
        venue=venue,
        account="main",
        symbol="ETH/USDT:USDT",
        underlying="ETH",
        kind=InstrumentKind.LINEAR,
        lot=Num("0.001"),
        minimum_quantity=Num("0.001"),
        minimum_notional=Num(20),
        bids=(Level(Num("1999.9"), Num(20)), Level(Num(1999), Num(50))),
        asks=(Level(Num("2000.1"), Num(20)), Level(Num(2001), Num(50))),
        usd_per_quote=Num(1),
        taker_fee_bps=Num(2),
        room_buy=Num(10_000),
        room_sell=Num(10_000),
        position=Num(position),
    )
    return msgspec.structs.replace(candidate, **changes)


def a_desk(*candidates: Candidate, rates: tuple[str, ...], standings: tuple[Standing, ...] = (), **rooms: Any) -> Desk:
    marks = tuple(
        a_mark(venue=each.venue, rate=rate, interval_ms=8 * HOUR_MS)
        for each, rate in zip(candidates, rates, strict=True)
        if rate
    )
    room: dict[str, Any] = {"notional_max": Num(10**9), "steps": ()} | rooms
    problem = Problem(
        targets=(Target(underlying="ETH", quantity=Num(-1), reference_usd=Num(2000)),),
        candidates=candidates,
        venues=tuple(
            VenueRoom(venue=each.venue, account="main", notional=abs(each.position) * 2000, **room)
            for each in candidates
        ),
        horizon_ms=HOUR_MS,
    )
    return Desk(problem=problem, marks=marks, funding=STEADY, standings=standings, now_us=START_US)


def found(desk: Desk, terms: Rebalancing = TERMS, step: Num = STEP) -> Assessment:
    assessment = assess(desk, terms, step)
    assert assessment is not None
    return assessment


def test_a_short_leaves_the_venue_where_shorts_pay_for_the_one_where_they_are_paid() -> None:
    desk = a_desk(a_candidate("okx", "-30"), a_candidate("bybit", "0"), rates=("-0.002", "0.002"))
    (move,) = found(desk).moves
    assert (move.cause, move.quantity, move.step) == (Cause.CARRY, Num(30), STEP)
    assert (move.leave.venue, move.leave.base) == ("okx", STEP)
    assert (move.enter.venue, move.enter.base) == ("bybit", -STEP)
    # Half a spread of a dollar in twenty thousand and two fees of 2 bps, a side, of 30 ETH.
    assert move.cost == Num(30) * (Num("0.1") * 2 + Num("2000.1") * Num("0.0002") + Num("1999.9") * Num("0.0002"))
    # Three payments of about 0.2 % either way.
    assert Num(30 * 2000) * Num("0.0118") < move.saving < Num(30 * 2000) * Num("0.012")


def test_nothing_moves_for_less_than_it_must_save() -> None:
    desk = a_desk(a_candidate("okx", "-30"), a_candidate("bybit", "0"), rates=("0.0001", "0.0003"))
    assessment = found(desk)
    assert assessment.moves == ()
    assert assessment.text == "the hedges stand where the router would place them"


def test_what_the_depth_of_the_books_takes_away_is_not_moved_for() -> None:
    thin = (Level(Num("1999.9"), Num("0.1")), Level(Num(1990), Num(50)))
    desk = a_desk(a_candidate("okx", "-30"), a_candidate("bybit", "0", bids=thin), rates=("0.0001", "0.0007"))
    assessment = found(desk)
    assert assessment.moves == ()
    assert [leg.venue for leg in assessment.ideal.legs] == ["bybit"]
    assert assessment.text.startswith("the best move would save ")


def test_a_book_that_stands_as_the_router_would_place_it_is_left() -> None:
    desk = a_desk(a_candidate("okx", "-30"), a_candidate("bybit", "0"), rates=("0.002", "-0.002"))
    assert found(desk).text == "the hedges stand where the router would place them"


def test_doubted_funding_neither_draws_a_position_nor_drives_one_away() -> None:
    towards = a_desk(a_candidate("okx", "-30"), a_candidate("bybit", "0"), rates=("0.0001", ""))
    away = a_desk(a_candidate("okx", "-30"), a_candidate("bybit", "0"), rates=("", "0.0001"))
    assert found(towards).moves == found(away).moves == ()


def test_concentration_spreads_a_position_until_its_next_step_costs_as_much_elsewhere() -> None:
    steps = (PenaltyStep(Num(0), Num(0)), PenaltyStep(Num(40_000), Num(50)))
    desk = a_desk(a_candidate("okx", "-30"), a_candidate("bybit", "0"), rates=("0.0001", "0.0001"), steps=steps)
    (move,) = found(desk).moves
    assert (move.leave.venue, move.enter.venue, move.quantity) == ("okx", "bybit", Num(10))


def test_unsettled_profit_above_its_cap_leaves_whatever_that_saves() -> None:
    standing = Standing(venue="okx", account="main", unsettled=Num(400), unsettled_cap=Num(300))
    desk = a_desk(
        a_candidate("okx", "-30"), a_candidate("bybit", "0"), rates=("0.0001", "0.0001"), standings=(standing,)
    )
    (move,) = found(desk).moves
    assert (move.cause, move.quantity, move.enter.venue) == (Cause.UNSETTLED, Num("7.5"), "bybit")
    assert move.saving < move.cost


def test_what_an_account_holds_above_its_cap_leaves_as_far_as_others_take_it() -> None:
    standing = Standing(venue="okx", account="main", notional_cap=Num(50_000))
    okx = a_candidate("okx", "-30")
    for room, quantity in ((Num(10_000), Num(5)), (Num(2), Num(2))):
        bybit = a_candidate("bybit", "0", room_sell=room)
        desk = a_desk(okx, bybit, rates=("0.0001", "0.0001"), standings=(standing,))
        (move,) = found(desk).moves
        assert (move.cause, move.quantity) == (Cause.CAP, quantity)


def test_a_venue_that_only_reduces_is_never_entered() -> None:
    desk = a_desk(a_candidate("okx", "-30"), a_candidate("bybit", "0", room_sell=ZERO), rates=("-0.002", "0.002"))
    assert found(desk).moves == ()


def test_opposite_positions_are_closed_against_each_other() -> None:
    bybit = a_candidate("bybit", "10", room_sell=Num(10))
    desk = a_desk(a_candidate("okx", "-30"), bybit, rates=("-0.002", "0.0001"))
    (move,) = found(desk).moves
    assert (move.leave.venue, move.enter.venue, move.quantity) == ("okx", "bybit", Num(10))


def test_a_step_is_what_both_books_hold_and_a_whole_number_of_both_lots() -> None:
    thin = (Level(Num("1999.9"), Num("3.1415")),)
    desk = a_desk(
        a_candidate("okx", "-30", lot=Num("0.01")),
        a_candidate("bybit", "0", lot=Num("0.015"), bids=thin),
        rates=("-0.002", "0.002"),
    )
    (move,) = found(desk).moves
    assert move.step == Num("3.12")
    assert subtract(move.leave.base, -move.enter.base) == 0


def test_the_same_is_found_in_whatever_order_it_is_told() -> None:
    parts = (a_candidate("okx", "-30"), a_candidate("bybit", "-3"), a_candidate("deribit", "0"))
    rates = ("-0.002", "0.002", "0.0021")
    one = found(a_desk(*parts, rates=rates))
    other = found(a_desk(*reversed(parts), rates=tuple(reversed(rates))))
    assert one == other
    assert [move.enter.venue for move in one.moves] == ["deribit"]


def test_a_flat_book_has_nothing_to_move() -> None:
    desk = a_desk(a_candidate("okx", "0"), a_candidate("bybit", "0"), rates=("-0.002", "0.002"))
    assert assess(desk, TERMS, STEP) is None


def test_dated_futures_and_spot_ask_for_no_funding() -> None:
    future = a_candidate("deribit", "0", kind=InstrumentKind.FUTURE, expires_in_ms=24 * HOUR_MS)
    rich = msgspec.structs.replace(future, bids=(Level(Num("2020"), Num(50)),), asks=(Level(Num("2020.2"), Num(50)),))
    desk = a_desk(a_candidate("okx", "-30"), rich, rates=("0.0001", ""))
    (move,) = found(desk).moves
    assert move.enter.cost.funding == 0
    assert move.enter.cost.basis == -(Num("20.1") * 5)  # all of it within the horizon


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [("0.001", "0.01", "0.01"), ("0.015", "0.01", "0.03"), ("1", "0.4", "2"), ("10", "4", "20")],
)
def test_the_least_quantity_of_two_lots(one: str, other: str, both: str) -> None:
    assert common_lot(Num(one), Num(other)) == Num(both)


def test_terms_that_cannot_be_followed_are_named() -> None:
    assert faults(TERMS) == ""
    for wrong in (
        Rebalancing(pause_ms=0),
        Rebalancing(saving_to_cost_min=Num("0.9")),
        Rebalancing(unsettled=(UnsettledCap(venue="okx", account="main", profit=Num(-1)),)),
    ):
        assert faults(wrong) != ""
