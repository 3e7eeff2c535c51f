"""The roles by name, and the one way to run some of them in this process."""

import asyncio
import importlib
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import uvloop

from adapters.embedded.readiness import announce_ready
from api.collecting import calm_collector
from api.settings import Settings
from api.standing import SENDERS, standing
from api.wiring.process import Process

Run = Callable[[Process], Awaitable[None]]

# Where each role is built. It is imported when it runs: a core needs no exchange client, and starts without it.
ROLES: dict[str, tuple[str, str]] = {
    "core": ("api.wiring.core", "run_core"),
    "market": ("api.wiring.workers", "run_market"),
    "execution": ("api.wiring.workers", "run_execution"),
    "chain": ("api.wiring.settling", "run_chain"),
    "gatekeeper": ("api.wiring.gatekeeper", "run_gatekeeper"),
    "projections": ("api.wiring.reading", "run_projections"),
    "api": ("api.wiring.entrance", "run_api"),
    "simulator": ("api.wiring.simulating", "run_simulator"),
    "chainsim": ("api.wiring.chainsim", "run_chainsim"),
}
# Roles that run inside another's process: asking for both starts one.
WITHIN = {"watch": "projections"}


def known_roles() -> set[str]:
    """Return the names that `--role` takes."""
    return {*ROLES, *WITHIN}


def run_roles(roles: Sequence[str], settings: Settings, folder: Path) -> None:
    """Run roles until SIGTERM or SIGINT; what they have taken is finished first. Raise what broke one of them.

    Whoever acts outside stands in the list of senders meanwhile; after a kill they raise `CannotStart`.
    """
    wanted = sorted({WITHIN.get(role, role) for role in roles})
    with ExitStack() as stack:
        for role in SENDERS.intersection(wanted):
            stack.enter_context(standing(settings.data_dir, role))
        runner = stack.enter_context(asyncio.Runner(loop_factory=uvloop.new_event_loop))
        runner.run(_run(wanted, settings, folder))


async def _run(roles: Sequence[str], settings: Settings, folder: Path) -> None:
    stop, waiting = asyncio.Event(), set(roles)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)

    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, _dump_tasks)

    def ready(role: str) -> None:
        waiting.discard(role)
        if not waiting:
            calm_collector()
            announce_ready()

    async def run(role: str) -> None:
        module, name = ROLES[role]
        start: Run = getattr(importlib.import_module(module), name)
        await start(Process(settings, folder, lambda: ready(role), stop))
        stop.set()

    async with asyncio.TaskGroup() as tasks:
        for role in roles:
            tasks.create_task(run(role))


def _dump_tasks() -> None:
    """Write where every task stands to the process' log, for whoever asks with SIGUSR1."""
    for task in asyncio.all_tasks():
        task.print_stack(file=sys.stderr)
