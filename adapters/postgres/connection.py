"""One session with Postgres that pipelines requests: sends them at once, hears the answers in order.

asyncpg waits for each answer before it sends the next request; the writer must not, so it speaks the protocol itself.
"""

import asyncio
import struct
from collections import deque
from collections.abc import Callable, Mapping
from typing import cast

from adapters.postgres import messages
from adapters.postgres.address import Address
from adapters.postgres.failures import ConnectionLost, HandshakeFailed, PostgresRefused, ServerError
from adapters.postgres.messages import Row
from adapters.postgres.scram import ScramClient, ScramFailed

CONNECT_MS_MAX = 5_000
CLOSE_MS_MAX = 2_000

# Called once per request: with the rows, or with the failure.
Answered = Callable[[list[Row], Exception | None], None]


class Connection(asyncio.Protocol):
    """Speak one session. Make it with `connect`."""

    def __init__(self, address: Address, options: Mapping[str, str]) -> None:
        self._address = address
        self._options = options
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._requests: deque[Answered] = deque()
        self._rows: list[Row] = []
        self._error: ServerError | None = None
        self._scram: ScramClient | None = None
        self._server_proved = True
        self.opened: asyncio.Future[None] = self._loop.create_future()
        # A failure nobody waits for any more (the bound ran out first) needs no report of its own.
        self.opened.add_done_callback(lambda opened: opened.cancelled() or opened.exception())
        self.closed: asyncio.Future[None] = self._loop.create_future()
        self.backend_pid = 0
        self.on_notification: Callable[[str, str], None] = lambda _channel, _payload: None
        self.on_lost: Callable[[], None] = lambda: None

    def begin(self, transport: asyncio.Transport) -> None:
        """Send the startup message over a transport that is ready for it."""
        self._transport = transport
        transport.write(messages.startup(self._address.user, self._address.database, self._options))

    def send(self, request: bytes, answered: Answered) -> None:
        """Write one simple query, with what follows it, behind those in flight; `answered` hears of it once."""
        if self._transport is None or self._transport.is_closing():
            answered([], ConnectionLost("the connection is closed"))
            return
        self._requests.append(answered)
        self._transport.write(request)

    async def fetch(self, sql: str) -> list[Row]:
        """Run statements in one transaction and return their rows, as text. Raise PostgresRefused or ConnectionLost."""
        outcome: asyncio.Future[list[Row]] = self._loop.create_future()

        def answered(rows: list[Row], failure: Exception | None) -> None:
            if outcome.done():
                return
            if failure is not None:
                outcome.set_exception(failure)
            else:
                outcome.set_result(rows)

        self.send(messages.query(sql), answered)
        return await outcome

    def abort(self) -> None:
        """Drop the connection at once; everything in flight hears ConnectionLost."""
        if self._transport is not None:
            self._transport.abort()

    async def gone(self) -> None:
        """Wait until an aborted connection is gone."""
        if self._transport is not None:
            await self.closed

    async def close(self) -> None:
        """Say goodbye and wait until the connection is gone; idempotent."""
        if self._transport is None:
            return
        if not self._transport.is_closing():
            self._transport.write(messages.TERMINATE)
            self._transport.close()
        try:
            async with asyncio.timeout(CLOSE_MS_MAX / 1_000):
                await asyncio.shield(self.closed)
        except TimeoutError:
            self._transport.abort()
            await self.closed

    # asyncio.Protocol

    def data_received(self, data: bytes) -> None:
        """Take what came; answer and report each whole message."""
        self._buffer += data
        try:
            for kind, body in messages.take_messages(self._buffer):
                self._receive(kind, body)
        except (messages.MalformedMessage, ScramFailed, HandshakeFailed, ValueError, IndexError, struct.error) as error:
            self._fail_opening(HandshakeFailed(str(error)))
            self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell everyone who waits."""
        lost = ConnectionLost(str(self._error or exc or "the server closed the connection"))
        self._fail_opening(HandshakeFailed(str(lost)))
        waiting, self._requests = self._requests, deque()
        for answered in waiting:
            answered([], lost)
        if not self.closed.done():
            self.closed.set_result(None)
        self.on_lost()

    def _fail_opening(self, failure: HandshakeFailed) -> None:
        if not self.opened.done():
            self.opened.set_exception(failure)

    def _receive(self, kind: int, body: bytes) -> None:
        if kind == messages.READY:
            self._ready()
        elif kind == messages.DATA_ROW:
            self._rows.append(messages.data_row(body))
        elif kind == messages.ERROR:
            self._error = messages.server_error(body)
            if not self.opened.done():
                self._fail_opening(HandshakeFailed(str(self._error)))
        elif kind == messages.NOTIFICATION:
            self.on_notification(*messages.notification(body))
        elif kind == messages.AUTHENTICATION:
            self._authenticate(*messages.authentication(body))
        elif kind == messages.BACKEND_KEY:
            self.backend_pid = messages.backend_key(body)
        # Else: notices, parameters, command tags, row descriptions and copy invitations change nothing here.

    def _ready(self) -> None:
        if not self.opened.done():
            self.opened.set_result(None)
            return
        rows, error = self._rows, self._error
        self._rows, self._error = [], None
        # A fatal error is followed by the end of the connection, not by this message: what came here is settled.
        self._requests.popleft()(rows, PostgresRefused(error) if error is not None else None)

    def _authenticate(self, code: int, data: bytes) -> None:
        if code == messages.AUTH_OK:
            if not self._server_proved:
                raise HandshakeFailed("the server let us in without proving that it knows the password")
            return
        if code == messages.AUTH_SASL:
            self._start_scram(data)
        elif code == messages.AUTH_SASL_CONTINUE and self._scram is not None:
            self._write(messages.sasl_answer(self._scram.answer(data)))
        elif code == messages.AUTH_SASL_FINAL and self._scram is not None:
            self._scram.check(data)
            self._server_proved = True
        elif code == messages.AUTH_CLEARTEXT:
            raise HandshakeFailed("the server asks for the password in clear text; use scram-sha-256")
        elif code == messages.AUTH_MD5:
            raise HandshakeFailed("the server asks for an md5 password, which is broken; use scram-sha-256")
        else:
            raise HandshakeFailed(f"the server asks for authentication method {code}; this client knows scram-sha-256")

    def _start_scram(self, data: bytes) -> None:
        offered = [name.decode() for name in data.split(b"\0") if name]
        if messages.SCRAM_SHA_256 not in offered:
            raise HandshakeFailed(f"the server offers {', '.join(offered)}; this client knows {messages.SCRAM_SHA_256}")
        if not self._address.password:
            raise HandshakeFailed("the server asks for a password and the dsn has none")
        self._scram, self._server_proved = ScramClient(self._address.password), False
        self._write(messages.sasl_first(messages.SCRAM_SHA_256, self._scram.first()))

    def _write(self, data: bytes) -> None:
        assert self._transport is not None  # noqa: S101 - answers come over a transport
        self._transport.write(data)


class _TlsAnswer(asyncio.Protocol):
    """Wait for the one byte that answers a TLS request."""

    def __init__(self) -> None:
        self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask."""
        cast("asyncio.Transport", transport).write(messages.TLS_REQUEST)

    def data_received(self, data: bytes) -> None:
        """Take the answer."""
        if not self.answer.done():
            self.answer.set_result(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Give up."""
        if not self.answer.done():
            self.answer.set_exception(HandshakeFailed(f"the server closed the connection: {exc or 'no reason given'}"))


async def connect(address: Address, options: Mapping[str, str]) -> Connection:
    """Open a session; raise HandshakeFailed when none comes about within the bound.

    `options` are session settings, such as application_name.
    """
    connection = Connection(address, options)
    try:
        async with asyncio.timeout(CONNECT_MS_MAX / 1_000):
            connection.begin(await _transport(address, connection))
            await connection.opened
    except BaseException as error:
        connection.abort()
        await connection.gone()
        if isinstance(error, TimeoutError):
            raise HandshakeFailed(f"{address!r} did not answer within {CONNECT_MS_MAX} ms") from error
        if isinstance(error, OSError):
            raise HandshakeFailed(f"{address!r}: {error}") from error
        raise
    return connection


async def _transport(address: Address, connection: Connection) -> asyncio.Transport:
    loop = asyncio.get_running_loop()
    if address.socket_path:
        transport, _ = await loop.create_unix_connection(lambda: connection, address.socket_path)
        return transport
    if not address.asks_tls:
        transport, _ = await loop.create_connection(lambda: connection, address.host, address.port)
        return transport
    transport, asking = await loop.create_connection(_TlsAnswer, address.host, address.port)
    try:
        if not _accepts_tls(await asking.answer, address):
            transport.set_protocol(connection)
            return transport
        return _secured(
            await loop.start_tls(transport, connection, address.tls_context(), server_hostname=address.host)
        )
    except BaseException:
        transport.abort()
        raise


def _accepts_tls(answer: bytes, address: Address) -> bool:
    if answer == b"S":
        return True
    # More than the one byte would be text that someone put in front of the encrypted part.
    if answer != b"N":
        raise HandshakeFailed(f"the server answered a TLS request with {answer[:16]!r}")
    if address.requires_tls:
        raise HandshakeFailed(f"the server has no TLS and sslmode={address.sslmode} requires it")
    return False


def _secured(transport: asyncio.Transport | None) -> asyncio.Transport:
    if transport is None:
        raise HandshakeFailed("the connection ended during the TLS handshake")
    return transport
