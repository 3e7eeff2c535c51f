"""How the Book folds quotes, the requests made on them, and the settlements of those."""

import heapq
from collections.abc import Callable
from typing import Any
from uuid import UUID

import msgspec

from domain import settlement as settlements
from domain.event import Event
from domain.onchain import put_in_custody
from domain.policy import Hedging
from domain.quote import OpenQuote, QuoteIssued, QuoteUsed, Side, UsedQuote
from domain.request import (
    OpenRequest,
    RequestAccepted,
    RequestCancelled,
    RequestCompleted,
    RequestSettlementFailed,
    Stage,
)
from domain.settlement import (
    Moved,
    OpenSettlement,
    SettlementConfirmed,
    SettlementReverted,
    SettlementSubmissionRequested,
    SettlementSubmitted,
)
from domain.state import NONCE_MASK, NONCE_SLOT_BITS, Book, underlying_exposure

# A quote is told apart from an unknown one for this long after it expired.
QUOTE_RETENTION_US = 60 * 1_000_000


def _quote_issued(book: Book, event: QuoteIssued, at_us: int) -> None:
    ends = book.quote_ends
    while ends and ends[0][0] + QUOTE_RETENTION_US < at_us:
        _, quote_id = heapq.heappop(ends)
        book.quotes.pop(quote_id, None)
        book.used_quotes.pop(quote_id, None)
        book.versions.pop(quote_id, None)
    book.quotes[event.quote_id] = OpenQuote(event)
    heapq.heappush(ends, (event.expires_at_us, event.quote_id))


def _quote_used(book: Book, event: QuoteUsed, _at_us: int) -> None:
    quote = book.quotes.pop(event.quote_id).quote
    book.used_quotes[event.quote_id] = UsedQuote(event.quote_id, event.request_id, quote.expires_at_us)


def _request_accepted(book: Book, event: RequestAccepted, _at_us: int) -> None:
    low = event.nonce & NONCE_MASK
    slots = book.nonces.setdefault(event.benefactor, {})
    slots[low >> NONCE_SLOT_BITS] = slots.get(low >> NONCE_SLOT_BITS, 0) | 1 << (low & 0xFF)
    book.requests[event.request_id] = OpenRequest(event, Stage.HEDGING)
    book.promise(event, 1)


def _request_closed(book: Book, request_id: UUID, *, settled: bool) -> None:
    request = book.requests.pop(request_id)
    if request.stage is not Stage.SETTLED:
        book.promise(request.accepted, -1)
    book.versions.pop(request_id, None)
    book.disarm(request_id)
    if not settled and request.hedge_id is not None:
        underlying = book.asset(request.accepted.collateral.asset).underlying
        book.carry_over(underlying, underlying_exposure(book, request.accepted))


def _request_completed(book: Book, event: RequestCompleted, _at_us: int) -> None:
    _request_closed(book, event.request_id, settled=True)


def _request_failed(book: Book, event: RequestSettlementFailed, _at_us: int) -> None:
    _request_closed(book, event.request_id, settled=False)


def _request_cancelled(book: Book, event: RequestCancelled, _at_us: int) -> None:
    asked = book.requests[event.request_id].settlement_id
    if asked is not None:  # asked for, but nothing was permitted to be sent
        _end_settlement(book, asked)
    _request_closed(book, event.request_id, settled=False)


def _settlement_requested(book: Book, event: SettlementSubmissionRequested, _at_us: int) -> None:
    book.settlements[event.settlement_id] = OpenSettlement(event)
    request = book.requests[event.request_id]
    book.requests[event.request_id] = msgspec.structs.replace(
        request, stage=Stage.SETTLING, settlement_id=event.settlement_id
    )


def _settlement_moved(book: Book, event: Moved, _at_us: int) -> None:
    before = book.settlements[event.settlement_id]
    after = settlements.FOLDS[type(event)](before, event)
    book.settlements[event.settlement_id] = after
    # What stands in a block shares no later one with others.
    freed = (after.settled is not None) - (before.settled is not None)
    book.promise(book.requests[event.request_id].accepted, -freed)
    if isinstance(event, SettlementSubmitted):
        book.onchain.nonces[event.transaction.sender] = event.transaction.nonce + 1


def _settlement_confirmed(book: Book, event: SettlementConfirmed, _at_us: int) -> None:
    sign = 1 if event.side is Side.MINT else -1
    asset = event.collateral.asset
    book.backing[asset] = book.backing.get(asset, 0) + sign * event.collateral.atoms
    book.issued += sign * event.issued.atoms
    settlement, request = book.settlements[event.settlement_id], book.requests[event.request_id]
    if settlement.settled is not None:
        book.supply.move(settlement.settled.block_number, sign * event.issued.atoms)
    asked = settlement.requested
    if settlement.settled is None:  # final without a block told: a chain that is only simulated
        book.promise(request.accepted, -1)
    put_in_custody(book.onchain, asset, event.collateral.atoms, (asked.custodians, asked.ratios))
    book.requests[event.request_id] = msgspec.structs.replace(request, stage=Stage.SETTLED)
    pair = book.pair(request.accepted.pair)
    if request.hedge_id is None and pair is not None and pair.hedging is Hedging.PERPETUAL:
        # It settled before its hedge could be planned: what arrived is carried until it is traded.
        underlying = book.asset(asset).underlying
        book.carry_over(underlying, -underlying_exposure(book, request.accepted))
    _end_settlement(book, event.settlement_id)


def _settlement_reverted(book: Book, event: SettlementReverted, _at_us: int) -> None:
    _end_settlement(book, event.settlement_id)


def _end_settlement(book: Book, settlement_id: UUID) -> None:
    del book.settlements[settlement_id]
    book.versions.pop(settlement_id, None)


FOLDS: dict[type[Event], Callable[[Book, Any, int], None]] = {
    QuoteIssued: _quote_issued,
    QuoteUsed: _quote_used,
    RequestAccepted: _request_accepted,
    RequestCompleted: _request_completed,
    RequestSettlementFailed: _request_failed,
    RequestCancelled: _request_cancelled,
    SettlementSubmissionRequested: _settlement_requested,
    **dict.fromkeys(settlements.FOLDS, _settlement_moved),
    SettlementConfirmed: _settlement_confirmed,
    SettlementReverted: _settlement_reverted,
}
"""How each of these events is folded."""
