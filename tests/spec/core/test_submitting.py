"""What the Book permits to be sent, and what it makes of what the chain did with it: once, whatever is told."""

from typing import Any

import msgspec
import pytest

from domain.exposure import imbalance
from domain.policy import CustodianTarget
from domain.transaction import Errand, Fees, replacement_fees
from tests.support.desk import Desk, reason, tags
from tests.support.given import (
    BENEFACTOR,
    CUSTODIANS,
    DOLLARS,
    GWEI,
    SENDER,
    a_policy,
    a_transaction,
    block_hash,
    some_terms,
)

TARGETS = tuple(CustodianTarget(address=each, ratio_bps=5_000) for each in CUSTODIANS)


def settling(**policy: Any) -> Desk:
    """Return a desk that sees the chain, with one hedged mint to settle."""
    desk = Desk(policy=a_policy(**({"custodians": TARGETS} | policy)))
    desk.see_the_chain()
    desk.accept(desk.quote("1.5"))
    desk.trade(desk.order(), "1.5")
    return desk


class TestTheWholeWay:
    def test_a_transaction_is_permitted_included_and_final(self):
        desk = settling(chain_required=False)
        assert tags(desk.submit().events) == ["settlement.submitted"]
        assert desk.book.onchain.nonces == {SENDER: 1}
        assert tags(desk.include().events) == ["settlement.included"]
        confirmed = desk.finalise().events
        assert tags(confirmed) == ["settlement.confirmed", "request.completed"]
        assert (desk.book.settlements, desk.book.requests, desk.book.wakes) == ({}, {}, {})
        assert imbalance(desk.book, "ETH") == 0

    def test_it_carries_its_route_and_counts_where_the_collateral_went(self):
        desk = settling()
        asked: Any = desk.events[-2]
        assert (asked.custodians, asked.ratios) == (CUSTODIANS, (5_000, 5_000))
        desk.submit()
        desk.include()
        desk.finalise()
        assert desk.book.onchain.custody == {"WETH": dict.fromkeys(CUSTODIANS, 75 * 10**16)}

    def test_nothing_of_it_is_kept_after_its_end(self):
        desk = settling()
        settlement_id = desk.settlement_id()
        desk.submit()
        desk.include()
        desk.finalise()
        assert settlement_id not in desk.book.versions
        late = (
            ("settlement.submit", {"attempt": 2, "transaction": a_transaction(1)}),
            ("settlement.replace", {"replaced_hash": "0x1", "transaction": a_transaction(0, gwei=60)}),
            ("settlement.include", {"receipt": receipt("0x1")}),
            ("settlement.reorg", {"tx_hash": "0x1", "block_hash": block_hash(101)}),
            ("settlement.confirmed", {"reference": "0x1"}),
            ("settlement.reverted", {"text": "late"}),
        )
        for kind, body in late:
            decision = desk.do(kind, {"settlement_id": settlement_id} | body)
            assert (decision.outcome.status, decision.events) == ("accepted", ()), kind


def receipt(tx_hash: str, block: int = 101, error: str = "") -> dict[str, object]:
    return {
        "tx_hash": tx_hash,
        "block_number": block,
        "block_hash": block_hash(block),
        "succeeded": not error,
        "gas_used": 1,
        "gas_price_wei": 1,
        "error": error,
    }


