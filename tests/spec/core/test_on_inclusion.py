"""Settled first, hedged once it stands in a block: nothing is lost on the way, whichever comes late or not at all."""

from typing import Any
from uuid import UUID

from domain.exposure import exposure, imbalance
from domain.policy import SettlementOrder
from tests.support.desk import Desk, reason, tags
from tests.support.given import a_book, a_policy


def desk_on_inclusion(**policy: Any) -> Desk:
    return Desk(policy=a_policy(settlement_order=SettlementOrder.ON_INCLUSION, **policy))


def accepted(desk: Desk, size: str = "1.5", **changes: Any) -> Desk:
    desk.accept(desk.quote(size), **changes)
    return desk


def test_the_settlement_is_asked_for_at_acceptance_and_nothing_is_hedged():
    desk = desk_on_inclusion()
    told = desk.accept(desk.quote("1.5")).events
    assert tags(told) == ["quote.used", "request.accepted", "settlement.submission_requested"]
    assert (desk.book.hedges, desk.book.orders) == ({}, {})
    assert imbalance(desk.book, "ETH") == 0
    interval = exposure(desk.book, "ETH").interval
    assert (str(interval.low), str(interval.high)) == ("0", "1.5")


def test_a_request_that_is_gone_needs_no_hedge():
    desk = desk_on_inclusion()
    assert desk.do("hedge.open", {"request_id": UUID(int=1)}).events == ()


def test_its_worst_case_is_tested_as_if_it_were_hedged():
    desk = desk_on_inclusion()
    desk.set_limit("net_delta", "1", scope="asset:ETH")
    assert reason(desk.accept(desk.quote("1.5"))) == "NET_DELTA"


def test_the_hedge_is_planned_on_fresh_evidence_once_it_is_included():
    desk = accepted(desk_on_inclusion())
    desk.submit()
    assert tags(desk.include().events) == ["settlement.included"]
    desk.evidence = (a_book("1990", "1990.1"),)
    (opened,) = desk.wake()
    assert tags(opened.events)[0] == "hedge.planned"
    planned: Any = opened.events[0]
    assert (str(planned.reference), str(planned.quantity), planned.purpose) == ("1990.05", "-1.5", "open")
    assert imbalance(desk.book, "ETH") == 0
    desk.trade(desk.order(), "1.5")
    assert len(desk.book.settlements) == 1
    assert tags(desk.finalise().events) == ["settlement.confirmed", "request.completed"]
    assert exposure(desk.book, "ETH").interval.worst == 0
    assert desk.book.wakes == {}


def test_a_redeem_is_paid_and_then_its_hedge_closed():
    desk = desk_on_inclusion()
    accepted(desk, "10", nonce=9)
    desk.submit()
    desk.include()
    desk.wake()
    desk.trade(desk.order(), "10", trade="m")
    desk.finalise()
    desk.accept(desk.quote("3000", side="REDEEM"), nonce=2)
    desk.submit()
    desk.include(block=102)
    desk.wake()
    assert desk.order().side == "buy"
    desk.trade(desk.order(), str(desk.order().quantity), trade="r")
    desk.finalise()
    assert imbalance(desk.book, "ETH") == 0


def test_what_was_never_included_leaves_nothing_to_unwind():
    desk = accepted(desk_on_inclusion())
    desk.submit()
    assert tags(desk.revert().events) == ["settlement.reverted", "request.settlement_failed"]
    assert (desk.book.wakes, desk.book.carry, imbalance(desk.book, "ETH")) == ({}, {}, 0)


def test_a_failed_inclusion_is_not_hedged():
    desk = accepted(desk_on_inclusion())
    desk.submit()
    desk.include(error="InvalidNonce")
    assert desk.book.wakes == {}


def test_a_block_given_up_before_the_hedge_was_planned_plans_none():
    desk = accepted(desk_on_inclusion())
    desk.submit()
    desk.include()
    desk.reorg()
    (opened,) = desk.wake()
    assert (opened.outcome.status, opened.events) == ("accepted", ())
    desk.include(block=102)
    (again,) = desk.wake()
    assert tags(again.events)[0] == "hedge.planned"


def test_a_block_given_up_afterwards_leaves_the_hedge_and_death_unwinds_it():
    desk = accepted(desk_on_inclusion())
    desk.submit()
    desk.include()
    desk.wake()
    desk.trade(desk.order(), "1.5")
    desk.reorg()
    assert (len(desk.book.settlements), imbalance(desk.book, "ETH")) == (1, 0)
    desk.include(block=103)
    assert desk.wake() == []
    desk.reorg(block=103)
    desk.revert()
    desk.wake()
    assert desk.order().side == "buy"
    desk.trade(desk.order(), "1.5", trade="back")
    assert exposure(desk.book, "ETH").interval.worst == 0


def test_what_is_final_before_it_could_be_hedged_is_traded_as_soon_as_it_can():
    desk = accepted(desk_on_inclusion())
    desk.submit()
    desk.include()
    desk.evidence = ()
    assert [reason(each) for each in desk.wake()] == ["REFERENCE_MISSING"]
    desk.finalise()
    assert (str(desk.book.carry["ETH"]), imbalance(desk.book, "ETH")) == ("-1.5", 0)
    assert [reason(each) for each in desk.wake()] == ["REFERENCE_MISSING"]
    desk.evidence = (a_book(),)
    (traded,) = desk.wake(1_000)
    planned: Any = traded.events[0]
    assert (planned.purpose, str(planned.quantity)) == ("unwind", "-1.5")
    desk.trade(desk.order(), "1.5")
    assert exposure(desk.book, "ETH").interval.worst == 0


def test_a_hedge_given_up_is_gone_on_with_while_its_request_is_settled():
    desk = accepted(desk_on_inclusion(hedge_orders_max=1))
    desk.submit()
    desk.include()
    desk.wake()
    told = desk.reject(desk.order())
    assert tags(told.events)[-1] == "hedge.abandoned"
    assert (len(desk.book.requests), str(desk.book.carry["ETH"]), imbalance(desk.book, "ETH")) == (1, "-1.5", 0)
    desk.finalise()
    (traded,) = desk.wake(1_000)
    assert tags(traded.events)[0] == "hedge.planned"
    desk.trade(desk.order(), "1.5")
    assert exposure(desk.book, "ETH").interval.worst == 0


def test_nothing_is_hedged_while_halted():
    desk = accepted(desk_on_inclusion())
    desk.submit()
    desk.include()
    desk.change_mode("HALTED")
    assert [reason(each) for each in desk.wake()] == ["HALTED"]
    desk.change_mode("ACTIVE", actor="bob")
    (opened,) = desk.wake(1_000)
    assert tags(opened.events)[0] == "hedge.planned"


def test_a_stable_needs_no_hedge_in_either_order():
    desk = desk_on_inclusion()
    desk.accept(desk.quote("100", pair="USDT/USDe"))
    desk.submit()
    desk.include()
    assert desk.book.wakes == {}
    desk.finalise()
    assert desk.book.wakes == {}
