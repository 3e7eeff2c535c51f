"""The watch's loop, with a log, a bus and a core in memory."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from api import alerting
from api.alerting import AlertWatch
from domain.event import Event
from domain.mark import RiskMarked
from domain.mode import Mode, ModeChanged
from domain.refusal import Unavailable
from domain.watch import AlertRaised
from projections.folding import CannotFold
from projections.ports import Bookmark, PositionAhead
from tests.support.memory_views import MemoryLog, MemoryViewStore
from tests.support.told import logged


def changed(number: int, mode: Mode = Mode.HALTED) -> ModeChanged:
    return ModeChanged(scope=f"pair:{number}", mode=mode, previous=Mode.ACTIVE, author="ada", reason="drill")


class Stream(msgspec.Struct, frozen=True):
    generation: str


class World:
    """A log, a core that turns `alert.raise` into `alert.raised`, and ALERTS."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.log = MemoryLog()
        self.store = MemoryViewStore(self.log)
        self.bookmarks: dict[str, Bookmark] = {}
        self.generation = 1
        self.alerts: dict[str, dict[str, Any]] = {}
        self.told: list[str] = []
        self.sent: list[str] = []
        self.raised: set[str] = set()
        self.core_is_deaf = False
        self.bus_failures = 0
        self.silences = 0
        self.changed = asyncio.Event()

    def append(self, *events: Event) -> None:
        self.events.extend(events)
        self.log.extend(logged(*self.events)[len(self.log.events) :])

    async def load(self, name: str) -> Bookmark:
        return self.bookmarks.get(name, Bookmark(0))

    async def save(self, name: str, bookmark: Bookmark) -> None:
        self.bookmarks[name] = bookmark
        self.changed.set()

    async def ensure(self) -> Stream:
        if self.silences:
            self.silences -= 1
            raise TimeoutError("the bus does not answer")
        return Stream(str(self.generation))

    def wipe(self) -> None:
        self.generation += 1
        self.alerts.clear()

    @property
    def facts(self) -> "Facts":
        return Facts(self)

    async def publish(self, severity: str, area: str, alert_id: str, body: bytes) -> None:
        if self.bus_failures:
            self.bus_failures -= 1
            self.changed.set()
            raise Unavailable("no bus")
        self.told.append(alert_id)
        self.alerts[alert_id] = msgspec.json.decode(body) | {"subject_of_bus": f"{severity}.{area}"}
        self.changed.set()

    async def until(self, alerts: int) -> None:
        async with asyncio.timeout(5):
            while len(self.alerts) < alerts:
                self.changed.clear()
                await self.changed.wait()

    def watch(self) -> AlertWatch:
        return AlertWatch(
            reader=self.log, store=self.store, tail=self.log.tail, bookmarks=self, facts=self.facts, bus=self
        )


class Facts:
    def __init__(self, world: World) -> None:
        self._world = world

    async def publish(self, source: str, kind: str, natural_key: str, body: bytes) -> None:
        world = self._world
        assert (source, kind) == ("watch", "alert.raise")
        document = msgspec.json.decode(body)
        assert document["alert_id"] == natural_key
        world.sent.append(natural_key)
        if not world.core_is_deaf and natural_key not in world.raised:
            world.raised.add(natural_key)
            world.append(msgspec.convert(document | {"type": AlertRaised.TOPIC}, AlertRaised))
        world.changed.set()


@asynccontextmanager
async def watching(world: World) -> AsyncGenerator[AlertWatch]:
    stop = asyncio.Event()
    watch = world.watch()
    task = asyncio.create_task(watch.run(stop))
    try:
        yield watch
    finally:
        stop.set()
        async with asyncio.timeout(5):
            await task


async def test_a_cause_becomes_an_alert_in_the_log_and_on_the_bus():
    world = World()
    world.append(changed(1))
    async with watching(world) as watch:
        await world.until(1)
        world.append(changed(2, Mode.ACTIVE))
        await world.until(2)
    first, second = world.alerts.values()
    assert (first["subject_of_bus"], first["cause_position"], first["position"]) == ("critical.mode", 1, 2)
    assert (second["subject_of_bus"], second["cause_position"], second["position"]) == ("info.mode", 3, 4)
    assert len(world.sent) == len(world.told) == 2
    assert world.bookmarks == {"alert.raise": Bookmark(4), "alert.publish": Bookmark(4, "1")}
    progress = watch.progress
    assert (progress.position, progress.pending, progress.sent, progress.told, progress.restarts) == (4, 0, 2, 2, 0)


async def test_what_happened_while_it_was_away_is_told_once():
    world = World()
    async with watching(world):
        world.append(changed(1))
        await world.until(1)
    world.append(changed(2), changed(3))
    async with watching(world):
        await world.until(3)
    assert len(world.sent) == len(world.told) == 3


async def test_a_crash_after_sending_sends_again_only_what_is_not_in_the_log():
    world = World()
    world.append(changed(1))
    async with watching(world):
        await world.until(1)
    world.append(changed(2))
    world.bookmarks.clear()
    async with watching(world):
        await world.until(2)
    assert len(world.alerts) == 2
    assert world.sent.count(world.sent[0]) == 1
    assert len(world.raised) == 2


