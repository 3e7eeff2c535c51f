"""A book of hedges is looked at every so often; what should move is proposed, or moved in small steps of two legs."""

import msgspec
import pytest

from commands.evidence import trim
from commands.handler import Decision
from commands.rebalance import LookAtHedges
from domain.event import Event
from domain.exposure import exposure, imbalance
from domain.hedge import HedgePlanned, Purpose
from domain.order import Order
from domain.quantity import Num, add
from domain.rebalancing.rebalance import Cause, RebalanceHeld, RebalanceProposed, RebalanceStarted
from domain.rebalancing.terms import DAY_US, Rebalancing
from domain.routing.terms import Routing, VenueCap
from tests.support.desk import Desk, reason, tags
from tests.support.given import START_US, a_mark
from tests.support.rebalancing import HOME, LOOK, MINUTE_MS, MOVING, OTHER, TERMS, a_desk, funded, policy


def look(desk: Desk) -> tuple[Event, ...]:
    """Let the next look come, and return what it found."""
    wake = desk.book.wakes[LOOK]
    desk.now_us = max(wake.at_us, desk.now_us)
    (fired,) = [each for each in desk.wake() if each.envelope.kind == "rebalance.look"]
    assert reason(fired) == ""
    return fired.events


def held(desk: Desk) -> RebalanceHeld:
    (event,) = look(desk)
    assert isinstance(event, RebalanceHeld)
    return event


def proposed(desk: Desk) -> RebalanceProposed:
    (event,) = look(desk)
    assert isinstance(event, RebalanceProposed)
    return event


def started(desk: Desk) -> tuple[RebalanceStarted, HedgePlanned]:
    start, planned, *_ = look(desk)
    assert isinstance(start, RebalanceStarted)
    assert isinstance(planned, HedgePlanned)
    return start, planned


def observed(desk: Desk, unrealised: str) -> Decision:
    position = {
        "symbol": "ETH/USDT:USDT",
        "quantity": "-10",
        "entry_price": "2000",
        "mark_price": "1900",
        "unrealised": unrealised,
        "liquidation_price": "4000",
        "initial_margin": "2000",
        "maintenance_margin": "100",
    }
    body = {
        "venue": "binanceusdm",
        "account": "main",
        "balances": [],
        "positions": [position],
        "observed_at_us": desk.now_us,
    }
    return desk.do("account.observe", body, actor="binanceusdm")


def test_what_should_move_is_proposed_with_what_it_costs_and_saves() -> None:
    event = proposed(a_desk())
    (move,) = event.moves
    assert (move.cause, move.quantity) == (Cause.CARRY, Num(10))
    assert move.places == ("binanceusdm", "ETH/USDT:USDT", "deribit", "ETH/USDT:USDT")
    assert (event.cost, event.saving, event.horizon_ms) == (move.cost, move.saving, TERMS.horizon_ms)
    assert event.saving >= event.cost * 2 > 0
    assert [leg.venue for leg in event.ideal.legs] == ["deribit"]
    assert "10 from ETH/USDT:USDT on binanceusdm to ETH/USDT:USDT on deribit (carry)" in event.text


def test_a_proposal_stands_until_it_saves_much_more_or_less() -> None:
    desk = a_desk()
    first = proposed(desk)
    assert held(desk) == RebalanceHeld(underlying="ETH", text="what was proposed still stands", proposed=True)
    assert desk.book.rebalancing.proposals == {"ETH": first}
    funded(desk, "-0.002", "0.0035")
    assert proposed(desk).saving > first.saving


def test_a_proposal_falls_when_it_is_no_longer_worth_it() -> None:
    desk = a_desk()
    proposed(desk)
    funded(desk, "0.0001", "0.0001")
    event = held(desk)
    assert (event.text, event.proposed) == ("the hedges stand where the router would place them", False)
    assert desk.book.rebalancing.proposals == {}


def test_a_book_that_does_not_rebalance_is_never_looked_at() -> None:
    desk = a_desk(Rebalancing())
    assert LOOK not in desk.book.wakes
    assert desk.do("rebalance.look", {"underlying": "ETH"}).events == ()


