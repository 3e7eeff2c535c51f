"""The contract of the log, against the log in memory: what keeps the simulation honest."""

import asyncio

from tests.contract.event_log import EventLogContract, OpenLog, Scenario
from tests.simulation.faults import Plan
from tests.simulation.log import LogStore, SimEventLog
from tests.simulation.loop import Process
from tests.simulation.sim import Sim


class TestSimEventLog(EventLogContract):
    def run(self, scenario: Scenario) -> None:
        sim = Sim(Plan(seed=1))
        store = LogStore(sim)
        opened: list[SimEventLog] = []

        async def idle(_: Process) -> None:
            await asyncio.Event().wait()

        def open_log() -> SimEventLog:
            opened.append(SimEventLog(store, sim.loop.spawn("core", len(opened), idle)))
            return opened[-1]

        async def main(open_log: OpenLog) -> None:
            await scenario(open_log)

        sim.loop.run_until_complete(main(open_log))
        assert sim.loop.unhandled == []
        sim.loop.close()
