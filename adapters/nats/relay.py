"""The relay: every committed event goes to the EVENTS stream, in order, once, with its position as the sequence.

The core offers events right after their commit, as encoded; this hot copy is bounded and may be dropped, because the
log has them too. Whatever the stream lacks is read back from the log. A group of events goes out in one socket write
and only its last message asks for an answer: each carries the sequence it must follow, so if any of them is not
stored, the last one is not either, and the answer says so. After any doubt the relay asks the stream where it stands.
"""

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from time import monotonic

import msgspec
import nats.errors
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.js.errors import NotFoundError

from adapters.nats import frames
from adapters.nats.cancellation import raise_if_cancelled
from adapters.nats.connection import Connection
from adapters.nats.event_frames import EventFrames, TraceOf
from adapters.nats.failures import EventsAheadOfLog, EventsDiverged, NotConnected
from adapters.nats.hot_copy import Group, HotCopy
from adapters.nats.ports import EventBody, LogReader
from adapters.nats.relay_metrics import RelayMetrics
from adapters.nats.streams import checked_prefix, ensure_events, stream_name

GROUP_EVENTS_MAX = 512
GROUP_BYTES_MAX = 4 * 1024 * 1024
ACK_S_MAX = 2.0
RETRY_PAUSE_S = 0.05
RETRY_PAUSE_S_MAX = 1.0
_STATUS = "Status"

_log = logging.getLogger("ballast.nats")


class _OutOfStep(Exception):
    """Say that the stream did not take a group as sent: ask it where it stands."""


