"""Events and kept commands as rows of a binary COPY: built once, sent as they are.

Source: PostgreSQL documentation, COPY, "Binary Format". Columns stand in the order of EVENT_COLUMNS and
COMMAND_COLUMNS. A timestamp is microseconds since 2000-01-01 UTC.
"""

import struct
from collections.abc import Sequence
from uuid import UUID

from adapters.postgres import messages
from domain.log import KeptCommand, NewEvent

EVENT_COLUMNS = (
    "originator_id, originator_version, topic, state, notification_id, metadata, chain_hash, command_id, recorded_at"
)
COMMAND_COLUMNS = "command_id, sequence, kind, command, outcome, first_position, last_position"

POSTGRES_EPOCH_US = 946_684_800_000_000

# An event that no command caused (the library's own recorder writes such) carries the nil id; stored as null.
NO_COMMAND = UUID(int=0)

_COPY_EVENTS = f"copy public.stored_events ({EVENT_COLUMNS}) from stdin (format binary)"
_COPY_COMMANDS = f"copy public.command_outcomes ({COMMAND_COLUMNS}) from stdin (format binary)"

_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TRAILER = b"\xff\xff"
_FRAME_BYTES = len(_HEADER) + len(_TRAILER)
_NULL = b"\xff\xff\xff\xff"

# Nine fields: the originator, the version, the topic's length.
_EVENT_START = struct.Struct(">hi16siqi")
_LENGTH = struct.Struct(">i")
# The position, the metadata's length.
_EVENT_MIDDLE = struct.Struct(">iqi")
# The hash, the command, the instant.
_EVENT_END = struct.Struct(">i32si16siq")
_EVENT_END_BARE = struct.Struct(">i32siiq")
# Seven fields: the command, the sequence, the kind's length.
_COMMAND_START = struct.Struct(">hi16siqi")
_COMMAND_END = struct.Struct(">iqiq")


def event_row(event: NewEvent, position: int, chained: bytes, recorded_at_us: int) -> bytes:
    """Return one event as a row; raise struct.error for what the columns cannot hold."""
    topic = event.topic.encode()
    state, metadata = event.state, event.metadata
    at = recorded_at_us - POSTGRES_EPOCH_US
    command = event.command_id
    return b"".join(
        (
            _EVENT_START.pack(9, 16, event.originator_id.bytes, 8, event.version, len(topic)),
            topic,
            _LENGTH.pack(len(state)),
            state,
            _EVENT_MIDDLE.pack(8, position, len(metadata)),
            metadata,
            _EVENT_END.pack(32, chained, 16, command.bytes, 8, at)
            if command.int
            else _EVENT_END_BARE.pack(32, chained, -1, 8, at),
        )
    )


def command_row(kept: KeptCommand) -> bytes:
    """Return one kept command as a row; raise struct.error for what the columns cannot hold."""
    kind = kept.kind.encode()
    first, last = kept.first_position, kept.last_position
    return b"".join(
        (
            _COMMAND_START.pack(7, 16, kept.command_id.bytes, 8, kept.sequence, len(kind)),
            kind,
            _LENGTH.pack(len(kept.command)),
            kept.command,
            _LENGTH.pack(len(kept.outcome)),
            kept.outcome,
            _NULL + _NULL if first is None or last is None else _COMMAND_END.pack(8, first, 8, last),
        )
    )


def append_request(
    epoch: int, position: int, sequence: int, events: Sequence[bytes], commands: Sequence[bytes]
) -> bytes:
    """Return one transaction's bytes: the fence with what it must find, then the rows behind their COPY statements.

    `position` and `sequence` are the log's end before this append. An error anywhere undoes all of it; the copy data
    sent behind a failed statement is skipped by the server.
    """
    statements = [f"select public.append_fence({epoch}, {position}, {sequence})"]
    data: list[bytes] = []
    for statement, rows in ((_COPY_EVENTS, events), (_COPY_COMMANDS, commands)):
        if rows:
            statements.append(statement)
            length = sum(map(len, rows)) + _FRAME_BYTES
            data += (messages.copy_data(length), _HEADER, *rows, _TRAILER, messages.COPY_DONE)
    return b"".join((messages.query("; ".join(statements)), *data))
