"""The issued token's total counts beside what settlements issued, and what nobody here minted reaches people."""

from typing import Any

import msgspec
import pytest

from domain.backing import backing
from domain.mode import ModeChanged
from domain.policy import Policy
from domain.quantity import Num
from domain.quote import Side
from domain.risk_terms import Risk
from domain.settlement import SettlementConfirmed, SettlementIncluded, SettlementSubmitted
from domain.supply import BLOCKS_MAX, EVERY_US, TOTAL_END, Supply, SupplyFrom, SupplyObserved
from domain.transaction import Receipt, Transaction
from projections.alert_rules import WATCHED_TOPICS, candidate
from tests.support.desk import Desk, reason, tags
from tests.support.given import DOLLARS, SENDER, START_US, a_policy, a_transaction, block_hash
from tests.support.worlds import Worlds

OTHER_SENDER = "0x" + "5e" * 20


def by(count: SupplyFrom) -> Policy:
    return a_policy(risk=Risk(supply=count))


def a_desk(count: SupplyFrom = SupplyFrom.CHAIN) -> Desk:
    return Desk(policy=by(count))


def observe(desk: Desk, dollars: int = 0, number: int = 100, **changes: Any) -> Any:
    body = {
        "total": dollars * DOLLARS,
        "block_number": number,
        "block_hash": block_hash(number),
        "counts": {SENDER: 0},
        "observed_at_us": desk.now_us,
    }
    return desk.do("supply.observe", body | changes)


def settling(desk: Desk, transaction: Transaction, *receipts: Receipt) -> None:
    """Let a mint of 100 dollars be under way, its transaction sent."""
    worlds = Worlds(desk.book.policy)
    worlds.book, worlds.at_us = desk.book, desk.now_us
    request_id = worlds.request(Side.MINT, "USDT", 100 * 10**6, 100 * DOLLARS, "USDT/USDe")
    settlement_id = worlds.settling(request_id)
    named = {"settlement_id": settlement_id, "request_id": request_id}
    worlds.tell(SettlementSubmitted(**named, attempt=1, transaction=transaction))
    for receipt in receipts:
        worlds.tell(SettlementIncluded(**named, receipt=receipt))


def a_receipt(transaction: Transaction, number: int, *, succeeded: bool = True) -> Receipt:
    return Receipt(
        tx_hash=transaction.tx_hash,
        block_number=number,
        block_hash=block_hash(number),
        succeeded=succeeded,
        gas_used=1,
        gas_price_wei=1,
        error="" if succeeded else "MaxMintPerBlockExceeded",
    )


def confirm(desk: Desk) -> None:
    """Let every open settlement be final."""
    for asked in [each.requested for each in desk.book.settlements.values()]:
        worlds = Worlds(desk.book.policy)
        worlds.book, worlds.at_us = desk.book, desk.now_us
        terms = {name: getattr(asked, name) for name in ("settlement_id", "request_id", "side", "collateral", "issued")}
        worlds.tell(SettlementConfirmed(**terms, reference="0x1"))


def test_a_total_is_recorded_beside_what_settlements_came_to():
    desk = a_desk()
    (told,) = observe(desk, 40).events
    assert told == SupplyObserved(
        total=40 * DOLLARS,
        settled=0,
        before=0,
        block_number=100,
        block_hash=block_hash(100),
        observed_at_us=desk.now_us,
    )
    shown = backing(desk.book)
    assert (shown.supply, shown.supply_from, shown.supply_block) == (40, "chain", 100)


def test_until_somebody_counted_it_is_what_settlements_issued():
    shown = backing(a_desk().book)
    assert (shown.supply, shown.supply_from, shown.supply_block) == (0, "settlements", None)


def test_the_same_again_says_nothing_until_the_last_grew_old():
    desk = a_desk()
    observe(desk, 40)
    assert observe(desk, 40, 101).events == ()
    desk.now_us += EVERY_US
    assert tags(observe(desk, 40, 102).events) == ["supply.observed"]
    assert tags(observe(desk, 41, 103).events) == ["supply.observed"]


