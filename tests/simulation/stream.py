"""JetStream in memory: streams that keep, drop duplicates, expect sequences, redeliver, and can be wiped.

Messages have sequence numbers; a message id counts once within a window; a consumer's acknowledgements can be lost.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Mapping

import msgspec

from tests.simulation.bus import HOP_US, LATE_US
from tests.simulation.loop import Process, SimFuture
from tests.simulation.sim import Sim

ACK_WAIT_US = 2_000_000
DEDUPE_WINDOW_US = 120_000_000
PUBLISH_TIMEOUT_S = 2.0
ACK_PENDING_MAX = 256

SITES = (
    "stream.publish_lost",
    "stream.publish_late",
    "stream.puback_lost",
    "stream.ack_lost",
    "stream.redelivered",
)


class WrongLastSequence(Exception):
    """Say that a stream's last sequence is not the expected one: nothing was stored."""

    def __init__(self, last: int) -> None:
        super().__init__(f"the last sequence is {last}")
        self.last = last


class StreamMissing(Exception):
    """Say that a stream or its consumer is not there: somebody wiped the server's data."""


class Message(msgspec.Struct, frozen=True):
    """One message as a stream keeps it."""

    sequence: int
    subject: str
    body: bytes
    headers: Mapping[str, str]
    message_id: str


class Stored(msgspec.Struct, frozen=True):
    """Say where a published message stands, and whether it stood there before."""

    sequence: int
    duplicate: bool


class Stream:
    """One JetStream stream on its server."""

    def __init__(self, sim: Sim, name: str) -> None:
        self.sim = sim
        self.name = name
        self.exists = False
        self.first = 1
        self.messages: list[Message] = []
        self.consumers: dict[str, Consumer] = {}
        self.generation = 0
        self.acked_to = 0
        self.acked: set[int] = set()
        self._seen: OrderedDict[str, tuple[int, int]] = OrderedDict()
        self._waiting: list[SimFuture] = []

    @property
    def last(self) -> int:
        """The last sequence stored; `first - 1` when empty."""
        return self.first - 1 + len(self.messages)

    def create(self, first: int = 1) -> None:
        """Create the stream with its first sequence; nothing happens when it is there."""
        if not self.exists:
            self.exists, self.first, self.acked_to = True, first, first - 1
            self.sim.note("nats", f"{self.name} created, first", first)

    def wipe(self) -> None:
        """Lose the stream, its consumers and its memory of message ids, as when the data directory is deleted."""
        self.exists = False
        self.first, self.acked_to = 1, 0
        self.messages = []
        self.acked.clear()
        self.consumers.clear()
        self._seen.clear()
        self.generation += 1
        self.announce()
        self.sim.note("nats", f"{self.name} wiped")

    def announce(self) -> None:
        """Wake every reader."""
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            self.sim.settle(future)

    async def wait(self, timeout_s: float) -> None:
        """Wait until something changes or the time is over."""
        future = self.sim.loop.create_future()
        self._waiting.append(future)
        timer = self.sim.loop.call_later(timeout_s, self.sim.settle, future)
        await future
        timer.cancel()

    async def publish(
        self,
        process: Process,
        subject: str,
        body: bytes,
        headers: Mapping[str, str],
        message_id: str,
        expected_last: int | None = None,
    ) -> Stored:
        """Store a message. Raise `TimeoutError` (unknown), `WrongLastSequence` or `StreamMissing`."""
        process.point(f"stream.publish.{self.name}")
        sim, faults = self.sim, self.sim.faults
        future = sim.loop.create_future()
        lost, late = faults.hit("stream.publish_lost"), faults.hit("stream.publish_late")
        quiet = faults.hit("stream.puback_lost")
        if not lost and not sim.bus_down:
            site, delay_us = ("stream.late", LATE_US) if late else ("stream.hop", HOP_US)
            message = Message(0, subject, body, headers, message_id)
            sim.later(site, *delay_us, self._store, process, message, expected_last, None if quiet else future)
        async with asyncio.timeout(PUBLISH_TIMEOUT_S):
            stored = await future
        process.fence()
        return stored

    def _store(self, process: Process, message: Message, expected_last: int | None, future: SimFuture | None) -> None:
        answer = self.offer(message, expected_last)
        self.sim.strike(process, f"stream.stored.{self.name}")
        if future is None or self.sim.bus_down:
            return
        if isinstance(answer, Exception):
            self.sim.loop.after_us(
                self.sim.faults.between("stream.hop", *HOP_US), lambda: self.sim.settle(future, error=answer)
            )
        else:
            self.sim.later("stream.hop", *HOP_US, self.sim.settle, future, answer)

    def offer(self, message: Message, expected_last: int | None) -> Stored | Exception:
        """Store a message as the server does: duplicates first, then the expected sequence."""
        if not self.exists:
            return StreamMissing(self.name)
        now_us = self.sim.loop.now_us
        while self._seen and next(iter(self._seen.values()))[1] < now_us - DEDUPE_WINDOW_US:
            self._seen.popitem(last=False)
        before = self._seen.get(message.message_id)
        if before is not None:
            return Stored(before[0], duplicate=True)
        if expected_last is not None and expected_last != self.last:
            return WrongLastSequence(self.last)
        self.messages.append(msgspec.structs.replace(message, sequence=self.last + 1))
        self._seen[message.message_id] = (self.last, now_us)
        self.announce()
        return Stored(self.last, duplicate=False)

    async def read(self, process: Process, after: int, limit: int, timeout_s: float) -> list[Message]:
        """Return messages with sequences above `after`, waiting for the first; an empty list when none came.

        The first may lie further above than 1 when the stream does not hold what is between: a gap to refill.
        """
        process.point(f"stream.read.{self.name}")
        if not self.exists:
            raise StreamMissing(self.name)
        if self.last <= after:
            await self.wait(timeout_s)
        await self.sim.travel(process, f"stream.read.{self.name}.answer", *HOP_US)
        if not self.exists:
            raise StreamMissing(self.name)
        if self.sim.bus_down:
            return []
        start = max(0, after + 1 - self.first)
        return self.messages[start : start + limit]

    def consumer(self, name: str) -> "Consumer":
        """Return the durable consumer of that name, created at the stream's start if it is not there."""
        if not self.exists:
            raise StreamMissing(self.name)
        found = self.consumers.get(name)
        if found is None:
            found = self.consumers[name] = Consumer(self)
        return found

    def rebind(self, name: str) -> "Consumer":
        """Make the consumer of that name anew: what is not acknowledged comes again, at once and in order."""
        self.consumers.pop(name, None)
        return self.consumer(name)

    def drop_acked(self) -> None:
        """Move past what is acknowledged from the start on: a work queue keeps only what is not."""
        while self.acked_to < self.last and self.acked_to + 1 in self.acked:
            self.acked_to += 1
            self.acked.discard(self.acked_to)

    @property
    def outstanding(self) -> int:
        """Messages not yet acknowledged."""
        return self.last - self.acked_to - len(self.acked)