class TestSubmitting:
    def test_twice_is_once(self):
        desk = settling()
        transaction = a_transaction(0)
        assert len(desk.submit(transaction).events) == 1
        again = desk.submit(transaction, attempt=1)
        assert (again.outcome.status, again.events) == ("accepted", ())

    def test_there_is_one_live_transaction(self):
        desk = settling()
        desk.submit()
        assert reason(desk.submit(a_transaction(1))) == "TRANSACTION_INVALID"
        desk.include()
        assert reason(desk.submit(a_transaction(1))) == "TRANSACTION_INVALID"

    @pytest.mark.parametrize("attempt", [0, 2, -1])
    def test_attempts_are_counted(self, attempt: int):
        assert reason(settling().submit(attempt=attempt)) == "TRANSACTION_INVALID"

    def test_nonces_of_a_sender_follow_each_other_across_settlements(self):
        desk = settling()
        desk.submit(a_transaction(4), count=4)
        first = desk.settlement_id()
        desk.accept(desk.quote("1"), nonce=2)
        desk.trade(desk.order(), "1", trade="t2")
        (second,) = set(desk.book.settlements) - {first}
        for nonce, told in ((4, "TRANSACTION_INVALID"), (6, "TRANSACTION_INVALID"), (5, "")):
            body = {"settlement_id": second, "attempt": 1, "transaction": a_transaction(nonce), "transaction_count": 4}
            assert reason(desk.do("settlement.submit", body)) == told

    def test_what_others_used_up_of_a_sender_is_skipped(self):
        desk = settling()
        desk.submit(a_transaction(0))
        desk.include(error="MaxMintPerBlockExceeded")
        assert reason(desk.submit(a_transaction(1), count=3)) == "TRANSACTION_INVALID"
        told: Any = desk.submit(a_transaction(3), count=3).events
        assert tags(told) == ["sender.skipped", "settlement.submitted"]
        assert (told[0].sender, told[0].expected, told[0].nonce) == (SENDER, 1, 3)

    @pytest.mark.parametrize(
        "changes",
        [
            {"errand": Errand.CANCEL},
            {"sender": ""},
            {"raw": ""},
            {"raw": "0x" + "f" * 70_000},
            {"nonce": -1},
            {"gas_limit": 0},
            {"fees": Fees(max_fee_wei=1, priority_fee_wei=2)},
            {"fees": Fees(max_fee_wei=1, priority_fee_wei=-1)},
            {"gas_limit": 10**12},
        ],
        ids=str,
    )
    def test_nonsense_is_refused(self, changes: dict[str, Any]):
        assert reason(settling().submit(a_transaction(**changes))) == "TRANSACTION_INVALID"

    def test_a_transaction_may_not_cost_more_than_the_policy_lets_it(self):
        desk = settling(transaction_cost_wei_max=300_000 * 30 * GWEI)
        assert reason(desk.submit(a_transaction(0, gwei=31))) == "TRANSACTION_INVALID"
        assert reason(desk.submit(a_transaction(0, gwei=30))) == ""

    def test_nothing_is_sent_while_halted(self):
        desk = settling()
        desk.change_mode("HALTED", scope="asset:ETH")
        refused = desk.submit()
        assert (reason(refused), refused.transient) == ("HALTED", True)
        desk.change_mode("ACTIVE", scope="asset:ETH", actor="bob")
        desk.change_mode("REDUCE_ONLY")
        assert reason(desk.submit()) == ""

    def test_nothing_is_sent_that_would_expire_on_its_way(self):
        desk = settling(submission_expiry_margin_ms=15_000)
        desk.now_us += 45_000_000
        assert reason(desk.submit()) == "ORDER_EXPIRED"
        desk.now_us -= 1
        assert reason(settling().submit()) == ""

    def test_nothing_is_sent_for_one_who_lost_his_right(self):
        desk = settling()
        desk.party("benefactor", BENEFACTOR, admitted=False, block_number=101)
        assert reason(desk.submit()) == "BENEFACTOR_NOT_WHITELISTED"

    def test_nothing_is_sent_while_a_chain_that_is_required_was_never_seen(self):
        desk = Desk(policy=a_policy())
        desk.accept(desk.quote("100", pair="USDT/USDe"))
        desk.do("policy.adopt", {"policy": a_policy(chain_required=True)}, actor="system")
        assert reason(desk.submit()) == "CHAIN_UNKNOWN"

    def test_a_route_over_one_who_is_no_custodian_any_more_is_not_sent(self):
        desk = settling()
        desk.party("custodian", CUSTODIANS[1], admitted=False, block_number=101)
        assert reason(desk.submit()) == "TRANSACTION_INVALID"

    def test_what_is_under_way_and_this_fit_into_a_block(self):
        desk = settling()
        desk.submit()
        first = desk.settlement_id()
        desk.accept(desk.quote("100", pair="USDT/USDe"), nonce=2)
        (second,) = set(desk.book.settlements) - {first}
        desk.observe(some_terms(block_number=101, global_max_mint_per_block=3_000 * DOLLARS))
        body = {"settlement_id": second, "attempt": 1, "transaction": a_transaction(1)}
        assert reason(desk.do("settlement.submit", body)) == "SETTLEMENT_WAITS"
        desk.do("settlement.include", {"settlement_id": first, "receipt": receipt(a_transaction(0).tx_hash)})
        assert reason(desk.do("settlement.submit", body)) == ""

    def test_an_inactive_asset_waits(self):
        desk = settling()
        terms = some_terms(block_number=101)
        inactive = tuple(msgspec.structs.replace(each, active=False) for each in terms.assets)
        desk.observe(msgspec.structs.replace(terms, assets=inactive))
        assert reason(desk.submit()) == "SETTLEMENT_WAITS"


