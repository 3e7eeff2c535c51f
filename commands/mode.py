"""Modes changed by people: stopping counts at once; releasing needs another person than the one who stopped."""

from commands.context import Context
from commands.envelope import Command, command
from commands.limit import REASON_LENGTH_MAX, SCOPE_LENGTH_MAX
from domain.book import Book
from domain.event import Event
from domain.mode import GLOBAL, SEVERITY, Mode, ModeChanged
from domain.refusal import Reason, Refusal


@command("mode.change")
class ChangeMode(Command, frozen=True, kw_only=True):
    """Ask for a scope's mode."""

    scope: str
    mode: str
    reason: str


def _known_scope(book: Book, scope: str) -> bool:
    policy = book.policy
    if scope == GLOBAL:
        return True
    if policy is None or len(scope) > SCOPE_LENGTH_MAX:
        return False
    known = {f"venue:{item.venue}" for item in policy.instruments}
    known |= {f"asset:{asset.underlying}" for asset in policy.assets}
    known |= {f"pair:{pair.name}" for pair in policy.pairs}
    return scope in known


def change_mode(book: Book, command: ChangeMode, context: Context) -> tuple[Event, ...] | Refusal:
    """Decide `ChangeMode`."""
    if command.mode not in tuple(Mode):
        return Refusal(reason=Reason.VALUE_INVALID, text=f"a mode is {', '.join(Mode)}, not {command.mode!r}")
    if not _known_scope(book, command.scope):
        text = f"{command.scope!r} is no scope: global, venue:<id>, asset:<underlying> or pair:<name> of the policy"
        return Refusal(reason=Reason.SCOPE_INVALID, text=text)
    if not command.reason.strip() or len(command.reason) > REASON_LENGTH_MAX:
        text = f"a change of mode needs a reason of 1 to {REASON_LENGTH_MAX} characters"
        return Refusal(reason=Reason.VALUE_INVALID, text=text)
    mode, before = Mode(command.mode), book.modes.get(command.scope, Mode.ACTIVE)
    if mode is before:
        return ()
    if SEVERITY[mode] < SEVERITY[before] and book.mode_authors.get(command.scope) == context.actor:
        text = f"{context.actor} stopped {command.scope}: another person must release it"
        return Refusal(reason=Reason.LOOSENING_NEEDS_APPROVAL, text=text)
    return (ModeChanged(scope=command.scope, mode=mode, previous=before, author=context.actor, reason=command.reason),)
