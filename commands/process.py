"""Messages of process managers: what follows from an event, decided inside the append that woke it."""

import msgspec

from domain.event import Event
from domain.wake import Wake


class Record(msgspec.Struct, frozen=True, gc=False):
    """Append this event too, with what caused it."""

    event: Event


class Arm(msgspec.Struct, frozen=True, gc=False):
    """Be woken later, by a command that is decided on fresh evidence."""

    wake: Wake


Message = Record | Arm
