"""The log in memory under faults of its own: zombies, fences, ambiguous commits, a server that dies."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any
from uuid import UUID

import pytest

from commands.ports import AppendFailed, EventLog, Fenced
from domain.log import Batch, KeptCommand, NewEvent
from tests.simulation.faults import Plan
from tests.simulation.log import LogStore, SimEventLog
from tests.simulation.loop import Process
from tests.simulation.sim import Sim

ORIGIN = UUID(int=7)


def batch(first: int, count: int = 1) -> Batch:
    events = tuple(
        NewEvent(
            originator_id=ORIGIN,
            version=number,
            topic="tried.v1",
            state=b"{}",
            metadata=b"{}",
            command_id=UUID(int=number),
        )
        for number in range(first, first + count)
    )
    commands = tuple(
        KeptCommand(
            command_id=UUID(int=number),
            sequence=number,
            kind="try",
            command=b"{}",
            outcome=b"{}",
            first_position=number,
            last_position=number,
        )
        for number in range(first, first + count)
    )
    return Batch(first_position=first, events=events, commands=commands, recorded_at_us=0)


def simulate(main: Callable[[Sim, LogStore], Coroutine[Any, Any, None]], **plan: Any) -> LogStore:
    sim = Sim(Plan(seed=1, **plan))
    store = LogStore(sim)
    sim.loop.run_until_complete(main(sim, store))
    assert sim.loop.unhandled == []
    sim.loop.close()
    return store


def process(sim: Sim, name: str = "core", incarnation: int = 0) -> Process:
    async def idle(_: Process) -> None:
        await asyncio.Event().wait()

    return sim.loop.spawn(name, incarnation, idle)


async def locked(store: LogStore) -> None:
    while not store.sharing:  # noqa: ASYNC110 - virtual time costs nothing, and the server tells nobody
        await asyncio.sleep(0.0001)


def test_appends_commit_in_order_and_chain() -> None:
    async def main(sim: Sim, store: LogStore) -> None:
        log: EventLog = SimEventLog(store, process(sim))
        assert (await log.take_over()).epoch == 1
        await asyncio.gather(log.append(batch(1, 2)), log.append(batch(3)))
        assert [event.position for event in await log.read(1, 10)] == [2, 3]
        assert (await log.outcomes([UUID(int=3), UUID(int=9)])).keys() == {UUID(int=3)}

    store = simulate(main)
    assert store.head().position == 3
    assert len({event.chain_hash for event in store.events}) == 3


def test_a_zombies_locked_commit_lands_before_its_successors_recovery() -> None:
    async def main(sim: Sim, store: LogStore) -> None:
        first, second = process(sim), process(sim, incarnation=1)
        old = SimEventLog(store, first)
        await old.take_over()
        old.append(batch(1))
        await locked(store)
        sim.loop.kill(first)
        head = await SimEventLog(store, second).take_over()
        assert (head.epoch, head.position) == (2, 1)

    simulate(main, forced=frozenset({"log.slow_commit#1"}))


def test_what_a_killed_writer_had_not_locked_never_lands_after_the_takeover() -> None:
    async def main(sim: Sim, store: LogStore) -> None:
        first, second = process(sim), process(sim, incarnation=1)
        old = SimEventLog(store, first)
        await old.take_over()
        old.append(batch(1))
        old.append(batch(2))
        await locked(store)
        sim.loop.kill(first)
        head = await SimEventLog(store, second).take_over()
        await asyncio.sleep(60)
        assert head.position == store.head().position

    simulate(main, forced=frozenset({"log.never_sent#1"}))


def test_a_writer_that_lost_its_session_is_fenced() -> None:
    async def main(sim: Sim, store: LogStore) -> None:
        old = SimEventLog(store, process(sim))
        new = SimEventLog(store, process(sim, incarnation=1))
        await old.take_over()
        with pytest.raises(Fenced):
            await new.take_over()
        await old.append(batch(1))  # the fault: its session ends with this one
        assert (await new.take_over()).position == 1
        with pytest.raises(Fenced):
            await old.append(batch(2))
        await new.append(batch(2))

    store = simulate(main, forced=frozenset({"log.session_lost#1"}))
    assert store.head().position == 2


@pytest.mark.parametrize(("fault", "durable"), [("log.ambiguous_in#1", True), ("log.ambiguous_out#1", False)])
def test_an_ambiguous_commit_is_read_back(fault: str, durable: bool) -> None:
    async def main(sim: Sim, store: LogStore) -> None:
        log = SimEventLog(store, process(sim))
        await log.take_over()
        pending = [log.append(batch(1)), log.append(batch(2))]
        results = await asyncio.gather(*pending, return_exceptions=True)
        assert results == [None, None] if durable else all(isinstance(one, AppendFailed) for one in results)
        if not durable:
            with pytest.raises(AppendFailed):
                await log.append(batch(1))

    assert simulate(main, forced=frozenset({fault})).head().position == (2 if durable else 0)


@pytest.mark.parametrize("wrong", [batch(2), batch(4)])
def test_a_gap_is_refused(wrong: Batch) -> None:
    async def main(sim: Sim, store: LogStore) -> None:
        log = SimEventLog(store, process(sim))
        await log.take_over()
        with pytest.raises(AppendFailed):
            await log.append(wrong)

    simulate(main)


def test_a_server_that_dies_takes_only_what_was_not_committed() -> None:
    async def main(sim: Sim, store: LogStore) -> None:
        log = SimEventLog(store, process(sim))
        await log.take_over()
        await log.append(batch(1))
        pending = log.append(batch(2))
        await locked(store)
        store.crash(down_us=2_000_000)
        with pytest.raises(AppendFailed):
            await pending
        assert (await log.take_over()).position == 1
        await log.append(batch(2))

    assert simulate(main).head().position == 2


def test_a_second_writer_that_evicts_makes_the_first_one_stop() -> None:
    async def main(sim: Sim, store: LogStore) -> None:
        old, new = SimEventLog(store, process(sim)), SimEventLog(store, process(sim, "second"))
        new.evicts = True
        await old.take_over()
        assert (await new.take_over()).epoch == 2
        with pytest.raises(Fenced):
            await old.append(batch(1))
        await new.append(batch(1))

    assert simulate(main).head().position == 1
