"""A connection to NATS that outlives its servers: it seeks them for ever or as often as told, and says when it ends."""

import asyncio
import logging
import ssl
from collections.abc import Callable

import nats.errors
from nats.aio.client import Client
from nats.js import JetStreamContext

from adapters.nats import wire
from adapters.nats.cancellation import raise_if_cancelled
from adapters.nats.failures import ClientChanged, ConnectionEnded, NotConnected

CONNECT_TIMEOUT_S = 2
FIRST_CONNECT_S_MAX = 15.0
"""How long `open_connection` waits for a server that is starting."""
RECONNECT_WAIT_S = 0.2
PING_INTERVAL_S = 5
UNANSWERED_PINGS_MAX = 2
DRAIN_S_MAX = 5
API_TIMEOUT_S = 3.0
INBOX_PREFIX = "_INBOX"
_FOR_EVER = -1

_log = logging.getLogger("ballast.nats")


class Connection:
    """Own one nats-py client: its state, its watchers and its end. Make it with `open_connection`."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.client = Client()
        self.reconnects = 0
        self.errors = 0
        self.last_error: Exception | None = None
        self._up = asyncio.Event()
        self._ended = asyncio.Event()
        self._asked_to_close = False
        self._on_disconnected: list[Callable[[], object]] = []
        self._on_reconnected: list[Callable[[], object]] = []

    @property
    def connected(self) -> bool:
        """Return whether a server is connected now."""
        return self.client.is_connected

    def jetstream(self) -> JetStreamContext:
        """Return nats-py's JetStream context with the bus's time limit for API requests."""
        return self.client.jetstream(timeout=API_TIMEOUT_S)

    def write(self, data: bytes) -> None:
        """Write whole protocol frames at once and in order; raise `NotConnected` when no server is connected."""
        wire.write(self.client, data)

    def watch(
        self, *, disconnected: Callable[[], object] | None = None, reconnected: Callable[[], object] | None = None
    ) -> Callable[[], None]:
        """Call these when the server is lost or found again; the returned function ends the watch."""
        if disconnected is not None:
            self._on_disconnected.append(disconnected)
        if reconnected is not None:
            self._on_reconnected.append(reconnected)

        def end() -> None:
            if disconnected is not None:
                self._on_disconnected.remove(disconnected)
            if reconnected is not None:
                self._on_reconnected.remove(reconnected)

        return end

    async def until_connected(self) -> None:
        """Wait until a server is connected; raise `ConnectionEnded` when that can no longer happen."""
        if self.connected:
            return
        up = asyncio.create_task(self._up.wait())
        ended = asyncio.create_task(self._ended.wait())
        try:
            await asyncio.wait((up, ended), return_when=asyncio.FIRST_COMPLETED)
        finally:
            up.cancel()
            ended.cancel()
            await asyncio.gather(up, ended, return_exceptions=True)
        if self._ended.is_set():
            raise ConnectionEnded(f"the NATS connection {self.name!r} ended: {self.last_error!r}")

    async def until_ended(self) -> None:
        """Wait for the end; raise `ConnectionEnded` unless `close` was what ended it."""
        await self._ended.wait()
        if not self._asked_to_close:
            raise ConnectionEnded(f"the NATS connection {self.name!r} ended: {self.last_error!r}")

    async def close(self) -> None:
        """Finish what was received and sent, then disconnect; idempotent, and bounded when the server is gone."""
        self._asked_to_close = True
        if not self.client.is_closed:
            try:
                async with asyncio.timeout(DRAIN_S_MAX):
                    await self.client.drain()
            except (nats.errors.Error, OSError, TimeoutError) as error:
                _log.info("connection %s: closed without a drain: %r", self.name, error)
                await self.client.close()
            except asyncio.CancelledError:
                # nats-py cancels its own search for a server, and with it the socket's end that both wait for.
                raise_if_cancelled()
        self._up.clear()
        self._ended.set()

    async def open(self, url: str, tls: ssl.SSLContext | None, inbox_prefix: str, reconnects_max: int | None) -> None:
        """Connect; part of `open_connection`."""
        options = {} if tls is None else {"tls": tls}
        await self.client.connect(
            servers=[part.strip() for part in url.split(",")],
            name=self.name,
            error_cb=self._note_error,
            disconnected_cb=self._note_disconnected,
            reconnected_cb=self._note_reconnected,
            closed_cb=self._note_closed,
            connect_timeout=CONNECT_TIMEOUT_S,
            reconnect_time_wait=RECONNECT_WAIT_S,  # pyright: ignore[reportArgumentType] # only ever slept on; a float is fine
            max_reconnect_attempts=_FOR_EVER if reconnects_max is None else reconnects_max,
            ping_interval=PING_INTERVAL_S,
            max_outstanding_pings=UNANSWERED_PINGS_MAX,
            drain_timeout=DRAIN_S_MAX,
            inbox_prefix=inbox_prefix,
            **options,  # pyright: ignore[reportArgumentType] # nats-py tells "no TLS" by the absence of the option
        )
        wire.verify(self.client)
        self._up.set()

    async def _note_error(self, error: Exception) -> None:
        self.errors += 1
        self.last_error = error
        _log.warning("connection %s: %r", self.name, error)

    async def _note_disconnected(self) -> None:
        self._up.clear()
        for call in tuple(self._on_disconnected):
            call()

    async def _note_reconnected(self) -> None:
        self.reconnects += 1
        try:
            wire.verify(self.client)
        except ClientChanged as error:
            self.last_error = error
            await self.client.close()
            return
        self._up.set()
        for call in tuple(self._on_reconnected):
            call()

    async def _note_closed(self) -> None:
        self._up.clear()
        self._ended.set()


async def open_connection(
    url: str,
    *,
    name: str,
    tls: ssl.SSLContext | None = None,
    inbox_prefix: str = INBOX_PREFIX,
    reconnects_max: int | None = None,
    within_s: float = FIRST_CONNECT_S_MAX,
) -> Connection:
    """Connect to `url` (several separated by commas; user and password inside) and keep connected.

    Replies come to subjects under `inbox_prefix`; a server may let each user hear only its own. A server that is lost
    is sought every `RECONNECT_WAIT_S`: for ever when `reconnects_max` is None, else that often, after which
    `until_ended` raises. Raise `NotConnected` when no server answers within `within_s` seconds, and `ClientChanged`
    when the installed nats-py cannot write raw frames.
    """
    connection = Connection(name)
    try:
        async with asyncio.timeout(within_s):
            await connection.open(url, tls, inbox_prefix, reconnects_max)
    except (nats.errors.Error, OSError, TimeoutError) as error:
        await connection.close()
        # The url may hold a password: name the connection, not the address.
        raise NotConnected(f"no NATS server for {name!r} within {within_s} s: {connection.last_error!r}") from error
    except ClientChanged:
        await connection.close()
        raise
    return connection
