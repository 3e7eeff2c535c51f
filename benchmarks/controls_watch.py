"""The read models' role of the alert benchmark, whole: what turns events into alerts and tells them over NATS.

`python -m benchmarks.controls_watch SETTINGS` says READY and runs until terminated.
"""

import asyncio
import signal
import sys
from pathlib import Path

import uvloop

from api.settings import read_settings
from api.wiring.process import Process
from api.wiring.reading import run_projections
from benchmarks.command_core import ready


async def run(path: Path) -> None:
    """Run the role."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await run_projections(Process(read_settings(path), path.parent, ready, stop))


if __name__ == "__main__":
    uvloop.run(run(Path(sys.argv[1])))