def test_a_policy_that_stops_rebalancing_ends_the_looking() -> None:
    desk = a_desk()
    desk.do("policy.adopt", {"policy": policy(Rebalancing())}, actor="system")
    assert look(desk) == ()
    assert LOOK not in desk.book.wakes


def test_terms_that_cannot_be_followed_are_not_adopted() -> None:
    wrong = policy(Rebalancing(saving_to_cost_min=Num("0.5")))
    assert reason(a_desk().do("policy.adopt", {"policy": wrong}, actor="system")) == "VALUE_INVALID"


def test_a_step_has_two_legs_that_cancel_out_and_is_no_larger_than_it_may() -> None:
    start, planned = started(a_desk(MOVING))
    leave, enter = planned.legs
    assert (leave.venue, enter.venue, planned.purpose) == ("binanceusdm", "deribit", Purpose.REBALANCE)
    assert leave.quantity == -enter.quantity == start.move.step == Num("3.999")  # 8000 USD at the ask
    assert (leave.reduce_only, enter.reduce_only) == (True, False)
    assert (planned.quantity, planned.exposure) == (Num(0), Num(0))
    assert (planned.hedge_id, planned.request_id) == (start.hedge_id, start.rebalance_id)
    assert leave.limit_price == Num("2000.5")  # the ask and 2 bps, on a tick
    assert enter.limit_price == Num("1999.6")
    proof = planned.certificate
    assert proof is not None
    assert [leg.base for leg in proof.legs] == [leave.quantity, enter.quantity]
    spread_and_fee = Num("3.999") * (Num("0.45") * 2 + Num("2000.5") * Num("0.0005") + Num("1999.6") * Num("0.0005"))
    assert Num(0) <= start.worst - spread_and_fee < Num("0.000001")
    assert (start.spent, start.budget) == (start.worst, Num(1000))


def test_a_step_leaves_the_exposure_within_its_limit_whichever_leg_trades_alone() -> None:
    desk = a_desk(msgspec.structs.replace(MOVING, step_notional_max=Num(100_000)))
    desk.set_limit("net_delta", "1.5", scope="asset:ETH")
    start, _ = started(desk)
    assert start.move.step == Num("1.5")
    desk = a_desk(MOVING)
    desk.set_limit("order_notional", "2500")
    assert started(desk)[0].move.step == Num("1.249")


def test_no_step_is_made_where_a_leg_alone_would_break_the_limit() -> None:
    desk = a_desk(MOVING)
    desk.set_limit("net_delta", "4", scope="asset:ETH")
    desk.accept(desk.quote("4"), nonce=2)
    assert exposure(desk.book, "ETH").interval.worst == Num(4)
    assert held(desk).text == "the exposure of ETH is at its limit: no leg may trade alone"


def test_steps_cost_no_more_than_the_day_allows_even_at_their_worst() -> None:
    desk = a_desk(msgspec.structs.replace(MOVING, cost_budget_per_day=Num(5)))
    start, _ = started(desk)
    assert Num(4) < start.worst <= Num(5)  # cut to what the day pays for
    assert start.move.step < Num("3.999")


def test_a_day_without_a_budget_moves_nothing() -> None:
    desk = a_desk(msgspec.structs.replace(MOVING, cost_budget_per_day=Num(0)))
    event = held(desk)
    assert event.text.endswith("USD, and of the day's 0 there are 0 left")


def test_nothing_moves_while_a_mode_or_the_market_forbids_it() -> None:
    desk = a_desk(MOVING)
    desk.change_mode("REDUCE_ONLY", scope="asset:ETH")
    assert held(desk).text == "ETH is REDUCE_ONLY: nothing is moved"
    desk.change_mode("HALTED")
    assert held(desk).text == "ETH is HALTED: nothing is moved"
    desk = a_desk(MOVING)
    desk.evidence = ()
    assert held(desk).text.startswith("REFERENCE_MISSING: ")
    desk = a_desk(MOVING)
    desk.remove_limit("net_delta", scope="asset:ETH")
    assert held(desk).text.startswith("no limit net_delta is set for asset:ETH")


