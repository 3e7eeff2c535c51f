"""Reach a venue: a WebSocket whose frames go straight to the dialect, and small questions by REST.

Nothing waits between a frame and its dialect: it is read in the callback that received it. With loopback settings the
venue's real host names are spoken to, over TLS that proves them, on a simulator's port.
"""

import asyncio
import math
import socket
import ssl
from collections.abc import Callable
from typing import Self

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from picows import WSCloseCode, WSError, WSFrame, WSHandshakeError, WSListener, WSMsgType, WSTransport, ws_connect
from picows.url import WSParsedURL

from adapters.exchange.feeds.trouble import Unreachable
from adapters.exchange.settings import Loopback

LOOPBACK = "127.0.0.1"
MESSAGE_BYTES_MAX = 8 * 1024 * 1024
BODY_BYTES_MAX = 8 * 1024 * 1024
IDLE_PING_S = 10.0
# How a venue says "not now": too many requests, banned for having made too many, out of service.
_NOT_NOW = frozenset({418, 429, 503})
_NOT_NOW_S = 5.0
_DATA = (WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.CONTINUATION)
_OK = 200


class Socket(WSListener):
    """Hold one connection. `heard` gets each whole message, `ended` the reason once it is over."""

    def __init__(self, heard: Callable[[bytes], None], ended: Callable[[str], None]) -> None:
        self._heard = heard
        self._ended = ended
        self._parts: list[bytes] = []
        self._parts_bytes = 0
        self._transport: WSTransport | None = None
        self._reason = "the connection was closed"

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Keep the transport."""
        self._transport = transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Hand a whole message on; put one in parts together first."""
        kind = frame.msg_type
        if kind in _DATA:
            payload = frame.get_payload_as_bytes()
            if frame.fin and not self._parts:
                self._heard(payload)
            else:
                self._gather(transport, payload, last=frame.fin)
        elif kind == WSMsgType.CLOSE:
            self._reason = f"the venue closed: {frame.get_close_code()} {frame.get_close_reason() or ''}".strip()
            transport.send_close(WSCloseCode.OK)
            transport.disconnect()

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """Say that it is over."""
        del transport
        self._ended(self._reason)

    def send(self, text: str) -> None:
        """Send a text message; nothing when the connection is over, which `ended` tells."""
        if self._transport is not None and not self._transport.is_disconnected:
            self._transport.send(WSMsgType.TEXT, text.encode())

    def close(self) -> None:
        """Drop the connection."""
        if self._transport is not None:
            self._transport.disconnect(graceful=False)

    def _gather(self, transport: WSTransport, payload: bytes, *, last: bool) -> None:
        self._parts.append(payload)
        self._parts_bytes += len(payload)
        if self._parts_bytes > MESSAGE_BYTES_MAX:
            self._reason = f"a message of more than {MESSAGE_BYTES_MAX} bytes"
            transport.disconnect(graceful=False)
        elif last:
            whole = b"".join(self._parts)
            self._parts.clear()
            self._parts_bytes = 0
            self._heard(whole)


