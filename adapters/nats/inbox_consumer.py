"""The core's reading of INBOX: in order, bounded, acknowledged only after the commit.

INBOX is a work queue, so what is stored is what is not yet acknowledged. The consumer is made anew on start and after
every reconnect: everything unacknowledged comes again at once and in order, instead of after newer facts.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable

import msgspec
import nats.errors
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.errors import NotFoundError

from adapters.nats import frames
from adapters.nats.cancellation import raise_if_cancelled
from adapters.nats.connection import Connection
from adapters.nats.delivery import HEARTBEAT_S, SILENCE_S_MAX, Pulse, sequences
from adapters.nats.failures import NotConnected
from adapters.nats.inbox import NATURAL_KEY_HEADER
from adapters.nats.streams import StreamState, checked_prefix, ensure_inbox, stream_name
from adapters.nats.trace import TRACEPARENT

INBOX_IN_FLIGHT_MAX = 1024
ACK_WAIT_S = 30.0
REBIND_PAUSE_S = 0.2
DURABLE = "core"
_ACK = b"+ACK"
_TERM = b"+TERM "
_REASON_CHARS_MAX = 200
_SUBJECT_PARTS_MIN = 4

_log = logging.getLogger("ballast.nats")


class InboxFact(msgspec.Struct, frozen=True, gc=False):
    """Carry one fact to the core. `receipt` is what `ack` and `reject` want back."""

    receipt: int
    source: str
    kind: str
    natural_key: str
    data: bytes
    traceparent: str | None
    sequence: int
    redelivered: bool


class _Held(msgspec.Struct, frozen=True, gc=False):
    sequence: int
    generation: str
    reply: bytes


class InboxConsumer:
    """Hand the facts of INBOX to `offer`, synchronously and in order, at most `in_flight_max` unacknowledged.

    `on_bound(state)` is called on start, after every reconnect, and when INBOX was made anew or lost its tail: the
    moments at which every source is to be asked again from its last recorded cursor; `state.generation` tells a new
    INBOX from the old. `on_malformed(subject, reason)` is called for a message that is no fact; it is terminated.
    """

    def __init__(
        self,
        connection: Connection,
        prefix: str,
        offer: Callable[[InboxFact], None],
        *,
        on_bound: Callable[[StreamState], None],
        on_malformed: Callable[[str, str], None],
        in_flight_max: int = INBOX_IN_FLIGHT_MAX,
    ) -> None:
        self.state: StreamState | None = None
        self.received = 0
        self.redelivered = 0
        self.malformed = 0
        self.rebinds = 0
        self._connection = connection
        self._prefix = checked_prefix(prefix)
        self._stream = stream_name(prefix, "INBOX")
        self._offer = offer
        self._on_bound = on_bound
        self._on_malformed = on_malformed
        self._in_flight_max = in_flight_max
        self._jetstream = connection.jetstream()
        self._held: dict[int, _Held] = {}
        self._receipts: dict[int, int] = {}  # by stream sequence, this generation's only
        self._receipt = 0
        self._next_delivery = 1
        self._subscription: Subscription | None = None
        self._pulse = Pulse(connection)
        self._wake = asyncio.Event()
        self._rebind = False
        self._failure: Exception | None = None

    @property
    def in_flight(self) -> int:
        """Return how many facts are offered and neither acknowledged nor rejected."""
        return len(self._held)

    def ack(self, receipts: Iterable[int]) -> None:
        """Acknowledge facts whose commit is durable, in one socket write; unknown receipts are passed over.

        An acknowledgement lost with a connection only means that the fact comes again, under the same natural key.
        """
        self._settle((receipt, _ACK) for receipt in receipts)

    def reject(self, receipt: int, reason: str) -> None:
        """Remove a fact that no retry can make readable; the caller raises the alert."""
        clean = reason.replace("\r", " ").replace("\n", " ")[:_REASON_CHARS_MAX]
        self._settle([(receipt, _TERM + clean.encode())])

    async def run(self) -> None:
        """Consume until cancelled; raise what `offer` raised, or a `Broken` of the bus."""
        end_watch = self._connection.watch(disconnected=self._ask_rebind, reconnected=self._ask_rebind)
        try:
            while True:
                raise_if_cancelled()
                await self._connection.until_connected()
                self._rebind = False
                try:
                    await self._bind()
                except (nats.errors.Error, NotConnected, TimeoutError) as error:
                    _log.warning("inbox: not bound yet: %r", error)
                    await asyncio.sleep(REBIND_PAUSE_S)
                    continue
                await self._until_rebind()
        finally:
            end_watch()
            await self._unsubscribe()

    async def _bind(self) -> None:
        await self._unsubscribe()
        state = await ensure_inbox(self._jetstream, self._prefix)
        if self.state is None or self.state.generation != state.generation:
            self._receipts.clear()
        self.state = state
        # Before the first fact: the core knows which INBOX it comes from.
        self._on_bound(state)
        with contextlib.suppress(NotFoundError):
            await self._jetstream.delete_consumer(self._stream, DURABLE)
        self._next_delivery = 1
        subject = self._connection.client.new_inbox()
        self._subscription = await self._connection.client.subscribe(subject, cb=self._receive)
        await self._connection.client.flush()
        await self._jetstream.add_consumer(
            self._stream,
            ConsumerConfig(
                durable_name=DURABLE,
                deliver_subject=subject,
                deliver_policy=DeliverPolicy.ALL,
                ack_policy=AckPolicy.EXPLICIT,
                ack_wait=ACK_WAIT_S,
                max_ack_pending=self._in_flight_max,
                idle_heartbeat=HEARTBEAT_S,
            ),
        )
        self._pulse.beat()
        self.rebinds += 1

    async def _until_rebind(self) -> None:
        while not self._rebind:
            raise_if_cancelled()
            if self._failure is not None:
                raise self._failure
            self._wake.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(HEARTBEAT_S):
                    await self._wake.wait()
            if self._pulse.silent_s > SILENCE_S_MAX:
                _log.warning("inbox: the consumer fell silent; binding again")
                return

    def _ask_rebind(self) -> None:
        self._rebind = True
        self._wake.set()

    async def _unsubscribe(self) -> None:
        subscription, self._subscription = self._subscription, None
        if subscription is not None and not self._connection.client.is_closed:
            await subscription.unsubscribe()

    async def _receive(self, msg: Msg) -> None:
        if self._failure is not None or self._rebind or self._pulse.is_control(msg):
            return
        sequence, delivery, times = sequences(msg.reply)
        if delivery != self._next_delivery:
            # One was lost on the way (a slow consumer drops): take none out of order, begin again.
            self._ask_rebind()
            return
        self._next_delivery += 1
        self._hold_and_offer(msg, sequence, redelivered=times > 1)

    def _hold_and_offer(self, msg: Msg, sequence: int, *, redelivered: bool) -> None:
        generation = self.state.generation if self.state is not None else ""
        held = _Held(sequence, generation, msg.reply.encode())
        known = self._receipts.get(sequence)
        if known is not None:
            # Still being decided: only the way to acknowledge it is new.
            self._held[known] = held
            self.redelivered += 1
            return
        headers = msg.headers or {}
        parts = msg.subject.split(".")
        self._receipt += 1
        receipt = self._receipt
        self._held[receipt] = held
        self._receipts[sequence] = receipt
        natural_key = headers.get(NATURAL_KEY_HEADER, "")
        if len(parts) < _SUBJECT_PARTS_MIN or not natural_key:
            self.malformed += 1
            reason = f"no {NATURAL_KEY_HEADER} header" if not natural_key else "no source and kind in its subject"
            self.reject(receipt, reason)
            self._on_malformed(msg.subject, reason)
            return
        self.received += 1
        fact = InboxFact(
            receipt=receipt,
            source=parts[2],
            kind=".".join(parts[3:]),
            natural_key=natural_key,
            data=msg.data,
            traceparent=headers.get(TRACEPARENT),
            sequence=sequence,
            redelivered=redelivered,
        )
        try:
            self._offer(fact)
        except Exception as error:  # noqa: BLE001 # nats-py would log it and go on; it must end run() instead
            self._failure = error
            self._wake.set()

    def _settle(self, settled: Iterable[tuple[int, bytes]]) -> None:
        generation = self.state.generation if self.state is not None else ""
        built: list[bytes] = []
        for receipt, verdict in settled:
            held = self._held.pop(receipt, None)
            # A sequence of an INBOX that is gone may name another fact in the new one: never acknowledge that.
            if held is None or held.generation != generation:
                continue
            self._receipts.pop(held.sequence, None)
            built.append(frames.publication(held.reply, verdict))
        if built:
            with contextlib.suppress(NotConnected):
                self._connection.write(b"".join(built))