@pytest.mark.parametrize(
    ("control", "scope", "text"),
    [
        ("open_orders", "global", "open orders"),
        ("order_rate", "venue:deribit", "orders sent within a while"),
        ("price_collar", "asset:ETH", "distance of an order's limit price"),
    ],
)
def test_no_step_is_made_of_which_a_control_would_refuse_an_order(control: str, scope: str, text: str) -> None:
    desk = a_desk(MOVING)
    desk.found_limit(control, "0", scope=scope)
    assert held(desk).text.startswith(text)
    desk.set_limit(control, "100", scope=scope)
    started(desk)


def test_a_step_needs_the_limit_on_one_order_at_every_venue() -> None:
    desk = a_desk(MOVING)
    desk.remove_limit("order_notional")
    assert held(desk).text.startswith("no limit order_notional is set for global")


def test_a_suspended_halted_lost_or_reducing_venue_is_not_entered() -> None:
    desk = a_desk(MOVING)
    suspension = {"scope": "venue:deribit", "law": "quorum", "text": "away from the rest", "at_us": START_US}
    desk.do("market.suspend", suspension, actor="market")
    assert held(desk).text == "the hedges stand where the router would place them"
    for mode in ("HALTED", "REDUCE_ONLY"):
        desk = a_desk(MOVING)
        desk.change_mode(mode, scope="venue:deribit")
        assert held(desk).text == "the hedges stand where the router would place them"
    desk = a_desk(MOVING)
    desk.do("dependency.degraded", {"dependency": "deribit", "text": "silent"}, actor="execution")
    assert held(desk).text == "the hedges stand where the router would place them"
    desk = a_desk(MOVING)
    desk.evidence = (HOME, msgspec.structs.replace(OTHER, age_ms=501))
    assert held(desk).text == "the hedges stand where the router would place them"


def test_unsettled_profit_above_its_cap_brings_a_look_at_once_and_moves_what_is_above() -> None:
    seldom = msgspec.structs.replace(TERMS, every_ms=10 * MINUTE_MS)
    desk = a_desk(seldom, rates=("0.0001", "0.0001"))
    assert held(desk).text == "the hedges stand where the router would place them"
    in_time_us = desk.now_us + 10 * MINUTE_MS * 1_000
    observed(desk, "499")
    assert desk.book.wakes[LOOK].at_us == in_time_us
    desk.now_us += MINUTE_MS * 1_000
    observed(desk, "1000")
    assert desk.book.wakes[LOOK].at_us == desk.now_us
    (move,) = proposed(desk).moves
    assert (move.cause, move.quantity) == (Cause.UNSETTLED, Num(5))
    desk.now_us += MINUTE_MS * 1_000
    observed(desk, "1000")
    assert desk.book.wakes[LOOK].at_us == desk.now_us


def test_what_is_above_a_venue_s_cap_is_moved() -> None:
    cap = VenueCap(venue="binanceusdm", account="main", notional=Num(10_000))
    desk = a_desk(rates=("0.0001", "0.0001"), routing=Routing())
    desk.do("policy.adopt", {"policy": policy(routing=Routing(caps=(cap,)))}, actor="system")
    (move,) = proposed(desk).moves
    assert move.cause is Cause.CAP
    assert move.quantity == Num("5.001")  # of 10 ETH at 2000.05


def test_a_look_is_kept_with_the_books_and_marks_of_its_underlying() -> None:
    book, command = a_desk().book, LookAtHedges(underlying="ETH")
    okx = msgspec.structs.replace(HOME, venue="okx")
    evidence, _, seen = trim(book, command, (HOME, OTHER, okx), (), (a_mark(), a_mark(venue="okx")))
    assert [each.venue for each in evidence] == ["binanceusdm", "deribit"]
    assert seen == (a_mark(),)


def test_the_book_is_balanced_by_every_step() -> None:
    desk = a_desk(MOVING)
    before = exposure(desk.book, "ETH")
    _, planned = started(desk)
    after = exposure(desk.book, "ETH")
    assert after.certain == before.certain
    assert after.carry == before.carry
    assert add(planned.legs[0].quantity, planned.legs[1].quantity) == 0
    assert "hedge.planned" in tags(desk.events)


