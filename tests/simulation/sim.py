"""The parts every simulated port shares: the loop, the faults, the timeline, and how messages travel."""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVarTuple

from tests.simulation.faults import Faults, Plan
from tests.simulation.loop import Process, SimLoop
from tests.simulation.timeline import Timeline

_Ts = TypeVarTuple("_Ts")


class Sim:
    """Hold one world's loop, faults and timeline."""

    def __init__(self, plan: Plan) -> None:
        self.faults = Faults(plan)
        self.loop = SimLoop(pick=self.faults.pick if plan.share else None)
        self.timeline = Timeline(self.loop)
        self.bus_down = False

    def note(self, actor: object, event: str, *details: object) -> None:
        """Record one event of an actor in the timeline."""
        self.timeline.note(actor, event, *details)

    def later(self, site: str, low_us: int, high_us: int, callback: Callable[[*_Ts], object], *args: *_Ts) -> None:
        """Call back as the outside world after a delay drawn from the site's substream."""
        self.loop.after_us(self.faults.between(site, low_us, high_us), callback, *args)

    async def travel(self, process: Process, site: str, low_us: int, high_us: int) -> None:
        """Let a message of a process be on its way for a drawn time."""
        process.point(site)
        await asyncio.sleep(self.faults.between(site, low_us, high_us) / 1e6)
        process.fence()

    def strike(self, process: Process, point: str) -> None:
        """Offer a crash to a process at a moment it cannot see itself, such as its commit at the server."""
        if process.alive and process.on_point is not None:
            process.on_point(process, point)
            if process.doomed:
                self.loop.kill(process)

    def settle(self, future: "asyncio.Future[Any]", result: object = None, error: BaseException | None = None) -> None:
        """Give a waiting client its answer, unless it stopped waiting."""
        if future.done():
            return
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)
            future.exception()  # whoever stopped waiting owes no handling
