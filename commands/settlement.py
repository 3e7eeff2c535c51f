"""Settlements: which transactions may be sent for a request, and what was told of them.

The Book permits, the worker sends: nothing is broadcast that the Book did not record as `settlement.submitted` or
`settlement.replaced`, so what binds here binds whoever signs. Facts that come late or twice change nothing.
"""

from uuid import UUID

from commands.admission import check_rights, check_route, check_sendable
from commands.context import Context
from commands.control import mode_of
from commands.envelope import Command, command
from domain.book import Book
from domain.event import Event
from domain.instant import MILLISECOND_US
from domain.mode import Mode
from domain.onchain import SenderSkipped
from domain.policy import Policy
from domain.refusal import Reason, Refusal
from domain.request import OpenRequest
from domain.settlement import (
    OpenSettlement,
    SettlementConfirmed,
    SettlementIncluded,
    SettlementReorged,
    SettlementReplaced,
    SettlementReverted,
    SettlementSubmitted,
)
from domain.transaction import REPLACEMENT_BUMP_PERCENT, Errand, Receipt, Transaction

# Hex digits of a raw transaction: an order with its longest id, signature and route takes a tenth of it.
RAW_LENGTH_MAX = 64 * 1024


@command("settlement.submit")
class SubmitSettlement(Command, frozen=True, kw_only=True):
    """Ask to send a signed transaction; `transaction_count` is how many of its sender the chain has included."""

    settlement_id: UUID
    attempt: int
    transaction: Transaction
    transaction_count: int = 0


@command("settlement.replace")
class ReplaceSettlement(Command, frozen=True, kw_only=True):
    """Ask to send another transaction at the nonce of one that is not included."""

    settlement_id: UUID
    replaced_hash: str
    transaction: Transaction


@command("settlement.include")
class RecordIncluded(Command, frozen=True, kw_only=True):
    """Report that one of a settlement's transactions stands in a block, whether its call succeeded or not."""

    settlement_id: UUID
    receipt: Receipt


@command("settlement.reorg")
class RecordReorged(Command, frozen=True, kw_only=True):
    """Report that the block in which a transaction stood was given up."""

    settlement_id: UUID
    tx_hash: str
    block_hash: str


@command("settlement.confirmed")
class RecordConfirmed(Command, frozen=True, kw_only=True):
    """Report that a settlement is final."""

    settlement_id: UUID
    reference: str


@command("settlement.reverted")
class RecordReverted(Command, frozen=True, kw_only=True):
    """Report that a settlement surely did not happen and will not; `transactions`: how many of it were judged."""

    settlement_id: UUID
    text: str
    transactions: int = 0


def submit_settlement(book: Book, command: SubmitSettlement, context: Context) -> tuple[Event, ...] | Refusal:
    """Decide `SubmitSettlement`: a new attempt, checked again against all that may have changed since acceptance."""
    settlement, policy = book.settlements.get(command.settlement_id), book.policy
    if settlement is None or policy is None or settlement.find(command.transaction.tx_hash) is not None:
        return ()
    request = book.requests[settlement.requested.request_id]
    refusal = (
        _check_attempt(policy, settlement, command)
        or check_transaction(policy, command.transaction)
        or _check_nonce(book, settlement, command)
        or _check_request(book, policy, settlement, request, context.at_us)
        or check_sendable(book, settlement)
    )
    if refusal is not None:
        return refusal
    submitted = SettlementSubmitted(
        settlement_id=command.settlement_id,
        request_id=settlement.requested.request_id,
        attempt=command.attempt,
        transaction=command.transaction,
    )
    return (*skipped(book, command.transaction), submitted)


def skipped(book: Book, transaction: Transaction) -> tuple[Event, ...]:
    """Return what tells that somebody else sends as our sender: the chain has seen more transactions than the Book."""
    ours = book.onchain.nonces.get(transaction.sender)
    if ours is None or ours == transaction.nonce:
        return ()
    return (SenderSkipped(sender=transaction.sender, expected=ours, nonce=transaction.nonce),)


def _invalid(text: str) -> Refusal:
    return Refusal(reason=Reason.TRANSACTION_INVALID, text=text)


def _check_attempt(policy: Policy, settlement: OpenSettlement, command: SubmitSettlement) -> Refusal | None:
    if settlement.cancelling:
        return _invalid("the settlement is being cancelled")
    if settlement.settled is not None or not settlement.retryable:
        return _invalid(f"attempt {settlement.attempt} is under way")
    if command.attempt != settlement.attempt + 1:
        return _invalid(f"the next attempt is {settlement.attempt + 1}, not {command.attempt}")
    if command.attempt > policy.settlement_attempts_max:
        return _invalid(f"{policy.settlement_attempts_max} attempts are all there are")
    if command.transaction.errand is not Errand.SETTLE:
        return _invalid("an attempt begins with the call itself")
    return None