def legs(desk: Desk) -> tuple[Order, Order]:
    """Return the orders of a step: what leaves, what enters."""
    one, other = (each.order for each in desk.book.orders.values())
    return (one, other) if one.reduce_only else (other, one)


def test_both_legs_are_sent_at_once_and_the_next_look_follows_soon_after_they_are_done() -> None:
    desk = a_desk(MOVING)
    started(desk)
    leave, enter = legs(desk)
    assert (leave.venue, leave.side, enter.venue, enter.side) == ("binanceusdm", "buy", "deribit", "sell")
    desk.trade(enter, "3.999", trade="enter")
    assert exposure(desk.book, "ETH").certain == Num("-3.999")
    desk.trade(leave, "3.999", trade="leave")
    assert exposure(desk.book, "ETH").certain == Num(0)
    assert "hedge.completed" in tags(desk.events)[-3:]
    assert desk.book.wakes[LOOK].at_us == desk.now_us + TERMS.pause_ms * 1_000
    assert {key: each.quantity for key, each in desk.book.positions.items()} == {
        "binanceusdm|main|ETH/USDT:USDT": Num("-6.001"),
        "deribit|main|ETH/USDT:USDT": Num("-3.999"),
    }


def test_steps_follow_each_other_until_all_is_moved_and_what_they_may_cost_adds_up() -> None:
    desk = a_desk(MOVING)
    total = Num(0)
    for number, size in enumerate(("3.999", "3.999", "2.002")):
        start, _ = started(desk)
        total += start.worst
        assert (start.move.step, start.spent) == (Num(size), total)
        for order in legs(desk):
            desk.trade(order, size, trade=f"{number}{order.venue}")
    assert held(desk).text == "the hedges stand where the router would place them"
    assert desk.book.positions["deribit|main|ETH/USDT:USDT"].quantity == Num(-10)


def test_a_new_day_has_a_new_budget() -> None:
    desk = a_desk(msgspec.structs.replace(MOVING, cost_budget_per_day=Num(13)))
    start, _ = started(desk)
    for order in legs(desk):
        desk.trade(order, str(start.move.step), trade=order.venue)
    first = start.worst
    start, _ = started(desk)
    assert first < start.spent <= Num(13)
    for order in legs(desk):
        desk.trade(order, str(start.move.step), trade=f"2{order.venue}")
    assert "of the day's 13 there are" in held(desk).text
    desk.now_us += DAY_US
    start, _ = started(desk)
    assert start.spent == start.worst


def test_no_second_step_begins_while_one_is_under_way() -> None:
    desk = a_desk(MOVING)
    started(desk)
    assert LOOK not in desk.book.wakes
    assert desk.do("rebalance.look", {"underlying": "ETH"}).events == ()


def test_what_one_leg_leaves_untraded_is_routed_anew() -> None:
    desk = a_desk(MOVING)
    started(desk)
    leave, enter = legs(desk)
    desk.trade(enter, "3.999", trade="enter")
    desk.acknowledge(leave, filled="0")
    assert exposure(desk.book, "ETH").certain == Num("-3.999")
    desk.wake(1_000)
    (again,) = desk.book.orders.values()
    assert (again.order.side, again.order.quantity) == ("buy", Num("3.999"))
    desk.trade(again.order, "3.999", trade="again")
    assert exposure(desk.book, "ETH").certain == Num(0)
    assert desk.book.hedges == {}


def test_a_step_of_which_nothing_trades_is_over() -> None:
    desk = a_desk(MOVING)
    started(desk)
    for order in legs(desk):
        desk.acknowledge(order, filled="0")
    while desk.book.hedges:
        assert desk.wake(1_000)
        for each in tuple(desk.book.orders.values()):
            desk.acknowledge(each.order, filled="0")
    assert exposure(desk.book, "ETH").certain == Num(0)
    assert imbalance(desk.book, "ETH") == 0
    assert LOOK in desk.book.wakes
