"""The simulators that can be started: one venue alone, as tests like it."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from adapters.simulators.binance.instruments import ETHUSDT
from adapters.simulators.binance.replay import play
from adapters.simulators.binance.venue import BinanceVenue
from adapters.simulators.listener import Listener
from adapters.simulators.venue import SimulatorSettings, wall_clock_ms
from adapters.simulators.world import World


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
