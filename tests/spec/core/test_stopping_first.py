"""Whoever stops something is not made to wait: a change of mode goes before all that waits, full queue or not."""

import asyncio
from collections.abc import Awaitable

import pytest

import api.core
from api.core import Asked, Core
from commands.handler import Handler
from domain.book import Book
from domain.chain import GENESIS
from domain.codec import encode
from domain.ids import natural_id
from domain.log import Batch, Head
from domain.mode import Mode
from domain.wake import Wake
from tests.support.given import START_US
from tests.support.still import Door, EmptyLog, Still


class World(EmptyLog, Still):
    """A log that notes which commands were decided, in a world in which nothing moves."""

    def __init__(self) -> None:
        self.kinds: list[str] = []

    def append(self, batch: Batch) -> Awaitable[None]:
        self.kinds += [command.kind for command in batch.commands]
        return super().append(batch)


def halt(door: Door, number: int = 1) -> Asked:
    body = encode({"scope": "global", "mode": "HALTED", "reason": "enough"})
    return Asked(natural_id("halt", str(number)), "mode.change", "ada", body, "", "", door, "halt")


def fact(door: Door, number: int) -> Asked:
    body = encode({"dependency": f"d{number}", "text": "gone"})
    return Asked(natural_id("fact", str(number)), "dependency.degraded", "execution", body, "", "", door, number)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def core(world: World) -> Core:
    return Core(Handler(Book(), Head(1, 0, 0, GENESIS)), world, world, world, world)


async def run_out(core: Core) -> None:
    core.stop()
    await core.run()


async def test_it_is_decided_before_what_was_there_first(core: Core, world: World) -> None:
    door = Door()
    for number in range(20):
        core.offer(fact(door, number))
    core.offer(halt(door))
    assert core.arrived == 21
    await run_out(core)
    assert world.kinds[0] == "mode.change"
    assert len(world.kinds) == 21
    assert core.handler.book.modes["global"] is Mode.HALTED


async def test_it_goes_before_the_book_s_own_timers(core: Core, world: World) -> None:
    wake = Wake(key="w", subject=natural_id("w"), at_us=START_US, kind="rebalance.look", body='{"underlying":"ETH"}')
    core.handler.book.arm(wake)
    core.offer(halt(Door()))
    running = asyncio.create_task(core.run())
    while len(getattr(world, "kinds", [])) < 2:  # noqa: ASYNC110 - the core tells nobody that it appends
        await asyncio.sleep(0)
    core.stop()
    await running
    assert world.kinds == ["mode.change", "rebalance.look"]


async def test_it_is_taken_when_the_queue_is_full(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api.core, "ARRIVED_MAX", 3)
    door = Door()
    for number in range(5):
        core.offer(fact(door, number))
    assert [reply.status for _, reply in door.answers] == ["busy", "busy"]
    core.offer(halt(door))
    await run_out(core)
    assert core.handler.book.modes["global"] is Mode.HALTED
    assert [target for target, _ in door.answers] == [3, 4, "halt", 0, 1, 2]


async def test_the_way_in_front_is_bounded_too(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api.core, "URGENT_MAX", 2)
    door = Door()
    for number in range(3):
        core.offer(halt(door, number))
    assert [reply.status for _, reply in door.answers] == ["busy"]


async def test_halting_works_while_what_venues_hold_is_not_what_the_log_says(core: Core) -> None:
    core.handler.book.mode_causes["venue:okx"] = {"reconciliation": Mode.REDUCE_ONLY}
    core.handler.book.modes["venue:okx"] = Mode.REDUCE_ONLY
    door = Door()
    core.offer(halt(door))
    await run_out(core)
    assert [reply.status for _, reply in door.answers] == ["accepted"]
    assert core.handler.book.modes == {"venue:okx": Mode.REDUCE_ONLY, "global": Mode.HALTED}
