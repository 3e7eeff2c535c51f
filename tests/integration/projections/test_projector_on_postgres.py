"""The projector, the rebuild and the bookmarks on a real server."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

import asyncpg
import pytest

from adapters.postgres.views import PostgresViews
from adapters.postgres.views_bookmarks import PostgresBookmarks
from adapters.postgres.views_log import Logged
from adapters.postgres.views_reach import reading_pool
from adapters.postgres.views_rebuild import PostgresShadow, RebuildRunning
from adapters.postgres.views_watch import PostgresCheckpointWatch
from api import projecting
from api.projecting import Projector
from api.rebuilding import Rebuilt, rebuild
from benchmarks.rebuild import fill, measure
from projections import folding
from projections.catalogue import VIEWS
from projections.fills import FILLS
from projections.orders import ORDERS
from projections.ports import Bookmark, NotThereYet, StoreUnreachable
from tests.integration.projections.conftest import PostgresWorld
from tests.support.told import busy_log, folded, shown_fold, whole_history, whole_table

LOG = busy_log(3_000)


class PolledTail:
    """Follow the log by asking; the bus has its own tail and tests."""

    def __init__(self, world: PostgresWorld, after: int) -> None:
        self._world = world
        self._position = after

    async def next_batch(self, limit: int) -> Sequence[Logged]:
        while True:
            batch = await self._world.reader.read(self._position, limit)
            if batch:
                self._position = batch[-1].position
                return batch
            await asyncio.sleep(0.01)


@asynccontextmanager
async def projecting_into(world: PostgresWorld) -> AsyncGenerator[Projector]:
    @asynccontextmanager
    async def tail(after: int) -> AsyncGenerator[PolledTail]:
        yield PolledTail(world, after)

    stop = asyncio.Event()
    projector = Projector(tuple(VIEWS.values()), world.reader, world.store, tail)
    task = asyncio.create_task(projector.run(stop))
    try:
        yield projector
    finally:
        stop.set()
        async with asyncio.timeout(30):
            await task


async def check(world: PostgresWorld, end: int) -> None:
    for view in VIEWS.values():
        assert await whole_table(view, world.store) == shown_fold(folded(view, LOG[:end])), view.name


async def test_it_follows_stops_and_goes_on(world: PostgresWorld, monkeypatch):
    monkeypatch.setattr(folding, "SNAPSHOT_EVENTS", 500)
    await world.append(LOG[:1_000])
    async with projecting_into(world):
        await world.wait_for("fills", 1_000, 20)
        await world.append(LOG[1_000:2_000])
        await world.wait_for("fills", 2_000, 20)
    await check(world, 2_000)
    await world.append(LOG[2_000:])
    async with projecting_into(world) as projector:
        await world.wait_for("fills", 3_000, 20)
        assert projector.progress.restarts == 0
    await check(world, 3_000)
    for view in VIEWS.values():
        then = await whole_history(view, 1_700, world.store, world.reader)
        assert then == shown_fold(folded(view, LOG[:1_700])), view.name


async def test_it_outlives_the_loss_of_every_connection(world: PostgresWorld, monkeypatch):
    monkeypatch.setattr(projecting, "RETRY_S", 0.05)
    async with projecting_into(world):
        for begin in range(0, 3_000, 500):
            await world.append(LOG[begin : begin + 500])
            await world.kill_sessions()
        await world.wait_for("fills", 3_000, 30)
    await check(world, 3_000)


async def test_a_rebuild_takes_the_place_of_the_table_under_a_running_projector(world: PostgresWorld, monkeypatch):
    monkeypatch.setattr(folding, "SNAPSHOT_EVENTS", 500)
    await world.append(LOG[:2_000])
    async with projecting_into(world) as projector:
        await world.wait_for("orders", 2_000, 20)
        spoil = await asyncpg.connect(world.owner)
        await spoil.execute("update orders set document = '{}' where open")
        await spoil.execute("delete from orders where not open")
        await spoil.close()
        told: list[Rebuilt] = []
        async with PostgresShadow(world.owner) as shadow:
            appending = asyncio.create_task(world.append(LOG[2_000:2_500]))
            done = await rebuild(ORDERS, world.reader, shadow, told.append)
            await appending
        assert done.position >= 2_000
        assert told[-1].position <= done.position
        await world.append(LOG[2_500:])
        await world.wait_for("orders", 3_000, 20)
        await world.wait_for("fills", 3_000, 20)
        assert projector.progress.restarts <= 1
    await check(world, 3_000)
    then = await whole_history(ORDERS, 1_700, world.store, world.reader)
    assert then == shown_fold(folded(ORDERS, LOG[:1_700]))
    names = await world.pool.fetch("select distinct name from projection_snapshots where name like '%rebuild'")
    assert names == []


async def test_rebuilds_of_one_view_exclude_each_other_and_leave_no_trace_when_abandoned(world: PostgresWorld):
    await world.append(LOG[:1_000])
    async with PostgresShadow(world.owner) as first, PostgresShadow(world.owner) as second:
        await first.begin(FILLS)
        with pytest.raises(RebuildRunning, match="fills"):
            await second.begin(FILLS)
        await second.begin(ORDERS)
    async with PostgresShadow(world.owner) as third:
        done = await rebuild(FILLS, world.reader, third)
    assert done.position == 1_000
    assert await whole_table(FILLS, world.store) == shown_fold(folded(FILLS, LOG[:1_000]))
    async with PostgresShadow(world.owner) as fourth:
        await rebuild(FILLS, world.reader, fourth)
    assert await whole_table(FILLS, world.store) == shown_fold(folded(FILLS, LOG[:1_000]))


async def test_a_swap_that_fails_changes_nothing(world: PostgresWorld):
    await world.append(LOG[:1_000])
    async with PostgresShadow(world.owner) as shadow:
        await rebuild(FILLS, world.reader, shadow)
    before = await whole_table(FILLS, world.store)
    async with PostgresShadow(world.owner) as shadow:
        await shadow.begin(FILLS)
        with pytest.raises(RuntimeError, match="needs the change"):
            async with shadow.swap(FILLS):
                pass
        with pytest.raises(ZeroDivisionError):
            async with shadow.swap(FILLS):
                raise ZeroDivisionError
    assert await whole_table(FILLS, world.store) == before


async def test_a_shadow_must_be_entered(world: PostgresWorld):
    with pytest.raises(RuntimeError, match="is entered"):
        await PostgresShadow(world.owner).begin(FILLS)


async def test_bookmarks_are_kept(world: PostgresWorld):
    bookmarks = PostgresBookmarks(world.pool)
    assert await bookmarks.load("alert.raise") == Bookmark(0)
    await bookmarks.save("alert.raise", Bookmark(17, "2026"))
    await bookmarks.save("alert.raise", Bookmark(12, "2027"))
    assert await bookmarks.load("alert.raise") == Bookmark(12, "2027")


async def test_a_server_that_is_not_there_is_unreachable(world: PostgresWorld):
    nowhere = PostgresViews(world.pool, "postgresql://postgres@127.0.0.1:1/nowhere")
    with pytest.raises(StoreUnreachable):
        await nowhere.apply(())
    with pytest.raises(StoreUnreachable):
        await reading_pool("postgresql://postgres@127.0.0.1:1/nowhere")
    watch = PostgresCheckpointWatch("postgresql://postgres@127.0.0.1:1/nowhere")
    with pytest.raises(NotThereYet):
        await watch.wait_for("fills", 1, 0.3)


async def test_the_benchmark_measures_the_real_path(owner: str):
    await fill(owner, 2_000)
    for view in ("portfolio", "alerts"):
        per_s, rows = await measure(owner, 2_000, view)
        assert per_s > 0
        assert bool(rows) is (view == "portfolio")
    with pytest.raises(RuntimeError, match="not 2001"):
        await measure(owner, 2_001)
