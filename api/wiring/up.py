"""`ballast up`: the house on given settings, until it is told to stop."""

import asyncio
import logging
import signal
from collections.abc import Mapping
from pathlib import Path

from api.settings import Settings
from api.wiring.house import open_house

log = logging.getLogger("ballast")


async def run_up(settings: Settings, folder: Path) -> int:
    """Run every role in a process of its own; return 0 after a stop that was asked for, 1 when a role was given up."""
    stop, failed = asyncio.Event(), list[str]()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)

    def give_up(role: str, why: str) -> None:
        failed.append(role)
        log.critical("%s is given up: %s", role, why)
        stop.set()

    async with open_house(settings, folder, on_pids=_say, on_failed=give_up):
        log.info("up at http://%s:%d", settings.http.host, settings.http.port)
        await stop.wait()
        log.info("stopping: what was taken is finished first")
    return 1 if failed else 0


def _say(pids: Mapping[str, int]) -> None:
    log.info("processes: %s", ", ".join(f"{role} {pid}" for role, pid in sorted(pids.items())))
