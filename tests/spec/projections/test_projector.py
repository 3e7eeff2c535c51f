"""The projector's loop, with a log and a store in memory."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import msgspec
import pytest

from api import projecting
from api.projecting import Projector, restore
from api.rebuilding import Rebuilt, rebuild
from benchmarks.mint_log import policy
from domain.log import StoredEvent
from domain.policy import PolicyAdopted
from projections import folding
from projections.catalogue import VIEWS
from projections.fills import FILLS
from projections.folding import CannotFold
from projections.orders import ORDERS
from projections.ports import (
    Change,
    Checkpoint,
    PositionAhead,
    SchemaChanged,
    StoreUnreachable,
)
from projections.positions import POSITIONS
from projections.view import View
from tests.support.memory_views import MemoryLog, MemoryTail, MemoryViewStore
from tests.support.told import busy_log, folded, logged, shown_fold, whole_table

LOG = busy_log(1_500)
BOTH = (ORDERS, FILLS)


@asynccontextmanager
async def running(projector: Projector) -> AsyncGenerator[asyncio.Event]:
    stop = asyncio.Event()
    task = asyncio.create_task(projector.run(stop))
    try:
        yield stop
    finally:
        stop.set()
        async with asyncio.timeout(5):
            await task


async def check_tables(store: MemoryViewStore, views: Sequence[View], log: Sequence[StoredEvent]) -> None:
    for view in views:
        assert await whole_table(view, store) == shown_fold(folded(view, log))


async def test_it_catches_up_and_then_follows():
    log = MemoryLog(LOG[:1_000])
    store = MemoryViewStore(log)
    projector = Projector(tuple(VIEWS.values()), log, store, log.tail)
    async with running(projector):
        await store.wait_for("fills", 1_000, 5)
        assert projector.progress.transactions == 1
        for begin in range(1_000, 1_500, 50):
            log.extend(LOG[begin : begin + 50])
            await store.wait_for("exposure", begin + 50, 5)
        await check_tables(store, tuple(VIEWS.values()), LOG)
    progress = projector.progress
    assert (progress.position, progress.restarts, progress.transactions) == (1_500, 0, 11)
    assert progress.recorded_at.endswith("Z")
    assert progress.rows > 100


async def test_before_it_runs_it_is_nowhere():
    log = MemoryLog()
    progress = Projector(BOTH, log, MemoryViewStore(log), log.tail).progress
    assert (progress.position, progress.recorded_at) == (0, "")


@pytest.mark.parametrize("snapshots", [100, 10_000])
async def test_it_goes_on_where_it_stopped(monkeypatch, snapshots: int):
    monkeypatch.setattr(folding, "SNAPSHOT_EVENTS", snapshots)
    log = MemoryLog()
    store = MemoryViewStore(log)
    for end in (1, 333, 334, 1_200, 1_500):
        log.extend(LOG[len(log.events) : end])
        projector = Projector(tuple(VIEWS.values()), log, store, log.tail)
        async with running(projector):
            await store.wait_for("dependencies", end, 5)
        await check_tables(store, tuple(VIEWS.values()), LOG[:end])


async def test_states_are_kept_as_often_when_it_is_started_again_and_again(monkeypatch):
    monkeypatch.setattr(folding, "SNAPSHOT_EVENTS", 100)
    log = MemoryLog()
    store = MemoryViewStore(log)
    for end in range(30, 331, 30):
        log.extend(LOG[len(log.events) : end])
        async with running(Projector((ORDERS,), log, store, log.tail)):
            await store.wait_for("orders", end, 5)
    assert sorted(store.states["orders", ORDERS.schema]) == [120, 240]


async def test_a_view_that_joins_later_catches_up_with_the_others():
    log = MemoryLog(LOG[:1_000])
    store = MemoryViewStore(log)
    async with running(Projector((ORDERS,), log, store, log.tail)):
        await store.wait_for("orders", 1_000, 5)
    log.extend(LOG[1_000:])
    async with running(Projector(BOTH, log, store, log.tail)):
        await store.wait_for("fills", 1_500, 5)
        await store.wait_for("orders", 1_500, 5)
    await check_tables(store, BOTH, LOG)


async def test_catching_up_goes_by_stretches(monkeypatch):
    monkeypatch.setattr(projecting, "CATCH_UP_EVENTS", 400)
    log = MemoryLog(LOG)
    store = MemoryViewStore(log)
    projector = Projector(BOTH, log, store, log.tail)
    async with running(projector):
        await store.wait_for("fills", 1_500, 5)
    assert projector.progress.transactions == 4
    await check_tables(store, BOTH, LOG)


class Meddled(MemoryViewStore):
    """A store in which something happens before a chosen write."""

    def __init__(self, log: MemoryLog, at: int, act: Callable[["Meddled"], Awaitable[None]]) -> None:
        super().__init__(log)
        self._at = at
        self._act = act
        self.calls = 0
        self.overtaken = asyncio.Event()

    async def apply(self, changes: Sequence[Change]) -> None:
        self.calls += 1
        if self.calls == self._at:
            await self._act(self)
        await super().apply(changes)


async def test_when_someone_else_moved_the_checkpoint_it_begins_again_from_there(monkeypatch):
    monkeypatch.setattr(projecting, "CATCH_UP_EVENTS", 400)

    async def overtaken(store: Meddled) -> None:
        async with running(Projector(BOTH, log, store, log.tail)):
            await store.wait_for("fills", 1_500, 5)
        store.overtaken.set()

    log = MemoryLog(LOG)
    store = Meddled(log, 2, overtaken)
    projector = Projector(BOTH, log, store, log.tail)
    async with running(projector):
        await store.overtaken.wait()
        log.extend(busy_log(1_600)[1_500:])
        await store.wait_for("fills", 1_600, 5)
    assert projector.progress.restarts == 1
    await check_tables(store, BOTH, busy_log(1_600))


async def test_a_store_that_cannot_be_reached_is_tried_again(monkeypatch):
    monkeypatch.setattr(projecting, "RETRY_S", 0.01)

    async def unreachable(_store: Meddled) -> None:
        raise StoreUnreachable("down")

    log = MemoryLog(LOG)
    store = Meddled(log, 1, unreachable)
    projector = Projector(BOTH, log, store, log.tail)
    async with running(projector):
        await store.wait_for("fills", 1_500, 5)
    assert projector.progress.restarts == 1
    await check_tables(store, BOTH, LOG)


async def test_it_can_be_stopped_while_the_store_cannot_be_reached(monkeypatch):
    monkeypatch.setattr(projecting, "RETRY_S", 3_600)
    asked = asyncio.Event()

    async def unreachable(_store: Meddled) -> None:
        asked.set()
        raise StoreUnreachable("down")

    log = MemoryLog(LOG)
    async with running(Projector(BOTH, log, Meddled(log, 1, unreachable), log.tail)):
        await asked.wait()


async def test_it_can_be_stopped_while_it_catches_up(monkeypatch):
    monkeypatch.setattr(projecting, "CATCH_UP_EVENTS", 100)
    stop = asyncio.Event()

    async def told_to_stop(_store: Meddled) -> None:
        stop.set()

    log = MemoryLog(LOG)
    store = Meddled(log, 3, told_to_stop)
    await Projector(BOTH, log, store, log.tail).run(stop)
    assert store.places["fills"].position == 300


async def test_an_event_it_cannot_fold_ends_it_with_the_rows_before_it_kept():
    strange = msgspec.structs.replace(logged(PolicyAdopted(policy=policy()))[0], topic="moon.landed.v1", position=1_001)
    log = MemoryLog(LOG[:1_000])
    store = MemoryViewStore(log)
    task = asyncio.create_task(Projector(BOTH, log, store, log.tail).run(asyncio.Event()))
    await store.wait_for("fills", 1_000, 5)
    log.extend([strange])
    with pytest.raises(CannotFold, match=r"position 1001 \(moon\.landed\.v1\)"):
        await task
    await check_tables(store, BOTH, LOG[:1_000])


class Broken(MemoryTail):
    async def next_batch(self, limit: int) -> Sequence[StoredEvent]:
        raise OSError("the tail broke")


async def test_what_breaks_the_tail_ends_it_undisguised():
    log = MemoryLog(LOG)

    @asynccontextmanager
    async def broken(after: int) -> AsyncGenerator[MemoryTail]:
        yield Broken(log, after)

    with pytest.raises(OSError, match="the tail broke"):
        await Projector(BOTH, log, MemoryViewStore(log), broken).run(asyncio.Event())


async def test_a_table_of_another_version_must_be_rebuilt():
    log = MemoryLog(LOG)
    store = MemoryViewStore(log)
    store.places["orders"] = Checkpoint(100, "another")
    with pytest.raises(SchemaChanged, match="orders was written by another version"):
        await Projector(BOTH, log, store, log.tail).run(asyncio.Event())


async def test_a_checkpoint_beyond_the_log_is_an_error():
    log = MemoryLog(LOG[:100])
    store = MemoryViewStore(log)
    store.places["orders"] = Checkpoint(500, ORDERS.schema)
    with pytest.raises(PositionAhead):
        await restore((ORDERS,), store, log)


class MemoryShadow:
    """A table beside the table, in memory."""

    def __init__(self, store: MemoryViewStore) -> None:
        self.store = store
        self.built = MemoryViewStore(store.log)
        self.live_position = 0

    async def begin(self, view: View) -> None:
        self.built = MemoryViewStore(self.store.log)

    async def apply(self, change: Change) -> None:
        await self.built.apply((change,))

    @asynccontextmanager
    async def swap(self, view: View) -> AsyncGenerator["MemoryShadow"]:
        place = self.store.places.get(view.name)
        self.live_position = 0 if place is None else place.position
        yield self
        self.store.rows[view.name] = self.built.rows[view.name]
        self.store.places[view.name] = self.built.places[view.name]
        self.store.states[view.name, view.schema] = self.built.states.get((view.name, view.schema), {})


async def test_a_rebuild_folds_the_whole_log_and_tells_how_far_it_is(monkeypatch):
    monkeypatch.setattr("api.rebuilding.CATCH_UP_EVENTS", 400)
    log = MemoryLog(LOG)
    store = MemoryViewStore(log)
    store.rows["positions"] = {}
    told: list[Rebuilt] = []
    done = await rebuild(POSITIONS, log, MemoryShadow(store), told.append)
    assert [(each.position, each.head) for each in told] == [(400, 1_500), (800, 1_500), (1_200, 1_500), (1_500, 1_500)]
    assert (done.position, done.head, done.rows) == (1_500, 1_500, told[-1].rows)
    await check_tables(store, (POSITIONS,), LOG)
    assert await rebuild(POSITIONS, log, MemoryShadow(store)) == done


async def test_a_rebuild_ends_where_the_table_in_use_has_come_to_meanwhile(monkeypatch):
    monkeypatch.setattr("api.rebuilding.CATCH_UP_EVENTS", 100)
    log = MemoryLog(LOG[:1_000])
    store = MemoryViewStore(log)

    def grow(progress: Rebuilt) -> None:
        if progress.position == 1_000:
            log.extend(LOG[1_000:])
            store.places["fills"] = Checkpoint(1_450, FILLS.schema)

    done = await rebuild(FILLS, log, MemoryShadow(store), grow)
    assert done.position == store.places["fills"].position == 1_450
    await check_tables(store, (FILLS,), LOG[:1_450])


async def test_a_projector_goes_on_over_a_table_that_was_rebuilt_under_it():
    log = MemoryLog(LOG[:1_000])
    store = MemoryViewStore(log)
    projector = Projector(BOTH, log, store, log.tail)
    async with running(projector):
        await store.wait_for("fills", 1_000, 5)
        await rebuild(FILLS, log, MemoryShadow(store))
        log.extend(LOG[1_000:])
        await store.wait_for("fills", 1_500, 5)
    assert projector.progress.restarts == 0
    await check_tables(store, BOTH, LOG)
