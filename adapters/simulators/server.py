"""The simulated Binance USD-M venue on a loopback port: TLS, the true host names, REST and WebSocket, a memory.

Give a client the real host names, a resolver that answers this port, and `ca_file` to trust. Kill the process and start
it again on the same data directory: orders, fills, positions, balances and ids are as they were acknowledged, and the
port is the same if it is free. The market goes on from where it last stood (a replay starts from its first line again).
"""

import asyncio
import datetime as dt
from collections.abc import Callable
from pathlib import Path

from aiohttp import web

from adapters.simulators.certificates import Certificates, ensure_certificates
from adapters.simulators.gate import Gate
from adapters.simulators.instruments import ETHUSDT
from adapters.simulators.replay import lines, steps
from adapters.simulators.rest import Rest
from adapters.simulators.venue import BinanceVenue, SimulatorSettings, wall_clock_ms

LOOPBACK = "127.0.0.1"
REST_HOST = "fapi.binance.com"
STREAM_HOST = "fstream.binance.com"
HOSTS = (REST_HOST, STREAM_HOST, "localhost", LOOPBACK)
PUBLISH_EVERY_MS = 100
KEEP_MARKET_EVERY_STEPS = 50
SHUTDOWN_S = 2.0
REQUEST_BYTES_MAX = 64 * 1024


class BinanceSimulator:
    """Run the venue. `start`, then `port` and `ca_file` are there; `stop` closes everything.

    `venue` is for tests in the same process: its markets, its faults, its account. `replay_over` is set when the market
    is no longer a recorded one.
    """

    def __init__(self, settings: SimulatorSettings, clock_ms: Callable[[], int] = wall_clock_ms) -> None:
        self._settings = settings
        self.venue = BinanceVenue(settings, clock_ms)
        gate = Gate(settings.api_key, settings.api_secret, settings.limits)
        self._rest = Rest(self.venue, gate, self.venue.faults, self.venue.clock_ms, settings.admin_token)
        self._tasks: list[asyncio.Task[None]] = []
        self._runner: web.AppRunner | None = None
        self._certificates: Certificates | None = None
        self.replay_over = asyncio.Event()
        if settings.replay_file is None:
            self.replay_over.set()
        self.port = 0

    @property
    def ca_file(self) -> Path:
        """Return the file of the authority that clients must trust."""
        assert self._certificates is not None, "started"  # noqa: S101 - a caller's mistake, not input
        return self._certificates.ca_file

    @property
    def is_replaying(self) -> bool:
        """Say whether the ETHUSDT market is still the recorded one."""
        return not self.replay_over.is_set()

    async def start(self) -> None:
        """Open the market, then the port."""
        self.venue.open()
        self._certificates = ensure_certificates(self._settings.data_dir / "tls", HOSTS, now=dt.datetime.now(dt.UTC))
        app = web.Application(client_max_size=REQUEST_BYTES_MAX)
        app.router.add_route("*", "/{path:.*}", self._route)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_S)
        await self._runner.setup()
        self.port = await self._listen(self._runner, self._certificates)
        self._tasks.append(asyncio.create_task(self._publish_for_ever(), name="simulator publisher"))
        if self._settings.step_ms:
            self._tasks.append(asyncio.create_task(self._walk_for_ever(), name="simulator market"))
        if self._settings.replay_file is not None:
            replay = self._replay(self._settings.replay_file)
            self._tasks.append(asyncio.create_task(replay, name="simulator replay"))

    async def stop(self) -> None:
        """Close sockets, port and memory."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        self._rest.stop()
        self.venue.sockets.close()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        self.venue.close()

    async def failed(self) -> None:
        """Wait until a part of the simulator fails, and raise its error."""
        done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()

    async def _route(self, request: web.Request) -> web.StreamResponse:
        host = request.host.partition(":")[0]
        if host == REST_HOST:
            return await self._rest.answer(request)
        if host == STREAM_HOST:
            if self.venue.faults.take(("maintenance",), "websocket", self.venue.clock_ms()):
                return web.Response(status=503, text="<html><body>Service unavailable</body></html>")
            if request.path.startswith("/private/ws"):
                return await self.venue.sockets.serve_private(request)
            if request.path.startswith(("/public/ws", "/market/ws")):
                return await self.venue.sockets.serve_public(request)
        if host in {"localhost", LOOPBACK}:
            return await self._rest.answer_admin(request)
        return web.Response(status=404, text="no such host or path here")

    async def _listen(self, runner: web.AppRunner, certificates: Certificates) -> int:
        context = certificates.server_context()
        before = _port_of_last_time(self._settings.data_dir)
        wanted = [self._settings.port] if self._settings.port else [before, 0] if before else [0]
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
        _keep_port(self._settings.data_dir, bound)
        return bound

    async def _walk_for_ever(self) -> None:
        taken = 0
        while True:
            await asyncio.sleep(self._settings.step_ms / 1000)
            for symbol in self.venue.exchange.instruments:
                if not (self.is_replaying and symbol == ETHUSDT.symbol):
                    self.venue.step_market(symbol)
            taken += 1
            if taken % KEEP_MARKET_EVERY_STEPS == 0:
                self.venue.keep_markets()

    async def _publish_for_ever(self) -> None:
        while True:
            await asyncio.sleep(PUBLISH_EVERY_MS / 1000)
            self.venue.publish()

    async def _replay(self, path: Path) -> None:
        """Play a recording at its own speed, then leave its book to the walk."""
        loop = asyncio.get_running_loop()
        self.venue.set_levels([], [])
        began = loop.time()
        for timed in steps(lines(path), ETHUSDT):
            wait = timed.after_ns / 1e9 - (loop.time() - began)
            if wait > 0:
                await asyncio.sleep(wait)
            self.venue.apply(ETHUSDT.symbol, timed.step)
            self.venue.commit()
        self.venue.hand_over_to_walk(ETHUSDT.symbol)
        self.replay_over.set()


def _port_of_last_time(directory: Path) -> int:
    file = directory / "port"
    return int(file.read_text()) if file.exists() else 0


def _keep_port(directory: Path, port: int) -> None:
    (directory / "port").write_text(str(port))


async def run(
    settings: SimulatorSettings, stop: asyncio.Event, ready: Callable[[BinanceSimulator], None] | None = None
) -> None:
    """Run a simulator until `stop` is set; call `ready` once its port is open. Raise if a part of it fails."""
    simulator = BinanceSimulator(settings)
    try:
        await simulator.start()
        if ready is not None:
            ready(simulator)
        stopping = asyncio.ensure_future(stop.wait())
        failing = asyncio.ensure_future(simulator.failed())
        await asyncio.wait((stopping, failing), return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if failing.done():
            failing.result()
        failing.cancel()
        await asyncio.gather(stopping, failing, return_exceptions=True)
    finally:
        await simulator.stop()
