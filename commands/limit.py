"""Limits set by people: tightening counts at once, loosening asks for a second person.

Loosening is whatever allows more at any instant from now on (`domain.limit_course`): a looser value, a looser value for
longer, a tight one for shorter, the first limit where a missing one refuses, and removing any. A limit set for a time
returns by a wake of the book to the value that was approved for good before it, and to no other.
"""

from typing import Any

import msgspec

from commands.asking import Granted, ask
from commands.context import Context
from commands.envelope import Command, command
from commands.process import Arm, Message
from domain.approvals import Change, LimitChange, LimitsFile
from domain.book import Book
from domain.codec import encode
from domain.event import Event
from domain.ids import natural_id
from domain.limit import Control, LimitExpired, LimitRemoved, LimitSet, limit_key
from domain.limit_course import Course, changed, course_of, loosens, same
from domain.limit_faults import SCOPE_LENGTH_MAX, first_kind, limit_fault
from domain.limits import CONTROLS
from domain.quantity import Num
from domain.refusal import Reason, Refusal
from domain.wake import Wake

__all__ = ["REASON_LENGTH_MAX", "SCOPE_LENGTH_MAX", "SYSTEM"]

REASON_LENGTH_MAX = 500
# One change holds at most so many limits: as many as a book of many venues has.
LIMITS_PER_CHANGE_MAX = 256
# A limit for longer than this is meant for good.
EXPIRY_MAX_US = 366 * 86_400_000_000

# The process itself, from its settings: it may give a limit that the log never set, and nothing more.
SYSTEM = "system"


