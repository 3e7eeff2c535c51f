"""Which evidence a command needs: the rest of what the core sees is not kept with it, nor decided on."""

from collections.abc import Callable
from typing import Any

from commands.envelope import Command
from commands.hedge import ContinueHedge, StartHedge, UnwindHedge, pair_of
from commands.quote import IssueQuote
from commands.request import AcceptRequest, find_pair
from domain.basis import find_evidence, rules
from domain.book import Book
from domain.carry import MarkEvidence
from domain.depth import BookEvidence
from domain.market import Witness
from domain.policy import Pair
from domain.reference import needed

Seen = tuple[tuple[BookEvidence, ...], tuple[Witness, ...], tuple[MarkEvidence, ...]]


def _quoted(book: Book, command: IssueQuote) -> Pair | None:
    return book.pair(command.pair)


def _accepted(book: Book, command: AcceptRequest) -> Pair | None:
    found = find_pair(book, command.collateral_asset)
    return found if isinstance(found, Pair) else None


def _continued(book: Book, command: ContinueHedge) -> Pair | None:
    hedge = book.hedges.get(command.hedge_id)
    return None if hedge is None else pair_of(book, hedge.planned)


def _started(book: Book, command: StartHedge) -> Pair | None:
    request = book.requests.get(command.request_id)
    return None if request is None else book.pair(request.accepted.pair)


def _unwound(book: Book, command: UnwindHedge) -> Pair | None:
    return book.pair(command.pair)


_PAIRS: dict[type[Command], Callable[[Book, Any], Pair | None]] = {
    IssueQuote: _quoted,
    AcceptRequest: _accepted,
    ContinueHedge: _continued,
    StartHedge: _started,
    UnwindHedge: _unwound,
}


def trim(
    book: Book,
    command: Command,
    evidence: tuple[BookEvidence, ...],
    witnesses: tuple[Witness, ...],
    marks: tuple[MarkEvidence, ...] = (),
) -> Seen:
    """Return the books, witnesses and marks on which a command may rest: those of its pair; none without one.

    Trimming what is trimmed changes nothing, so that a kept command is decided again on the same. No price rests on
    marks: a quote is given none.
    """
    if book.policy is None:
        return (), (), ()
    find = _PAIRS.get(type(command))
    pair = find(book, command) if find is not None else None
    if pair is None:
        return (), (), ()
    seen = find_evidence(pair, evidence)
    underlying = book.asset(pair.collateral).underlying
    marked = () if isinstance(command, IssueQuote) else _of(book, underlying, marks)
    return (seen,) if seen is not None else (), needed(underlying, witnesses, rules(book)), marked


def _of(book: Book, underlying: str, marks: tuple[MarkEvidence, ...]) -> tuple[MarkEvidence, ...]:
    """Return the marks of the instruments that an underlying may be hedged with."""
    instruments = book.policy.instruments if book.policy is not None else ()
    traded = {(item.venue, item.symbol) for item in instruments if item.base == underlying}
    return tuple(mark for mark in marks if (mark.venue, mark.symbol) in traded)
