"""One process, one port: venues and gateways mounted by the host name that a client asks for. TLS on loopback.

Give a client the real host names, a resolver that answers this port, and `ca_file` to trust. The world takes its steps
here, and everything mounted follows. Faults are armed, and accounts acted on, at `localhost`: see `admin`.
"""

import asyncio
import datetime as dt
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, Protocol

from aiohttp import web

from adapters.simulators.accounts import Accounts
from adapters.simulators.admin import Admin, Heart
from adapters.simulators.certificates import Certificates, ensure_certificates
from adapters.simulators.faults import Faults
from adapters.simulators.venue import SimulatedVenue
from adapters.simulators.world import World

LOOPBACK = "127.0.0.1"
LOCAL = ("localhost", LOOPBACK)
PUBLISH_EVERY_MS = 100
KEEP_MARKET_EVERY_STEPS = 50
SHUTDOWN_S = 2.0
REQUEST_BYTES_MAX = 64 * 1024


class Mounted(Protocol):
    """What answers to some host names: a venue, or an oracle's gateway."""

    @property
    def name(self) -> str:
        """Return what faults call it."""
        ...

    @property
    def hosts(self) -> tuple[str, ...]:
        """Return the host names it answers to."""
        ...

    @property
    def elsewhere(self) -> tuple[tuple[str, str], ...]:
        """Return what it answers to besides: another's host name, and how the paths there begin that are its own."""
        ...

    @property
    def faults(self) -> Faults:
        """Return its faults."""
        ...

    def open(self) -> None:
        """Begin, before the port opens."""
        ...

    def close(self) -> None:
        """End; idempotent."""
        ...

    def step(self) -> None:
        """Follow the world, which has just taken a step."""
        ...

    def publish(self) -> None:
        """Tell what changed; called every tenth of a second."""
        ...

    def keep_markets(self) -> None:
        """Note where things stand; called now and then."""
        ...

    async def route(self, request: web.Request) -> web.StreamResponse:
        """Serve a request to one of the hosts."""
        ...


class Listener:
    """Run what is mounted. `start`, then `port` and `ca_file` are there; `stop` closes everything."""

    def __init__(
        self,
        directory: Path,
        mounted: Sequence[Mounted],
        world: World,
        *,
        port: int = 0,
        step_ms: int = 100,
        admin_token: str | None = None,
    ) -> None:
        self._directory = directory
        self._mounted = tuple(mounted)
        self._by_host = {host: each for each in mounted for host in each.hosts}
        self._elsewhere = [(host, path, each) for each in mounted for host, path in each.elsewhere]
        self._world = world
        self._wanted_port = port
        self._step_ms = step_ms
        accounts = Accounts([each for each in self._mounted if isinstance(each, SimulatedVenue)])
        self._admin = Admin(self._mounted, accounts, Heart(world, step_ms), admin_token)
        self._tasks: list[asyncio.Task[None]] = []
        self._runner: web.AppRunner | None = None
        self._certificates: Certificates | None = None
        self.port = 0

    @property
    def ca_file(self) -> Path:
        """Return the file of the authority that clients must trust."""
        assert self._certificates is not None, "started"  # noqa: S101 - a caller's mistake, not input
        return self._certificates.ca_file

    async def start(self, *works: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Open the markets, then the port, then begin `works` beside the world's steps."""
        for each in self._mounted:
            each.open()
        names = (*dict.fromkeys((*self._by_host, *(host for host, _, _ in self._elsewhere))), *LOCAL)
        self._certificates = ensure_certificates(self._directory / "tls", names, now=dt.datetime.now(dt.UTC))
        app = web.Application(client_max_size=REQUEST_BYTES_MAX)
        app.router.add_route("*", "/{path:.*}", self._route)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_S)
        await self._runner.setup()
        self.port = await self._listen(self._runner, self._certificates)
        self._tasks.append(asyncio.create_task(self._publish_for_ever(), name="simulator publisher"))
        if self._step_ms:
            self._tasks.append(asyncio.create_task(self._walk_for_ever(), name="simulator market"))
        self._tasks.extend(asyncio.create_task(work(), name="simulator work") for work in works)

    async def stop(self) -> None:
        """Close sockets, port and memory."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        for each in self._mounted:
            each.close()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def failed(self) -> None:
        """Wait until a part of the simulator fails, and raise its error."""
        done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()

    async def _route(self, request: web.Request) -> web.StreamResponse:
        host = request.host.partition(":")[0]
        found = (each for at, path, each in self._elsewhere if at == host and request.path.startswith(path))
        mounted = next(found, self._by_host.get(host))
        if mounted is not None:
            return await mounted.route(request)
        if host in LOCAL:
            return await self._admin.answer(request)
        return web.Response(status=404, text="no such host or path here")

    async def _listen(self, runner: web.AppRunner, certificates: Certificates) -> int:
        context = certificates.server_context()
        before = _port_of_last_time(self._directory)
        wanted = [self._wanted_port] if self._wanted_port else [before, 0] if before else [0]
        for port in wanted:
            site = web.TCPSite(runner, LOOPBACK, port, ssl_context=context, reuse_address=True)
            try:
                await site.start()
            except OSError:
                if port == wanted[-1]:
                    raise
                continue
            break
        bound = int(runner.addresses[0][1])
        (self._directory / "port").write_text(str(bound))
        return bound

    async def _walk_for_ever(self) -> None:
        taken = 0
        while True:
            await asyncio.sleep(self._step_ms / 1000)
            self._world.step()
            taken += 1
            for each in self._mounted:
                each.step()
                if taken % KEEP_MARKET_EVERY_STEPS == 0:
                    each.keep_markets()

    async def _publish_for_ever(self) -> None:
        while True:
            await asyncio.sleep(PUBLISH_EVERY_MS / 1000)
            for each in self._mounted:
                each.publish()


def _port_of_last_time(directory: Path) -> int:
    file = directory / "port"
    return int(file.read_text()) if file.exists() else 0
