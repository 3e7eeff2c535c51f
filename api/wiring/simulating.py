"""The simulated venue's process: another party's system, on this machine."""

from decimal import Decimal
from pathlib import Path

from adapters.simulators.server import BinanceSimulator
from adapters.simulators.venue import SimulatorSettings
from api.wiring.process import Process, until


async def run_simulator(process: Process) -> None:
    """Be the venue: the true wire protocol over TLS on loopback, with a memory that survives us."""
    wanted, venue = process.settings.simulator, process.settings.venue
    simulator = BinanceSimulator(
        SimulatorSettings(
            data_dir=process.settings.data_dir / "simulator",
            api_key=process.secret(venue.api_key),
            api_secret=process.secret(venue.api_secret),
            seed=wanted.seed,
            port=venue.loopback_port,
            deposit_usdt=Decimal(wanted.deposit_usdt),
            replay_file=Path(wanted.replay) if wanted.replay else None,
        )
    )
    await simulator.start()
    try:
        process.ready()
        await until(process.stop, simulator.failed())
    finally:
        await simulator.stop()
