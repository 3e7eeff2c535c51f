"""What surveillance reports: a source or an asset is suspended, or came back."""

from commands.context import Context
from commands.envelope import Command, command
from domain.book import Book
from domain.event import Event
from domain.market import Law
from domain.refusal import Reason, Refusal
from domain.suspension import (
    AssetResumed,
    AssetSuspended,
    InstrumentResumed,
    InstrumentSuspended,
    OracleResumed,
    OracleSuspended,
    VenueResumed,
    VenueSuspended,
)

SCOPE_LENGTH_MAX = 128
TEXT_LENGTH_MAX = 500
# More scopes than are ever watched: what is beyond is no scope of ours.
SUSPENDED_MAX = 4_096


@command("market.suspend")
class Suspend(Command, frozen=True, kw_only=True):
    """Report that a scope broke a law: `instrument:<venue>|<symbol>`, `venue:…`, `oracle:…` or `asset:…`."""

    scope: str
    law: Law
    text: str
    at_us: int


@command("market.resume")
class Resume(Command, frozen=True, kw_only=True):
    """Report that a scope that had broken a law is sound again."""

    scope: str
    law: Law
    text: str
    at_us: int


def suspend(book: Book, command: Suspend, _context: Context) -> tuple[Event, ...] | Refusal:
    """Decide `Suspend`: once until it comes back."""
    refusal = _check(command)
    if refusal is not None or command.scope in book.outside.suspended:
        return refusal or ()
    if len(book.outside.suspended) >= SUSPENDED_MAX:
        return Refusal(reason=Reason.SCOPE_INVALID, text=f"{SUSPENDED_MAX} scopes are suspended already")
    kind, _, name = command.scope.partition(":")
    law, text, at_us = command.law, command.text, command.at_us
    match kind:
        case "venue":
            return (VenueSuspended(venue=name, law=law, text=text, observed_at_us=at_us),)
        case "oracle":
            return (OracleSuspended(oracle=name, law=law, text=text, observed_at_us=at_us),)
        case "asset":
            return (AssetSuspended(asset=name, law=law, text=text, observed_at_us=at_us),)
        case _:
            venue, _, symbol = name.partition("|")
            return (InstrumentSuspended(venue=venue, symbol=symbol, law=law, text=text, observed_at_us=at_us),)


def resume(book: Book, command: Resume, _context: Context) -> tuple[Event, ...] | Refusal:
    """Decide `Resume`: only what is suspended, and not by a report older than the suspension."""
    refusal = _check(command)
    held = book.outside.suspended.get(command.scope)
    if refusal is not None or held is None or command.at_us < held.since_us:
        return refusal or ()
    kind, _, name = command.scope.partition(":")
    law, text, at_us = held.law, command.text, command.at_us
    match kind:
        case "venue":
            return (VenueResumed(venue=name, law=law, text=text, observed_at_us=at_us),)
        case "oracle":
            return (OracleResumed(oracle=name, law=law, text=text, observed_at_us=at_us),)
        case "asset":
            return (AssetResumed(asset=name, law=law, text=text, observed_at_us=at_us),)
        case _:
            venue, _, symbol = name.partition("|")
            return (InstrumentResumed(venue=venue, symbol=symbol, law=law, text=text, observed_at_us=at_us),)


def _check(command: Suspend | Resume) -> Refusal | None:
    kind, _, name = command.scope.partition(":")
    venue, bar, symbol = name.partition("|")
    fits = bool(venue and symbol) if kind == "instrument" else bool(name) and not bar
    if kind not in {"instrument", "venue", "oracle", "asset"} or not fits or not command.scope.isprintable():
        text = f"a scope is instrument:<venue>|<symbol>, venue:…, oracle:… or asset:…, not {command.scope!r}"
        return Refusal(reason=Reason.SCOPE_INVALID, text=text)
    if len(command.scope) > SCOPE_LENGTH_MAX or len(command.text) > TEXT_LENGTH_MAX:
        return Refusal(reason=Reason.VALUE_INVALID, text="a scope or its text is too long")
    if command.law is Law.REFERENCE_DATA:
        text = "what a venue lists is judged when it is observed, and reported by nobody else"
        return Refusal(reason=Reason.VALUE_INVALID, text=text)
    return None
