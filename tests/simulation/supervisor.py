"""Start processes, crash them where the plan says, and start them again, as a deployment's parent process does."""

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from tests.simulation.loop import Process, ProcessDead
from tests.simulation.sim import Sim

RESTART_US = (10_000, 2_500_000)
RESTARTS_MAX = 500
"""Restarts of one world: more of them is a process that cannot start."""

Main = Callable[[Process], Coroutine[Any, Any, None]]


class Supervisor:
    """Keep processes running until told to stop. A process that ends by itself is a crash with a reason."""

    def __init__(self, sim: Sim) -> None:
        self._sim = sim
        self._mains: dict[str, Main] = {}
        self._steps: dict[str, int] = {}
        self._starts: dict[str, int] = {}
        self._stopped = False
        self.running: dict[str, Process] = {}
        self.exits: list[tuple[Process, BaseException | None]] = []
        sim.loop.after_step = self._after_step

    def start(self, name: str, main: Main) -> None:
        """Run a process from now on."""
        self._mains[name] = main
        self._begin(name)

    def _begin(self, name: str) -> None:
        if self._stopped:
            return
        incarnation = self._starts.get(name, 0)
        self._starts[name] = incarnation + 1
        assert sum(self._starts.values()) <= RESTARTS_MAX + len(self._mains), "a process cannot start"
        process = self._sim.loop.spawn(name, incarnation, self._mains[name])
        process.on_point = self._point
        process.on_death.append(partial(self._died, process))
        process.tasks[0].add_done_callback(partial(self._ended, process), context=self._sim.loop.outside_context)
        self.running[name] = process
        self._sim.note(process, "started")

    def _point(self, process: Process, point: str) -> None:
        """Crash here if the plan says so; the site is the same for every incarnation."""
        if self._sim.faults.hit(f"crash.{process.name}.{point}"):
            self._sim.note(process, "crash at", point)
            process.doom()

    def _after_step(self, process: Process) -> None:
        steps = self._steps[process.name] = self._steps.get(process.name, 0) + 1
        if (process.name, steps) in self._sim.faults.plan.crash_steps:
            self._sim.note(process, "crash after step", steps)
            self._sim.loop.kill(process)

    def _ended(self, process: Process, task: "asyncio.Task[None]") -> None:
        error = None if task.cancelled() else task.exception()
        if process.alive and not isinstance(error, ProcessDead):
            self.exits.append((process, error))
            self._sim.note(process, "exited:", repr(error))
        self._sim.loop.kill(process)

    def _died(self, process: Process) -> None:
        if self.running.get(process.name) is process:
            del self.running[process.name]
        self._sim.note(process, "dead")
        self._sim.later(f"restart.{process.name}", *RESTART_US, self._begin, process.name)

    def crash(self, name: str) -> None:
        """Kill a process now, as an operator's `kill -9` would; nothing happens when it is down already."""
        process = self.running.get(name)
        if process is not None:
            self._sim.loop.kill(process)

    def pause(self, name: str, for_us: int) -> None:
        """Freeze a process for a while; nothing happens when it is down."""
        process = self.running.get(name)
        if process is not None:
            self._sim.note(process, "paused for", for_us)
            self._sim.loop.pause(process, for_us)

    def steps(self, name: str) -> int:
        """Steps that all incarnations of a process ran so far."""
        return self._steps.get(name, 0)

    def stop(self) -> None:
        """Kill everything and start nothing more."""
        self._stopped = True
        for process in list(self.running.values()):
            self._sim.loop.kill(process)
