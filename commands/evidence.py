"""Which evidence a command needs: the rest of what the core sees is not kept with it, nor decided on."""

from collections.abc import Callable
from typing import Any

from commands.envelope import Command
from commands.hedging_continue import ContinueHedge
from commands.hedging_requests import StartHedge
from commands.quote import IssueQuote
from commands.rebalance import LookAtHedges
from commands.rehedge import Rehedge, UnwindHedge
from commands.request import AcceptRequest, find_pair
from commands.risk import LookAtRisk, assets_to_mark
from domain.book import Book
from domain.carry import MarkEvidence
from domain.depth import BookEvidence
from domain.market import Witness
from domain.policy import Pair, Policy
from domain.reference import needed

Seen = tuple[tuple[BookEvidence, ...], tuple[Witness, ...], tuple[MarkEvidence, ...]]


def _quoted(book: Book, command: IssueQuote) -> str | None:
    return _underlying(book, book.pair(command.pair))


def _accepted(book: Book, command: AcceptRequest) -> str | None:
    found = find_pair(book, command.collateral_asset)
    return _underlying(book, found) if isinstance(found, Pair) else None


def _continued(book: Book, command: ContinueHedge) -> str | None:
    hedge = book.hedges.get(command.hedge_id)
    return None if hedge is None else hedge.planned.underlying


def _started(book: Book, command: StartHedge) -> str | None:
    request = book.requests.get(command.request_id)
    return None if request is None else _underlying(book, book.pair(request.accepted.pair))


def _unwound(book: Book, command: UnwindHedge) -> str | None:
    return _underlying(book, book.pair(command.pair))


def _rehedged(_book: Book, command: Rehedge) -> str:
    return command.underlying


def _underlying(book: Book, pair: Pair | None) -> str | None:
    return None if pair is None else book.asset(pair.collateral).underlying


def _looked_at(_book: Book, command: LookAtHedges) -> str:
    return command.underlying


_UNDERLYINGS: dict[type[Command], Callable[[Book, Any], str | None]] = {
    IssueQuote: _quoted,
    AcceptRequest: _accepted,
    ContinueHedge: _continued,
    StartHedge: _started,
    UnwindHedge: _unwound,
    Rehedge: _rehedged,
    LookAtHedges: _looked_at,
}
"""What is traded or priced by a command, by its type."""


def trim(
    book: Book,
    command: Command,
    evidence: tuple[BookEvidence, ...],
    witnesses: tuple[Witness, ...],
    marks: tuple[MarkEvidence, ...] = (),
) -> Seen:
    """Return the books, witnesses and marks on which a command may rest: those of its underlying; none without one.

    The books are those of all instruments that the policy trades it on. Trimming what is trimmed changes nothing, so
    that a kept command is decided again on the same. No price rests on marks: a quote is given none.
    """
    policy = book.policy
    if isinstance(command, LookAtRisk):
        return ((), (), ()) if policy is None else _of_everything(policy, witnesses, marks)
    find = _UNDERLYINGS.get(type(command))
    underlying = find(book, command) if find is not None and policy is not None else None
    if underlying is None or policy is None:
        return (), (), ()
    traded = {(each.venue, each.symbol) for each in policy.traded(underlying)}
    seen = tuple(item for item in evidence if (item.venue, item.symbol) in traded)
    marked = () if isinstance(command, IssueQuote) else marks
    return (
        seen,
        needed(underlying, witnesses, policy.integrity),
        tuple(mark for mark in marked if (mark.venue, mark.symbol) in traded),
    )


def _of_everything(policy: Policy, witnesses: tuple[Witness, ...], marks: tuple[MarkEvidence, ...]) -> Seen:
    """Return what everything is valued by: no books, only who vouches, and the marks of what is traded."""
    rules, assets = policy.integrity, assets_to_mark(policy)
    named = {(each.source, each.symbol) for asset in assets for each in needed(asset, witnesses, rules)}
    traded = {(each.venue, each.symbol) for each in policy.instruments}
    return (
        (),
        tuple(each for each in witnesses if (each.source, each.symbol) in named),
        tuple(mark for mark in marks if (mark.venue, mark.symbol) in traded),
    )
