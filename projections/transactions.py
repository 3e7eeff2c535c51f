"""Transactions: every one that the book permitted for a settlement, and what became of it."""

from enum import StrEnum
from uuid import UUID

import msgspec

from domain.instant import rfc3339
from domain.settlement import (
    SettlementConfirmed,
    SettlementIncluded,
    SettlementReorged,
    SettlementReplaced,
    SettlementReverted,
    SettlementSubmitted,
)
from domain.transaction import Errand, Receipt, Transaction
from projections.view import Row, Rows, View


class TransactionState(StrEnum):
    """Say what became of a transaction. DROPPED: another one used up its nonce for good."""

    SUBMITTED = "submitted"
    REPLACED = "replaced"
    INCLUDED = "included"
    FAILED = "failed"
    FINAL = "final"
    DROPPED = "dropped"


class TransactionLine(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Show a transaction: fees in wei a unit of gas, as text; `block` is the one that holds it, None without one.

    `errand` is settle, or cancel: nothing, at the same nonce. `error` is the contract's, when its call failed.
    """

    tx_hash: str
    settlement_id: UUID
    request_id: UUID
    attempt: int
    errand: Errand
    sender: str
    nonce: int
    gas_limit: str
    max_fee_wei: str
    priority_fee_wei: str
    state: TransactionState
    replaced_hash: str
    block: int | None
    block_hash: str
    gas_used: str
    gas_price_wei: str
    error: str
    submitted_at: str
    updated_at: str


class Transactions(Rows[TransactionLine]):
    """Hold the transactions of settlements that are open."""


def _line(event: SettlementSubmitted | SettlementReplaced, attempt: int, replaced: str, at: str) -> TransactionLine:
    sent: Transaction = event.transaction
    return TransactionLine(
        tx_hash=sent.tx_hash,
        settlement_id=event.settlement_id,
        request_id=event.request_id,
        attempt=attempt,
        errand=sent.errand,
        sender=sent.sender,
        nonce=sent.nonce,
        gas_limit=str(sent.gas_limit),
        max_fee_wei=str(sent.fees.max_fee_wei),
        priority_fee_wei=str(sent.fees.priority_fee_wei),
        state=TransactionState.SUBMITTED,
        replaced_hash=replaced,
        block=None,
        block_hash="",
        gas_used="",
        gas_price_wei="",
        error="",
        submitted_at=at,
        updated_at=at,
    )


def _submitted(
    state: Transactions, event: SettlementSubmitted, position: int, at_us: int
) -> tuple[Row[TransactionLine], ...]:
    return state.keep(event.transaction.tx_hash, position, _line(event, event.attempt, "", rfc3339(at_us)))


def _replaced(
    state: Transactions, event: SettlementReplaced, position: int, at_us: int
) -> tuple[Row[TransactionLine], ...]:
    before, at = state.find(event.replaced_hash), rfc3339(at_us)
    attempt = before.attempt if before is not None else 0
    rows = state.keep(event.transaction.tx_hash, position, _line(event, attempt, event.replaced_hash, at))
    if before is None:
        return rows
    # It may still be the one that is included: what counts is which one a block holds.
    gone = msgspec.structs.replace(before, state=TransactionState.REPLACED, updated_at=at)
    return rows + state.keep(event.replaced_hash, position, gone)


def _included(
    state: Transactions, event: SettlementIncluded, position: int, at_us: int
) -> tuple[Row[TransactionLine], ...]:
    receipt: Receipt = event.receipt
    line = state.find(receipt.tx_hash)
    if line is None:
        return ()
    there = msgspec.structs.replace(
        line,
        state=TransactionState.INCLUDED if receipt.succeeded else TransactionState.FAILED,
        block=receipt.block_number,
        block_hash=receipt.block_hash,
        gas_used=str(receipt.gas_used),
        gas_price_wei=str(receipt.gas_price_wei),
        error=receipt.error,
        updated_at=rfc3339(at_us),
    )
    return state.keep(receipt.tx_hash, position, there)


def _reorged(
    state: Transactions, event: SettlementReorged, position: int, at_us: int
) -> tuple[Row[TransactionLine], ...]:
    line = state.find(event.tx_hash)
    if line is None or line.block_hash != event.block_hash:
        return ()
    back = msgspec.structs.replace(
        line,
        state=TransactionState.SUBMITTED,
        block=None,
        block_hash="",
        gas_used="",
        gas_price_wei="",
        error="",
        updated_at=rfc3339(at_us),
    )
    return state.keep(event.tx_hash, position, back)


def _over(
    state: Transactions, event: SettlementConfirmed | SettlementReverted, position: int, at_us: int
) -> tuple[Row[TransactionLine], ...]:
    """Write the last word on every transaction of a settlement: in a block for good, or never."""
    rows: tuple[Row[TransactionLine], ...] = ()
    for key in [key for key, row in state.rows.items() if row.document.settlement_id == event.settlement_id]:
        line = state.rows[key].document
        last = line.state if line.state is TransactionState.FAILED else TransactionState.FINAL
        told = last if line.block is not None else TransactionState.DROPPED
        rows += state.close(key, position, msgspec.structs.replace(line, state=told, updated_at=rfc3339(at_us)))
    return rows


TRANSACTIONS = View(
    name="transactions",
    document=TransactionLine,
    state=Transactions,
    steps={
        SettlementSubmitted: _submitted,
        SettlementReplaced: _replaced,
        SettlementIncluded: _included,
        SettlementReorged: _reorged,
        SettlementConfirmed: _over,
        SettlementReverted: _over,
    },
    lookups=frozenset({"sender", "settlement_id", "request_id"}),
)