@pytest.mark.parametrize("number", [99, 100])
def test_an_older_block_says_nothing(number: int):
    desk = a_desk()
    observe(desk, 40)
    assert observe(desk, 50, number).events == ()


@pytest.mark.parametrize(
    "wrong",
    [
        {"total": -1},
        {"total": TOTAL_END},
        {"block_number": -1},
        {"block_hash": "0x1"},
        {"block_hash": "0x" + "G" * 64},
        {"block_hash": "1" * 66},
        {"counts": {SENDER: -1}},
        {"counts": {f"0x{number:040x}": 0 for number in range(65)}},
        {"observed_at_us": START_US + 61_000_000},
        {"observed_at_us": -1},
    ],
)
def test_what_no_chain_could_show_is_refused(wrong: dict[str, Any]):
    desk = a_desk()
    assert reason(observe(desk, **wrong)) == "VALUE_INVALID"
    assert desk.book.supply.observed is None


def test_however_surprising_a_total_is_a_final_block_shows_it():
    desk = a_desk()
    assert tags(observe(desk, total=TOTAL_END - 1).events) == ["supply.observed"]


def test_without_a_policy_nobody_knows_what_is_issued():
    desk = a_desk()
    desk.book.policy = None
    assert reason(observe(desk)) == "VALUE_INVALID"


@pytest.mark.parametrize(
    ("counts", "receipts", "why"),
    [
        ({SENDER: 7}, (), ""),  # its nonce is not used up yet
        ({SENDER: 8}, (), "SETTLEMENT_WAITS"),
        ({}, (), "SETTLEMENT_WAITS"),  # its sender was not looked for
        ({OTHER_SENDER: 0}, (), "SETTLEMENT_WAITS"),
        ({SENDER: 8}, ((90, True),), "SETTLEMENT_WAITS"),  # it settled, and is not confirmed
        ({SENDER: 8}, ((90, False),), ""),  # it failed: tried again at another nonce
        ({SENDER: 8}, ((101, False),), "SETTLEMENT_WAITS"),  # told from a block that is not the one any more
        ({SENDER: 7}, ((101, True),), ""),
    ],
)
def test_a_count_that_may_have_an_open_settlement_in_it_waits(
    counts: dict[str, int], receipts: tuple[tuple[int, bool], ...], why: str
):
    desk, transaction = a_desk(), a_transaction(nonce=7)
    settling(desk, transaction, *(a_receipt(transaction, at, succeeded=succeeded) for at, succeeded in receipts))
    assert reason(observe(desk, 100, counts=counts)) == why


def test_what_settles_after_the_count_moves_it_once():
    desk, transaction = a_desk(), a_transaction(nonce=7)
    observe(desk, 40)
    settling(desk, transaction, a_receipt(transaction, 105))
    assert backing(desk.book).supply == 40
    confirm(desk)
    assert backing(desk.book).supply == 140
    desk.now_us += EVERY_US
    (told,) = observe(desk, 40, 104).events
    assert (told.settled, told.difference) == (0, 40 * DOLLARS)  # the block before it settled
    assert backing(desk.book).supply == 140
    desk.now_us += EVERY_US
    (told,) = observe(desk, 140, 105, counts={SENDER: 8}).events
    assert (told.settled, told.difference) == (100 * DOLLARS, 40 * DOLLARS)
    assert backing(desk.book).supply == 140
    assert desk.book.supply.moved == {}


def test_what_settled_before_the_count_is_in_it():
    desk, transaction = a_desk(), a_transaction(nonce=7)
    settling(desk, transaction, a_receipt(transaction, 100))
    confirm(desk)
    (told,) = observe(desk, 100, counts={SENDER: 8}).events
    assert told.difference == 0
    assert backing(desk.book).supply == 100


