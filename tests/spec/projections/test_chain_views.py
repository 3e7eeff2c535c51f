"""The chain's read models and alerts: transactions, the contract, parties."""

import itertools
from typing import Any
from uuid import UUID

import msgspec
import pytest

from domain.onchain import (
    ContractChanged,
    ContractObserved,
    PartyAdmitted,
    PartyChange,
    PartyKind,
    PartyRemoved,
    SenderSkipped,
)
from domain.quantity import Amount
from domain.quote import Side
from domain.settlement import (
    SettlementCancelRequested,
    SettlementConfirmed,
    SettlementIncluded,
    SettlementReorged,
    SettlementReplaced,
    SettlementReverted,
    SettlementSubmissionRequested,
    SettlementSubmitted,
)
from domain.transaction import Errand, Receipt, Transaction
from domain.treasury import TopupProposed
from domain.watch import Severity
from projections.alert_rules import REPLACED_OFTEN, WATCHED_TOPICS, ExposureWatch, candidate
from projections.contract import CONTRACT, changes
from projections.exposure import Exposures
from projections.parties import PARTIES
from projections.requests import REQUESTS
from projections.transactions import TRANSACTIONS
from tests.spec.projections.test_views import accepted
from tests.support.given import a_transaction, some_terms
from tests.support.told import lines, table

SETTLEMENT, REQUEST = UUID(int=30), UUID(int=20)
ASKED = SettlementSubmissionRequested(
    settlement_id=SETTLEMENT,
    request_id=REQUEST,
    side=Side.MINT,
    collateral=Amount("WETH", 2 * 10**18),
    issued=Amount("USDe", 6_000 * 10**18),
)
FIRST, SECOND = a_transaction(nonce=7), a_transaction(nonce=7, gwei=40)
CANCEL = a_transaction(nonce=7, errand=Errand.CANCEL, gwei=60)


def submitted(transaction: Transaction = FIRST, attempt: int = 1) -> SettlementSubmitted:
    return SettlementSubmitted(settlement_id=SETTLEMENT, request_id=REQUEST, attempt=attempt, transaction=transaction)


def replaced(before: Transaction = FIRST, after: Transaction = SECOND) -> SettlementReplaced:
    return SettlementReplaced(
        settlement_id=SETTLEMENT, request_id=REQUEST, replaced_hash=before.tx_hash, transaction=after
    )


def included(transaction: Transaction = FIRST, *, error: str = "", block: int = 101) -> SettlementIncluded:
    receipt = Receipt(
        tx_hash=transaction.tx_hash,
        block_number=block,
        block_hash=f"0x{block:064x}",
        succeeded=not error,
        gas_used=150_000,
        gas_price_wei=2_000_000_000,
        error=error,
    )
    return SettlementIncluded(settlement_id=SETTLEMENT, request_id=REQUEST, receipt=receipt)


REORGED = SettlementReorged(
    settlement_id=SETTLEMENT,
    request_id=REQUEST,
    tx_hash=FIRST.tx_hash,
    block_hash=f"0x{101:064x}",
    block_number=101,
)
CONFIRMED = SettlementConfirmed(
    settlement_id=SETTLEMENT,
    request_id=REQUEST,
    side=Side.MINT,
    collateral=ASKED.collateral,
    issued=ASKED.issued,
    reference=SECOND.tx_hash,
)
REVERTED = SettlementReverted(settlement_id=SETTLEMENT, request_id=REQUEST, text="InvalidNonce: used")


def request(*events: Any) -> dict[str, Any]:
    (line,) = lines(REQUESTS, accepted(), ASKED, *events)
    return line


def states(*events: Any) -> dict[str, tuple[bool, str]]:
    return {key: (is_open, line["state"]) for key, (is_open, line) in table(TRANSACTIONS, *events).items()}


