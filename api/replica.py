"""A copy of the Book beside the core: folded from the same log, for workers that must know what is open.

A replica decides nothing. It starts from the core's newest snapshot and follows the committed events.
"""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from commands.ports import Follower, LoggedEvent
from domain.book import Book, evolve
from domain.codec import decode_event, decoder, schema_fingerprint
from domain.event import Event
from domain.instant import parse_rfc3339
from domain.log import Snapshot, StoredEvent
from domain.refusal import Broken

SNAPSHOT_NAME = "book"
PAGE = 10_000


class LogSource(Protocol):
    """Read snapshots and events."""

    async def load_snapshot(self, name: str, schema: str) -> Snapshot | None:
        """Return the newest snapshot of that name and schema."""
        ...

    async def read(self, after: int, limit: int) -> Sequence[StoredEvent]:
        """Return the next committed events."""
        ...


class _At(msgspec.Struct, gc=False):
    at: str


_AT = msgspec.json.Decoder(_At)


def recorded_us(event: LoggedEvent) -> int:
    """Return the core's time of the command that caused an event."""
    return parse_rfc3339(_AT.decode(event.metadata).at)


class Recorded(msgspec.Struct, frozen=True, gc=False):
    """Hold one event as folded: what, where in the log, and when it was decided."""

    event: Event
    position: int
    at_us: int


class Replica:
    """Hold a Book at a position of the log."""

    def __init__(self, book: Book, position: int, passed_over: frozenset[str] = frozenset()) -> None:
        self.book = book
        self.position = position
        self._passed_over = passed_over

    def fold(self, event: LoggedEvent) -> Recorded | None:
        """Fold the next event and return it, None when it is passed over; raise `Broken` when one is missing."""
        if event.position != self.position + 1:
            raise Broken(f"a replica at {self.position} was given {event.position}")
        if event.topic in self._passed_over:
            self.position = event.position
            return None
        decoded, at_us = decode_event(event.topic, event.state), recorded_us(event)
        evolve(self.book, decoded, at_us)
        self.position = event.position
        return Recorded(decoded, event.position, at_us)

    async def follow(self, follower: Follower) -> Sequence[Recorded]:
        """Wait for the next committed events, fold them and return them."""
        folded = [self.fold(event) for event in await follower.next_batch()]
        return [recorded for recorded in folded if recorded is not None]


async def restore_replica(log: LogSource, passed_over: frozenset[str] = frozenset()) -> Replica:
    """Return a replica at the end of the log as it is now.

    Events whose tags are `passed_over` are neither decoded nor folded: for who needs nothing that rests on them.
    """
    snapshot = await log.load_snapshot(SNAPSHOT_NAME, schema_fingerprint(Book))
    if snapshot is not None:
        replica = Replica(decoder(Book).decode(snapshot.state), snapshot.position, passed_over)
    else:
        replica = Replica(Book(), 0, passed_over)
    while page := await log.read(replica.position, PAGE):
        for event in page:
            replica.fold(event)
    return replica
