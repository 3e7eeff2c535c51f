"""Latches: what a control shut by itself stays shut until two named persons enable it again."""

from collections.abc import Iterator

from commands.asking import Granted, ask
from commands.context import Context
from commands.envelope import Command, command
from domain.approvals import LatchRelease
from domain.book import Book
from domain.event import Event
from domain.latch import ControlLatched, ControlReleased, Latch
from domain.limit import Control, limit_key
from domain.refusal import Reason, Refusal

REASON_LENGTH_MAX = 500

# What these control stays refused once they said no, until people release it.
LATCHING = frozenset({Reason.REPEATED_EXECUTION})


@command("control.release")
class ReleaseControl(Command, frozen=True, kw_only=True):
    """Ask that what a latched control stopped in a scope be enabled again."""

    control: str
    scope: str
    reason: str


def release_control(book: Book, command: ReleaseControl, context: Context) -> tuple[Event, ...] | Refusal:
    """Decide `ReleaseControl`: a second person must grant it."""
    held = check_reason(command.reason) or _held(book, command.control, command.scope)
    if isinstance(held, Refusal):
        return held
    change = LatchRelease(
        control=command.control, scope=command.scope, since_us=held.since_us, reason=command.reason.strip()
    )
    return ask(book, change, context)


def check_reason(reason: str) -> Refusal | None:
    """Refuse what a person does without saying why, or at too great length."""
    if reason.strip() and len(reason) <= REASON_LENGTH_MAX:
        return None
    return Refusal(reason=Reason.VALUE_INVALID, text=f"it needs a reason of 1 to {REASON_LENGTH_MAX} characters")


def grant_release(book: Book, change: LatchRelease, granted: Granted) -> tuple[Event, ...] | Refusal:
    """Release what was asked for, unless it was released since, or latched anew."""
    held = _held(book, change.control, change.scope)
    if isinstance(held, Refusal):
        return held
    if held.since_us != change.since_us:
        text = f"{change.control} latched anew in {change.scope} since its release was asked for"
        return Refusal(reason=Reason.APPROVAL_OVER, text=text)
    return (
        ControlReleased(
            control=held.control,
            scope=held.scope,
            author=granted.author,
            reason=change.reason,
            approval_id=granted.approval_id,
            approved_by=granted.approved_by,
        ),
    )


def _held(book: Book, control: str, scope: str) -> Latch | Refusal:
    held = book.latches.get(limit_key(control, scope))
    if held is None:
        return Refusal(reason=Reason.UNKNOWN_SUBJECT, text=f"{control} is not latched in {scope}")
    return held


def latching(book: Book, refusal: Refusal) -> Iterator[ControlLatched]:
    """Yield the latch that a refusal shuts, in the same append; one that is shut already is not shut again.

    A control that latches names in its refusal the scope in which it does.
    """
    if refusal.reason in LATCHING and limit_key(refusal.control, refusal.scope) not in book.latches:
        yield ControlLatched(
            control=Control(refusal.control),
            scope=refusal.scope,
            limit=refusal.limit,
            value=refusal.value,
            text=refusal.text,
        )
