"""The simulators that can be started: every venue and gateway in one process, or one venue alone."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path

import msgspec

from adapters.simulators.binance.instruments import ETHUSDT
from adapters.simulators.binance.replay import play
from adapters.simulators.binance.spot import BinanceSpot
from adapters.simulators.binance.venue import BinanceCoinm, BinanceVenue
from adapters.simulators.bybit.venue import BybitVenue
from adapters.simulators.deribit.venue import DeribitVenue
from adapters.simulators.listener import Listener, Mounted
from adapters.simulators.okx.venue import OkxVenue
from adapters.simulators.venue import SimulatedVenue, SimulatorSettings, wall_clock_ms
from adapters.simulators.world import World

Kind = Callable[[SimulatorSettings, World], SimulatedVenue]
KINDS: Mapping[str, Kind] = {
    "binanceusdm": BinanceVenue,
    "binancecoinm": BinanceCoinm,
    "binance": BinanceSpot,
    "bybit": BybitVenue,
    "okx": OkxVenue,
    "deribit": DeribitVenue,
}
# How far a venue's prices are from the world's, so that venues differ as true ones do: a few hundredths of a percent.
BASES: Mapping[str, Decimal] = {
    "binancecoinm": Decimal("0.00005"),
    "binance": Decimal("-0.00003"),
    "bybit": Decimal("0.00004"),
    "okx": Decimal("-0.00002"),
    "deribit": Decimal("0.00007"),
}
DEPOSITS: Mapping[str, Decimal] = {
    "USDT": Decimal(10_000_000),
    "USDC": Decimal(10_000_000),
    "ETH": Decimal(5_000),
    "BTC": Decimal(200),
}


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """Hold how a venue's one account is entered, by one key or more, and what it begins with."""

    api_key: str
    api_secret: str
    passphrase: str = ""
    more_keys: Mapping[str, str] = {}
    deposits: Mapping[str, Decimal] = msgspec.field(default_factory=lambda: dict(DEPOSITS))


class SimulatorsSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Say which venues to run and how: accounts by venue, as ccxt names it. See `SimulatorSettings` for the rest."""

    directory: Path
    accounts: Mapping[str, Account]
    seed: int = 7
    port: int = 0
    step_ms: int = 100
    admin_token: str | None = None
    replay_file: Path | None = None

    def of(self, name: str) -> SimulatorSettings:
        """Return one venue's own settings: its own folder, its own distance from the world's prices."""
        account = self.accounts[name]
        return SimulatorSettings(
            data_dir=self.directory / name,
            api_key=account.api_key,
            api_secret=account.api_secret,
            passphrase=account.passphrase,
            more_keys=account.more_keys,
            seed=self.seed,
            deposit_usdt=Decimal(0),
            deposits=account.deposits,
            basis=BASES.get(name, Decimal(0)),
        )


class Simulators:
    """Run several venues, and gateways to the same world, on one port. Each venue remembers in a folder of its own.

    `venues` and `world` are for tests in the same process. A recording is the USD-M venue's ETHUSDT market and leads
    the world while it lasts; `replay_over` is set when nothing is recorded any more.
    """

    def __init__(
        self,
        settings: SimulatorsSettings,
        gateways: Sequence[Callable[[World], Mounted]] = (),
        kinds: Mapping[str, Kind] = KINDS,
    ) -> None:
        self.world = World(settings.seed)
        self.venues = {name: kinds[name](settings.of(name), self.world) for name in settings.accounts}
        self.gateways = tuple(make(self.world) for make in gateways)
        self._listener = Listener(
            settings.directory,
            (*self.venues.values(), *self.gateways),
            self.world,
            port=settings.port,
            step_ms=settings.step_ms,
            admin_token=settings.admin_token,
        )
        self._replay_file = settings.replay_file
        self.replay_over = asyncio.Event()
        if self._replay_file is None:
            self.replay_over.set()
        elif "binanceusdm" not in self.venues:
            raise ValueError("a recording is played on binanceusdm, which is not among the venues")
        else:
            self.venues["binanceusdm"].recorded.add(ETHUSDT.symbol)

    @property
    def port(self) -> int:
        """Return the port that is open."""
        return self._listener.port

    @property
    def ca_file(self) -> Path:
        """Return the file of the authority that clients must trust."""
        return self._listener.ca_file

    async def start(self) -> None:
        """Open the markets, then the port."""
        if self._replay_file is None:
            await self._listener.start()
        else:
            await self._listener.start(self._replay)

    async def stop(self) -> None:
        """Close sockets, port and memories."""
        await self._listener.stop()

    async def failed(self) -> None:
        """Wait until a part of the simulators fails, and raise its error."""
        await self._listener.failed()

    async def _replay(self) -> None:
        assert self._replay_file is not None, "a replay has a file"  # noqa: S101 - `start` asks for no other
        await play(self._replay_file, self.venues["binanceusdm"], ETHUSDT)
        self.replay_over.set()


class BinanceSimulator:
    """Run the USD-M venue alone. `start`, then `port` and `ca_file` are there; `stop` closes everything.

    `venue` is for tests in the same process: its markets, its faults, its account. `replay_over` is set when the market
    is no longer a recorded one. Kill the process and start it again on the same data directory: orders, fills,
    positions, balances and ids are as they were acknowledged, and the port is the same if it is free.
    """

    def __init__(self, settings: SimulatorSettings, clock_ms: Callable[[], int] = wall_clock_ms) -> None:
        world = World(settings.seed)
        self._replay_file = settings.replay_file
        self.venue = BinanceVenue(settings, world, clock_ms)
        self._listener = Listener(
            settings.data_dir,
            (self.venue,),
            world,
            port=settings.port,
            step_ms=settings.step_ms,
            admin_token=settings.admin_token,
        )
        self.replay_over = asyncio.Event()
        if settings.replay_file is None:
            self.replay_over.set()
        else:
            self.venue.recorded.add(ETHUSDT.symbol)

    @property
    def port(self) -> int:
        """Return the port that is open."""
        return self._listener.port

    @property
    def ca_file(self) -> Path:
        """Return the file of the authority that clients must trust."""
        return self._listener.ca_file

    async def start(self) -> None:
        """Open the market, then the port."""
        if self._replay_file is None:
            await self._listener.start()
        else:
            await self._listener.start(self._replay)

    async def stop(self) -> None:
        """Close sockets, port and memory."""
        await self._listener.stop()

    async def failed(self) -> None:
        """Wait until a part of the simulator fails, and raise its error."""
        await self._listener.failed()

    async def _replay(self) -> None:
        assert self._replay_file is not None, "a replay has a file"  # noqa: S101 - `start` asks for no other
        await play(self._replay_file, self.venue, ETHUSDT)
        self.replay_over.set()


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
