"""The simulated venue for tests: in this process, over real TLS on loopback, its market standing still."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import ccxt.pro

from adapters.exchange.connection import loopback_session
from adapters.exchange.settings import Loopback, VenueSettings
from adapters.simulators.listener import Listener as Port
from adapters.simulators.server import BinanceSimulator
from adapters.simulators.venue import SimulatedVenue, SimulatorSettings
from adapters.simulators.world import World
from domain.approval import Approved, approve
from domain.venue import VenueOrder

KEY, SECRET = "k" * 64, "s" * 64
ETH = "ETH/USDT:USDT"
SOON_S = 30.0

T = TypeVar("T")
V = TypeVar("V", bound=SimulatedVenue)

BIDS = [(200_000, 5_000), (199_990, 9_000)]
ASKS = [(200_001, 4_000), (200_010, 8_000)]


def simulator_settings(directory: Path, **changes: Any) -> SimulatorSettings:
    fields: dict[str, Any] = {"data_dir": directory, "api_key": KEY, "api_secret": SECRET, "step_ms": 0}
    return SimulatorSettings(**(fields | changes))


def venue_settings(port: int, ca_file: Path, **changes: Any) -> VenueSettings:
    fields: dict[str, Any] = {
        "account": "main",
        "api_key": KEY,
        "api_secret": SECRET,
        "symbols": (ETH,),
        "loopback": Loopback(port=port, ca_file=ca_file),
    }
    return VenueSettings(**(fields | changes))


def order(**changes: Any) -> Approved[VenueOrder]:
    fields: dict[str, Any] = {
        "venue": "binanceusdm",
        "account": "main",
        "symbol": ETH,
        "side": "sell",
        "quantity": Decimal(1),
        "limit_price": Decimal(2000),
        "time_in_force": "ioc",
        "reduce_only": False,
        "client_order_id": f"t-{uuid4().hex[:20]}",
    }
    return approve(VenueOrder(**(fields | changes)), uuid4(), time.time_ns() // 1_000 + 60_000_000)


@asynccontextmanager
async def running(settings: SimulatorSettings) -> AsyncGenerator[BinanceSimulator, None]:
    simulator = BinanceSimulator(settings)
    await simulator.start()
    if settings.step_ms == 0:
        simulator.venue.set_levels(BIDS, ASKS)
    try:
        yield simulator
    finally:
        await simulator.stop()


@asynccontextmanager
async def alone(
    kind: Callable[[SimulatorSettings, World], V], directory: Path, **changes: Any
) -> AsyncGenerator[tuple[V, Port], None]:
    """Start one venue of any dialect by itself, its market standing still."""
    world = World(7)
    venue = kind(simulator_settings(directory, **changes), world)
    port = Port(directory, (venue,), world, step_ms=0, admin_token=venue.settings.admin_token)
    await port.start()
    try:
        yield venue, port
    finally:
        await port.stop()


@asynccontextmanager
async def ccxt_client(ccxt_id: str, port: Port, hosts: tuple[str, ...], **config: Any) -> AsyncGenerator[Any, None]:
    """Open ccxt.pro's own client, unmodified, against what is mounted there."""
    session = loopback_session(Loopback(port=port.port, ca_file=port.ca_file), frozenset(hosts))
    client = getattr(ccxt.pro, ccxt_id)({"apiKey": KEY, "secret": SECRET, "session": session} | config)
    client.number = str
    try:
        yield client
    finally:
        await client.close()
        await session.close()


class Listener:
    """Collects a stream's events in the background and lets a test wait for one."""

    def __init__(self, events: Any) -> None:
        self._events = events
        self.heard: list[Any] = []
        self._more = asyncio.Event()
        self._task = asyncio.create_task(self._collect())

    async def _collect(self) -> None:
        async for event in self._events:
            self.heard.append(event)
            self._more.set()

    async def until(self, kind: type[T], accept: Callable[[T], bool] = lambda _: True, *, after: int = 0) -> T:
        """Wait for an event of that kind, counting from the `after`th heard."""
        seen = after
        async with asyncio.timeout(SOON_S):
            while True:
                for event in self.heard[seen:]:
                    seen += 1
                    if isinstance(event, kind) and accept(event):
                        return event
                self._more.clear()
                await self._more.wait()

    def of(self, kind: type[T]) -> list[T]:
        return [event for event in self.heard if isinstance(event, kind)]

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self._events.aclose()


@asynccontextmanager
async def listening(events: Any) -> AsyncGenerator[Listener, None]:
    listener = Listener(events)
    try:
        yield listener
    finally:
        await listener.close()
