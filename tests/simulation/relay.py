"""The relay and the followers in the simulated world: the same rules as the adapters', without their sockets.

The relay publishes each committed event once, with its position as message id and as expected sequence; after any doubt
it asks the stream where it stands and reads on from the log. A follower takes what the stream brings in order, and
everything else from the log.
"""

import asyncio
import contextlib
from collections.abc import Sequence

import msgspec

from domain.log import NewEvent, StoredEvent
from domain.refusal import Broken
from tests.simulation.log import SimEventLog
from tests.simulation.loop import Process
from tests.simulation.sim import Sim
from tests.simulation.stream import HOP_US, Message, Stream, StreamMissing, WrongLastSequence

HOT_EVENTS_MAX = 64
"""Small, so that reading on from the log is exercised."""
REFILL_PAGE = 16
PAUSE_S = 0.05
POLL_S = 1.0
METADATA = "Ballast-Metadata"
TOPIC = "Ballast-Topic"


class SimRelay:
    """Keep EVENTS equal to the log's tail; `head` is the log's last position when the writer took over."""

    def __init__(self, sim: Sim, process: Process, stream: Stream, log: SimEventLog, head: int) -> None:
        self.sim = sim
        self.process = process
        self.stream = stream
        self.log = log
        self.head = head
        self.published: int | None = None
        self._hot: dict[int, NewEvent] = {}
        self._work = asyncio.Event()

    def offer(self, first_position: int, events: Sequence[NewEvent]) -> None:
        """See `Publisher.offer`."""
        self.head = max(self.head, first_position + len(events) - 1)
        if len(self._hot) + len(events) > HOT_EVENTS_MAX:
            self._hot.clear()
        else:
            self._hot.update(enumerate(events, first_position))
        self._work.set()

    async def run(self) -> None:
        """Publish until cancelled."""
        while True:
            try:
                await self.resync()
                while True:
                    await self._publish_next()
            except (TimeoutError, WrongLastSequence, StreamMissing):
                await asyncio.sleep(PAUSE_S)

    async def resync(self) -> None:
        """Ask the stream where it stands; make it if it is missing."""
        await self.sim.travel(self.process, "relay.resync", *HOP_US)
        if not self.stream.exists:
            self.stream.create((self.head if self.published is None else self.published) + 1)
        last = self.stream.last
        if last > self.head:
            if not await self.log.read(last - 1, 1):
                raise Broken(f"EVENTS holds {last}, the log ends at {self.head}")
            self.head = max(self.head, last)
        self.published = last

    async def _publish_next(self) -> None:
        position = (self.published or 0) + 1
        if position > self.head:
            self._work.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_S):
                    await self._work.wait()
            if not self.stream.exists:
                raise StreamMissing(self.stream.name)
            return
        hot = self._hot.pop(position, None)
        events: Sequence[NewEvent | StoredEvent] = (
            [hot] if hot is not None else await self.log.read(position - 1, REFILL_PAGE)
        )
        if not events:
            raise Broken(f"the log has nothing at {position}, but {self.head} was committed")
        for number, event in enumerate(events, position):
            await self.publish(number, event)

    async def publish(self, position: int, event: NewEvent | StoredEvent) -> None:
        """Publish one event, and only then count it as published."""
        stored = await self.send(position, event, position - 1)
        if stored != position:
            raise Broken(f"position {position} was stored as {stored}")
        self.published = position

    async def send(self, position: int, event: NewEvent | StoredEvent, expected_last: int | None) -> int:
        """Return the sequence under which the stream holds the event."""
        headers = {TOPIC: event.topic, METADATA: event.metadata.decode()}
        stored = await self.stream.publish(
            self.process, f"events.{event.topic}", event.state, headers, str(position), expected_last
        )
        return stored.sequence


class Tailed(msgspec.Struct, frozen=True):
    """One event as a follower reads it."""

    position: int
    topic: str
    state: bytes
    metadata: bytes


def tailed(message: Message) -> Tailed:
    """Read an event off the stream."""
    return Tailed(message.sequence, message.headers[TOPIC], message.body, message.headers[METADATA].encode())


class SimFollower:
    """Follow the log from a position over EVENTS, and from the log where EVENTS has a gap or nothing."""

    def __init__(self, process: Process, stream: Stream, log: SimEventLog, after: int) -> None:
        self._process = process
        self._stream = stream
        self._log = log
        self._position = after
        self._behind = True

    async def next_batch(self, limit: int = REFILL_PAGE) -> Sequence[Tailed]:
        """See `Follower.next_batch`."""
        while True:
            if self._behind:
                logged = await self._log.read(self._position, limit)
                self._behind = len(logged) == limit
                if logged:
                    self._position += len(logged)
                    return [Tailed(each.position, each.topic, each.state, each.metadata) for each in logged]
            try:
                messages = await self._stream.read(self._process, self._position, limit, POLL_S)
            except StreamMissing:
                await asyncio.sleep(POLL_S)
                messages = []
            if messages and messages[0].sequence == self._position + 1:
                self._position += len(messages)
                return [tailed(message) for message in messages]
            self._behind = True