def test_blocks_are_kept_one_by_one_up_to_a_bound():
    supply = Supply()
    for number in range(1, BLOCKS_MAX + 3):
        supply.move(number, 10)
    assert (len(supply.moved), supply.floor) == (BLOCKS_MAX, 2)
    issued = 10 * (BLOCKS_MAX + 2)
    assert (supply.settled(issued, 2), supply.settled(issued, BLOCKS_MAX + 1)) == (20, issued - 10)
    desk = a_desk()
    desk.book.supply = supply
    assert observe(desk, number=1).events == ()
    assert tags(observe(desk, number=2).events) == ["supply.observed"]


def test_where_others_back_the_rest_of_the_token_its_total_is_not_ours():
    desk = a_desk()
    observe(desk, 40)
    desk.do("policy.adopt", {"policy": by(SupplyFrom.SETTLEMENTS)}, actor="system")
    assert observe(desk, 50, 101).events == ()
    shown = backing(desk.book)
    assert (shown.supply, shown.supply_from, shown.supply_block) == (0, "settlements", None)


# What people are told


def raised(desk: Desk) -> list[str]:
    """Raise what the last event of the log is a cause of; return the texts of all open alerts."""
    for event in [each for each in desk.events if isinstance(each, SupplyObserved)][-1:]:
        found = candidate(event, len(desk.events))
        if found is not None:
            desk.do("alert.raise", found, actor="watch")
    return [each.raised.text for each in desk.book.alerts.values()]


def test_dollars_that_nobody_here_minted_page_people_until_the_two_agree_again():
    desk = a_desk()
    assert SupplyObserved.TOPIC in WATCHED_TOPICS
    observe(desk, 0)
    assert raised(desk) == []
    observe(desk, 40, 101)
    text = "block 101 shows 40 issued dollars, settlements came to 0: 40 were minted by others"
    assert raised(desk) == [text]
    (alert,) = desk.book.alerts.values()
    assert (alert.raised.severity, alert.raised.area) == ("critical", "supply")
    desk.now_us += EVERY_US
    observe(desk, 40, 102)  # as before: nobody is told again
    assert raised(desk) == [text]
    observe(desk, 55, 103)
    assert raised(desk) == ["block 103 shows 55 issued dollars, settlements came to 0: 55 were minted by others"]
    done = observe(desk, 0, 104)
    assert tags(done.events) == ["supply.observed", "alert.resolved"]
    assert raised(desk) == []


def test_dollars_that_somebody_else_burned_are_told_too():
    desk, transaction = a_desk(), a_transaction(nonce=7)
    settling(desk, transaction, a_receipt(transaction, 99))
    confirm(desk)
    observe(desk, 70, counts={SENDER: 8})
    assert raised(desk) == ["block 100 shows 70 issued dollars, settlements came to 100: 30 were burned by others"]


def test_an_alert_that_comes_after_the_two_agree_again_is_over_at_once():
    desk = a_desk()
    (told,) = observe(desk, 40).events
    observe(desk, 0, 101)
    found = candidate(told, 1)
    assert tags(desk.do("alert.raise", found, actor="watch").events) == ["alert.raised", "alert.resolved"]


def test_what_is_not_counted_any_more_is_not_told_of_any_more():
    desk = a_desk()
    observe(desk, 40)
    assert raised(desk)
    desk.do("policy.adopt", {"policy": msgspec.structs.replace(by(SupplyFrom.CHAIN), gas=Num(1))}, actor="system")
    assert raised(desk)
    desk.do("policy.adopt", {"policy": by(SupplyFrom.SETTLEMENTS)}, actor="system")
    assert not desk.book.alerts


def test_the_backing_control_judges_the_chain_s_total():
    desk = a_desk()
    desk.do("risk.look", {"since": []}, actor="ballast")
    assert "global" not in desk.book.modes
    observe(desk, 5_000_000)
    (stopped,) = [
        each for each in desk.do("risk.look", {"since": []}, actor="ballast").events if isinstance(each, ModeChanged)
    ]
    assert (stopped.scope, stopped.mode, stopped.trigger) == ("global", "REDUCE_ONLY", "backing")


def test_a_settlement_without_a_block_is_before_every_count():
    worlds = Worlds(by(SupplyFrom.CHAIN))
    worlds.held(10**18, 2_000 * DOLLARS)
    assert worlds.book.supply.moved == {}