class Relay:
    """Keep EVENTS equal to the log's tail. One relay per book, in the core; `run` it in the core's task group.

    `head` is the log's last position when the writer took over. `trace_of` reads the traceparent out of metadata.
    """

    def __init__(
        self, connection: Connection, prefix: str, reader: LogReader, *, head: int, trace_of: TraceOf | None = None
    ) -> None:
        self.metrics = RelayMetrics(head=head)
        self._connection = connection
        self._prefix = checked_prefix(prefix)
        self._stream = stream_name(prefix, "EVENTS")
        self._reader = reader
        self._frames = EventFrames(prefix, trace_of)
        self._jetstream = connection.jetstream()
        self._head = self._started_at = head
        self._published: int | None = None
        self._hot = HotCopy()
        self._work = asyncio.Event()
        self._progress = asyncio.Event()
        self._answers = b""
        self._group_number = 0
        self._answer: asyncio.Future[frames.PubAck] | None = None
        self._loop = asyncio.get_running_loop()

    @property
    def published(self) -> int | None:
        """Return the last position that the stream is known to hold; None until it was asked."""
        return self._published

    @property
    def lag_events(self) -> int:
        """Return how many committed events the stream is not yet known to hold."""
        return self._head - (self._published if self._published is not None else 0)

    @property
    def hot_events(self) -> int:
        """Return how many events wait in memory; at most `HOT_EVENTS_MAX`."""
        return self._hot.events

    def offer(self, first_position: int, events: Sequence[EventBody]) -> None:
        """Take events just committed at `first_position` and on. Never waits; above the bound it keeps none."""
        last = first_position + len(events) - 1
        if not events or last <= (self._started_at if self._published is None else self._published):
            return
        self._head = self.metrics.head = max(last, self._head)
        self._hot.keep(first_position, events)
        self.metrics.hot_drops = self._hot.drops
        self._work.set()

    async def settled(self, position: int) -> None:
        """Wait until the stream holds every event up to `position`."""
        while self._published is None or self._published < position:
            self._progress.clear()
            await self._progress.wait()

    async def run(self) -> None:
        """Publish until cancelled. Raise `EventsAheadOfLog`, `EventsDiverged`, `Unpublishable` or `StreamMismatch`.

        A lost server, a wiped or lagging stream and refused groups are healed from the log, with bounded pauses.
        """
        end_watch = self._connection.watch(disconnected=self._fail_answer)
        pause = RETRY_PAUSE_S
        subscription: Subscription | None = None
        try:
            while True:
                raise_if_cancelled()
                await self._connection.until_connected()
                try:
                    subscription = subscription or await self._subscribe()
                    await self._resync()
                    while True:
                        raise_if_cancelled()
                        await self._publish_next()
                        pause = RETRY_PAUSE_S
                except (_OutOfStep, NotConnected, nats.errors.Error, TimeoutError) as error:
                    self.metrics.resyncs += 1
                    _log.warning("relay: in doubt after %s: %r", self._published, error)
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, RETRY_PAUSE_S_MAX)
        finally:
            end_watch()
            if subscription is not None and not self._connection.client.is_closed:
                await subscription.unsubscribe()

    async def _subscribe(self) -> Subscription:
        inbox = self._connection.client.new_inbox()
        self._answers = inbox.encode() + b"."
        subscription = await self._connection.client.subscribe(f"{inbox}.*", cb=self._receive_answer)
        await self._connection.client.flush()
        return subscription

    async def _resync(self) -> None:
        """Ask the stream where it stands; make it if it is missing; refuse one that is not this log's."""
        expected = self._started_at if self._published is None else self._published
        state = await ensure_events(self._jetstream, self._prefix, next_position=expected + 1)
        last = state.last_sequence
        if state.made_now:
            self.metrics.streams_made += 1
            _log.warning("relay: %s was missing; it begins anew at %d", self._stream, expected + 1)
        if last > self._head:
            if not await self._reader.read(last - 1, 1):
                raise EventsAheadOfLog(f"{self._stream} holds position {last}, the log ends at {self._head}")
            self._head = self.metrics.head = last
        if state.messages and last:
            await self._compare(last)
        self._note_published(last)

    async def _compare(self, position: int) -> None:
        """Refuse a stream whose last message is not what the log has at that position."""
        try:
            message = await self._jetstream.get_msg(self._stream, seq=position)
        except NotFoundError:
            return
        logged = await self._reader.read(position - 1, 1)
        if not logged or logged[0].position != position or logged[0].state != (message.data or b""):
            raise EventsDiverged(f"{self._stream} and the log hold different events at position {position}")

    async def _publish_next(self) -> None:
        published = self._published or 0
        group = self._hot.take(published + 1, GROUP_EVENTS_MAX)
        if group is None:
            if self._head <= published:
                self._work.clear()
                await self._work.wait()
                return
            group = await self._refill(published)
        await self._send(group)

    async def _refill(self, published: int) -> Group:
        logged = await self._reader.read(published, GROUP_EVENTS_MAX)
        for number, event in enumerate(logged, published + 1):
            if event.position != number:
                raise EventsDiverged(f"the log skips from {number - 1} to {event.position}")
        if not logged:
            raise EventsDiverged(f"the log has nothing after {published}, but {self._head} was committed")
        self.metrics.refilled += len(logged)
        return Group(published + 1, list(logged), [])

    def _build(self, group: Group, reply: bytes) -> tuple[bytes, int]:
        """Build one write of as much of the group as fits; return it with the last position in it."""
        size_max = self._connection.client.max_payload
        built: list[bytes] = []
        size = 0
        for position, event in enumerate(group.events, group.first):
            frame = self._frames.build(position, event, size_max)
            size += len(frame)
            if built and size > GROUP_BYTES_MAX:
                break
            built.append(frame)
        last = group.first + len(built) - 1
        built[-1] = self._frames.build(last, group.events[len(built) - 1], size_max, reply)
        return b"".join(built), last

    async def _send(self, group: Group) -> None:
        self._group_number += 1
        data, last = self._build(group, self._answers + b"%d" % self._group_number)
        answer = self._answer = self._loop.create_future()
        try:
            self._connection.write(data)
            async with asyncio.timeout(ACK_S_MAX):
                ack = await answer
        finally:
            self._answer = None
        if ack.error is not None:
            self.metrics.refusals += 1
            raise _OutOfStep(ack.error.description)
        if ack.seq != last or ack.stream != self._stream:
            raise EventsDiverged(f"position {last} was stored as {ack.stream} {ack.seq}")
        self._note_published(last)
        self.metrics.note_lags(group.offered, last - group.first + 1, monotonic())

    def _note_published(self, position: int) -> None:
        self._published = self.metrics.published = position
        self._progress.set()

    async def _receive_answer(self, msg: Msg) -> None:
        answer = self._answer
        # An answer to an earlier group comes too late to mean anything.
        if answer is None or answer.done() or msg.subject.rpartition(".")[2] != str(self._group_number):
            return
        if (msg.headers or {}).get(_STATUS) == frames.NO_RESPONDERS:
            answer.set_exception(_OutOfStep("no stream takes events"))
            return
        try:
            answer.set_result(frames.decode_ack(msg.data))
        except msgspec.DecodeError as error:
            answer.set_exception(_OutOfStep(f"an answer that is none: {error}"))

    def _fail_answer(self) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(NotConnected("the server was lost with a group in flight"))


async def stop_with_tail(relay: Relay, position: int, within_s: float) -> bool:
    """Give the relay up to `within_s` seconds to publish up to `position` before a shutdown; say whether it did."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(within_s):
            await relay.settled(position)
        return True
    return False
