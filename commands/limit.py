"""Limits set by people: tightening counts at once; loosening waits for approvals, which are not built yet."""

from commands.context import Context
from commands.envelope import Command, command
from domain.book import Book
from domain.event import Event
from domain.limit import Control, LimitRemoved, LimitSet
from domain.limits import CONTROLS
from domain.quantity import Num
from domain.refusal import Reason, Refusal

SCOPE_LENGTH_MAX = 64
REASON_LENGTH_MAX = 500

# Who may set a limit for the first time or loosen it: the operator of the process, from its settings.
SYSTEM = "system"


@command("limit.set")
class SetLimit(Command, frozen=True, kw_only=True):
    """Ask for a limit; `value` in the control's unit."""

    control: str
    scope: str
    value: Num
    reason: str


@command("limit.remove")
class RemoveLimit(Command, frozen=True, kw_only=True):
    """Ask for a limit to go."""

    control: str
    scope: str
    reason: str


def _check(control: str, scope: str, reason: str) -> Refusal | None:
    if control not in tuple(Control):
        return Refusal(reason=Reason.UNKNOWN_SUBJECT, text=f"{control!r} is no control: {', '.join(Control)}")
    asset_scoped = control == Control.NET_DELTA
    fits = scope.startswith("asset:") if asset_scoped else scope == "global"
    if not fits or len(scope) > SCOPE_LENGTH_MAX:
        wanted = "asset:<symbol>" if asset_scoped else "global"
        return Refusal(reason=Reason.SCOPE_INVALID, text=f"{control} has the scope {wanted}, not {scope!r}")
    if not reason.strip() or len(reason) > REASON_LENGTH_MAX:
        text = f"a change of limits needs a reason of 1 to {REASON_LENGTH_MAX} characters"
        return Refusal(reason=Reason.VALUE_INVALID, text=text)
    return None


def set_limit(book: Book, command: SetLimit, context: Context) -> tuple[Event, ...] | Refusal:
    """Decide `SetLimit`."""
    refusal = _check(command.control, command.scope, command.reason)
    if refusal is not None:
        return refusal
    if command.value < 0:
        return Refusal(reason=Reason.VALUE_INVALID, text="a limit is zero or more")
    before = book.limit(command.control, command.scope)
    if before is not None and before.value == command.value:
        return ()
    loosens = before is None or command.value > before.value
    if loosens and context.actor != SYSTEM:
        now = "none, which refuses all" if before is None else str(before.value)
        return Refusal(
            reason=Reason.LOOSENING_NEEDS_APPROVAL,
            text=f"raising {command.control} from {now} to {command.value} needs a second person's approval",
            control=command.control,
            scope=command.scope,
            limit="" if before is None else str(before.value),
            value=str(command.value),
        )
    control = Control(command.control)
    return (
        LimitSet(
            control=control,
            scope=command.scope,
            value=command.value,
            unit=CONTROLS[control].unit,
            author=context.actor,
            reason=command.reason,
        ),
    )


def remove_limit(book: Book, command: RemoveLimit, context: Context) -> tuple[Event, ...] | Refusal:
    """Decide `RemoveLimit`. It needs a second person, though what a missing limit guards is refused: people forget."""
    refusal = _check(command.control, command.scope, command.reason)
    if refusal is not None:
        return refusal
    before = book.limit(command.control, command.scope)
    if before is None:
        return ()
    if context.actor != SYSTEM:
        return Refusal(
            reason=Reason.LOOSENING_NEEDS_APPROVAL,
            text=f"removing {command.control} needs a second person's approval",
            control=command.control,
            scope=command.scope,
            limit=str(before.value),
        )
    return (LimitRemoved(control=before.control, scope=command.scope, author=context.actor, reason=command.reason),)
