"""A right that is gone is gone at once: nothing of its holder is sent any more, what is under way is cancelled."""

from typing import Any

import pytest

from domain.exposure import imbalance
from domain.policy import CustodianTarget
from domain.transaction import Errand
from tests.support.desk import Desk, reason, tags
from tests.support.given import BENEFACTOR, CUSTODIANS, USDT, WETH, a_policy, a_transaction, asset_terms, some_terms

OTHER = "0x" + "5e" * 20
TARGETS = tuple(CustodianTarget(address=each, ratio_bps=5_000) for each in CUSTODIANS)


def seeing() -> Desk:
    desk = Desk(policy=a_policy(custodians=TARGETS))
    desk.see_the_chain(stables_delta_limit_bps=100)
    desk.party("beneficiary", OTHER, BENEFACTOR)
    desk.party("delegate", OTHER, BENEFACTOR)
    return desk


def remove(desk: Desk, kind: str, party: str, owner: str = "") -> list[str]:
    """Remove a party and return what follows of it at once."""
    desk.party(kind, party, owner, admitted=False, block_number=101)
    return [tag for decision in desk.wake() for tag in tags(decision.events)]


def test_while_it_is_being_hedged_a_request_is_cancelled_and_its_hedge_unwound():
    desk = seeing()
    desk.accept(desk.quote("1.5"))
    assert remove(desk, "benefactor", BENEFACTOR) == ["request.cancelled"]
    assert (desk.book.requests, imbalance(desk.book, "ETH")) == ({}, 0)
    assert [wake.kind for wake in desk.book.wakes.values()] == ["hedge.unwind"]
    desk.trade(desk.order(), "1.5")
    desk.wake()
    desk.trade(desk.order(), "1.5", trade="back")
    assert sum(position.quantity for position in desk.book.positions.values()) == 0


def test_what_was_not_sent_yet_never_will_be():
    desk = seeing()
    desk.accept(desk.quote("1.5"))
    desk.trade(desk.order(), "1.5")
    settlement_id = desk.settlement_id()
    assert remove(desk, "benefactor", BENEFACTOR) == ["request.cancelled"]
    assert (desk.book.settlements, imbalance(desk.book, "ETH")) == ({}, 0)
    body = {"settlement_id": settlement_id, "attempt": 1, "transaction": a_transaction(0)}
    assert desk.do("settlement.submit", body).events == ()


def test_what_is_under_way_is_to_be_cancelled_on_chain():
    desk = seeing()
    desk.accept(desk.quote("100", pair="USDT/USDe"))
    desk.submit()
    assert remove(desk, "benefactor", BENEFACTOR) == ["settlement.cancel_requested"]
    assert desk.book.settlements[desk.settlement_id()].cancelling
    again = a_transaction(0, gwei=60)
    assert reason(desk.replace(again)) == "TRANSACTION_INVALID"
    assert reason(desk.replace(a_transaction(0, Errand.CANCEL, gwei=60))) == ""
    desk.include(error="")
    assert tags(desk.revert().events) == ["settlement.reverted", "request.settlement_failed"]


def test_what_was_included_all_the_same_is_settled():
    desk = seeing()
    desk.accept(desk.quote("100", pair="USDT/USDe"))
    desk.submit()
    remove(desk, "benefactor", BENEFACTOR)
    desk.include()
    assert tags(desk.finalise().events) == ["settlement.confirmed", "request.completed"]


def test_a_new_attempt_is_not_made_for_what_is_being_cancelled():
    desk = seeing()
    desk.accept(desk.quote("100", pair="USDT/USDe"))
    desk.submit()
    desk.include(error="MaxMintPerBlockExceeded")
    assert remove(desk, "benefactor", BENEFACTOR) == ["settlement.cancel_requested"]
    desk.party("benefactor", BENEFACTOR, block_number=102)
    assert reason(desk.submit()) == "TRANSACTION_INVALID"


@pytest.mark.parametrize(
    ("kind", "party", "owner", "changes"),
    [
        ("beneficiary", OTHER, BENEFACTOR, {"beneficiary": OTHER}),
        ("delegate", OTHER, BENEFACTOR, {"signer": OTHER}),
        ("custodian", CUSTODIANS[0], "", {}),
    ],
)
def test_whatever_right_a_request_rests_on(kind: str, party: str, owner: str, changes: dict[str, Any]):
    desk = seeing()
    desk.accept(desk.quote("1000", pair="USDT/USDe"), **changes)
    assert remove(desk, kind, party, owner) == ["request.cancelled"]


def test_a_right_that_a_request_does_not_rest_on_is_nothing_to_it():
    desk = seeing()
    desk.accept(desk.quote("100", pair="USDT/USDe"))
    assert remove(desk, "beneficiary", OTHER, BENEFACTOR) == []
    assert remove(desk, "delegate", OTHER, BENEFACTOR) == []
    assert len(desk.book.requests) == 1


def test_an_asset_that_becomes_inactive_ends_its_requests_only():
    desk = seeing()
    desk.accept(desk.quote("100", pair="USDT/USDe"))
    desk.accept(desk.quote("1"), nonce=2)
    changed = desk.observe(some_terms(block_number=101, usdt=asset_terms(USDT, active=False)))
    assert tags(changed.events) == ["contract.changed"]
    assert [tags(each.events) for each in desk.wake()] == [["request.cancelled"]]
    assert [each.accepted.collateral.asset for each in desk.book.requests.values()] == ["WETH"]


def test_one_whom_the_settings_name_no_more_is_revoked_too():
    desk = seeing()
    desk.accept(desk.quote("100", pair="USDT/USDe"))
    policy = a_policy(custodians=TARGETS, benefactors=(OTHER,))
    desk.do("policy.adopt", {"policy": policy}, actor="system")
    assert [tags(each.events) for each in desk.wake()] == [["request.cancelled"]]


def test_one_who_is_admitted_again_before_it_bites_is_let_be():
    desk = seeing()
    desk.accept(desk.quote("100", pair="USDT/USDe"))
    desk.party("benefactor", BENEFACTOR, admitted=False, block_number=101)
    desk.party("benefactor", BENEFACTOR, block_number=102)
    assert [each.events for each in desk.wake()] == [()]


def test_it_bites_once():
    desk = seeing()
    desk.accept(desk.quote("100", pair="USDT/USDe"))
    desk.submit()
    remove(desk, "benefactor", BENEFACTOR)
    assert remove(desk, "custodian", CUSTODIANS[0]) == []
    request_id = next(iter(desk.book.requests))
    assert desk.do("request.revoke", {"request_id": request_id}).events == ()


def test_many_requests_are_revoked_each_by_itself():
    desk = seeing()
    for nonce in range(1, 101):
        desk.accept(desk.quote("10", pair="USDT/USDe"), nonce=nonce)
    assert len(desk.book.requests) in range(1, 101)
    ended = remove(desk, "benefactor", BENEFACTOR)
    assert (len(ended), desk.book.requests) == (len([e for e in desk.events if tags([e]) == ["request.accepted"]]), {})


def test_the_collateral_that_was_never_there_is_not_missed():
    desk = seeing()
    desk.accept(desk.quote("1.5"))
    desk.trade(desk.order(), "1.5")
    remove(desk, "asset", WETH)
    assert desk.book.backing == {}
