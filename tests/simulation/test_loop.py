"""The loop itself: asyncio's behaviours in first-in-first-out mode, and what asyncio's own loop cannot do."""

import asyncio
import random
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.simulation.loop import Deadlock, Process, ProcessDead, SimLoop, StepBound


@pytest.fixture
def loop() -> Iterator[SimLoop]:
    made = SimLoop()
    yield made
    made.close()


def run(loop: SimLoop, main: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    result = loop.run_until_complete(main())
    assert loop.unhandled == []
    return result


def test_time_is_virtual_and_exact(loop: SimLoop) -> None:
    async def main() -> None:
        await asyncio.sleep(3600.000001)

    run(loop, main)
    assert loop.now_ns == 3_600_000_001_000


def test_timers_fire_in_order_of_time_then_of_setting(loop: SimLoop) -> None:
    seen: list[str] = []

    async def main() -> None:
        loop.call_later(2, seen.append, "late")
        loop.call_later(1, seen.append, "first")
        loop.call_later(1, seen.append, "second")
        loop.call_later(1.5, seen.append, "cancelled").cancel()
        await asyncio.sleep(3)

    run(loop, main)
    assert seen == ["first", "second", "late"]


def test_lock_is_fair_and_released_on_cancel(loop: SimLoop) -> None:
    order: list[int] = []
    lock = asyncio.Lock()

    async def hold(number: int) -> None:
        async with lock:
            order.append(number)
            await asyncio.sleep(1)

    async def main() -> None:
        tasks = [asyncio.create_task(hold(number)) for number in range(4)]
        await asyncio.sleep(0.5)
        tasks[1].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    run(loop, main)
    assert order == [0, 2, 3]
    assert not lock.locked()
    assert loop.now_ns == 3_000_000_000


def test_queue_blocks_its_producer_at_its_bound(loop: SimLoop) -> None:
    async def main() -> list[tuple[int, float]]:
        queue: asyncio.Queue[int] = asyncio.Queue(2)
        put: list[tuple[int, float]] = []

        async def produce() -> None:
            for number in range(4):
                await queue.put(number)
                put.append((number, loop.time()))

        async with asyncio.TaskGroup() as group:
            group.create_task(produce())
            for _ in range(4):
                await asyncio.sleep(1)
                await queue.get()
                queue.task_done()
        await queue.join()
        return put

    assert run(loop, main) == [(0, 0), (1, 0), (2, 1), (3, 2)]


def test_task_group_cancels_siblings_and_reports_all(loop: SimLoop) -> None:
    ended: list[str] = []

    async def fail() -> None:
        await asyncio.sleep(1)
        raise ValueError("boom")

    async def linger() -> None:
        try:
            await asyncio.sleep(100)
        finally:
            ended.append("lingerer")

    async def main() -> None:
        async def both() -> None:
            async with asyncio.TaskGroup() as group:
                group.create_task(fail())
                group.create_task(linger())

        with pytest.raises(ExceptionGroup) as caught:
            await both()
        assert [str(error) for error in caught.value.exceptions] == ["boom"]

    run(loop, main)
    assert ended == ["lingerer"]
    assert loop.now_ns == 1_000_000_000


def test_timeout_interrupts_and_leaves_outer_cancellation_alone(loop: SimLoop) -> None:
    async def main() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(2):
                await asyncio.sleep(5)
        async with asyncio.timeout(None) as unbounded:
            unbounded.reschedule(loop.time() + 1)
            await asyncio.sleep(0.5)
        outer = asyncio.create_task(within())
        await asyncio.sleep(0.5)
        outer.cancel()
        with pytest.raises(asyncio.CancelledError):
            await outer

    async def within() -> None:
        async with asyncio.timeout(10):
            await asyncio.sleep(5)

    run(loop, main)
    assert loop.now_ns == 3_000_000_000


def test_wait_for_gather_shield_event_and_condition(loop: SimLoop) -> None:
    async def main() -> None:
        event = asyncio.Event()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(event.wait(), 1)
        loop.call_later(1, event.set)
        assert await asyncio.wait_for(event.wait(), 2)
        assert await asyncio.gather(asyncio.sleep(2, "a"), asyncio.sleep(1, "b")) == ["a", "b"]
        inner = asyncio.create_task(asyncio.sleep(1, "kept"))
        outer = asyncio.ensure_future(asyncio.shield(inner))
        await asyncio.sleep(0)
        outer.cancel()
        assert await inner == "kept"
        condition = asyncio.Condition()

        async def notify() -> None:
            async with condition:
                condition.notify_all()

        async with condition, asyncio.TaskGroup() as group:
            group.create_task(notify())
            assert await condition.wait()
        done, pending = await asyncio.wait(
            [asyncio.create_task(asyncio.sleep(1)), asyncio.create_task(asyncio.sleep(2))],
            return_when=asyncio.FIRST_COMPLETED,
        )
        assert (len(done), len(pending)) == (1, 1)

    run(loop, main)


def test_deadlock_is_found(loop: SimLoop) -> None:
    async def main() -> None:
        loop.call_later(5, print).cancel()
        await asyncio.Event().wait()

    with pytest.raises(Deadlock):
        run(loop, main)
    assert loop.now_ns == 0


def test_polling_is_bounded() -> None:
    loop = SimLoop(steps_max=1000)

    async def main() -> None:
        while True:  # noqa: ASYNC110 - the mistake this bound is for
            await asyncio.sleep(0)

    with pytest.raises(StepBound):
        run(loop, main)
    loop.close()


def test_threads_are_refused(loop: SimLoop) -> None:
    async def main() -> None:
        with pytest.raises(RuntimeError, match="no threads"):
            await asyncio.to_thread(print)

    run(loop, main)


def test_a_seed_is_an_order_and_the_same_seed_the_same_order() -> None:
    def order(seed: int) -> tuple[int, ...]:
        chance = random.Random(seed)
        loop = SimLoop(pick=chance.randrange)
        seen: list[int] = []

        async def add(number: int) -> None:
            await asyncio.sleep(0)
            seen.append(number)

        async def main() -> None:
            await asyncio.gather(*(add(number) for number in range(10)))

        run(loop, main)
        loop.close()
        return tuple(seen)

    assert order(1) == order(1)
    assert len({order(seed) for seed in range(20)}) == 20
    assert tuple(range(10)) not in {order(seed) for seed in range(20)}


@asynccontextmanager
async def resource(seen: list[str], name: str) -> AsyncGenerator[None]:
    try:
        yield
    finally:
        seen.append(name)
        await asyncio.sleep(0)


def test_kill_runs_no_finally_while_the_world_goes_on(loop: SimLoop) -> None:
    seen: list[str] = []

    async def victim(process: Process) -> None:
        async with resource(seen, "released"), asyncio.TaskGroup() as group:
            group.create_task(beat(process, "beat"))
            await asyncio.sleep(100)

    async def beat(process: Process, word: str) -> None:
        while True:
            await asyncio.sleep(1)
            process.fence()
            seen.append(word)

    async def main() -> None:
        process = loop.spawn("victim", 0, victim)
        await asyncio.sleep(2.5)
        loop.kill(process)
        await asyncio.sleep(10)
        assert seen == ["beat", "beat"]

    run(loop, main)
    loop.close()
    assert seen == ["beat", "beat", "released"]  # only at the burial, when nothing counts any more


def test_death_in_a_step_ends_it_at_its_next_await_and_fences_ports(loop: SimLoop) -> None:
    seen: list[str] = []
    told: list[str] = []

    async def victim(process: Process) -> None:
        process.on_death.append(lambda: told.append("dead"))
        await asyncio.sleep(1)
        process.doom()
        seen.append("same step")
        with pytest.raises(ProcessDead):
            process.point("port")
        await asyncio.sleep(0)
        seen.append("never")

    async def main() -> None:
        process = loop.spawn("victim", 0, victim)
        await asyncio.sleep(5)
        assert not process.alive

    run(loop, main)
    assert (seen, told) == (["same step"], ["dead"])


def test_a_result_for_the_dead_wakes_nobody(loop: SimLoop) -> None:
    seen: list[str] = []
    answer = loop.create_future()

    async def victim(_: Process) -> None:
        seen.append(await answer)

    async def main() -> None:
        process = loop.spawn("victim", 0, victim)
        await asyncio.sleep(1)
        loop.kill(process)
        answer.set_result("too late")
        await asyncio.sleep(1)

    run(loop, main)
    assert seen == []


def test_a_crash_fits_after_every_step(loop: SimLoop) -> None:
    """One run for each step the unharmed run takes; each ends earlier than the next, and none is ever resumed."""

    def run_until(step: int | None) -> list[int]:
        world = SimLoop()
        seen: list[int] = []

        async def victim(_: Process) -> None:
            for number in range(5):
                await asyncio.sleep(1)
                seen.append(number)

        def crash(process: Process) -> None:
            if process.steps == step:
                world.kill(process)

        async def main() -> None:
            world.after_step = crash
            world.spawn("victim", 0, victim)
            await asyncio.sleep(20)

        run(world, main)
        world.close()
        return seen

    full = run_until(None)
    prefixes = [run_until(step) for step in range(1, 12)]
    assert full == [0, 1, 2, 3, 4]
    assert {len(seen) for seen in prefixes} == {0, 1, 2, 3, 4, 5}
    assert all(seen == full[: len(seen)] for seen in prefixes)


def test_unhandled_errors_are_kept(loop: SimLoop) -> None:
    async def main() -> None:
        loop.call_soon(lambda: 1 // 0)
        await asyncio.sleep(1)

    loop.run_until_complete(main())
    assert [type(context["exception"]) for context in loop.unhandled] == [ZeroDivisionError]


def test_a_paused_process_goes_on_where_it_was_and_never_when_killed(loop: SimLoop) -> None:
    seen: list[tuple[str, float]] = []

    async def work(process: Process) -> None:
        for _ in range(3):
            await asyncio.sleep(1)
            seen.append((process.name, loop.time()))

    async def main() -> None:
        first, second = loop.spawn("first", 0, work), loop.spawn("second", 0, work)
        await asyncio.sleep(1.5)
        loop.pause(first, 10_000_000)
        loop.pause(second, 10_000_000)
        await asyncio.sleep(5)
        loop.kill(second)
        await asyncio.sleep(20)

    run(loop, main)
    assert seen == [("first", 1), ("second", 1), ("first", 11.5), ("first", 12.5)]
