"""Following the log: EVENTS brings what is new, the log itself brings what EVENTS lacks.

The follower keeps its own checkpoint (in the transaction of what it does with the events). Positions have no gaps, so
a missing one is seen at once and read back from the log; one seen before is passed over. Without a bus the log is
asked every `POLL_S`, so that a follower is late then, never blind.
"""

import asyncio
import contextlib
import logging
from collections import deque
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import nats.errors
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from adapters.nats.cancellation import raise_if_cancelled
from adapters.nats.connection import Connection
from adapters.nats.delivery import HEARTBEAT_S, SILENCE_S_MAX, Pulse, sequences
from adapters.nats.event_frames import TailedEvent, read_event
from adapters.nats.failures import EventsAheadOfLog, EventsDiverged, NotConnected
from adapters.nats.ports import LoggedEvent, LogReader
from adapters.nats.streams import checked_prefix, stream_name

BATCH_EVENTS_MAX = 5000
WAITING_EVENTS_MAX = 16_384
POLL_S = 1.0
GAP_PAUSE_S = 0.2
GAP_READS_MAX = 25
"""How often the log is asked for events that the stream has before the stream is called ahead of it."""
CONSUMER_GONE_S = 30.0
"""After so long without its follower the server forgets a consumer."""

_log = logging.getLogger("ballast.nats")


@dataclass(kw_only=True)
class TailMetrics:
    """Count where events came from and what was wrong with the stream."""

    from_stream: int = 0
    from_log: int = 0
    gaps: int = 0
    duplicates: int = 0
    overflows: int = 0
    foreign: int = 0
    rebinds: int = 0


