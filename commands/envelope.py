"""A command in its envelope, the outcome of deciding it, and the reply that goes back."""

from collections.abc import Callable
from typing import ClassVar, TypeVar
from uuid import UUID

import msgspec

from domain.carry import MarkEvidence
from domain.depth import BookEvidence
from domain.market import Witness


class Command(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Ask for something, imperative. `KIND` is `<subject>.<verb>`, the tail of its NATS subject."""

    KIND: ClassVar[str] = ""


class Envelope(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Carry a command to the handler: who asked, when the core saw it, and the evidence it decides on.

    `body` is the command's JSON as received. `at_us` never decreases from one envelope to the next.
    """

    command_id: UUID
    kind: str
    actor: str
    body: msgspec.Raw
    at_us: int
    evidence: tuple[BookEvidence, ...] = ()
    witnesses: tuple[Witness, ...] = ()
    cause: str = ""
    trace: str = ""
    marks: tuple[MarkEvidence, ...] = ()


class EventView(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Show one event of an outcome to the one who asked."""

    position: int
    topic: str
    state: msgspec.Raw


class Outcome(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Say how a command was decided, as it is kept. `reason` is the name of a `domain.refusal.Reason`.

    Where a control said no, `policy_version` is that of the policy it was decided under.
    """

    status: str  # accepted or refused
    reason: str = ""
    text: str = ""
    control: str = ""
    scope: str = ""
    limit: str = ""
    value: str = ""
    policy_version: int = 0


class Reply(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Answer a command after its commit: the outcome, the position it left the log at, and its events.

    `status`: accepted, refused, or, not decided at all: malformed, busy, stopping. `position` is the last position of
    the log that this outcome is durable at.
    """

    status: str
    command_id: str
    position: int = 0
    reason: str = ""
    text: str = ""
    control: str = ""
    scope: str = ""
    limit: str = ""
    value: str = ""
    policy_version: int = 0
    events: tuple[EventView, ...] = ()


C_ = TypeVar("C_", bound=type[Command])

COMMANDS: dict[str, type[Command]] = {}


def command(kind: str) -> Callable[[C_], C_]:
    """Enter a command type into the register under its kind."""

    def enter(command_type: C_) -> C_:
        if kind in COMMANDS:
            raise TypeError(f"two commands are called {kind}")
        command_type.KIND = kind
        COMMANDS[kind] = command_type
        return command_type

    return enter
