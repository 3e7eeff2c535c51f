"""Approvals: another person grants what one asked for, or anybody with the role denies it; none waits for ever.

A person is who holds a key, not the key: nobody grants his own change. What is granted is made in the same append. When
the thing moved meanwhile, or nobody came in time, the approval is over.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import Any
from uuid import UUID

from commands import destination, latch, limit, mode
from commands.asking import Granted, change_sha256
from commands.context import Context
from commands.envelope import Command, command
from commands.process import Arm, Message, Record
from domain.approvals import (
    ApprovalDenied,
    ApprovalExpired,
    ApprovalGranted,
    ApprovalRequested,
    DestinationAdded,
    LatchRelease,
    LimitChange,
    LimitsFile,
    ModeRelease,
    subjects,
)
from domain.book import Book
from domain.codec import encode
from domain.event import Event
from domain.refusal import Reason, Refusal
from domain.wake import Wake

Grant = Callable[[Book, Any, Granted], tuple[Event, ...] | Refusal]

GRANTS: dict[type, Grant] = {
    LimitChange: limit.grant_limit,
    LimitsFile: limit.grant_limits,
    ModeRelease: mode.grant_release,
    LatchRelease: latch.grant_release,
    DestinationAdded: destination.grant_destination,
}
"""How each kind of change is made once it is granted."""


class Decision(StrEnum):
    """Say what a person may answer to a change."""

    GRANT = "grant"
    DENY = "deny"


@command("approval.decide")
class DecideApproval(Command, frozen=True, kw_only=True):
    """Grant a change that another asked for, or deny it; `change_sha256`, if given, is what the person looked at."""

    approval_id: UUID
    decision: Decision
    change_sha256: str = ""


@command("approval.expire")
class ExpireApproval(Command, frozen=True, kw_only=True):
    """End an approval that nobody decided in time; one that is over stays as it is."""

    approval_id: UUID


def decide_approval(book: Book, command: DecideApproval, context: Context) -> tuple[Event, ...] | Refusal:
    """Decide `DecideApproval`."""
    waiting = book.approvals.get(command.approval_id)
    if waiting is None:
        if command.approval_id in book.versions:
            return Refusal(reason=Reason.APPROVAL_OVER, text="it was decided already, or expired, or its thing moved")
        return Refusal(reason=Reason.UNKNOWN_SUBJECT, text="no such approval")
    asked = waiting.requested
    if context.at_us >= asked.expires_at_us:
        return Refusal(reason=Reason.APPROVAL_OVER, text="it expired: ask again")
    if command.change_sha256 not in {"", asked.change_sha256}:
        return Refusal(reason=Reason.VALUE_INVALID, text="that is the hash of another change")
    if command.decision is Decision.DENY:
        return (ApprovalDenied(approval_id=asked.approval_id, author=context.actor),)
    return _granted(book, asked, context.actor)


def _granted(book: Book, asked: ApprovalRequested, person: str) -> tuple[Event, ...] | Refusal:
    if person == asked.author:
        text = f"{person} asked for it: another person must grant it, by whatever key"
        return Refusal(reason=Reason.APPROVAL_OWN, text=text)
    if change_sha256(asked.change) != asked.change_sha256:
        return Refusal(reason=Reason.APPROVAL_OVER, text="its change is not written as it was: deny it and ask again")
    granted = Granted(approval_id=asked.approval_id, author=asked.author, approved_by=person)
    made = GRANTS[type(asked.change)](book, asked.change, granted)
    if isinstance(made, Refusal):
        return made
    return (
        ApprovalGranted(approval_id=asked.approval_id, change_sha256=asked.change_sha256, author=person),
        *made,
    )


def expire_approval(book: Book, command: ExpireApproval, context: Context) -> tuple[Event, ...] | Refusal:
    """Decide `ExpireApproval`."""
    waiting = book.approvals.get(command.approval_id)
    if waiting is None:
        return ()
    if context.at_us < waiting.requested.expires_at_us:
        return Refusal(reason=Reason.VALUE_INVALID, text=f"it is not yet {waiting.requested.expires_at_us}")
    return (ApprovalExpired(approval_id=command.approval_id, void=False, text="nobody decided it in time"),)


def react_requested(_book: Book, event: ApprovalRequested, _at_us: int) -> tuple[Message, ...]:
    """Let what is asked for end by itself."""
    wake = Wake(
        key=f"approval.expire|{event.approval_id}",
        subject=event.approval_id,
        at_us=event.expires_at_us,
        kind=ExpireApproval.KIND,
        body=encode(ExpireApproval(approval_id=event.approval_id)).decode(),
    )
    return (Arm(wake),)


def react_moved(book: Book, event: Event, _at_us: int) -> tuple[Message, ...]:
    """End every waiting change of what just moved: who would grant it saw another state of things."""
    return tuple(
        Record(ApprovalExpired(approval_id=name, void=True, text=f"{event.TOPIC.rpartition('.')[0]} came first"))
        for name, waiting in sorted(book.approvals.items())
        if event.originator in subjects(waiting.requested.change)
    )