class Tail:
    """Follow the log of a book from a checkpoint: `async with Tail(...) as tail`, then `await tail.next_batch()`."""

    def __init__(self, connection: Connection, prefix: str, reader: LogReader, *, after: int) -> None:
        self.metrics = TailMetrics()
        self._connection = connection
        self._prefix = checked_prefix(prefix)
        self._stream = stream_name(prefix, "EVENTS")
        self._reader = reader
        self._jetstream = connection.jetstream()
        self._position = after
        self._waiting: deque[TailedEvent] = deque()
        self._overflowed = False
        self._behind = True
        self._gap_reads = 0
        self._wake = asyncio.Event()
        self._pulse = Pulse(connection)
        self._subscription: Subscription | None = None
        self._rebind = True
        self._end_watch = connection.watch(disconnected=self._ask_rebind, reconnected=self._ask_rebind)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def position(self) -> int:
        """Return the position of the last event handed out, or the checkpoint."""
        return self._position

    async def close(self) -> None:
        """Stop following; idempotent."""
        end_watch, self._end_watch = self._end_watch, _nothing
        end_watch()
        await self._unsubscribe()

    async def next_batch(self, limit: int = BATCH_EVENTS_MAX) -> list[TailedEvent]:
        """Wait for and return the next events, in order, without gaps, at least one and at most `limit`.

        Raise `EventsDiverged` when the log itself has a gap. The events count as handed out: a follower that could not
        use them starts a new `Tail` from its checkpoint.
        """
        while True:
            raise_if_cancelled()
            if self._behind:
                page = await self._read_log(limit)
                if page:
                    return page
                await self._mind_unfilled_gap()
            batch = self._take_waiting(limit)
            if batch:
                self.metrics.from_stream += len(batch)
                return batch
            if not self._behind:
                await self._listen()

    async def _read_log(self, limit: int) -> list[TailedEvent]:
        """Read on from the log; once it has no more, the stream is enough."""
        logged = await self._reader.read(self._position, limit)
        for number, event in enumerate(logged, self._position + 1):
            if event.position != number:
                raise EventsDiverged(f"the log skips from {number - 1} to {event.position}")
        self._position += len(logged)
        self._behind = len(logged) == limit
        self.metrics.from_log += len(logged)
        return [_tailed(event) for event in logged]

    async def _mind_unfilled_gap(self) -> None:
        """Wait, a bounded number of times, for the log to show what the stream already has."""
        if not self._waiting or self._waiting[0].position <= self._position + 1:
            self._gap_reads = 0
            return
        self._gap_reads += 1
        if self._gap_reads > GAP_READS_MAX:
            raise EventsAheadOfLog(
                f"{self._stream} goes on at {self._waiting[0].position}, the log ends at {self._position}"
            )
        await asyncio.sleep(GAP_PAUSE_S)

    def _take_waiting(self, limit: int) -> list[TailedEvent]:
        batch: list[TailedEvent] = []
        waiting = self._waiting
        while waiting and len(batch) < limit:
            position = waiting[0].position
            if position > self._position + 1:
                if not batch:
                    self.metrics.gaps += 1
                    self._behind = True
                break
            event = waiting.popleft()
            if position <= self._position:
                self.metrics.duplicates += 1
                continue
            self._position = position
            batch.append(event)
        if not waiting and self._overflowed:
            self._overflowed = False
            self._behind = True
        return batch

    async def _listen(self) -> None:
        """Wait for the stream to bring something; look into the log whenever it may have more than the stream."""
        if self._rebind or self._pulse.silent_s > SILENCE_S_MAX:
            # The log is read again after binding: what fell between is in it.
            await self._bind()
            self._behind = True
            if not self._rebind:
                return
        self._wake.clear()
        try:
            async with asyncio.timeout(POLL_S):
                await self._wake.wait()
        except TimeoutError:
            self._behind = True

    async def _bind(self) -> None:
        """Follow the stream from here on; leave `_rebind` set when the bus cannot do that now."""
        await self._unsubscribe()
        self._rebind = True
        if not self._connection.connected:
            return
        client = self._connection.client
        subject = client.new_inbox()
        try:
            self._subscription = await client.subscribe(subject, cb=self._receive)
            await client.flush()
            await self._jetstream.add_consumer(
                self._stream,
                ConsumerConfig(
                    deliver_subject=subject,
                    deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
                    opt_start_seq=self._position + 1,
                    ack_policy=AckPolicy.NONE,
                    idle_heartbeat=HEARTBEAT_S,
                    flow_control=True,
                    inactive_threshold=CONSUMER_GONE_S,
                    mem_storage=True,
                    num_replicas=1,
                ),
            )
        except (nats.errors.Error, NotConnected, TimeoutError) as error:
            _log.info("tail of %s: the stream cannot be followed now: %r", self._stream, error)
            return
        self.metrics.rebinds += 1
        self._pulse.beat()
        self._rebind = False

    def _ask_rebind(self) -> None:
        self._rebind = True
        self._wake.set()

    async def _unsubscribe(self) -> None:
        self._waiting.clear()
        subscription, self._subscription = self._subscription, None
        if subscription is not None and not self._connection.client.is_closed:
            with contextlib.suppress(nats.errors.Error):
                await subscription.unsubscribe()

    async def _receive(self, msg: Msg) -> None:
        if self._pulse.is_control(msg):
            return
        if len(self._waiting) >= WAITING_EVENTS_MAX:
            # The follower is slower than the stream: what is dropped here is read from the log.
            self.metrics.overflows += 1
            self._overflowed = True
            return
        try:
            event = read_event(msg.headers or {}, msg.data)
            ours = sequences(msg.reply)[0] == event.position
        except (KeyError, ValueError):
            ours, event = False, None
        if not ours or event is None:
            # Not written by a relay. Only the log says what happened, so nothing is lost by leaving it out.
            self.metrics.foreign += 1
            return
        self._waiting.append(event)
        self._wake.set()


def _tailed(event: LoggedEvent) -> TailedEvent:
    return TailedEvent(
        position=event.position,
        originator_id=event.originator_id,
        version=event.version,
        topic=event.topic,
        state=event.state,
        metadata=event.metadata,
        command_id=event.command_id,
    )


def _nothing() -> None:
    """Stand for a watch that has ended."""
