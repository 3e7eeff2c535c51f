"""Settling: a hedged request is settled, a stable at once; a failed settlement falls back to the hedge's unwinding."""

from uuid import UUID

from commands.context import Context
from commands.envelope import Command, command
from commands.process import Message, Record
from domain.book import Book
from domain.event import Event
from domain.hedge import HedgeAbandoned, HedgeCompleted
from domain.ids import derive_id
from domain.policy import Hedging
from domain.request import OpenRequest, RequestAccepted, RequestCancelled, RequestCompleted, RequestSettlementFailed
from domain.settlement import SettlementConfirmed, SettlementReverted, SettlementSubmissionRequested


@command("settlement.confirmed")
class RecordConfirmed(Command, frozen=True, kw_only=True):
    """Report that a settlement is final."""

    settlement_id: UUID
    reference: str


@command("settlement.reverted")
class RecordReverted(Command, frozen=True, kw_only=True):
    """Report that a settlement surely did not happen and will not."""

    settlement_id: UUID
    text: str


def record_confirmed(book: Book, command: RecordConfirmed, _context: Context) -> tuple[Event, ...]:
    """Decide `RecordConfirmed`; a settlement that is no longer open changes nothing."""
    settlement = book.settlements.get(command.settlement_id)
    if settlement is None:
        return ()
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


def record_reverted(book: Book, command: RecordReverted, _context: Context) -> tuple[Event, ...]:
    """Decide `RecordReverted`."""
    settlement = book.settlements.get(command.settlement_id)
    if settlement is None:
        return ()
    asked = settlement.requested
    return (SettlementReverted(settlement_id=asked.settlement_id, request_id=asked.request_id, text=command.text),)


def _ask(request: OpenRequest) -> Record:
    accepted = request.accepted
    return Record(
        SettlementSubmissionRequested(
            settlement_id=derive_id(accepted.request_id, "settlement"),
            request_id=accepted.request_id,
            side=accepted.side,
            collateral=accepted.collateral,
            issued=accepted.issued,
        )
    )


def react_accepted(book: Book, event: RequestAccepted, _at_us: int) -> tuple[Message, ...]:
    """Settle at once what needs no hedge."""
    pair = book.pair(event.pair)
    held = pair is not None and pair.hedging is Hedging.HOLD
    return (_ask(book.requests[event.request_id]),) if held else ()


def react_hedged(book: Book, event: HedgeCompleted, _at_us: int) -> tuple[Message, ...]:
    """Settle what is hedged; an unwind has no request left to settle."""
    request = book.requests.get(event.request_id)
    return (_ask(request),) if request is not None else ()


def react_abandoned(book: Book, event: HedgeAbandoned, _at_us: int) -> tuple[Message, ...]:
    """Cancel the request whose hedge failed: nothing of the benefactor was taken yet."""
    request = book.requests.get(event.request_id)
    if request is None:
        return ()
    cancelled = RequestCancelled(request_id=event.request_id, pair=request.accepted.pair, text=event.text)
    return (Record(cancelled),)


def react_confirmed(_book: Book, event: SettlementConfirmed, _at_us: int) -> tuple[Message, ...]:
    """Complete the request."""
    return (Record(RequestCompleted(request_id=event.request_id, settlement_id=event.settlement_id)),)


def react_reverted(book: Book, event: SettlementReverted, _at_us: int) -> tuple[Message, ...]:
    """Let the request fall."""
    failed = RequestSettlementFailed(
        request_id=event.request_id,
        settlement_id=event.settlement_id,
        pair=book.requests[event.request_id].accepted.pair,
        text=event.text,
    )
    return (Record(failed),)
