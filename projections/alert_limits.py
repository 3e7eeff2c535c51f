"""What a person should be told about limits, latches, modes, approvals, and where collateral may go."""

from collections.abc import Callable
from typing import Any

from domain.approvals import (
    ApprovalDenied,
    ApprovalExpired,
    ApprovalGranted,
    ApprovalRequested,
    Change,
    DestinationAdded,
    LatchRelease,
    LimitChange,
    LimitsFile,
    ModeRelease,
)
from domain.event import Event
from domain.latch import ControlLatched, ControlReleased
from domain.limit import LimitExpired, LimitRemoved, LimitSet
from domain.mark import RiskMarked
from domain.mode import PEOPLE, Mode, ModeChanged, Trigger
from domain.vault import DestinationAdmitted, DestinationRemoved, TransferPlanned
from domain.warning import BREACHED, LimitApproached
from domain.watch import APPROVAL_AREA, LATCH_AREA, LIMIT_AREA, MODE_AREA, Severity
from projections.alert_causes import Candidate, caused

CRITICAL_BPS = 9_500
WARNING_BPS = 8_500
"""From these parts of a limit on its nearness is a warning, and a page."""

_MODES = {Mode.HALTED: Severity.CRITICAL, Mode.REDUCE_ONLY: Severity.WARNING, Mode.ACTIVE: Severity.INFO}
# What one of these stops may hide a loss: it is paged for, however little it stops.
_GRAVE = frozenset({Trigger.MARGIN, Trigger.BACKING, Trigger.RECONCILIATION, Trigger.LATCH})


def _mode_changed(event: ModeChanged, position: int) -> Candidate:
    by = event.author if event.trigger == PEOPLE else f"{event.author} ({event.trigger})"
    if event.approved_by:
        by = f"{by} with {event.approved_by}"
    severity = _MODES[event.mode]
    if event.trigger in _GRAVE and event.mode is not Mode.ACTIVE:
        severity = Severity.CRITICAL
    text = f"{event.scope} went from {event.previous} to {event.mode} by {by}: {event.reason}"
    return caused(position, severity, MODE_AREA, event.scope, text)


def _approached(event: LimitApproached, position: int) -> Candidate | None:
    """Tell of a band that is entered; that it was left resolves what was told."""
    if event.band <= event.before:
        return None
    severity = Severity.INFO if event.band < WARNING_BPS else Severity.WARNING
    if event.band >= CRITICAL_BPS:
        severity = Severity.CRITICAL
    where = event.subject if event.subject not in {"", event.scope} else event.scope
    what = "is beyond its limit" if event.band >= BREACHED else f"is at {event.band // 100}% of its limit or more"
    text = f"{event.control} of {where} {what}: {event.used} of {event.limit} {event.unit}"
    return caused(position, severity, LIMIT_AREA, f"{event.control} {event.scope}", text)


def _set(event: LimitSet, position: int) -> Candidate | None:
    """Tell of a limit that two persons loosened: what they allow should be no surprise to the others."""
    if not event.approved_by:
        return None
    before = "none" if event.previous is None else str(event.previous)
    text = (
        f"went from {before} to {event.value} {event.unit} by {event.author} with {event.approved_by}: {event.reason}"
    )
    return caused(position, Severity.WARNING, LIMIT_AREA, f"{event.control} {event.scope}", text)


def _removed(event: LimitRemoved, position: int) -> Candidate:
    by = f"{event.author} with {event.approved_by}" if event.approved_by else event.author
    text = f"is gone by {by}, what needs it is refused: {event.reason}"
    return caused(position, Severity.WARNING, LIMIT_AREA, f"{event.control} {event.scope}", text)


def _expired(event: LimitExpired, position: int) -> Candidate:
    text = f"is {event.value} {event.unit} again: {event.expired} was for a time"
    return caused(position, Severity.INFO, LIMIT_AREA, f"{event.control} {event.scope}", text)


