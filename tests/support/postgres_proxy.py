"""A proxy before Postgres that loses what it is told to lose, at a moment that is known."""

import asyncio
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

TLS_REQUEST = bytes.fromhex("0000000804d2162f")
CHUNK_BYTES = 1 << 20


class PostgresProxy:
    """Pass bytes on. `lose_answers` and `lose_requests` cut the connection at the next answer or request."""

    def __init__(self, host: str, port: int, tls: ssl.SSLContext | None) -> None:
        self._host, self._port, self._tls = host, port, tls
        self._tasks: set[asyncio.Task[None]] = set()
        self.lose_answers = False
        self.lose_requests = False
        self.refuse = False
        self.held = asyncio.Event()
        self.held.set()
        self.cut = asyncio.Event()
        self.secured = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            if self.refuse:
                return
            if self._tls is not None:
                assert await reader.readexactly(len(TLS_REQUEST)) == TLS_REQUEST
                writer.write(b"S")
                await writer.start_tls(self._tls)
                self.secured += 1
            behind, ahead = await asyncio.open_connection(self._host, self._port)
            try:
                await self._both(reader, writer, behind, ahead)
            finally:
                ahead.transport.abort()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.transport.abort()
            self._tasks.discard(task)

    async def _both(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        behind: asyncio.StreamReader,
        ahead: asyncio.StreamWriter,
    ) -> None:
        ways = [
            asyncio.create_task(self._requests(reader, ahead)),
            asyncio.create_task(self._answers(behind, writer)),
        ]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        await asyncio.wait(ways)

    async def _requests(self, reader: asyncio.StreamReader, ahead: asyncio.StreamWriter) -> None:
        while data := await reader.read(CHUNK_BYTES):
            if self.lose_requests:
                self.lose_requests = False
                self.cut.set()
                return
            ahead.write(data)
            await ahead.drain()

    async def _answers(self, behind: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await behind.read(CHUNK_BYTES):
            await self.held.wait()
            if self.lose_answers:
                self.lose_answers = False
                self.cut.set()
                return
            writer.write(data)
            await writer.drain()

    async def close(self) -> None:
        """Cut everyone off and wait for the end."""
        for task in tuple(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(tuple(self._tasks))


@asynccontextmanager
async def proxied(dsn: str, tls: ssl.SSLContext | None = None) -> AsyncGenerator[tuple[PostgresProxy, str]]:
    """Run a proxy before the server of a dsn; yield it with the dsn that goes through it."""
    parts = urlsplit(dsn)
    proxy = PostgresProxy(parts.hostname or "", parts.port or 0, tls)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield proxy, parts._replace(netloc=f"{parts.netloc.rpartition(':')[0]}:{port}").geturl()
    finally:
        server.close()
        await proxy.close()
        await server.wait_closed()
