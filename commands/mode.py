"""Modes changed by people: stopping counts at once; releasing needs another person than the one who stopped.

What a trigger holds is released only with another person's approval, and only once what tripped it is over: else it
would be stopped again in the same breath.
"""

from commands.asking import Granted, ask
from commands.context import Context
from commands.envelope import Command, command
from commands.limit import REASON_LENGTH_MAX, SCOPE_LENGTH_MAX
from domain.approvals import ModeRelease
from domain.book import Book
from domain.controls import usages
from domain.event import Event
from domain.mode import PEOPLE, SEVERITY, Mode, ModeChanged, held_in
from domain.refusal import Reason, Refusal
from domain.triggers import mode_scopes, still_holds


@command("mode.change")
class ChangeMode(Command, frozen=True, kw_only=True):
    """Ask for a scope's mode."""

    scope: str
    mode: str
    reason: str


def _check(book: Book, command: ChangeMode) -> Refusal | None:
    if command.mode not in tuple(Mode):
        return Refusal(reason=Reason.VALUE_INVALID, text=f"a mode is {', '.join(Mode)}, not {command.mode!r}")
    if len(command.scope) > SCOPE_LENGTH_MAX or command.scope not in mode_scopes(book.policy):
        text = f"{command.scope!r} is no scope: global, venue:<id>, asset:<underlying> or pair:<name> of the policy"
        return Refusal(reason=Reason.SCOPE_INVALID, text=text)
    if not command.reason.strip() or len(command.reason) > REASON_LENGTH_MAX:
        text = f"a change of mode needs a reason of 1 to {REASON_LENGTH_MAX} characters"
        return Refusal(reason=Reason.VALUE_INVALID, text=text)
    return None


def change_mode(book: Book, command: ChangeMode, context: Context) -> tuple[Event, ...] | Refusal:
    """Decide `ChangeMode`.

    What is no milder than what holds the scope counts at once. What a person stopped another releases at once; one's
    own stop, and what a trigger holds, are released by an approval.
    """
    refusal = _check(book, command)
    if refusal is not None:
        return refusal
    causes = book.mode_causes.get(command.scope, {})
    mode, before, own = Mode(command.mode), held_in(causes), causes.get(PEOPLE, Mode.ACTIVE)
    if mode is own and mode is before:
        return ()
    if SEVERITY[mode] >= SEVERITY[before]:
        return (_changed(command.scope, mode, own, context.actor, command.reason),)
    release = ModeRelease(scope=command.scope, before=before, mode=mode, reason=command.reason)
    held = _held(causes, mode)
    if held:
        return _check_over(book, release, context.at_us) or ask(book, release, context)
    if book.mode_authors.get(command.scope) == context.actor:
        return ask(book, release, context)
    return (_changed(command.scope, mode, own, context.actor, command.reason),)


def _held(causes: dict[str, Mode], mode: Mode) -> tuple[str, ...]:
    """Return the triggers that hold a scope in something stricter than a mode."""
    return tuple(name for name, held in causes.items() if name != PEOPLE and SEVERITY[held] > SEVERITY[mode])


def _check_over(book: Book, release: ModeRelease, at_us: int) -> Refusal | None:
    """Refuse to release what would be stopped again at once."""
    holding = still_holds(book, usages(book, at_us, standing=True), release.scope)
    held = _held(book.mode_causes.get(release.scope, {}), release.mode)
    still = [f"{name}: {holding[name]}" for name in held if name in holding]
    if not still:
        return None
    text = f"{release.scope} is still to be stopped: {'; '.join(still)}"
    return Refusal(reason=Reason.HALTED, text=text, scope=release.scope)


def grant_release(book: Book, change: ModeRelease, granted: Granted) -> tuple[Event, ...] | Refusal:
    """Make a release that two persons want: each stricter cause lets go, and people hold what they asked for."""
    causes = book.mode_causes.get(change.scope, {})
    if held_in(causes) is not change.before:
        text = f"{change.scope} is {held_in(causes)} now, not {change.before}: ask again"
        return Refusal(reason=Reason.APPROVAL_OVER, text=text)
    refusal = _check_over(book, change, book.at_us)
    if refusal is not None:
        return refusal
    own = causes.get(PEOPLE, Mode.ACTIVE)
    triggers = [
        _changed(change.scope, Mode.ACTIVE, causes[name], granted.author, change.reason, (name, granted))
        for name in _held(causes, change.mode)
    ]
    people = _changed(change.scope, change.mode, own, granted.author, change.reason, (PEOPLE, granted))
    return (*triggers, people) if own is not change.mode else tuple(triggers)


def _changed(
    scope: str, mode: Mode, previous: Mode, author: str, reason: str, by: tuple[str, Granted | None] = (PEOPLE, None)
) -> ModeChanged:
    trigger, granted = by
    return ModeChanged(
        scope=scope,
        mode=mode,
        previous=previous,
        author=author,
        reason=reason,
        trigger=trigger,
        approval_id=None if granted is None else granted.approval_id,
        approved_by="" if granted is None else granted.approved_by,
    )