def _latched(event: ControlLatched, position: int) -> Candidate:
    text = f"stopped {event.scope} until a person enables it again: {event.value} of {event.limit}: {event.text}"
    return caused(position, Severity.CRITICAL, LATCH_AREA, f"{event.control} {event.scope}", text)


def _released(event: ControlReleased, position: int) -> Candidate:
    by = f"{event.author} with {event.approved_by}" if event.approved_by else event.author
    return caused(
        position, Severity.INFO, LATCH_AREA, f"{event.control} {event.scope}", f"enabled by {by}: {event.reason}"
    )


def change_text(change: Change) -> str:
    """Tell of a change in one line."""
    match change:
        case LimitChange():
            before, after = change.before, change.value
            return f"{change.control} of {change.scope} from {_told(before)} to {_told(after)}"
        case LimitsFile():
            return f"{len(change.changes)} limits at once"
        case ModeRelease():
            return f"{change.scope} from {change.before} to {change.mode}"
        case LatchRelease():
            return f"{change.control} of {change.scope} enabled again"
        case DestinationAdded():
            return f"{change.asset} may go to {change.destination}"


def _told(value: object) -> str:
    return "none" if value is None else str(value)


def _requested(event: ApprovalRequested, position: int) -> Candidate:
    text = f"{event.author} asks for another person's grant: {change_text(event.change)}: {event.change.reason}"
    return caused(position, Severity.WARNING, APPROVAL_AREA, str(event.approval_id), text)


def _granted(event: ApprovalGranted, position: int) -> Candidate:
    return caused(position, Severity.INFO, APPROVAL_AREA, str(event.approval_id), f"granted by {event.author}")


def _denied(event: ApprovalDenied, position: int) -> Candidate:
    return caused(position, Severity.INFO, APPROVAL_AREA, str(event.approval_id), f"denied by {event.author}")


def _over(event: ApprovalExpired, position: int) -> Candidate:
    what = "void" if event.void else "expired"
    return caused(position, Severity.INFO, APPROVAL_AREA, str(event.approval_id), f"{what}: {event.text}")


def _marked(event: RiskMarked, position: int) -> Candidate | None:
    """Page for assets without a price: all that is measured in money is unknown while they are held."""
    if not event.lost:
        return None
    names = ", ".join(event.lost)
    text = f"nobody has been believed about {names} for so long that it has no value: what needs one is refused"
    return caused(position, Severity.CRITICAL, "mark", names, text)


def _planned(event: TransferPlanned, position: int) -> Candidate:
    text = (
        f"{event.quantity} {event.asset} ({event.notional} USD) are to go from {event.source} to {event.destination} "
        f"by {event.author}: {event.reason}"
    )
    return caused(position, Severity.INFO, "transfer", str(event.transfer_id), text)


def _admitted(event: DestinationAdmitted, position: int) -> Candidate:
    by = f"{event.author} with {event.approved_by}" if event.approved_by else event.author
    text = f"{event.asset} may go there from now on, by {by}: {event.reason}"
    return caused(position, Severity.WARNING, "destination", event.destination, text)


def _shut(event: DestinationRemoved, position: int) -> Candidate:
    text = f"{event.asset} may not go there any more, by {event.author}: {event.reason}"
    return caused(position, Severity.INFO, "destination", event.destination, text)


RULES: dict[type[Event], Callable[[Any, int], Candidate | None]] = {
    ModeChanged: _mode_changed,
    LimitApproached: _approached,
    LimitSet: _set,
    LimitRemoved: _removed,
    LimitExpired: _expired,
    ControlLatched: _latched,
    ControlReleased: _released,
    ApprovalRequested: _requested,
    ApprovalGranted: _granted,
    ApprovalDenied: _denied,
    ApprovalExpired: _over,
    RiskMarked: _marked,
    TransferPlanned: _planned,
    DestinationAdmitted: _admitted,
    DestinationRemoved: _shut,
}
"""The alerts that these events are by themselves the cause of."""
