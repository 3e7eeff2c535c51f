"""Calls that carry a custody proposal out: what the book permits, and what becomes of the proposal."""

from typing import Any

import pytest

from commands.handler import Decision
from domain.book import Book, evolve
from domain.codec import decode_event
from domain.onchain import SenderSkipped
from domain.transaction import Errand, Fees, Receipt, Transaction
from domain.treasury import CustodyFailed, CustodySubmitted, CustodyTransferred, Direction, Proposal, ProposalWithdrawn
from projections.alert_rules import candidate
from projections.treasury import TREASURY
from tests.spec.treasury.test_treasury import ETHER, Treasurer
from tests.support.desk import reason, tags
from tests.support.given import CUSTODIANS, GWEI, SENDER, a_policy, a_transaction, block_hash
from tests.support.told import lines

MANAGER = "0x00000000000000000000000000000000000000aa"
HALF = 21 * ETHER // 2


def a_call(nonce: int = 0, **changes: Any) -> Transaction:
    wanted: dict[str, Any] = {"sender": MANAGER, **changes}
    return a_transaction(nonce, **wanted)


class Caller(Treasurer):
    """A treasurer whose key is the contract's manager, with 21 ETH to send to two custodians."""

    def __init__(self) -> None:
        super().__init__()
        self.told = list(self.holds("41"))

    @property
    def proposal(self) -> Proposal:
        found = self.desk.book.treasury.open("WETH", Direction.CUSTODY)
        assert found is not None
        return found

    def ask(self, transaction: Transaction | None = None, **changes: Any) -> Decision:
        custodian, amount = next(iter(self.proposal.unpaid), ("", 0))
        body = {
            "proposal_id": self.proposal.proposal_id,
            "asset": "WETH",
            "custodian": custodian,
            "amount": amount,
            "transaction": transaction or a_call(self.desk.book.onchain.nonces.get(MANAGER, 0)),
        }
        return self._do("treasury.submit", body | changes)

    def include(self, *, error: str = "", block: int = 110) -> Decision:
        call = self.desk.book.treasury.call
        assert call is not None
        receipt = Receipt(
            tx_hash=call.transactions[0].tx_hash,
            block_number=block,
            block_hash=block_hash(block),
            succeeded=not error,
            gas_used=50_000,
            gas_price_wei=GWEI,
            error=error,
        )
        return self._do("treasury.include", {"proposal_id": call.proposal_id, "receipt": receipt})

    def _do(self, kind: str, body: dict[str, Any]) -> Decision:
        decision = self.desk.do(kind, body)
        self.told += [event for event in decision.events if event.TOPIC.startswith("treasury.")]
        return decision


def test_a_proposal_is_carried_out_by_one_call_after_the_other():
    caller = Caller()
    for at, custodian in enumerate(CUSTODIANS[:2]):
        (submitted,) = caller.ask().events
        assert isinstance(submitted, CustodySubmitted)
        assert (submitted.custodian, submitted.amount.atoms, submitted.transaction.nonce) == (custodian, HALF, at)
        assert caller.holds(str(30 - 10 * at)) == ()  # seen, not final: nothing ends
        transferred, *ends = caller.include(block=105 + at).events
        assert isinstance(transferred, CustodyTransferred)
        assert tags(ends) == ["treasury.completed"] * at
    assert caller.desk.book.treasury.proposals == {}
    assert caller.desk.book.onchain.custody["WETH"] == dict.fromkeys(CUSTODIANS[:2], HALF)


def test_what_came_in_meanwhile_keeps_no_paid_proposal_open_nor_makes_another_before_it_is_seen():
    caller = Caller()
    caller.ask()
    caller.include()
    caller.ask()
    assert tags(caller.include().events) == ["treasury.transferred", "treasury.completed"]
    assert tags(caller.holds("41")) == []  # of a block before the call: the book knows better
    caller.block = 120
    assert tags(caller.holds("42")) == ["treasury.custody_proposed"]