class LimitWanted(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Name a limit and what it should be, in the control's unit (None: removed), for good or until an instant."""

    control: str
    scope: str
    value: Num | None
    expires_at_us: int = 0


@command("limit.set")
class SetLimit(Command, frozen=True, kw_only=True):
    """Ask for a limit; `value` in the control's unit, for good or until `expires_at_us`."""

    control: str
    scope: str
    value: Num
    reason: str
    expires_at_us: int = 0


@command("limit.remove")
class RemoveLimit(Command, frozen=True, kw_only=True):
    """Ask for a limit to go."""

    control: str
    scope: str
    reason: str


@command("limit.apply")
class ApplyLimits(Command, frozen=True, kw_only=True):
    """Ask for several limits as one change: all of them count in one append, or none."""

    limits: tuple[LimitWanted, ...]
    reason: str


@command("limit.expire")
class ExpireLimit(Command, frozen=True, kw_only=True):
    """End a limit that was set until `expires_at_us`; one that was changed meanwhile stays as it is."""

    control: str
    scope: str
    expires_at_us: int


def set_limit(book: Book, command: SetLimit, context: Context) -> tuple[Event, ...] | Refusal:
    """Decide `SetLimit`."""
    asked = (command.control, command.scope, command.value, command.expires_at_us)
    return _decide(book, (_wanted(*asked),), command.reason, context)


def remove_limit(book: Book, command: RemoveLimit, context: Context) -> tuple[Event, ...] | Refusal:
    """Decide `RemoveLimit`. It needs a second person, though what a missing limit guards is refused: people forget."""
    return _decide(book, (_wanted(command.control, command.scope, None),), command.reason, context)


def apply_limits(book: Book, command: ApplyLimits, context: Context) -> tuple[Event, ...] | Refusal:
    """Decide `ApplyLimits`: when one of them loosens, all wait for the second person, for they are one change."""
    if len(command.limits) > LIMITS_PER_CHANGE_MAX:
        text = f"one change has at most {LIMITS_PER_CHANGE_MAX} limits, not {len(command.limits)}"
        return Refusal(reason=Reason.VALUE_INVALID, text=text)
    keys = [limit_key(each.control, each.scope) for each in command.limits]
    if len(keys) > len(dict.fromkeys(keys)):
        return Refusal(reason=Reason.VALUE_INVALID, text="each limit stands once in a change")
    return _decide(book, command.limits, command.reason, context, one=False)


def expire_limit(book: Book, command: ExpireLimit, context: Context) -> tuple[Event, ...] | Refusal:
    """Decide `ExpireLimit`."""
    limit = book.limit(command.control, command.scope)
    if limit is None or limit.returns_to is None or limit.expires_at_us != command.expires_at_us:
        return ()
    if context.at_us < limit.expires_at_us:
        return Refusal(reason=Reason.VALUE_INVALID, text=f"it is not yet {limit.expires_at_us}")
    expired = LimitExpired(
        control=limit.control, scope=limit.scope, value=limit.returns_to, unit=limit.unit, expired=limit.value
    )
    return (expired,)


def react_set(_book: Book, event: LimitSet, _at_us: int) -> tuple[Message, ...]:
    """Let a limit that was set for a time end by itself."""
    if not event.expires_at_us:
        return ()
    body = ExpireLimit(control=event.control, scope=event.scope, expires_at_us=event.expires_at_us)
    wake = Wake(
        key=f"limit.expire|{limit_key(event.control, event.scope)}",
        subject=event.originator,
        at_us=event.expires_at_us,
        kind=ExpireLimit.KIND,
        body=encode(body).decode(),
    )
    return (Arm(wake),)


def grant_limit(book: Book, change: LimitChange, granted: Granted) -> tuple[Event, ...] | Refusal:
    """Make a granted change of one limit."""
    return (_made(book, change, granted.author, granted),)


def grant_limits(book: Book, change: LimitsFile, granted: Granted) -> tuple[Event, ...] | Refusal:
    """Make a granted change of several limits."""
    return tuple(_made(book, each, granted.author, granted) for each in change.changes)


def _wanted(control: str, scope: str, value: Num | None, expires_at_us: int = 0) -> LimitWanted:
    return LimitWanted(control=control, scope=scope, value=value, expires_at_us=expires_at_us)


def _decide(
    book: Book, wanted: tuple[LimitWanted, ...], reason: str, context: Context, *, one: bool = True
) -> tuple[Event, ...] | Refusal:
    faults = (_fault(book, each, context.at_us) for each in wanted)
    refusal = next((fault for fault in faults if fault is not None), None)
    if refusal is not None:
        return refusal
    if not reason.strip() or len(reason) > REASON_LENGTH_MAX:
        text = f"a change of limits needs a reason of 1 to {REASON_LENGTH_MAX} characters"
        return Refusal(reason=Reason.VALUE_INVALID, text=text)
    moving = tuple(each for each in wanted if _moves(book, each, context.at_us))
    changes = tuple(_change(book, each, reason) for each in moving)
    if not any(_loosens(book, each, context) for each in moving):
        return tuple(_made(book, change, context.actor) for change in changes)
    change: Change = changes[0] if one else LimitsFile(changes=changes, reason=reason)
    return ask(book, change, context, until_us=_first_turn(book, moving))


def _fault(book: Book, wanted: LimitWanted, at_us: int) -> Refusal | None:
    fault = limit_fault(book.policy, book.vault, wanted.control, wanted.scope, wanted.value)
    if fault is not None or not wanted.expires_at_us:
        return fault
    text = ""
    if wanted.value is None:
        text = "a limit is removed for good: set another value to be without it for a time"
    elif not at_us < wanted.expires_at_us <= at_us + EXPIRY_MAX_US:
        text = "a limit for a time expires after now and within a year"
    elif book.limit(wanted.control, wanted.scope) is None:
        text = "a limit that was not there has no approved value to return to: set it for good"
    if not text:
        return None
    return Refusal(reason=Reason.VALUE_INVALID, text=text, control=wanted.control, scope=wanted.scope)


def _moves(book: Book, wanted: LimitWanted, at_us: int) -> bool:
    before = book.limit(wanted.control, wanted.scope)
    if before is None or wanted.value is None:
        return before is not None or wanted.value is not None
    course = course_of(before)
    return not same(course, changed(course, wanted.value, wanted.expires_at_us), at_us)


def _loosens(book: Book, wanted: LimitWanted, context: Context) -> bool:
    """Say whether a change that moves something allows more. Beside a wider limit a narrower one only tightens."""
    control = Control(wanted.control)
    before = book.limit(control, wanted.scope)
    if before is None:
        given = context.actor == SYSTEM and natural_id("limit", control, wanted.scope) not in book.versions
        return first_kind(CONTROLS[control], wanted.scope) and not given
    if wanted.value is None:
        return True
    course = course_of(before)
    return loosens(CONTROLS[control], course, changed(course, wanted.value, wanted.expires_at_us), context.at_us)


def _change(book: Book, wanted: LimitWanted, reason: str) -> LimitChange:
    before = book.limit(wanted.control, wanted.scope)
    return LimitChange(
        control=wanted.control,
        scope=wanted.scope,
        before=None if before is None else before.value,
        value=wanted.value,
        reason=reason,
        expires_at_us=wanted.expires_at_us,
    )


def _first_turn(book: Book, wanted: tuple[LimitWanted, ...]) -> int:
    """Return when the first of the limits ends by itself, as it is or as it is asked for: it is another thing then."""
    limits = (book.limit(each.control, each.scope) for each in wanted)
    turns = [each.expires_at_us for each in wanted] + [each.expires_at_us for each in limits if each is not None]
    return min((turn for turn in turns if turn), default=0)


def _made(book: Book, change: LimitChange, author: str, granted: Granted | None = None) -> Event:
    """Return the event of a change, on the limit as it is now."""
    control, before = Control(change.control), book.limit(change.control, change.scope)
    told: dict[str, Any] = {
        "control": control,
        "scope": change.scope,
        "author": author,
        "reason": change.reason,
        "previous": None if before is None else before.value,
        "approval_id": None if granted is None else granted.approval_id,
        "approved_by": "" if granted is None else granted.approved_by,
    }
    if change.value is None:
        return LimitRemoved(**told)
    course = Course(change.value) if before is None else changed(course_of(before), change.value, change.expires_at_us)
    return LimitSet(
        value=course.value,
        unit=CONTROLS[control].unit,
        expires_at_us=course.until_us,
        returns_to=course.then,
        **told,
    )