class Consumer:
    """A durable consumer on the server: what was delivered, and what comes again."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._generation = stream.generation
        self._next = stream.acked_to + 1
        self._pending: OrderedDict[int, int] = OrderedDict()
        self._again: deque[int] = deque()

    async def fetch(self, process: Process, limit: int, timeout_s: float) -> list["Delivery"]:
        """Return up to `limit` deliveries, waiting for the first; raise `StreamMissing` after a wipe."""
        stream = self._stream
        process.point(f"stream.fetch.{stream.name}")
        sim = stream.sim
        end_us = sim.loop.now_us + round(timeout_s * 1e6)
        self._check()
        while not (ready := self._due(limit)) and (left_us := end_us - sim.loop.now_us) > 0:
            await stream.wait(min(left_us, ACK_WAIT_US) / 1e6)
            process.fence()
            self._check()
        found = [Delivery(self, process, stream.messages[sequence - stream.first]) for sequence in ready]
        await sim.travel(process, f"stream.fetch.{stream.name}.answer", *HOP_US)
        self._check()
        return found

    def _check(self) -> None:
        if self._generation != self._stream.generation:
            raise StreamMissing(self._stream.name)

    def _due(self, limit: int) -> list[int]:
        stream = self._stream
        sim = stream.sim
        if sim.bus_down:
            return []
        now_us = sim.loop.now_us
        for sequence, deadline_us in list(self._pending.items()):
            if deadline_us > now_us:
                break
            del self._pending[sequence]
            self._again.append(sequence)
        due: list[int] = []
        while len(due) < limit and len(self._pending) < ACK_PENDING_MAX:
            if self._again:
                sequence = self._again.popleft()
            elif self._next <= stream.last:
                sequence, self._next = self._next, self._next + 1
            else:
                break
            if sequence in stream.acked or sequence <= stream.acked_to:
                continue
            if sim.faults.hit("stream.redelivered"):
                self._again.append(sequence)
            self._pending[sequence] = now_us + ACK_WAIT_US
            self._pending.move_to_end(sequence)
            due.append(sequence)
        return due

    def settle(self, process: Process, sequence: int) -> None:
        """Take an acknowledgement; it can be lost, and then the message comes again."""
        process.point(f"stream.ack.{self._stream.name}")
        if not self._stream.sim.faults.hit("stream.ack_lost"):
            self._stream.sim.later("stream.hop", *HOP_US, self._acknowledged, sequence)

    def _acknowledged(self, sequence: int) -> None:
        if self._generation != self._stream.generation:
            return  # of a stream that is gone: its numbers name other messages now
        self._pending.pop(sequence, None)
        if sequence > self._stream.acked_to:
            self._stream.acked.add(sequence)
            self._stream.drop_acked()
        self._stream.announce()

    @property
    def outstanding(self) -> int:
        """Messages not yet acknowledged."""
        return self._stream.outstanding


class Delivery:
    """One message on its way to a process, to be acknowledged once its effect is durable."""

    def __init__(self, consumer: Consumer, process: Process, message: Message) -> None:
        self.message = message
        self._consumer = consumer
        self._process = process

    def ack(self) -> None:
        """Acknowledge; fire and forget, as the protocol does."""
        self._consumer.settle(self._process, self.message.sequence)
