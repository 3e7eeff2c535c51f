"""The HTTP server: uvicorn in the caller's event loop, on a socket of our own, drained when asked to stop."""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Generator

import uvicorn
from litestar import Litestar

from api.http.house import House

BACKLOG = 2_048
DRAIN_S_MAX = 10
KEEP_ALIVE_S = 30


class _Server(uvicorn.Server):
    """Leave signals to the process' owner, and say when requests are taken."""

    def __init__(self, config: uvicorn.Config, on_started: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_started = on_started

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Take no signal handler: `stop` is how this server ends."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then tell."""
        await super().startup(sockets)
        if self.started:
            self._on_started()


async def serve(app: Litestar, host: str, port: int, *, ready: Callable[[int], None], stop: asyncio.Event) -> None:
    """Serve until `stop` is set, then finish what is under way (at most `DRAIN_S_MAX` seconds) and return.

    `ready` is called once with the bound port (port 0 takes a free one) as soon as requests are taken. Raise OSError
    when the address cannot be bound. The caller chooses the event loop (uvloop in production).
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
    bound_port: int = listener.getsockname()[1]
    config = uvicorn.Config(
        app,
        http="httptools",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=DRAIN_S_MAX,
        backlog=BACKLOG,
    )
    server = _Server(config, lambda: ready(bound_port))
    house: House = app.state.house

    async def stopping() -> None:
        await stop.wait()
        house.broadcast.close()  # streams never end by themselves
        server.should_exit = True

    with contextlib.closing(listener):
        watcher = asyncio.create_task(stopping(), name="http-stop")
        try:
            await server.serve(sockets=[listener])
        finally:
            watcher.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watcher
    if not server.started:
        raise RuntimeError("the HTTP server could not start; its log says why")