def check_transaction(policy: Policy, transaction: Transaction) -> Refusal | None:
    """Refuse a transaction that makes no sense, or may cost more than the policy lets one cost."""
    fees = transaction.fees
    if not transaction.sender or not transaction.tx_hash or not 0 < len(transaction.raw) <= RAW_LENGTH_MAX:
        return _invalid("a transaction has a sender, a hash and its bytes")
    if transaction.nonce < 0 or transaction.gas_limit <= 0 or not 0 <= fees.priority_fee_wei <= fees.max_fee_wei:
        return _invalid("a nonce, gas limit or fee makes no sense")
    cost = transaction.gas_limit * fees.max_fee_wei
    if cost > policy.transaction_cost_wei_max:
        return _invalid(f"{cost} wei of fees are above the {policy.transaction_cost_wei_max} that one may cost")
    return None


def next_nonce(book: Book, sender: str, transaction_count: int) -> int:
    """Return the nonce that a sender's next transaction takes: after all permitted, and all that the chain has seen."""
    return max(book.onchain.nonces.get(sender, 0), transaction_count)


def _check_nonce(book: Book, settlement: OpenSettlement, command: SubmitSettlement) -> Refusal | None:
    transaction = command.transaction
    if settlement.transactions and settlement.transactions[0].sender != transaction.sender:
        return _invalid(f"earlier attempts were sent by {settlement.transactions[0].sender}")
    wanted = next_nonce(book, transaction.sender, command.transaction_count)
    if transaction.nonce != wanted:
        return _invalid(f"the next nonce of {transaction.sender} is {wanted}, not {transaction.nonce}")
    return None


def _check_request(
    book: Book, policy: Policy, settlement: OpenSettlement, request: OpenRequest, at_us: int
) -> Refusal | None:
    """Refuse to send an order that may no longer be settled."""
    accepted = request.accepted
    pair = book.pair(accepted.pair)
    if pair is None or mode_of(book, pair) is Mode.HALTED:
        return Refusal(reason=Reason.HALTED, text=f"{accepted.pair} is halted")
    if policy.chain_required and book.onchain.terms is None:
        return Refusal(reason=Reason.CHAIN_UNKNOWN, text="the contract was not seen yet")
    refusal = check_rights(book, accepted.benefactor, accepted.beneficiary, accepted.signer)
    if refusal is not None:
        return refusal
    if at_us + policy.submission_expiry_margin_ms * MILLISECOND_US >= accepted.expiry_us:
        return Refusal(reason=Reason.ORDER_EXPIRED, text="the order expires before it could be included")
    return check_route(book, settlement.requested)


def replace_settlement(book: Book, command: ReplaceSettlement, context: Context) -> tuple[Event, ...] | Refusal:
    """Decide `ReplaceSettlement`: the same call or a cancel, at the same nonce, for fees that a node takes."""
    settlement, policy, wanted = book.settlements.get(command.settlement_id), book.policy, command.transaction
    if settlement is None or policy is None or settlement.find(wanted.tx_hash) is not None:
        return ()
    before = settlement.find(command.replaced_hash)
    if before is None or settlement.at_nonce(before.nonce)[-1] != before:
        return _invalid(f"{command.replaced_hash} is not the newest transaction at its nonce")
    if settlement.receipt_at(before.nonce) is not None:
        return _invalid(f"nonce {before.nonce} is used up already")
    refusal = check_transaction(policy, wanted) or _check_replacement(policy, settlement, before, wanted)
    if refusal is None and wanted.errand is Errand.SETTLE:
        request = book.requests[settlement.requested.request_id]
        refusal = _check_request(book, policy, settlement, request, context.at_us)
    if refusal is not None:
        return refusal
    return (
        SettlementReplaced(
            settlement_id=command.settlement_id,
            request_id=settlement.requested.request_id,
            replaced_hash=command.replaced_hash,
            transaction=wanted,
        ),
    )


