"""Processes crash where the plan says, come back, and a crash's place has a name that outlives schedules."""

import asyncio

from tests.simulation.faults import Plan
from tests.simulation.loop import Process
from tests.simulation.sim import Sim
from tests.simulation.supervisor import Supervisor


def simulate(plan: Plan) -> tuple[list[tuple[int, int]], Supervisor, Sim]:
    sim = Sim(plan)
    supervisor = Supervisor(sim)
    seen: list[tuple[int, int]] = []

    async def main(process: Process) -> None:
        for number in range(3):
            process.point("work")
            seen.append((process.incarnation, number))
            await asyncio.sleep(0.001)
        if process.incarnation == 0:
            raise ValueError("first time")
        await asyncio.Event().wait()

    async def world() -> None:
        supervisor.start("core", main)
        await asyncio.sleep(60)
        supervisor.stop()
        await asyncio.sleep(60)

    sim.loop.run_until_complete(world())
    assert sim.loop.unhandled == []
    sim.loop.close()
    return seen, supervisor, sim


def test_a_process_that_ends_is_started_again() -> None:
    seen, supervisor, _ = simulate(Plan(seed=1))
    assert seen == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]
    assert [repr(error) for _, error in supervisor.exits] == ["ValueError('first time')"]
    assert supervisor.running == {}


def test_a_crash_is_named_by_its_place() -> None:
    seen, supervisor, sim = simulate(Plan(seed=1, forced=frozenset({"crash.core.work#2"})))
    assert seen == [(0, 0), (1, 0), (1, 1), (1, 2)]
    assert supervisor.exits == []
    assert sim.faults.fired == ["crash.core.work#2"]


def test_a_crash_after_a_step_counts_over_incarnations() -> None:
    seen, _, _ = simulate(Plan(seed=1, crash_steps=frozenset({("core", 3), ("core", 6)})))
    assert seen[:4] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert seen[-1] == (2, 2)
