"""Approvals: what one person asks for and another must grant, bound to the change itself.

An approval names the change and its hash, and what the thing was when it was asked for: when that moved, it is void.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec

from domain.event import Event, catalogued
from domain.ids import natural_id
from domain.mode import Mode
from domain.quantity import Num


class LimitChange(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag_field="kind", tag="limit"):
    """Change a limit from `before` to `value` (None: there is none), for good or until an instant."""

    control: str
    scope: str
    before: Num | None
    value: Num | None
    reason: str
    expires_at_us: int = 0


class LimitsFile(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag_field="kind", tag="limits"):
    """Change several limits as one."""

    changes: tuple[LimitChange, ...]
    reason: str


class ModeRelease(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag_field="kind", tag="mode"):
    """Bring a scope to a milder mode than `before`, whatever holds it there."""

    scope: str
    before: Mode
    mode: Mode
    reason: str


class LatchRelease(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag_field="kind", tag="latch"):
    """Enable what a control stopped at `since_us`."""

    control: str
    scope: str
    since_us: int
    reason: str


class DestinationAdded(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag_field="kind", tag="destination"):
    """Let transfers of an asset go to a destination."""

    destination: str
    asset: str
    reason: str


Change = LimitChange | LimitsFile | ModeRelease | LatchRelease | DestinationAdded


class Decided(StrEnum):
    """Say how an approval ended."""

    GRANTED = "granted"
    DENIED = "denied"
    EXPIRED = "expired"
    VOID = "void"  # the thing moved meanwhile


@catalogued
class ApprovalRequested(Event, frozen=True, kw_only=True, tag="approval.requested.v1"):
    """A person asks for a change that another must grant before it expires; `change_sha256` binds what is granted."""

    approval_id: UUID
    change: Change
    change_sha256: str
    author: str
    requested_at_us: int
    expires_at_us: int

    @property
    def originator(self) -> UUID:
        """Return the approval's id."""
        return self.approval_id


@catalogued
class ApprovalGranted(Event, frozen=True, kw_only=True, tag="approval.granted.v1"):
    """Another person granted a change; it is made in the same append."""

    approval_id: UUID
    change_sha256: str
    author: str

    @property
    def originator(self) -> UUID:
        """Return the approval's id."""
        return self.approval_id


@catalogued
class ApprovalDenied(Event, frozen=True, kw_only=True, tag="approval.denied.v1"):
    """A person said no to a change, be it the one who asked."""

    approval_id: UUID
    author: str

    @property
    def originator(self) -> UUID:
        """Return the approval's id."""
        return self.approval_id


@catalogued
class ApprovalExpired(Event, frozen=True, kw_only=True, tag="approval.expired.v1"):
    """Nobody granted a change in time, or (`void`) the thing that it would change moved."""

    approval_id: UUID
    void: bool
    text: str

    @property
    def originator(self) -> UUID:
        """Return the approval's id."""
        return self.approval_id


class OpenApproval(msgspec.Struct, frozen=True, gc=False):
    """Hold an approval that waits for its second person."""

    requested: ApprovalRequested


def approval_id(command_id: UUID) -> UUID:
    """Return the id of the approval that a command asks for."""
    return natural_id("approval", str(command_id))


def subjects(change: Change) -> tuple[UUID, ...]:
    """Return the streams of what a change would move: an event in one of them moved it."""
    match change:
        case LimitChange():
            return (natural_id("limit", change.control, change.scope),)
        case LimitsFile():
            return tuple(natural_id("limit", each.control, each.scope) for each in change.changes)
        case ModeRelease():
            return (natural_id("mode", change.scope),)
        case LatchRelease():
            return (natural_id("control", change.control, change.scope),)
        case DestinationAdded():
            return (natural_id("destination", change.destination, change.asset),)


Approvals = dict[UUID, OpenApproval]


def _requested(approvals: Approvals, event: ApprovalRequested) -> None:
    approvals[event.approval_id] = OpenApproval(event)


def _over(approvals: Approvals, event: ApprovalGranted | ApprovalDenied | ApprovalExpired) -> None:
    approvals.pop(event.approval_id, None)


FOLDS: dict[type[Event], Callable[[Approvals, Any], None]] = {
    ApprovalRequested: _requested,
    ApprovalGranted: _over,
    ApprovalDenied: _over,
    ApprovalExpired: _over,
}
"""How each of these events is folded."""