def test_a_request_shows_the_call_that_settles_it() -> None:
    line = request(submitted())
    assert (line["state"], line["tx"], line["attempts"]) == ("submitted", FIRST.tx_hash, 1)
    line = request(submitted(), replaced())
    assert (line["tx"], line["transactions"]) == (SECOND.tx_hash, [FIRST.tx_hash, SECOND.tx_hash])
    line = request(submitted(), replaced(), included())
    assert (line["state"], line["tx"], line["block"]) == ("included", FIRST.tx_hash, 101)
    line = request(submitted(), included(), REORGED)
    assert (line["state"], line["tx"], line["block"]) == ("submitted", FIRST.tx_hash, None)
    line = request(submitted(), replaced(), included(SECOND, block=103), CONFIRMED)
    assert (line["state"], line["tx"], line["block"]) == ("confirmed", SECOND.tx_hash, 103)


def test_a_request_says_what_went_wrong_with_its_transaction() -> None:
    line = request(submitted(), included(error="MaxMintPerBlockExceeded"))
    assert (line["state"], line["text"]) == ("submitted", "MaxMintPerBlockExceeded failed in block 101")
    assert request(submitted(), included(error="X"), REORGED)["text"] == "X failed in block 101"
    line = request(submitted(), replaced(FIRST, CANCEL))
    assert (line["state"], line["tx"]) == ("submitted", FIRST.tx_hash)
    line = request(submitted(), replaced(FIRST, CANCEL), included(CANCEL))
    assert (line["state"], line["text"]) == ("submitted", f"cancelled by {CANCEL.tx_hash}")
    assert request(submitted(), included(), REVERTED)["block"] is None


def test_every_transaction_is_shown_to_its_end() -> None:
    assert states(submitted()) == {FIRST.tx_hash: (True, "submitted")}
    both = [submitted(), replaced()]
    assert states(*both) == {FIRST.tx_hash: (True, "replaced"), SECOND.tx_hash: (True, "submitted")}
    assert states(*both, included(SECOND))[SECOND.tx_hash] == (True, "included")
    ended = states(*both, included(SECOND), CONFIRMED)
    assert ended == {FIRST.tx_hash: (False, "dropped"), SECOND.tx_hash: (False, "final")}
    assert states(submitted(), included(error="X"), REVERTED) == {FIRST.tx_hash: (False, "failed")}
    assert states(submitted(), included(), REORGED) == {FIRST.tx_hash: (True, "submitted")}
    assert states(submitted(), REORGED) == {FIRST.tx_hash: (True, "submitted")}
    assert states(replaced()) == {SECOND.tx_hash: (True, "submitted")}
    assert states(REORGED, included()) == {}
    (line,) = lines(TRANSACTIONS, submitted(), included())
    assert (line["nonce"], line["gas_used"], line["gas_price_wei"], line["block"]) == (7, "150000", "2000000000", 101)
    assert (line["errand"], line["max_fee_wei"]) == ("settle", str(FIRST.fees.max_fee_wei))


def test_the_contract_shows_what_changed_last() -> None:
    before, after = some_terms(), some_terms(global_max_mint_per_block=0)
    (line,) = lines(CONTRACT, ContractObserved(terms=before))
    assert (line["changed"], line["block_number"]) == ([], before.block_number)
    (line,) = lines(
        CONTRACT,
        ContractObserved(terms=before),
        ContractChanged(before=before, terms=after),
        ContractObserved(terms=after),
    )
    assert line["changed"] == [f"global_max_mint_per_block {before.global_max_mint_per_block} -> 0"]
    assert line["changed_at"] < line["observed_at"]
    fewer = msgspec.structs.replace(before, assets=before.assets[:1])
    gone = before.assets[1].address
    assert changes(before, fewer) == (f"{gone} gone",)
    assert changes(fewer, before) == (f"{gone} new",)
    shut = msgspec.structs.replace(before.assets[0], active=False, hot_balance=1)
    told = changes(before, msgspec.structs.replace(before, assets=(shut, before.assets[1])))
    assert told == (f"{shut.address} active True -> False",)


