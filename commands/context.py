"""What a decider is given besides the Book and the command: who, when, under which id, on what evidence."""

from uuid import UUID

import msgspec

from domain.carry import MarkEvidence
from domain.depth import BookEvidence
from domain.market import Witness


class Context(msgspec.Struct, frozen=True, gc=False):
    """Carry the circumstances of one command; `at_us` is the core's time, never decreasing."""

    command_id: UUID
    actor: str
    at_us: int
    evidence: tuple[BookEvidence, ...] = ()
    witnesses: tuple[Witness, ...] = ()
    marks: tuple[MarkEvidence, ...] = ()