REFUSED: dict[str, dict[str, Any]] = {
    "another proposal": {"proposal_id": "00000000-0000-0000-0000-000000000001"},
    "another asset": {"asset": "USDT"},
    "more": {"amount": HALF + 1},
    "somebody else": {"custodian": MANAGER},
    "the second first": {"custodian": CUSTODIANS[1]},
    "a cancel": {"transaction": a_call(errand=Errand.CANCEL)},
    "a later nonce": {"transaction": a_call(1)},
    "a nonce used up": {"transaction_count": 1},
    "no bytes": {"transaction": a_call(raw="")},
    "too dear": {"transaction": a_call(gas_limit=10**9)},
}


@pytest.mark.parametrize("change", REFUSED)
def test_what_was_not_proposed_is_not_sent(change: str):
    caller = Caller()
    decision = caller.ask(**REFUSED[change])
    assert (decision.events, reason(decision)) == ((), "TRANSACTION_INVALID")
    assert caller.desk.book.treasury.call is None
    assert caller.ask().events


@pytest.mark.parametrize("scope", ["global", "asset:ETH"])
def test_a_halted_book_moves_nothing(scope: str):
    caller = Caller()
    caller.desk.change_mode("HALTED", scope=scope)
    assert reason(caller.ask()) == "HALTED"


def test_a_custodian_that_the_chain_removed_is_not_paid():
    caller = Caller()
    caller.desk.party("custodian", CUSTODIANS[0], admitted=False, block_number=150)
    assert "admitted on chain no more" in caller.ask().outcome.text


def test_the_sender_of_mints_and_redeems_is_another():
    caller = Caller()
    desk = caller.desk
    desk.accept(desk.quote("10"))
    desk.trade(desk.order(), "10")
    desk.submit()
    nonce = desk.book.onchain.nonces[SENDER]
    assert "sends mints and redeems" in caller.ask(a_transaction(nonce)).outcome.text


def test_somebody_else_s_use_of_the_key_is_told():
    caller = Caller()
    caller.ask()
    caller.include()
    skipped, submitted = caller.ask(a_call(5), transaction_count=5).events
    assert skipped == SenderSkipped(sender=MANAGER, expected=1, nonce=5)
    assert isinstance(submitted, CustodySubmitted)


def test_what_is_told_twice_counts_once():
    caller = Caller()
    assert caller.ask(a_call()).events
    assert caller.ask(a_call()).events == ()
    proposal_id = caller.proposal.proposal_id
    caller.include(error="REVERTED")
    body = {"proposal_id": proposal_id, "transactions": 1, "text": "nonce_taken: again"}
    assert caller.desk.do("treasury.fail", body).events == ()


