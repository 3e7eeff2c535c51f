"""The chain's process: endpoints by path on one port of loopback, the ticker that makes blocks, the admin's door.

EVM work runs in one thread, so the loop stays free to answer. Restarted on its directory it is the same chain.
"""

import asyncio
import datetime as dt
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web

from adapters.simulators.certificates import Certificates, ensure_certificates
from adapters.simulators.chain.admin import AdminDoor, ChainAdmin
from adapters.simulators.chain.chain import Chain, Changed, Terms
from adapters.simulators.chain.endpoint import REQUEST_BYTES_MAX, Endpoint
from adapters.simulators.chain.faults import ChainFaults
from adapters.simulators.chain.journal import Kept
from adapters.simulators.chain.methods import Methods, Seen
from adapters.simulators.chain.shapes import read_address
from adapters.simulators.chain.transactions import Signed

LOOPBACK = "127.0.0.1"
SHUTDOWN_S = 2.0
GWEI = 10**9
JOURNAL = "chain.journal"


class NodeSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Say what the chain is and where.

    Without a directory nothing outlives the process. `balances` are wei by address, in block 0. `block_ms` 0 makes
    blocks only when the administrator asks. A transaction sent to a private endpoint shows at no other until it is
    included. `begin` is what another chain kept, to go on from where there is no journal.
    """

    directory: Path | None = None
    chain_id: int = 31_337
    endpoints: tuple[str, ...] = ("alpha", "beta", "gamma")
    private_endpoints: tuple[str, ...] = ("relay",)
    port: int = 0
    tls: bool = False
    block_ms: int = 2_000
    epoch_blocks: int = 32
    admin_token: str | None = None
    balances: Mapping[str, int] = {}
    gas_limit: int = 30_000_000
    base_fee_wei: int = GWEI
    base_fee_wei_min: int = GWEI // 10
    clock_s: Callable[[], int] | None = None
    begin: Kept | None = None


class SimulatedNode:
    """Be the chain. `start`, then `url`, `ws_url` and `admin` are there; `stop` closes everything."""

    def __init__(self, settings: NodeSettings) -> None:
        if settings.tls and settings.directory is None:
            raise ValueError("certificates need a directory")
        self.settings = settings
        self.faults = ChainFaults()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="chain")
        self._endpoints: dict[str, Endpoint] = {}
        self._certificates: Certificates | None = None
        self._runner: web.AppRunner | None = None
        self._ticker: asyncio.Task[None] | None = None
        self._chain: Chain | None = None
        self._admin: ChainAdmin | None = None
        self._methods: Methods | None = None
        self.port = 0

    @property
    def admin(self) -> ChainAdmin:
        """Return the administrator's handle."""
        assert self._admin is not None, "started"  # noqa: S101 - a caller's mistake, not input
        return self._admin

    @property
    def ca_file(self) -> Path | None:
        """Return the file of the authority that clients must trust; None without TLS."""
        return None if self._certificates is None else self._certificates.ca_file

    def url(self, endpoint: str) -> str:
        """Return an endpoint's URL for HTTP."""
        return f"http{'s' if self.settings.tls else ''}://{LOOPBACK}:{self.port}/{endpoint}"

    def ws_url(self, endpoint: str) -> str:
        """Return an endpoint's URL for WebSocket."""
        return f"ws{'s' if self.settings.tls else ''}://{LOOPBACK}:{self.port}/{endpoint}"

    async def start(self) -> None:
        """Remember the chain, then open the port, then begin to make blocks."""
        settings, loop = self.settings, asyncio.get_running_loop()
        chain = await loop.run_in_executor(self._thread, self._open)
        self._chain = chain
        chain.on_changed = lambda changed: _safely(loop, self._tell, changed)
        chain.on_pooled = lambda signed: _safely(loop, self._tell_pooled, signed)
        self._methods = Methods(chain, epoch_blocks=settings.epoch_blocks)
        self._admin = ChainAdmin(chain, self.faults, self._thread)
        private = set(settings.private_endpoints)
        for name in (*settings.endpoints, *settings.private_endpoints):
            self._endpoints[name] = Endpoint(name, self.ask, self.faults, private=name in private)
        app = web.Application(client_max_size=REQUEST_BYTES_MAX)
        app.router.add_route("*", "/{path:.*}", self._route)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_S)
        await self._runner.setup()
        self.port = await self._listen(self._runner)
        if settings.block_ms:
            self._ticker = asyncio.create_task(self._tick_for_ever(), name="chain ticker")

    async def stop(self) -> None:
        """Close sockets, port, journal and thread; idempotent."""
        if self._ticker is not None:
            self._ticker.cancel()
            await asyncio.gather(self._ticker, return_exceptions=True)
            self._ticker = None
        for endpoint in self._endpoints.values():
            endpoint.close()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        chain, self._chain = self._chain, None
        if chain is not None:
            await asyncio.get_running_loop().run_in_executor(self._thread, chain.close)
        self._thread.shutdown(wait=True)

    async def failed(self) -> None:
        """Wait until making blocks fails, and raise its error."""
        if self._ticker is None:
            await asyncio.Event().wait()
        else:
            await asyncio.shield(self._ticker)

    async def ask(self, seen: Seen, method: str, params: list[Any]) -> Any:
        """Run a method on the chain's thread. Raise Refused when it has no result."""
        methods = self._methods
        assert methods is not None, "started"  # noqa: S101 - a caller's mistake, not input
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, methods.answer, seen, method, params)

    async def kept(self) -> Kept:
        """Return the chain as it stands, for another to begin with."""
        chain = self._chain
        assert chain is not None, "started"  # noqa: S101 - a caller's mistake, not input
        return await asyncio.get_running_loop().run_in_executor(self._thread, chain.kept)

    async def call(self, method: str, *params: Any) -> Any:
        """Ask in process, past all faults. Raise Refused when there is no result."""
        return await self.ask(Seen(), method, list(params))

    def _open(self) -> Chain:
        settings = self.settings
        clock = {} if settings.clock_s is None else {"clock_s": settings.clock_s}
        terms = Terms(
            chain_id=settings.chain_id,
            balances={read_address(address): wei for address, wei in settings.balances.items()},
            gas_limit=settings.gas_limit,
            base_fee_wei=settings.base_fee_wei,
            base_fee_wei_min=settings.base_fee_wei_min,
            **clock,
        )
        file = None if settings.directory is None else settings.directory / JOURNAL
        return Chain(terms, file, settings.begin)

    async def _route(self, request: web.Request) -> web.StreamResponse:
        if request.path.startswith("/admin/"):
            return await AdminDoor(self.admin, self.settings.admin_token).serve(request)
        endpoint = self._endpoints.get(request.path.strip("/").partition("/")[0])
        return web.Response(status=404, text="no such endpoint") if endpoint is None else await endpoint.serve(request)

    async def _listen(self, runner: web.AppRunner) -> int:
        settings, context = self.settings, None
        if settings.tls and settings.directory is not None:
            names = ("localhost", LOOPBACK)
            self._certificates = ensure_certificates(settings.directory / "tls", names, now=dt.datetime.now(dt.UTC))
            context = self._certificates.server_context()
        file = None if settings.directory is None else settings.directory / "port"
        before = int(file.read_text()) if file is not None and file.exists() else 0
        wanted = [settings.port] if settings.port else [before, 0] if before else [0]
        for port in wanted:
            try:
                await web.TCPSite(runner, LOOPBACK, port, ssl_context=context, reuse_address=True).start()
            except OSError:
                if port == wanted[-1]:
                    raise
                continue
            break
        bound = int(runner.addresses[0][1])
        if file is not None:
            file.write_text(str(bound))
        return bound

    async def _tick_for_ever(self) -> None:
        while True:
            await asyncio.sleep(self.settings.block_ms / 1000)
            await self.admin.mine()

    def _tell(self, changed: Changed) -> None:
        for endpoint in self._endpoints.values():
            endpoint.tell(changed)

    def _tell_pooled(self, signed: Signed) -> None:
        for endpoint in self._endpoints.values():
            endpoint.tell_pooled(signed)


def _safely(loop: asyncio.AbstractEventLoop, tell: Callable[[Any], None], told: Any) -> None:
    """Have the loop tell what the chain's thread found; at the very end there is nobody left to tell."""
    if not loop.is_closed():
        loop.call_soon_threadsafe(tell, told)