def change(kind: PartyKind = PartyKind.BENEFACTOR, party: str = "0xb", owner: str = "", **more: Any) -> PartyChange:
    wanted: dict[str, Any] = {"admitted": True, "block_number": 9, "block_hash": "0x1", "tx_hash": "0x2"}
    return PartyChange(kind=kind, party=party, owner=owner, log_index=0, **(wanted | more))


def test_a_right_that_is_given_again_is_a_row_of_its_own() -> None:
    given, taken = PartyAdmitted(change=change()), PartyRemoved(change=change(admitted=False))
    assert [(line["party"], line["state"]) for line in lines(PARTIES, given, given)] == [("0xb", "admitted")]
    rows = table(PARTIES, given, taken, given)
    assert [(is_open, line["state"]) for is_open, line in rows.values()] == [(False, "removed"), (True, "admitted")]
    assert [line["state"] for line in lines(PARTIES, taken)] == ["removed"]


def test_rights_beyond_the_bound_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("projections.parties.OPEN_MAX", 2)
    given = [PartyAdmitted(change=change(PartyKind.DELEGATE, f"0x{number}", "0xb")) for number in range(3)]
    assert [line["state"] for line in lines(PARTIES, *given)] == ["forgotten", "admitted", "admitted"]


def watched(*events: Any) -> list[tuple[Severity, str, str]]:
    watch = ExposureWatch(Exposures())
    told: list[tuple[Severity, str, str]] = []
    for position, event in enumerate(events, 1):
        found = candidate(event, position)
        both = (*((found,) if found is not None else ()), *watch.step(event, position, 0))
        told += [(each.severity, each.area, each.subject) for each in both]
    return told


def test_people_are_told_what_the_chain_did() -> None:
    cancel = SettlementCancelRequested(settlement_id=SETTLEMENT, request_id=REQUEST, text="x")
    topup = TopupProposed(
        proposal_id=REQUEST,
        amount=Amount("USDT", 1),
        hot=Amount("USDT", 0),
        owed=Amount("USDT", 0),
        funder="",
        token="",
        contract="",
        text="it holds nothing",
    )
    events = (
        ContractChanged(before=some_terms(), terms=some_terms(global_max_mint_per_block=0)),
        SenderSkipped(sender="0xs", expected=1, nonce=3),
        cancel,
        REORGED,
        topup,
    )
    assert [(each.severity.value, each.area) for each in filter(None, (candidate(event, 1) for event in events))] == [
        ("critical", "contract"),
        ("critical", "settlement"),
        ("warning", "settlement"),
        ("warning", "settlement"),
        ("warning", "treasury"),
    ]
    assert {event.TOPIC for event in events} | {PartyRemoved.TOPIC, SettlementReplaced.TOPIC} <= WATCHED_TOPICS


def test_a_call_that_is_replaced_again_and_again_is_told_once() -> None:
    sent = [a_transaction(nonce=7, gwei=30 + 10 * number) for number in range(REPLACED_OFTEN + 2)]
    pairs = itertools.pairwise(sent)
    events = [accepted(), ASKED, submitted(sent[0]), *(replaced(*pair) for pair in pairs)]
    assert watched(*events) == [(Severity.WARNING, "settlement", str(REQUEST))]


def test_a_right_is_missed_when_requests_rest_on_it() -> None:
    held = accepted()
    gone = PartyRemoved(change=change(party=held.benefactor, admitted=False))
    assert watched(gone) == []
    assert watched(held, gone) == [(Severity.WARNING, "party", held.benefactor)]
    for kind, party in ((PartyKind.BENEFICIARY, held.beneficiary), (PartyKind.DELEGATE, held.signer)):
        owned = PartyRemoved(change=change(kind, party, held.benefactor, admitted=False))
        assert watched(held, owned) == [(Severity.WARNING, "party", party)]
    custodian = PartyRemoved(change=change(PartyKind.CUSTODIAN, "0xc", admitted=False))
    assert watched(held, custodian) == [(Severity.WARNING, "party", "0xc")]
