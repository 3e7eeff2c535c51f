"""What is published for whoever listens now, and lost otherwise: heartbeats, market data, indicative ladders."""

from collections.abc import Callable

import msgspec
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from adapters.nats import frames
from adapters.nats.connection import Connection
from adapters.nats.failures import NotConnected
from adapters.nats.frames import escape_token, token, unescape_token
from adapters.nats.streams import checked_prefix


class MarketMessage(msgspec.Struct, frozen=True, gc=False):
    """Carry one normalised market publication; `data` is its body as published."""

    venue: str
    symbol: str
    kind: str
    data: bytes


class IndicativeMessage(msgspec.Struct, frozen=True, gc=False):
    """Carry one pair's indicative ladder as published."""

    pair: str
    data: bytes


class Signals:
    """Publish and receive a book's signals. Publishing never waits; without a server it is dropped and counted."""

    def __init__(self, connection: Connection, prefix: str) -> None:
        self.dropped = 0
        self._connection = connection
        self._prefix = checked_prefix(prefix)

    def publish_health(self, role: str, body: bytes) -> None:
        """Publish a role's own numbers on `<prefix>.health.<role>`."""
        self._publish(f"{self._prefix}.health.{token(role)}", body)

    async def on_health(self, receive: Callable[[str, bytes], None]) -> Subscription:
        """Call `receive(role, body)` with what every role tells of itself."""

        async def read(msg: Msg) -> None:
            receive(msg.subject.rpartition(".")[2], msg.data)

        return await self._subscribe(f"{self._prefix}.health.*", read)

    def publish_market(self, venue: str, symbol: str, kind: str, body: bytes) -> None:
        """Publish on `<prefix>.market.<venue>.<symbol>.<kind>`; what cannot stand in a subject is escaped."""
        self._publish(f"{self._prefix}.market.{token(venue)}.{escape_token(symbol)}.{token(kind)}", body)

    def publish_indicative(self, pair: str, body: bytes) -> None:
        """Publish on `<prefix>.indicative.<pair>`."""
        self._publish(f"{self._prefix}.indicative.{escape_token(pair)}", body)

    async def on_market(
        self,
        receive: Callable[[MarketMessage], None],
        *,
        venue: str | None = None,
        symbol: str | None = None,
        kind: str | None = None,
    ) -> Subscription:
        """Call `receive` with the market publications of a venue, a symbol and a kind, or of all."""
        of_venue = "*" if venue is None else token(venue)
        of_symbol = "*" if symbol is None else escape_token(symbol)
        of_kind = "*" if kind is None else token(kind)

        async def read(msg: Msg) -> None:
            _, _, venue, symbol, kind = msg.subject.split(".")
            receive(MarketMessage(venue, unescape_token(symbol), kind, msg.data))

        return await self._subscribe(f"{self._prefix}.market.{of_venue}.{of_symbol}.{of_kind}", read)

    async def on_indicative(
        self, receive: Callable[[IndicativeMessage], None], *, pair: str | None = None
    ) -> Subscription:
        """Call `receive` with the indicative ladders of a pair, or of all."""
        of_pair = "*" if pair is None else escape_token(pair)

        async def read(msg: Msg) -> None:
            receive(IndicativeMessage(unescape_token(msg.subject.rpartition(".")[2]), msg.data))

        return await self._subscribe(f"{self._prefix}.indicative.{of_pair}", read)

    def _publish(self, subject: str, body: bytes) -> None:
        try:
            self._connection.write(frames.publication(subject.encode(), body))
        except NotConnected:
            self.dropped += 1

    async def _subscribe(self, subject: str, read: Callable[[Msg], object]) -> Subscription:
        subscription = await self._connection.client.subscribe(subject, cb=read)  # pyright: ignore[reportArgumentType] # each `read` is a coroutine function
        await self._connection.client.flush()
        return subscription