def _check_replacement(
    policy: Policy, settlement: OpenSettlement, before: Transaction, wanted: Transaction
) -> Refusal | None:
    if (wanted.sender, wanted.nonce) != (before.sender, before.nonce):
        return _invalid(f"a replacement has the sender and nonce of {before.tx_hash}")
    same = [each for each in settlement.at_nonce(before.nonce)[1:] if each.errand is wanted.errand]
    if len(same) >= policy.settlement_replacements_max:
        return _invalid(f"{policy.settlement_replacements_max} replacements are all there are")
    if wanted.errand is Errand.SETTLE and settlement.cancelling:
        return _invalid("the settlement is being cancelled")
    if wanted.errand is Errand.SETTLE and before.errand is Errand.CANCEL:
        return _invalid("what was cancelled is not tried again at the same nonce")
    return check_outbids(before, wanted)


def check_outbids(before: Transaction, wanted: Transaction) -> Refusal | None:
    """Refuse a replacement that no node would take."""
    old, new = before.fees, wanted.fees
    pairs = ((old.max_fee_wei, new.max_fee_wei), (old.priority_fee_wei, new.priority_fee_wei))
    if any(fee * 100 < paid * (100 + REPLACEMENT_BUMP_PERCENT) for paid, fee in pairs):
        return _invalid(f"a replacement raises both fees by at least {REPLACEMENT_BUMP_PERCENT}%")
    return None


def record_included(book: Book, command: RecordIncluded, _context: Context) -> tuple[Event, ...] | Refusal:
    """Decide `RecordIncluded`; a receipt from another block than the one known says that the latter was given up."""
    settlement, receipt = book.settlements.get(command.settlement_id), command.receipt
    if settlement is None:
        return ()
    transaction = settlement.find(receipt.tx_hash)
    if transaction is None:
        return _invalid(f"{receipt.tx_hash} is no transaction of this settlement")
    known = settlement.receipt_at(transaction.nonce)
    if known is not None and (known.tx_hash, known.block_hash) == (receipt.tx_hash, receipt.block_hash):
        return ()
    asked = settlement.requested
    included = SettlementIncluded(settlement_id=asked.settlement_id, request_id=asked.request_id, receipt=receipt)
    return (included,) if known is None else (_reorged(settlement, known), included)


def _reorged(settlement: OpenSettlement, receipt: Receipt) -> SettlementReorged:
    return SettlementReorged(
        settlement_id=settlement.requested.settlement_id,
        request_id=settlement.requested.request_id,
        tx_hash=receipt.tx_hash,
        block_hash=receipt.block_hash,
        block_number=receipt.block_number,
    )


def record_reorged(book: Book, command: RecordReorged, _context: Context) -> tuple[Event, ...]:
    """Decide `RecordReorged`; of a block that no receipt stands in it says nothing."""
    settlement = book.settlements.get(command.settlement_id)
    receipts = settlement.receipts if settlement is not None else ()
    told = (command.tx_hash, command.block_hash)
    known = next((each for each in receipts if (each.tx_hash, each.block_hash) == told), None)
    return () if settlement is None or known is None else (_reorged(settlement, known),)


def record_confirmed(book: Book, command: RecordConfirmed, _context: Context) -> tuple[Event, ...] | Refusal:
    """Decide `RecordConfirmed`; a settlement that is no longer open changes nothing."""
    settlement, policy = book.settlements.get(command.settlement_id), book.policy
    if settlement is None:
        return ()
    if settlement.transactions or (policy is not None and policy.chain_required):
        settled = settlement.settled
        if settled is None or settled.tx_hash != command.reference:
            text = f"{command.reference} was not told to have succeeded in a block"
            return Refusal(reason=Reason.SETTLEMENT_WAITS, text=text)
    asked = settlement.requested
    return (
        SettlementConfirmed(
            settlement_id=asked.settlement_id,
            request_id=asked.request_id,
            side=asked.side,
            collateral=asked.collateral,
            issued=asked.issued,
            reference=command.reference,
        ),
    )


def record_reverted(book: Book, command: RecordReverted, _context: Context) -> tuple[Event, ...] | Refusal:
    """Decide `RecordReverted`; not while a receipt says that it did happen, nor when one more may yet be sent."""
    settlement = book.settlements.get(command.settlement_id)
    if settlement is None:
        return ()
    if len(settlement.transactions) != command.transactions:
        text = f"{command.transactions} transactions were judged, there are {len(settlement.transactions)}"
        return Refusal(reason=Reason.SETTLEMENT_WAITS, text=text)
    if settlement.settled is not None:
        text = f"{settlement.settled.tx_hash} stands in block {settlement.settled.block_number} and succeeded"
        return Refusal(reason=Reason.SETTLEMENT_WAITS, text=text)
    asked = settlement.requested
    return (SettlementReverted(settlement_id=asked.settlement_id, request_id=asked.request_id, text=command.text),)
