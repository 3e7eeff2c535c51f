"""Approvals: what one person asked for, and what another said to it. Open ones wait."""

from uuid import UUID

import msgspec

from domain.approvals import (
    ApprovalDenied,
    ApprovalExpired,
    ApprovalGranted,
    ApprovalRequested,
    Change,
    Decided,
    LatchRelease,
    LimitChange,
    LimitsFile,
    ModeRelease,
)
from domain.instant import rfc3339
from domain.quantity import plain
from projections.view import Row, Rows, View

WAITING = "waiting"


class ChangedLine(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Show one thing that would change: from what to what, as text; a limit of None is none at all."""

    scope: str
    control: str
    before: str | None
    after: str | None
    expires_at: str = ""


class ApprovalLine(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Show an approval: `state` is waiting, granted, denied, expired or void (the thing moved meanwhile).

    `changes` are what would be made, `change_sha256` binds the grant to them, `text` says it in words. `kind` is limit,
    limits, mode, latch or destination; `scope` and `control` are those of a change of one thing, else empty.
    `decided_by` is empty where nobody decided; `ending` says why it ended so.
    """

    approval_id: str
    kind: str
    scope: str
    control: str
    text: str
    reason: str
    changes: tuple[ChangedLine, ...]
    change_sha256: str
    author: str
    requested_at: str
    expires_at: str
    state: str
    decided_by: str
    decided_at: str
    ending: str


class Approvals(Rows[ApprovalLine]):
    """Hold the approvals that wait."""


def _limit(change: LimitChange) -> ChangedLine:
    return ChangedLine(
        scope=change.scope,
        control=change.control,
        before=None if change.before is None else plain(change.before),
        after=None if change.value is None else plain(change.value),
        expires_at=rfc3339(change.expires_at_us) if change.expires_at_us else "",
    )


def changed(change: Change) -> tuple[ChangedLine, ...]:
    """Return what a change would make, one by one."""
    if isinstance(change, LimitChange):
        return (_limit(change),)
    if isinstance(change, LimitsFile):
        return tuple(map(_limit, change.changes))
    if isinstance(change, ModeRelease):
        return (ChangedLine(scope=change.scope, control="", before=change.before.value, after=change.mode.value),)
    if isinstance(change, LatchRelease):
        return (ChangedLine(scope=change.scope, control=change.control, before="latched", after="enabled"),)
    return (
        ChangedLine(scope=f"{change.asset} to {change.destination}", control="", before="refused", after="admitted"),
    )


def _told(line: ChangedLine) -> str:
    until = f" until {line.expires_at}" if line.expires_at else ""
    of = f"{line.control} of {line.scope}" if line.control else line.scope
    return f"{of}: {line.before or 'no limit'} to {line.after or 'no limit'}{until}"


def _requested(state: Approvals, event: ApprovalRequested, position: int, _at_us: int) -> tuple[Row[ApprovalLine], ...]:
    changes = changed(event.change)
    alone = changes[0] if len(changes) == 1 else None
    line = ApprovalLine(
        approval_id=str(event.approval_id),
        kind=str(event.change.__struct_config__.tag),
        scope=alone.scope if alone is not None else "",
        control=alone.control if alone is not None else "",
        text="; ".join(map(_told, changes)),
        reason=event.change.reason,
        changes=changes,
        change_sha256=event.change_sha256,
        author=event.author,
        requested_at=rfc3339(event.requested_at_us),
        expires_at=rfc3339(event.expires_at_us),
        state=WAITING,
        decided_by="",
        decided_at="",
        ending="",
    )
    return state.keep(line.approval_id, position, line)


def _granted(state: Approvals, event: ApprovalGranted, position: int, at_us: int) -> tuple[Row[ApprovalLine], ...]:
    return _ended(state, event.approval_id, position, (Decided.GRANTED, event.author, "", rfc3339(at_us)))


def _denied(state: Approvals, event: ApprovalDenied, position: int, at_us: int) -> tuple[Row[ApprovalLine], ...]:
    return _ended(state, event.approval_id, position, (Decided.DENIED, event.author, "", rfc3339(at_us)))


def _expired(state: Approvals, event: ApprovalExpired, position: int, at_us: int) -> tuple[Row[ApprovalLine], ...]:
    how = Decided.VOID if event.void else Decided.EXPIRED
    return _ended(state, event.approval_id, position, (how, "", event.text, rfc3339(at_us)))


def _ended(
    state: Approvals, approval_id: UUID, position: int, end: tuple[Decided, str, str, str]
) -> tuple[Row[ApprovalLine], ...]:
    key = str(approval_id)
    line = state.rows[key].document  # a log is folded from its beginning: what ends was asked for
    how, who, text, at = end
    over = msgspec.structs.replace(line, state=how.value, decided_by=who, decided_at=at, ending=text)
    return state.close(key, position, over)


APPROVALS = View(
    name="approvals",
    document=ApprovalLine,
    state=Approvals,
    steps={
        ApprovalRequested: _requested,
        ApprovalGranted: _granted,
        ApprovalDenied: _denied,
        ApprovalExpired: _expired,
    },
    lookups=frozenset({"kind", "state", "author"}),
)
