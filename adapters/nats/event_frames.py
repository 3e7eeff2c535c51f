"""A committed event as the message that EVENTS holds, and back. Pure."""

import re
from collections.abc import Callable, Mapping
from uuid import UUID

import msgspec

from adapters.nats import frames
from adapters.nats.failures import Unpublishable
from adapters.nats.ports import EventBody
from adapters.nats.trace import TRACEPARENT

POSITION = "Ballast-Position"
TOPIC = "Ballast-Topic"
ORIGINATOR = "Ballast-Originator"
VERSION = "Ballast-Version"
COMMAND_ID = "Ballast-Command-Id"
METADATA = "Ballast-Metadata"
TOPICS_MAX = 4096
"""Bound of the remembered subjects; the catalogue holds far fewer topics."""

_TOPIC = re.compile(r"([a-z0-9_]+\.[a-z0-9_]+)\.v[0-9]+")

TraceOf = Callable[[bytes], str | None]
"""Return the `traceparent` that an event's metadata names, if it names one."""


class TailedEvent(msgspec.Struct, frozen=True, gc=False):
    """Show one committed event to those who follow the log, from the bus or from the record alike."""

    position: int
    originator_id: UUID
    version: int
    topic: str
    state: bytes
    metadata: bytes
    command_id: UUID | None


class EventFrames:
    """Build the messages of one book's events, around the bytes that the log stores."""

    def __init__(self, prefix: str, trace_of: TraceOf | None = None) -> None:
        self._prefix = prefix
        self._trace_of = trace_of
        self._subjects: dict[str, bytes] = {}

    def subject(self, topic: str) -> bytes:
        """Return `<prefix>.events.<subject>.<fact>` for `<subject>.<fact>.v<N>`; raise `Unpublishable` for another."""
        known = self._subjects.get(topic)
        if known is not None:
            return known
        found = _TOPIC.fullmatch(topic)
        if found is None or len(self._subjects) >= TOPICS_MAX:
            raise Unpublishable(f"topic {topic!r} is not <subject>.<fact>.v<N>, so no subject can be made of it")
        subject = self._subjects[topic] = f"{self._prefix}.events.{found.group(1)}".encode()
        return subject

    def build(self, position: int, event: EventBody, size_max: int, reply: bytes = b"") -> bytes:
        """Build the frame of the event at `position`; the server stores it only right after `position - 1`.

        Without `reply` the server answers nothing. Raise `Unpublishable` if it is above `size_max` bytes, or its
        metadata would end a header line.
        """
        metadata = event.metadata
        if b"\n" in metadata or b"\r" in metadata:
            raise Unpublishable(f"the metadata of position {position} has a line break")
        cause = event.command_id
        trace = self._trace_of(metadata) if self._trace_of is not None else None
        # A UUID as 32 hex digits costs a third of its usual form, and UUID() reads both.
        extra = "" if cause is None else f"{COMMAND_ID}: {cause.int:032x}\r\n"
        if trace is not None:
            extra += f"{TRACEPARENT}: {trace}\r\n"
        head = (
            f"NATS/1.0\r\n{POSITION}: {position}\r\nNats-Msg-Id: {position}\r\n"
            f"Nats-Expected-Last-Sequence: {position - 1}\r\n{TOPIC}: {event.topic}\r\n"
            f"{ORIGINATOR}: {event.originator_id.int:032x}\r\n{VERSION}: {event.version}\r\n{extra}{METADATA}: "
        )
        headers = b"%b%b\r\n\r\n" % (head.encode(), metadata)
        if len(headers) + len(event.state) > size_max:
            raise Unpublishable(f"position {position} is larger than the server's bound of {size_max} bytes")
        return frames.publication(self.subject(event.topic), event.state, reply=reply, headers=headers)


def read_event(headers: Mapping[str, str], data: bytes) -> TailedEvent:
    """Read an event back from its message. Raise KeyError or ValueError when it is not one of ours."""
    command_id = headers.get(COMMAND_ID)
    return TailedEvent(
        position=int(headers[POSITION]),
        originator_id=UUID(headers[ORIGINATOR]),
        version=int(headers[VERSION]),
        topic=headers[TOPIC],
        state=data,
        metadata=headers[METADATA].encode(),
        command_id=None if command_id is None else UUID(command_id),
    )