class TestReplacing:
    def bumped(self, errand: Errand = Errand.SETTLE, *, times: int = 1, **changes: Any) -> Any:
        fees = a_transaction(0).fees
        for _ in range(times):
            fees = replacement_fees(fees, fees)
        return a_transaction(0, errand, fees=fees, **changes)

    def test_the_same_nonce_for_a_tenth_more_of_both_fees(self):
        desk = settling()
        desk.submit()
        assert tags(desk.replace(self.bumped()).events) == ["settlement.replaced"]
        assert [each.nonce for each in desk.book.settlements[desk.settlement_id()].live] == [0, 0]
        assert desk.book.onchain.nonces == {SENDER: 1}

    @pytest.mark.parametrize("short", ["max_fee_wei", "priority_fee_wei"])
    def test_one_wei_less_is_too_little(self, short: str):
        desk = settling()
        desk.submit()
        fees = self.bumped().fees
        fees = msgspec.structs.replace(fees, **{short: getattr(fees, short) - 1})
        assert reason(desk.replace(a_transaction(0, fees=fees))) == "TRANSACTION_INVALID"

    @pytest.mark.parametrize("changes", [{"nonce": 1}, {"sender": BENEFACTOR}], ids=str)
    def test_another_nonce_or_sender_replaces_nothing(self, changes: dict[str, Any]):
        desk = settling()
        desk.submit()
        assert reason(desk.replace(msgspec.structs.replace(self.bumped(), **changes))) == "TRANSACTION_INVALID"

    def test_only_the_newest_is_replaced_and_only_while_none_is_included(self):
        desk = settling()
        first = desk.submit(a_transaction(0))
        told: Any = first.events[0]
        desk.replace(self.bumped())
        twice = self.bumped(times=2)
        assert reason(desk.replace(twice, told.transaction.tx_hash)) == "TRANSACTION_INVALID"
        assert reason(desk.replace(twice, "0xnone")) == "TRANSACTION_INVALID"
        desk.include(told.transaction.tx_hash)
        assert reason(desk.replace(twice)) == "TRANSACTION_INVALID"
        desk.reorg()
        assert reason(desk.replace(twice)) == ""
        assert desk.replace(twice).events == ()

    def test_a_cancel_is_the_end_of_its_nonce(self):
        desk = settling()
        desk.submit()
        assert reason(desk.replace(self.bumped(Errand.CANCEL))) == ""
        assert reason(desk.replace(self.bumped(times=2))) == "TRANSACTION_INVALID"
        assert reason(desk.replace(self.bumped(Errand.CANCEL, times=2))) == ""

    def test_a_cancel_may_be_sent_when_a_call_may_not(self):
        desk = settling()
        desk.submit()
        desk.change_mode("HALTED")
        assert reason(desk.replace(self.bumped())) == "HALTED"
        desk.now_us += 120_000_000
        assert reason(desk.replace(self.bumped(Errand.CANCEL))) == ""

    def test_replacements_are_bounded_and_a_cancel_is_still_let_through(self):
        desk = settling(settlement_replacements_max=2)
        desk.submit()
        told = [reason(desk.replace(self.bumped(times=times))) for times in (1, 2, 3)]
        assert told == ["", "", "TRANSACTION_INVALID"]
        told = [reason(desk.replace(self.bumped(Errand.CANCEL, times=times))) for times in (3, 4, 5)]
        assert told == ["", "", "TRANSACTION_INVALID"]


