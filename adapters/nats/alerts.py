"""Alerts: published once under their id, kept for subscribers that were away."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

import msgspec
import nats.errors
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.errors import NoStreamResponseError

from adapters.nats import frames
from adapters.nats.cancellation import raise_if_cancelled
from adapters.nats.connection import Connection
from adapters.nats.delivery import HEARTBEAT_S, SILENCE_S_MAX, Pulse, sequences
from adapters.nats.failures import NotConnected, OutcomeUnknown
from adapters.nats.frames import token
from adapters.nats.inbox import checked_key
from adapters.nats.streams import StreamState, checked_prefix, ensure_alerts, stream_name
from domain.refusal import Unavailable

SEVERITIES = ("info", "warning", "critical")
ALERT_ID_HEADER = "Nats-Msg-Id"
PUBLISH_S_MAX = 2.0
ATTEMPTS_MAX = 10
PAUSE_S = 0.1
ACK_WAIT_S = 5.0
UNHANDLED_MAX = 1
"""One at a time keeps the order: a next alert is sent only after the acknowledgement of the one before."""

_log = logging.getLogger("ballast.nats")


class Alert(msgspec.Struct, frozen=True, gc=False):
    """Carry one alert to a subscriber; `alert_id` tells a repetition from news, `data` is its JSON as published."""

    alert_id: str
    severity: str
    area: str
    data: bytes
    redelivered: bool


class AlertPublisher:
    """Publish a book's alerts on `<prefix>.alerts.<severity>.<area>`."""

    def __init__(self, connection: Connection, prefix: str) -> None:
        self.published = 0
        self._connection = connection
        self._jetstream = connection.jetstream()
        self._prefix = checked_prefix(prefix)
        self._stream = stream_name(prefix, "ALERTS")

    async def ensure(self) -> StreamState:
        """Make or verify ALERTS. When its `generation` is a new one, publish again the alerts that still matter.

        Raise `Unavailable` when the server does not answer.
        """
        try:
            return await ensure_alerts(self._jetstream, self._prefix)
        except nats.errors.Error as error:
            raise Unavailable(f"ALERTS cannot be asked for: {error!r}") from error

    async def publish(self, severity: str, area: str, alert_id: str, body: bytes) -> bool:
        """Publish an alert and return once ALERTS holds it: True if it was news, False if it was held already.

        Raise `Unavailable` when it is surely not held after `ATTEMPTS_MAX` tries, `OutcomeUnknown` when it may be.
        """
        if severity not in SEVERITIES:
            raise ValueError(f"a severity is one of {SEVERITIES}, not {severity!r}")
        subject = f"{self._prefix}.alerts.{severity}.{token(area)}"
        failed: Exception = Unavailable("not tried")
        unknown = False
        for _ in range(ATTEMPTS_MAX):
            raise_if_cancelled()
            try:
                return await self._publish_once(subject, alert_id, body)
            except TimeoutError as error:
                unknown, failed = True, error
            except (nats.errors.Error, Unavailable) as error:
                failed = error
            await asyncio.sleep(PAUSE_S)
        if unknown:
            raise OutcomeUnknown(f"alert {alert_id} may not be held: {failed!r}") from failed
        raise Unavailable(f"alert {alert_id} is not held: {failed!r}") from failed

    async def _publish_once(self, subject: str, alert_id: str, body: bytes) -> bool:
        if not self._connection.connected:
            raise NotConnected("no NATS server is connected")
        try:
            ack = await self._jetstream.publish(
                subject,
                body,
                timeout=PUBLISH_S_MAX,
                stream=self._stream,
                headers={ALERT_ID_HEADER: checked_key(alert_id)},
            )
        except NoStreamResponseError:
            # ALERTS was wiped: make it, then try again.
            await self.ensure()
            raise
        self.published += 1
        return not ack.duplicate


class AlertSubscriber:
    """Give a named subscriber every alert at least once, in order, those from while it was away included.

    It waits for ALERTS to be there; the publisher makes it.

    `handle` is awaited for each; an alert counts as handled when it returns. If it raises, `run` ends with its error
    and the alert comes again to the next `run` under the same name. Two at a time under one name take turns; don't.
    """

    def __init__(
        self, connection: Connection, prefix: str, name: str, handle: Callable[[Alert], Awaitable[None]]
    ) -> None:
        self.handled = 0
        self._connection = connection
        self._jetstream = connection.jetstream()
        self._prefix = checked_prefix(prefix)
        self._stream = stream_name(prefix, "ALERTS")
        self._name = token(name)
        self._handle = handle
        self._waiting: asyncio.Queue[Msg | None] = asyncio.Queue()
        self._pulse = Pulse(connection)
        self._subscription: Subscription | None = None
        self._rebind = True

    async def run(self) -> None:
        """Receive until cancelled, over lost servers and a wiped stream."""
        end_watch = self._connection.watch(disconnected=self._ask_rebind, reconnected=self._ask_rebind)
        try:
            while True:
                raise_if_cancelled()
                if self._rebind or self._pulse.silent_s > SILENCE_S_MAX:
                    await self._connection.until_connected()
                    await self._bind()
                try:
                    async with asyncio.timeout(HEARTBEAT_S):
                        msg = await self._waiting.get()
                except TimeoutError:
                    continue
                if msg is not None:
                    await self._handle_one(msg)
        finally:
            end_watch()
            await self._unsubscribe()

    async def _handle_one(self, msg: Msg) -> None:
        _, _, severity, area = msg.subject.split(".", 3)
        alert_id = (msg.headers or {}).get(ALERT_ID_HEADER, "")
        redelivered = sequences(msg.reply)[2] > 1
        await self._handle(Alert(alert_id, severity, area, msg.data, redelivered))
        self.handled += 1
        try:
            self._connection.write(frames.publication(msg.reply.encode(), b"+ACK"))
        except NotConnected:
            _log.info("alert %s was handled and will come again: no server took the acknowledgement", alert_id)

    async def _bind(self) -> None:
        await self._unsubscribe()
        client = self._connection.client
        try:
            subject = client.new_inbox()
            self._subscription = await client.subscribe(subject, cb=self._receive)
            await client.flush()
            await self._jetstream.add_consumer(self._stream, self._config(subject))
        except (nats.errors.Error, NotConnected, TimeoutError) as error:
            _log.info("alerts: not bound yet: %r", error)
            await asyncio.sleep(PAUSE_S)
            return
        self._pulse.beat()
        self._rebind = False

    def _config(self, subject: str) -> ConsumerConfig:
        # The same durable name keeps its place in the stream; only where it delivers to is new.
        return ConsumerConfig(
            durable_name=self._name,
            deliver_subject=subject,
            deliver_policy=DeliverPolicy.ALL,
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=ACK_WAIT_S,
            max_ack_pending=UNHANDLED_MAX,
            idle_heartbeat=HEARTBEAT_S,
        )

    def _ask_rebind(self) -> None:
        self._rebind = True
        self._waiting.put_nowait(None)

    async def _unsubscribe(self) -> None:
        self._waiting = asyncio.Queue()
        subscription, self._subscription = self._subscription, None
        if subscription is not None and not self._connection.client.is_closed:
            await subscription.unsubscribe()

    async def _receive(self, msg: Msg) -> None:
        if not self._pulse.is_control(msg):
            self._waiting.put_nowait(msg)
