"""Simulated oracles on one listener over real TLS, and a reader of what a client tells."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, Self

from adapters.oracle.settings import HermesSettings, Loopback, RedstoneSettings
from adapters.oracle.signers import parse_signer_set
from adapters.simulators.faults import Fault
from adapters.simulators.listener import Listener
from adapters.simulators.oracles.gateway import SimulatedRedstone
from adapters.simulators.oracles.hermes import FEEDS, SimulatedHermes
from adapters.simulators.world import World
from domain.oracle import OracleEvent, OracleLost, OraclePrice

WITHIN_S = 30.0
ETH = FEEDS["ETH"]


class OracleWorld:
    """Hold a running world with both oracles, and the settings that reach them."""

    def __init__(self, directory: Path) -> None:
        self.world = World(seed=3)
        self.hermes = SimulatedHermes(self.world.price_of, step_ms=100, api_key="the-bearer")
        self.redstone = SimulatedRedstone(self.world.price_of, step_ms=200, api_key="the-key")
        self.listener = Listener(
            directory, (self.hermes, self.redstone), self.world, step_ms=50, admin_token="the-door"
        )

    def hermes_settings(self, **changes: Any) -> HermesSettings:
        settings: dict[str, Any] = {
            "feeds": {base: FEEDS[base] for base in ("ETH", "USDT")},
            "signers": parse_signer_set(self.hermes.signer_set()),
            "api_key": "the-bearer",
            "loopback": Loopback(port=self.listener.port, ca_file=self.listener.ca_file),
            "timeout_ms": 1_500,
            "silence_ms": 1_000,
        }
        return HermesSettings(**{**settings, **changes})

    def redstone_settings(self, **changes: Any) -> RedstoneSettings:
        settings: dict[str, Any] = {
            "feeds": {"ETH": "ETH", "USDT": "USDT"},
            "signers": parse_signer_set(self.redstone.signer_set()),
            "api_key": "the-key",
            "loopback": Loopback(port=self.listener.port, ca_file=self.listener.ca_file),
            "timeout_ms": 1_000,
            "poll_ms": 100,
        }
        return RedstoneSettings(**{**settings, **changes})

    def arm(self, oracle: SimulatedHermes | SimulatedRedstone, kind: str, **how: Any) -> None:
        """Arm a fault."""
        oracle.faults.arm(Fault(kind=kind, **how), oracle.clock_ms())  # pyright: ignore[reportArgumentType] - named by tests


@asynccontextmanager
async def oracle_world(directory: Path) -> AsyncGenerator[OracleWorld]:
    """Run the simulated oracles until the test ends."""
    made = OracleWorld(directory)
    await made.listener.start()
    try:
        yield made
    finally:
        await made.listener.stop()


class Told:
    """Keep what a client tells, in order."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._more = asyncio.Event()
        self.all: list[OracleEvent] = []
        self._task: asyncio.Task[None]

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_exc: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _read(self) -> None:
        async with aclosing(self._client.events()) as events:
            async for event in events:
                self.all.append(event)
                self._more.set()

    async def until(self, fits: Callable[[OracleEvent], bool], since: int = 0) -> OracleEvent:
        """Return the first event from a place on that fits; fail after a while."""
        at = since
        async with asyncio.timeout(WITHIN_S):
            while True:
                while at < len(self.all):
                    if fits(self.all[at]):
                        return self.all[at]
                    at += 1
                self._more.clear()
                await self._more.wait()

    async def price(self, feed: str, since: int = 0) -> OraclePrice:
        """Return the first price of a feed from a place on."""
        found = await self.until(lambda event: isinstance(event, OraclePrice) and event.feed == feed, since)
        assert isinstance(found, OraclePrice)
        return found

    async def loss(self, feed: str, since: int = 0, because: str = "") -> OracleLost:
        """Return the first loss of a feed from a place on, for a reason."""
        found = await self.until(
            lambda event: isinstance(event, OracleLost) and event.feed == feed and because in event.reason, since
        )
        assert isinstance(found, OracleLost)
        return found

    @property
    def prices(self) -> list[OraclePrice]:
        """Return the prices."""
        return [event for event in self.all if isinstance(event, OraclePrice)]


def far(price: Decimal, other: Decimal) -> Decimal:
    """Return how far two prices are apart, as a part of the second."""
    return abs(price - other) / other