class TestInclusion:
    def test_twice_is_once(self):
        desk = settling()
        desk.submit()
        desk.include()
        assert desk.include().events == ()

    def test_a_block_given_up_makes_it_submitted_again(self):
        desk = settling()
        desk.submit()
        desk.include()
        assert tags(desk.reorg().events) == ["settlement.reorged"]
        assert desk.reorg().events == ()
        settlement = desk.book.settlements[desk.settlement_id()]
        assert (settlement.included, len(settlement.live)) == (None, 1)
        assert reason(desk.finalise()) == "SETTLEMENT_WAITS"
        desk.include(block=102)
        assert tags(desk.finalise().events) == ["settlement.confirmed", "request.completed"]

    def test_out_and_back_into_the_same_block(self):
        desk = settling()
        desk.submit()
        desk.include()
        desk.reorg()
        assert tags(desk.include().events) == ["settlement.included"]

    def test_another_block_says_that_the_first_was_given_up(self):
        desk = settling()
        desk.submit()
        desk.include(block=101)
        told = desk.include(block=101, fork="b").events
        assert tags(told) == ["settlement.reorged", "settlement.included"]
        assert len(desk.book.settlements[desk.settlement_id()].receipts) == 1

    def test_the_hash_that_was_replaced_counts_too(self):
        desk = settling()
        first: Any = desk.submit(a_transaction(0)).events[0]
        desk.replace(TestReplacing().bumped())
        desk.include(first.transaction.tx_hash)
        assert tags(desk.finalise().events) == ["settlement.confirmed", "request.completed"]

    def test_a_hash_that_nobody_permitted_counts_for_nothing(self):
        desk = settling()
        desk.submit()
        assert reason(desk.include("0x" + "9" * 64)) == "TRANSACTION_INVALID"

    def test_a_cancel_that_is_included_settles_nothing(self):
        desk = settling()
        desk.submit()
        desk.replace(TestReplacing().bumped(Errand.CANCEL))
        desk.include()
        assert reason(desk.finalise()) == "SETTLEMENT_WAITS"
        assert reason(desk.submit()) == "TRANSACTION_INVALID"
        assert tags(desk.revert().events) == ["settlement.reverted", "request.settlement_failed"]
        assert imbalance(desk.book, "ETH") == 0


class TestAttempts:
    @pytest.mark.parametrize(
        ("error", "again"),
        [
            ("MaxMintPerBlockExceeded", True),
            ("MaxRedeemPerBlockExceeded", True),
            ("GlobalMaxMintPerBlockExceeded", True),
            ("GlobalMaxRedeemPerBlockExceeded", True),
            ("InvalidNonce", False),
            ("", False),
        ],
    )
    def test_what_the_block_was_too_full_for_is_tried_again(self, error: str, again: bool):
        desk = settling()
        desk.submit()
        desk.include(error=error or "?")
        assert (reason(desk.submit()) == "") is again
        assert reason(desk.finalise()) == "SETTLEMENT_WAITS"

    def test_attempts_are_bounded(self):
        desk = settling(settlement_attempts_max=2)
        for block in (101, 102):
            assert reason(desk.submit()) == ""
            desk.include(block=block, error="MaxMintPerBlockExceeded")
        assert reason(desk.submit()) == "TRANSACTION_INVALID"

    def test_another_sender_does_not_take_over(self):
        desk = settling()
        desk.submit()
        desk.include(error="MaxMintPerBlockExceeded")
        assert reason(desk.submit(a_transaction(0, sender=BENEFACTOR))) == "TRANSACTION_INVALID"

    def test_an_earlier_attempt_may_come_back_and_succeed(self):
        desk = settling()
        desk.submit()
        desk.include(error="MaxMintPerBlockExceeded")
        first = desk.book.settlements[desk.settlement_id()].live[0].tx_hash
        desk.submit()
        desk.include(first, block=101, fork="b")
        settled = desk.book.settlements[desk.settlement_id()].settled
        assert settled is not None
        assert settled.tx_hash == first
        desk.include(block=102, error="InvalidNonce")
        assert reason(desk.revert()) == "SETTLEMENT_WAITS"
        assert tags(desk.finalise().events) == ["settlement.confirmed", "request.completed"]

    def test_what_succeeded_is_not_reverted(self):
        desk = settling()
        desk.submit()
        desk.include()
        assert reason(desk.revert()) == "SETTLEMENT_WAITS"
        desk.reorg()
        assert tags(desk.revert().events) == ["settlement.reverted", "request.settlement_failed"]

    def test_what_was_judged_before_the_last_transaction_was_permitted_is_not_over(self):
        desk = settling()
        desk.submit()
        body = {"settlement_id": desk.settlement_id(), "text": "expired", "transactions": 0}
        refused = desk.do("settlement.reverted", body)
        assert (reason(refused), refused.transient) == ("SETTLEMENT_WAITS", True)
        assert reason(desk.revert()) == ""

    def test_what_was_sent_is_final_only_under_its_own_hash(self):
        desk = settling()
        desk.submit()
        desk.include()
        refused = desk.confirm()
        assert (reason(refused), refused.transient) == ("SETTLEMENT_WAITS", True)