async def test_a_cause_whose_alert_did_not_come_is_not_passed_and_is_sent_again(monkeypatch):
    monkeypatch.setattr(alerting, "SEND_AGAIN_S", 0.01)
    world = World()
    world.core_is_deaf = True
    world.append(changed(1), changed(2))
    async with watching(world) as watch:
        async with asyncio.timeout(5):
            while len(world.sent) < 6:
                world.changed.clear()
                await world.changed.wait()
        assert watch.progress.pending == 2
        assert world.bookmarks["alert.raise"] == Bookmark(0)
        assert world.alerts == {}
        world.core_is_deaf = False
        await world.until(2)
    assert world.bookmarks["alert.raise"] == Bookmark(4)
    assert len(world.told) == 2


async def test_a_watch_killed_before_its_alert_came_sends_it_again():
    world = World()
    world.core_is_deaf = True
    world.append(changed(1))
    async with watching(world):
        async with asyncio.timeout(5):
            while not world.sent:
                world.changed.clear()
                await world.changed.wait()
    assert world.bookmarks["alert.raise"] == Bookmark(0)
    world.core_is_deaf = False
    async with watching(world):
        await world.until(1)
    assert world.sent == world.sent[:1] * 2


async def test_when_alerts_was_wiped_while_it_was_away_everything_is_told_again():
    world = World()
    world.append(changed(1), changed(2))
    async with watching(world):
        await world.until(2)
    world.wipe()
    async with watching(world):
        await world.until(2)
    assert len(world.sent) == 2
    assert world.bookmarks["alert.publish"] == Bookmark(4, "2")


async def test_when_alerts_is_wiped_under_it_everything_is_told_again(monkeypatch):
    monkeypatch.setattr(alerting, "SEND_AGAIN_S", 0.01)
    world = World()
    world.append(changed(1), changed(2))
    async with watching(world) as watch:
        await world.until(2)
        world.wipe()
        await world.until(2)
    assert watch.progress.restarts == 1


async def test_a_wipe_is_found_though_the_log_never_rests(monkeypatch):
    monkeypatch.setattr(alerting, "SEND_AGAIN_S", 0.05)
    world = World()
    world.append(changed(1))
    async with watching(world) as watch, asyncio.timeout(5):
        await world.until(1)
        world.wipe()
        while watch.progress.restarts == 0:
            world.append(RiskMarked(assets=()))
            await asyncio.sleep(0)
        await world.until(1)
    assert watch.progress.restarts == 1


async def test_a_bus_that_is_away_is_tried_again(monkeypatch):
    monkeypatch.setattr(alerting, "RETRY_S", 0.01)
    world = World()
    world.bus_failures = 2
    world.silences = 1
    world.append(changed(1))
    async with watching(world) as watch:
        await world.until(1)
    assert watch.progress.restarts == 3
    assert len(world.raised) == 1


async def test_it_can_be_stopped_while_the_bus_is_away(monkeypatch):
    monkeypatch.setattr(alerting, "RETRY_S", 3_600)
    world = World()
    world.bus_failures = 1_000
    world.append(changed(1))
    async with watching(world) as watch:
        async with asyncio.timeout(5):
            while world.bus_failures == 1_000:
                world.changed.clear()
                await world.changed.wait()
    assert watch.progress.told == 0


async def test_a_long_way_back_goes_by_pages(monkeypatch):
    monkeypatch.setattr(alerting, "PAGE_EVENTS", 3)
    monkeypatch.setattr(alerting, "PENDING_MAX", 4)
    world = World()
    world.append(*(changed(number) for number in range(20)))
    async with watching(world):
        await world.until(20)
    world.wipe()
    async with watching(world):
        await world.until(20)
    assert len(world.raised) == 20


async def test_it_can_be_stopped_while_it_catches_up(monkeypatch):
    monkeypatch.setattr(alerting, "PAGE_EVENTS", 1)
    world = World()
    world.append(*(changed(number) for number in range(20)))
    stop = asyncio.Event()
    stop.set()
    watch = world.watch()
    await watch.run(stop)
    assert watch.progress.position == 0
    await watch._catch_up(stop)
    assert watch.progress.position == 0


async def test_an_unknown_event_ends_it():
    world = World()
    world.log.extend([msgspec.structs.replace(logged(changed(1))[0], topic="moon.landed.v1")])
    with pytest.raises(CannotFold, match=r"moon\.landed\.v1"):
        await world.watch().run(asyncio.Event())


async def test_a_bookmark_beyond_the_log_ends_it():
    world = World()
    world.append(changed(1))
    world.bookmarks["alert.raise"] = Bookmark(5)
    with pytest.raises(PositionAhead):
        await world.watch().run(asyncio.Event())


async def test_bookmarks_are_not_kept_after_every_batch(monkeypatch):
    monkeypatch.setattr(alerting, "KEEP_S", 3_600)
    world = World()
    async with watching(world):
        async with asyncio.timeout(5):
            while "alert.publish" not in world.bookmarks:
                world.changed.clear()
                await world.changed.wait()
        world.append(changed(1))
        await world.until(1)
        assert world.bookmarks["alert.raise"] == Bookmark(0)
    assert world.bookmarks["alert.raise"] == Bookmark(2)
