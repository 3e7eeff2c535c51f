"""Calls of ours that carry a custody proposal out: which may be sent, and what was told of them.

The Book permits, the worker sends: nothing is broadcast that is not recorded as `treasury.submitted`. One call is under
way at a time, until its nonce is used up for good. Facts that come late or twice change nothing.
"""

from uuid import UUID

from commands.context import Context
from commands.envelope import Command, command
from commands.settlement import check_outbids, check_transaction, next_nonce, skipped
from domain.book import Book
from domain.event import Event
from domain.mode import Mode
from domain.onchain import PartyKind
from domain.policy import Policy
from domain.quantity import Amount
from domain.refusal import Reason, Refusal
from domain.transaction import Errand, Receipt, Transaction
from domain.treasury import CustodyCall, CustodyFailed, CustodySubmitted, CustodyTransferred, Direction


@command("treasury.submit")
class SubmitCustody(Command, frozen=True, kw_only=True):
    """Ask to send a signed call that pays one custodian its part, for the first time or at fees that replace the last.

    `transaction_count` is how many of its sender the chain has included for good.
    """

    proposal_id: UUID
    asset: str
    custodian: str
    amount: int  # atoms
    transaction: Transaction
    transaction_count: int = 0


@command("treasury.include")
class RecordCustodyIncluded(Command, frozen=True, kw_only=True):
    """Report that a call stands in a block that is deep enough, whether it succeeded or not."""

    proposal_id: UUID
    receipt: Receipt


@command("treasury.fail")
class RecordCustodyFailed(Command, frozen=True, kw_only=True):
    """Report that the nonce of a call was used up for good by none of its `transactions`."""

    proposal_id: UUID
    transactions: int
    text: str


def submit_custody(book: Book, command: SubmitCustody, _context: Context) -> tuple[Event, ...] | Refusal:
    """Decide `SubmitCustody`, checked again against all that may have changed since the proposal was made.

    What the bytes say is not read here: whoever signs holds the signer's answer against what was asked, field by field.
    """
    policy, call, wanted = book.policy, book.treasury.call, command.transaction
    if policy is None or (call is not None and wanted.tx_hash in {each.tx_hash for each in call.transactions}):
        return ()
    refusal = (
        check_transaction(policy, wanted)
        or _check_proposal(book, command)
        or _check_permitted(book, command)
        or (_check_first(book, command) if call is None else _check_replacement(policy, call, command))
    )
    if refusal is not None:
        return refusal
    submitted = CustodySubmitted(
        proposal_id=command.proposal_id,
        custodian=command.custodian,
        amount=Amount(command.asset, command.amount),
        transaction=wanted,
    )
    return (*(skipped(book, wanted) if call is None else ()), submitted)


def _invalid(text: str) -> Refusal:
    return Refusal(reason=Reason.TRANSACTION_INVALID, text=text)


def _check_proposal(book: Book, command: SubmitCustody) -> Refusal | None:
    """Refuse a call that is not the next one of its proposal, as that stands now."""
    proposal = book.treasury.open(command.asset, Direction.CUSTODY)
    if proposal is None or proposal.proposal_id != command.proposal_id:
        return _invalid(f"no such transfer of {command.asset} to custody is proposed any more")
    if proposal.failed:
        return _invalid("a call of it failed: it is left to people")
    if (command.custodian, command.amount) not in proposal.unpaid[:1]:
        return _invalid(f"{command.amount} atoms to {command.custodian} are not what it needs next")
    if command.transaction.errand is not Errand.SETTLE:
        return _invalid("a transfer is a call, and is not cancelled")
    return None


def _check_permitted(book: Book, command: SubmitCustody) -> Refusal | None:
    if book.mode(f"asset:{book.asset(command.asset).underlying}") is Mode.HALTED:
        return Refusal(reason=Reason.HALTED, text=f"{command.asset} is halted")
    if not book.onchain.admitted(PartyKind.CUSTODIAN, command.custodian):
        return _invalid(f"{command.custodian} is admitted on chain no more")
    return None


def _check_first(book: Book, command: SubmitCustody) -> Refusal | None:
    wanted = command.transaction
    if any(each.sender == wanted.sender for open_ in book.settlements.values() for each in open_.transactions):
        return _invalid(f"{wanted.sender} sends mints and redeems: its nonces are not the treasury's")
    nonce = next_nonce(book, wanted.sender, command.transaction_count)
    if wanted.nonce != nonce:
        return _invalid(f"the next nonce of {wanted.sender} is {nonce}, not {wanted.nonce}")
    return None


def _check_replacement(policy: Policy, call: CustodyCall, command: SubmitCustody) -> Refusal | None:
    wanted, before = command.transaction, call.newest
    if (command.proposal_id, command.asset) != (call.proposal_id, call.asset):
        return _invalid(f"{before.tx_hash} is under way, and one call at a time")
    if (wanted.sender, wanted.nonce) != (before.sender, before.nonce):
        return _invalid(f"a replacement has the sender and nonce of {before.tx_hash}")
    if len(call.transactions) > policy.settlement_replacements_max:
        return _invalid(f"{policy.settlement_replacements_max} replacements are all there are")
    return check_outbids(before, wanted)


def record_included(book: Book, command: RecordCustodyIncluded, _context: Context) -> tuple[Event, ...] | Refusal:
    """Decide `RecordCustodyIncluded`; of a call that is no longer under way it says nothing."""
    call, receipt = book.treasury.call, command.receipt
    if call is None or call.proposal_id != command.proposal_id:
        return ()
    if receipt.tx_hash not in {each.tx_hash for each in call.transactions}:
        return _invalid(f"{receipt.tx_hash} is no transaction of the call that is under way")
    if not receipt.succeeded:
        return (_failed(call, receipt.tx_hash, f"{receipt.error or 'REVERTED'}: {receipt.tx_hash} failed"),)
    transferred = CustodyTransferred(
        proposal_id=call.proposal_id,
        custodian=call.custodian,
        amount=Amount(call.asset, call.amount),
        receipt=receipt,
    )
    return (transferred,)


def record_failed(book: Book, command: RecordCustodyFailed, _context: Context) -> tuple[Event, ...] | Refusal:
    """Decide `RecordCustodyFailed`; not when one more may yet be sent than were judged."""
    call = book.treasury.call
    if call is None or call.proposal_id != command.proposal_id:
        return ()
    if len(call.transactions) != command.transactions:
        text = f"{command.transactions} transactions were judged, there are {len(call.transactions)}"
        return Refusal(reason=Reason.SETTLEMENT_WAITS, text=text)
    return (_failed(call, call.newest.tx_hash, command.text),)


def _failed(call: CustodyCall, tx_hash: str, text: str) -> CustodyFailed:
    return CustodyFailed(
        proposal_id=call.proposal_id,
        custodian=call.custodian,
        amount=Amount(call.asset, call.amount),
        tx_hash=tx_hash,
        text=text,
    )
