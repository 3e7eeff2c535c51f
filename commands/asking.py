"""Asking for a second person: the port of every command that loosens something.

A decider that finds its command to be loosening returns `ask(...)`. The granted change is made by a function of the
same subject, entered in `commands.approval.GRANTS`, in the append of the grant.
"""

import hashlib
from uuid import UUID

import msgspec

from commands.context import Context
from domain.approvals import ApprovalRequested, Change, approval_id
from domain.book import Book
from domain.codec import encode
from domain.event import Event
from domain.instant import MILLISECOND_US
from domain.refusal import Reason, Refusal
from domain.risk_terms import Risk

# More than this many waiting changes are a mistake or an attack; each is ended by a decision or by its expiry.
APPROVALS_OPEN_MAX = 64


class Granted(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Name who is behind a change that two persons made: who asked, who granted, and by which approval."""

    approval_id: UUID
    author: str
    approved_by: str


def change_sha256(change: Change) -> str:
    """Return the hash of a change as it is written: what is granted is what was asked for, to the last byte."""
    return hashlib.sha256(encode(change)).hexdigest()


def ask(book: Book, change: Change, context: Context, *, until_us: int = 0) -> tuple[Event, ...] | Refusal:
    """Ask for another person's approval of a change; it lasts `risk.approval_ms`, never beyond `until_us` (0: no end).

    The approval's id derives from the command's, so that asking twice under one id asks once.
    """
    if len(book.approvals) >= APPROVALS_OPEN_MAX:
        text = f"{APPROVALS_OPEN_MAX} changes wait for approval already: decide or withdraw some"
        return Refusal(reason=Reason.LOOSENING_NEEDS_APPROVAL, text=text)
    risk = Risk() if book.policy is None else book.policy.risk
    expires_at_us = context.at_us + risk.approval_ms * MILLISECOND_US
    requested = ApprovalRequested(
        approval_id=approval_id(context.command_id),
        change=change,
        change_sha256=change_sha256(change),
        author=context.actor,
        requested_at_us=context.at_us,
        expires_at_us=min(expires_at_us, until_us) if until_us else expires_at_us,
    )
    return (requested,)
