"""The store in Postgres keeps the contract, as the service's own role."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import asyncpg
import pytest

from adapters.postgres.views import PostgresViews
from projections.catalogue import VIEWS
from projections.fills import FILLS
from projections.orders import ORDERS
from projections.ports import NotThereYet, Query, StoreUnreachable
from tests.integration.projections.conftest import PostgresWorld
from tests.support.told import busy_log, folded, shown_fold, whole_table
from tests.support.view_store_contract import ViewStoreContract, follow

_WAITING = "select count(*) from pg_stat_activity where wait_event_type = 'Lock'"


class TestPostgresViews(ViewStoreContract):
    """Inherit every law."""


async def test_every_view_has_its_table_its_indexes_and_an_index_for_each_lookup(world: PostgresWorld):
    rows = await world.pool.fetch("select tablename, indexdef from pg_indexes where schemaname = 'public'")
    indexes: dict[str, str] = {}
    for table, definition in rows:
        indexes[table] = indexes.get(table, "") + definition + "\n"
    for name, view in VIEWS.items():
        assert "(sort, key)" in indexes[name]
        assert "WHERE open" in indexes[name]
        for field in view.lookups:
            assert f"'{field}'::text" in indexes[name], (name, field)


async def test_a_long_listing_is_paged_by_its_index(world: PostgresWorld):
    async with world.pool.acquire() as connection:
        await connection.execute("set enable_seqscan = off")
        plan = await connection.fetch(
            "explain select key from fills where (sort, key) > (5, 'x') order by sort, key limit 10"
        )
        assert "fills_listing_idx" in plan[1][0]


async def test_readers_see_rows_and_checkpoint_move_together(world: PostgresWorld):
    log = busy_log(1_500)
    await world.append(log)
    seen: list[tuple[int, int]] = []
    writing = asyncio.create_task(follow(world, (FILLS,), log, run=50))
    while not writing.done():
        page = await world.store.page(FILLS, Query(limit=1, newest_first=True))
        last = page.rows[0].position if page.rows else 0
        seen.append((page.as_of_position, last))
    await writing
    positions = [event.position for event in log if event.topic == "fill.recorded.v1"]
    for as_of_position, last in seen:
        assert last == max((position for position in positions if position <= as_of_position), default=0)
    assert len({as_of_position for as_of_position, _ in seen}) > 3


@asynccontextmanager
async def checkpoints_held(world: PostgresWorld) -> AsyncGenerator[None]:
    """Keep every checkpoint locked, so that a write waits in the middle of its transaction."""
    connection = await asyncpg.connect(world.owner)
    async with connection.transaction():
        await connection.execute("select * from projection_checkpoints for update")
        yield
    await connection.close()


async def waiting_for_a_lock(world: PostgresWorld) -> None:
    connection = await asyncpg.connect(world.owner)
    async with asyncio.timeout(30):
        while not await connection.fetchval(_WAITING):  # noqa: ASYNC110 - Postgres is asked, nobody here can tell
            await asyncio.sleep(0.01)
    await connection.close()


async def test_a_write_that_loses_its_connection_leaves_nothing_and_can_be_done_again(world: PostgresWorld):
    log = busy_log(1_200)
    await world.append(log)
    both = await follow(world, (ORDERS,), log[:600])
    both.follow(log[600:])
    changes = both.take()
    async with checkpoints_held(world):
        writing = asyncio.create_task(world.store.apply(changes))
        await waiting_for_a_lock(world)
        await world.kill_sessions()
        with pytest.raises(StoreUnreachable):
            await writing
    assert await whole_table(ORDERS, world.store) == shown_fold(folded(ORDERS, log[:600]))
    await world.store.apply(changes)
    assert await whole_table(ORDERS, world.store) == shown_fold(folded(ORDERS, log))


async def test_of_two_projectors_one_comes_second(world: PostgresWorld):
    log = busy_log(1_200)
    await world.append(log)
    both = await follow(world, (ORDERS, FILLS), log[:600])
    both.follow(log[600:])
    changes = both.take()
    second = PostgresViews(world.pool, world.dsn)
    outcomes = await asyncio.gather(world.store.apply(changes), second.apply(changes), return_exceptions=True)
    await second.close()
    assert sorted(str(outcome) for outcome in outcomes) == ["None", "fills is at 1200, not at 600"]
    assert await whole_table(ORDERS, world.store) == shown_fold(folded(ORDERS, log))


async def test_a_waiter_outlives_a_lost_connection(world: PostgresWorld):
    log = busy_log(300)
    await world.append(log)
    both = await follow(world, (FILLS,), log[:100])
    assert await world.wait_for("fills", 100, 5) == 100
    waiter = asyncio.create_task(world.wait_for("fills", 300, 20))
    async with checkpoints_held(world):
        both.follow(log[100:])
        changes = both.take()
        writing = asyncio.create_task(world.store.apply(changes))
        await waiting_for_a_lock(world)
        await world.kill_sessions()
        with pytest.raises(StoreUnreachable):
            await writing
    await world.store.apply(changes)
    assert await waiter == 300


async def test_many_wait_on_one_connection(world: PostgresWorld):
    log = busy_log(400)
    await world.append(log)
    late = asyncio.create_task(world.wait_for("orders", 1, 0.2))
    async with asyncio.TaskGroup() as tasks:
        waiters = [tasks.create_task(world.wait_for("fills", position, 20)) for position in range(100, 401, 10)]
        tasks.create_task(follow(world, (FILLS,), log, run=10))
    assert all(waiter.result() >= 100 for waiter in waiters)
    with pytest.raises(NotThereYet):
        await late


async def test_the_services_role_may_neither_drop_a_table_nor_touch_the_log(world: PostgresWorld):
    async with world.pool.acquire() as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("drop table fills")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("delete from stored_events")
