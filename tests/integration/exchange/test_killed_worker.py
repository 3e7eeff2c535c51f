"""An execution worker that is killed with kill -9 leaves no order resting, at any venue, once the switches went off."""

import asyncio
import sys
import time
from collections.abc import Callable
from pathlib import Path

from adapters.simulators.binance.venue import BinanceVenue
from adapters.simulators.bybit.venue import BybitVenue
from adapters.simulators.deribit.venue import DeribitVenue
from adapters.simulators.okx.venue import OkxVenue
from adapters.simulators.server import Account, Kind, Simulators, SimulatorsSettings
from adapters.simulators.settings import SimulatorSettings
from adapters.simulators.venue import SimulatedVenue
from adapters.simulators.world import World
from tests.support.exchange import KEY, SECRET
from tests.support.switched_worker import PASSPHRASE, SYMBOLS

ROOT = Path(__file__).parents[3]
SWITCH_S = 30
STARTING_S = 60.0


def counted(make: Callable[..., SimulatedVenue], ahead: list[int]) -> Kind:
    """Return a venue's maker whose clock is ours to move."""

    def made(settings: SimulatorSettings, world: World) -> SimulatedVenue:
        return make(settings, world, lambda: time.time_ns() // 1_000_000 + ahead[0])

    return made


async def until(met: Callable[[], bool]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(15):
        while not met():  # noqa: ASYNC110 - the venues tell nobody who is gone
            await asyncio.sleep(0.02)


async def test_a_worker_that_is_killed_leaves_nothing_resting_anywhere(tmp_path: Path) -> None:
    ahead = [0]
    venues = {"binanceusdm": BinanceVenue, "bybit": BybitVenue, "okx": OkxVenue, "deribit": DeribitVenue}
    accounts = {name: Account(api_key=KEY, api_secret=SECRET, passphrase=PASSPHRASE) for name in SYMBOLS}
    settings = SimulatorsSettings(directory=tmp_path, accounts=accounts, step_ms=0)
    simulators = Simulators(settings, kinds={name: counted(make, ahead) for name, make in venues.items()})
    await simulators.start()
    arguments = ("-m", "tests.support.switched_worker", str(simulators.port), str(simulators.ca_file), *SYMBOLS)
    worker = await asyncio.create_subprocess_exec(sys.executable, *arguments, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
    try:
        assert worker.stdout is not None
        assert await asyncio.wait_for(worker.stdout.readline(), STARTING_S) == b"resting\n"
        resting = {name: venue.exchange.open_orders for name, venue in simulators.venues.items()}
        assert {name: len(standing(None)) for name, standing in resting.items()} == dict.fromkeys(SYMBOLS, 1)
        worker.kill()
        await worker.wait()
        await until(lambda: not resting["deribit"](None))
        # Nothing else could end them: whoever placed them is gone, and the venues do not know yet.
        assert all(resting[name](None) for name in ("binanceusdm", "bybit", "okx"))
        await until(lambda: len(simulators.venues["bybit"].countdowns.due(2**62)) == 1)
        ahead[0] = (SWITCH_S + 1) * 1_000
        await until(lambda: not any(standing(None) for standing in resting.values()))
    finally:
        if worker.returncode is None:
            worker.kill()
            await worker.wait()
        await simulators.stop()