def test_a_replacement_is_the_same_call_for_fees_that_nodes_take():
    caller = Caller()
    caller.ask(a_call(gwei=30))
    for transaction in (a_call(gwei=32), a_call(1, gwei=60), a_call(sender=SENDER, gwei=60)):
        assert reason(caller.ask(transaction)) == "TRANSACTION_INVALID"
    lopsided = a_call(fees=Fees(max_fee_wei=60 * GWEI, priority_fee_wei=3 * GWEI))
    assert reason(caller.ask(lopsided)) == "TRANSACTION_INVALID"
    assert caller.ask(a_call(gwei=33)).events
    call = caller.desk.book.treasury.call
    assert call is not None
    assert [each.fees.max_fee_wei // GWEI for each in call.transactions] == [30, 33]
    assert caller.desk.book.onchain.nonces[MANAGER] == 1


def test_replacements_are_bounded():
    caller = Caller()
    for tries in range(11):
        assert caller.ask(a_call(gwei=30 * 3**tries // 2**tries)).events
    assert "replacements are all there are" in caller.ask(a_call(gwei=3_000)).outcome.text


def test_what_is_under_way_is_neither_withdrawn_nor_renewed_until_it_is_final():
    caller = Caller()
    caller.ask()
    for ether in ("30", "5", "70"):
        assert "treasury.proposal_withdrawn" not in tags(caller.holds(ether))
    transferred, withdrawn, _anew = caller.include(block=104).events
    assert isinstance(transferred, CustodyTransferred)
    assert isinstance(withdrawn, ProposalWithdrawn)


def test_the_bands_that_the_policy_drops_wait_for_the_call():
    caller = Caller()
    caller.ask()
    caller.desk.do("policy.adopt", {"policy": a_policy()}, actor="system")
    assert caller.holds("40") == ()
    assert tags(caller.include().events) == ["treasury.transferred", "treasury.proposal_withdrawn"]


def test_a_call_that_failed_leaves_the_proposal_to_people_who_are_told():
    caller = Caller()
    caller.ask()
    (failed,) = caller.include(error="AccessControlUnauthorizedAccount").events
    assert isinstance(failed, CustodyFailed)
    assert "AccessControlUnauthorizedAccount" in failed.text
    assert caller.open(Direction.CUSTODY) == 21 * ETHER
    assert "left to people" in caller.ask().outcome.text
    alert = candidate(failed, 7)
    assert alert is not None
    assert (alert.severity, alert.area, alert.subject) == ("critical", "treasury", "WETH")
    assert tags(caller.holds("20")) == ["treasury.completed"]  # people did


def test_a_nonce_that_others_used_fails_the_call_but_not_while_more_may_be_sent():
    caller = Caller()
    caller.ask()
    body = {"proposal_id": caller.proposal.proposal_id, "transactions": 0, "text": "nonce_taken: nonce 0"}
    assert reason(caller.desk.do("treasury.fail", body)) == "SETTLEMENT_WAITS"
    (failed,) = caller.desk.do("treasury.fail", body | {"transactions": 1}).events
    assert isinstance(failed, CustodyFailed)


def test_what_failed_half_way_is_proposed_anew_without_what_was_paid():
    caller = Caller()
    caller.ask()
    assert caller.holds("30.5") == ()
    caller.include(block=102)
    caller.ask()
    failed, withdrawn = caller.include(error="REVERTED", block=103).events
    assert isinstance(failed, CustodyFailed)
    assert isinstance(withdrawn, ProposalWithdrawn)
    assert "would pay those again" in withdrawn.text


def test_a_receipt_of_a_stranger_says_nothing():
    caller = Caller()
    caller.ask()
    receipt = Receipt(tx_hash="0x99", block_number=1, block_hash="0x", succeeded=True, gas_used=1, gas_price_wei=1)
    body = {"proposal_id": caller.proposal.proposal_id, "receipt": receipt}
    assert reason(caller.desk.do("treasury.include", body)) == "TRANSACTION_INVALID"


def test_each_call_is_shown_with_its_proposal():
    caller = Caller()
    caller.ask(a_call(gwei=30))
    caller.ask(a_call(gwei=60))
    caller.include()  # the first of them got in
    caller.ask(a_call(1))
    caller.include(error="REVERTED")
    (line,) = lines(TREASURY, *caller.told)
    first, second = line["calls"]
    assert (first["custodian"], first["amount"], first["nonce"]) == (CUSTODIANS[0], str(HALF), 0)
    assert (first["tx_hash"], first["state"], first["block_number"]) == (a_call(gwei=30).tx_hash, "confirmed", 110)
    assert (second["custodian"], second["sender"], second["state"]) == (CUSTODIANS[1], MANAGER, "failed")


def test_the_log_folds_to_the_same_treasury():
    caller = Caller()
    caller.ask()
    caller.include()
    caller.ask()
    book = Book()
    for event in caller.desk.stored:
        evolve(book, decode_event(event.topic, event.state), caller.desk.book.at_us)
    assert book.treasury == caller.desk.book.treasury
    assert book.onchain == caller.desk.book.onchain