class Reach:
    """Connect to one venue's hosts, or with loopback settings to the simulator of them. Use as `async with`."""

    def __init__(self, loopback: Loopback | None, hosts: frozenset[str], *, timeout_s: float) -> None:
        self._loopback = loopback
        self._hosts = hosts
        self._timeout_s = timeout_s
        self._session: aiohttp.ClientSession
        self._tls: ssl.SSLContext

    async def __aenter__(self) -> Self:
        """Read the authorities and open the session for REST."""
        loopback = self._loopback
        self._tls = ssl.create_default_context(cafile=None if loopback is None else str(loopback.ca_file))
        resolver = None if loopback is None else _OnLoopback(loopback.port, self._hosts)
        connector = aiohttp.TCPConnector(ssl=self._tls, resolver=resolver, use_dns_cache=loopback is None)
        self._session = aiohttp.ClientSession(
            connector=connector, timeout=aiohttp.ClientTimeout(total=self._timeout_s), max_line_size=16_384
        )
        return self

    async def __aexit__(self, *_exc: object) -> None:
        """Close the session."""
        await self._session.close()

    async def connect(
        self, host: str, port: int, path: str, *, heard: Callable[[bytes], None], ended: Callable[[str], None]
    ) -> Socket:
        """Open a WebSocket; raise `Unreachable`."""
        try:
            async with asyncio.timeout(self._timeout_s):
                _, listener = await ws_connect(
                    lambda: Socket(heard, ended),
                    f"wss://{host}:{port}{path}",
                    ssl_context=self._tls,
                    websocket_handshake_timeout=self._timeout_s,
                    max_redirects=0,
                    max_frame_size=MESSAGE_BYTES_MAX,
                    enable_auto_ping=True,
                    auto_ping_idle_timeout=IDLE_PING_S,
                    auto_ping_reply_timeout=IDLE_PING_S,
                    extra_headers={"Host": host},
                    socket_factory=None if self._loopback is None else self._loopback_socket,
                )
        except WSHandshakeError as error:
            status = 0 if error.response is None else int(error.response.status)
            header = "" if error.response is None else error.response.headers.get("Retry-After", "")
            raise Unreachable(f"the venue answered {status} to the handshake", _wait_s(status, header)) from error
        except (WSError, OSError, asyncio.CancelledError) as error:
            if isinstance(error, asyncio.CancelledError):
                raise
            raise Unreachable(f"no connection: {type(error).__name__}: {error}") from error
        assert isinstance(listener, Socket)  # noqa: S101 - the factory above makes nothing else
        return listener

    async def get(self, host: str, path: str) -> bytes:
        """Ask by REST and return the body; raise `Unreachable`."""
        try:
            async with self._session.get(f"https://{host}{path}", allow_redirects=False) as answer:
                body = await answer.content.read(BODY_BYTES_MAX)
                while not answer.content.at_eof():
                    body += await answer.content.read(BODY_BYTES_MAX)
                    if len(body) > BODY_BYTES_MAX:
                        raise Unreachable(f"an answer of more than {BODY_BYTES_MAX} bytes")
                if answer.status != _OK:
                    header = answer.headers.get("Retry-After", "")
                    raise Unreachable(f"the venue answered {answer.status}", _wait_s(answer.status, header))
                return body
        except (aiohttp.ClientError, OSError) as error:
            raise Unreachable(f"no answer: {type(error).__name__}: {error}") from error

    async def _loopback_socket(self, url: WSParsedURL) -> socket.socket:
        assert self._loopback is not None  # noqa: S101 - used with loopback settings only
        if url.host not in self._hosts:
            raise OSError(None, f"{url.host} is not one of this venue's hosts")
        made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        made.settimeout(0)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            await asyncio.get_running_loop().sock_connect(made, (LOOPBACK, self._loopback.port))
        except BaseException:
            made.close()
            raise
        return made


class _OnLoopback(AbstractResolver):
    """Answer one loopback port for the venue's hosts, whatever port is asked, and nothing else."""

    def __init__(self, port: int, hosts: frozenset[str]) -> None:
        self._port = port
        self._hosts = hosts

    async def resolve(
        self,
        host: str,
        port: int = 0,  # noqa: ARG002 - aiohttp's signature; the answer is one port for all
        family: socket.AddressFamily = socket.AF_INET,  # noqa: ARG002 - same
    ) -> list[ResolveResult]:
        """Return the simulator's address; refuse a host that is not the venue's."""
        if host not in self._hosts:
            raise OSError(None, f"{host} is not one of this venue's hosts")
        return [ResolveResult(hostname=host, host=LOOPBACK, port=self._port, family=socket.AF_INET, proto=0, flags=0)]

    async def close(self) -> None:
        """Hold nothing, close nothing."""


def _wait_s(status: int, header: str) -> float:
    """Return how long a refusal asks to wait: its Retry-After in seconds, or a little where it does not say."""
    if status not in _NOT_NOW:
        return 0.0
    try:
        told = float(header)
    except ValueError:
        return _NOT_NOW_S
    return told if math.isfinite(told) and told >= 0 else _NOT_NOW_S
