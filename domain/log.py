"""The log's own records: what is appended, what is kept, what is read back."""

from uuid import UUID

import msgspec


class NewEvent(msgspec.Struct, frozen=True, gc=False):
    """Describe one event as its writer hands it over: encoded, versioned, not yet positioned."""

    originator_id: UUID
    version: int
    topic: str
    state: bytes
    metadata: bytes
    command_id: UUID


class KeptCommand(msgspec.Struct, frozen=True, gc=False):
    """Keep one command as it was decided, with its outcome; refusals included.

    `sequence` counts decided commands from 1, without gaps. `first_position` and `last_position` are the positions of
    the events it caused, None when it caused none.
    """

    command_id: UUID
    sequence: int
    kind: str
    command: bytes
    outcome: bytes
    first_position: int | None
    last_position: int | None


class Batch(msgspec.Struct, frozen=True, gc=False):
    """Hold what one append writes: all of it or nothing.

    Events take the positions `first_position`, `first_position + 1`, …; `recorded_at_us` is microseconds since the
    Unix epoch, UTC, of the moment the batch was closed.
    """

    first_position: int
    events: tuple[NewEvent, ...]
    commands: tuple[KeptCommand, ...]
    recorded_at_us: int


class StoredEvent(msgspec.Struct, frozen=True, gc=False):
    """Show one event as it stands in the log."""

    position: int
    originator_id: UUID
    version: int
    topic: str
    state: bytes
    metadata: bytes
    chain_hash: bytes
    command_id: UUID | None
    recorded_at_us: int


class Head(msgspec.Struct, frozen=True, gc=False):
    """Name the end of the log and the writer's fencing token.

    `position` and `sequence` are 0 and `chain_hash` is 32 zero bytes when the log is empty.
    """

    epoch: int
    position: int
    sequence: int
    chain_hash: bytes


class Snapshot(msgspec.Struct, frozen=True, gc=False):
    """Hold a fold's state at a position, so that a restart need not read the whole log.

    `schema` is a fingerprint of the state's shape: a snapshot of another shape is ignored and the log is read instead.
    """

    name: str
    position: int
    sequence: int
    schema: str
    state: bytes
