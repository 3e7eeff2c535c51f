"""The core's side of commands: requests in, one joined write of replies out.

Messages are handed over synchronously from nats-py's subscription callback (no task per message), and the replies of
a whole commit go to the socket in one write: with a task and a write each, half of the rate is lost.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping

import msgspec
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from adapters.nats import frames
from adapters.nats.connection import Connection
from adapters.nats.failures import NotConnected
from adapters.nats.streams import checked_prefix
from commands.envelope import Reply

COMMANDS_IN_FLIGHT_MAX = 4096
COMMAND_ID_HEADER = "Ballast-Command-Id"
ACTOR_HEADER = "Ballast-Actor"
BUSY = "busy"
# Above the bound on what is in flight, so that it is the bound, with its reply, that is met first.
_QUEUED_MAX = 16 * COMMANDS_IN_FLIGHT_MAX

_EMPTY: Mapping[str, str] = {}

Offer = Callable[[str, bytes, Mapping[str, str], str], None]


class CommandServer:
    """Receive `<prefix>.cmd.>` and hand each request to `offer(kind, data, headers, reply)`, in order of arrival.

    `kind` is the subject after `<prefix>.cmd.`, e.g. `quote.issue`. Every offered request must be answered once with
    `reply_many`; until then it counts as in flight. At `in_flight_max` further requests are answered at once with
    status `busy`, unread and surely not done.
    """

    def __init__(
        self, connection: Connection, prefix: str, offer: Offer, *, in_flight_max: int = COMMANDS_IN_FLIGHT_MAX
    ) -> None:
        self.in_flight = 0
        self.received = 0
        self.refused_busy = 0
        self.ignored = 0
        self.replies_lost = 0
        self._connection = connection
        self._subject = f"{checked_prefix(prefix)}.cmd.>"
        self._kind_from = len(self._subject) - 1
        self._offer = offer
        self._in_flight_max = in_flight_max
        self._failure: asyncio.Future[None] | None = None
        self._subscription: Subscription | None = None

    async def start(self) -> None:
        """Begin to receive; on return the server knows of the subscription."""
        self._failure = asyncio.get_running_loop().create_future()
        self._subscription = await self._connection.client.subscribe(
            self._subject, cb=self._receive, pending_msgs_limit=_QUEUED_MAX
        )
        await self._connection.client.flush()

    async def until_failed(self) -> None:
        """Wait for ever; raise what `offer` raised, after which nothing more is offered."""
        if self._failure is None:
            raise RuntimeError("start() the command server first")
        await asyncio.shield(self._failure)

    async def stop(self) -> None:
        """Stop receiving; what is in flight may still be answered. Idempotent."""
        subscription, self._subscription = self._subscription, None
        if self._failure is not None and not self._failure.done():
            self._failure.cancel()
        if subscription is not None and not self._connection.client.is_closed:
            await subscription.unsubscribe()

    def reply_many(self, replies: Iterable[tuple[str, bytes, Mapping[str, str] | None]]) -> None:
        """Answer requests (reply subject, payload, headers) in one socket write.

        Without a connection the replies are lost and counted: the asker does not know the outcome, asks again with
        the same command id, and is answered then.
        """
        built: list[bytes] = []
        for reply, payload, headers in replies:
            block = frames.header_block(headers) if headers else b""
            built.append(frames.publication(reply.encode(), payload, headers=block))
        self.in_flight -= len(built)
        if not built:
            return
        try:
            self._connection.write(b"".join(built))
        except NotConnected:
            self.replies_lost += len(built)

    async def _receive(self, msg: Msg) -> None:
        if self._failure is None or self._failure.done():
            return
        self.received += 1
        if not msg.reply or not msg.subject.startswith(self._subject[:-1]):
            # Nobody waits for it, or a JetStream consumer was pointed at us: its messages keep the subject they had.
            self.ignored += 1
            return
        if self.in_flight >= self._in_flight_max:
            self._refuse_busy(msg)
            return
        self.in_flight += 1
        try:
            self._offer(msg.subject[self._kind_from :], msg.data, msg.headers or _EMPTY, msg.reply)
        except Exception as error:  # noqa: BLE001 # nats-py would log it and go on; it must reach the owner instead
            self._failure.set_exception(error)

    def _refuse_busy(self, msg: Msg) -> None:
        self.refused_busy += 1
        reply = Reply(status=BUSY, command_id=(msg.headers or _EMPTY).get(COMMAND_ID_HEADER, ""))
        payload = msgspec.json.encode(reply)
        try:
            self._connection.write(frames.publication(msg.reply.encode(), payload))
        except NotConnected:
            self.replies_lost += 1
