"""Connections that end at the worst moment: what was in flight is read back, then acknowledged, sent again, failed."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from adapters.postgres import fence
from adapters.postgres import writer as writing
from adapters.postgres.event_log import PostgresEventLog
from adapters.postgres.failures import LogDiverged, LogUnreachable
from adapters.postgres.verify import verify
from commands.ports import AppendFailed, Fenced
from tests.contract.event_log import batch, require_chained
from tests.support.postgres_proxy import PostgresProxy, proxied


@pytest.fixture
async def through(migrated: str) -> AsyncIterator[tuple[PostgresProxy, PostgresEventLog]]:
    """Give a proxy and a log behind it that has taken over and holds one event."""
    async with proxied(migrated) as (proxy, dsn):
        log = PostgresEventLog(dsn, recovery_ms_max=10_000)
        await log.take_over()
        await log.append(batch(1, 1))
        yield proxy, log
        await log.close()


async def positions(dsn: str) -> list[int]:
    connection = await asyncpg.connect(dsn)
    try:
        return [row[0] for row in await connection.fetch("select notification_id from stored_events order by 1")]
    finally:
        await connection.close()


async def test_a_commit_whose_answer_is_lost_is_acknowledged_and_not_repeated(
    through: tuple[PostgresProxy, PostgresEventLog], migrated: str
) -> None:
    proxy, log = through
    proxy.lose_answers = True
    await asyncio.gather(log.append(batch(2, 2)), log.append(batch(3, 3)), log.append(batch(4, 4)))
    assert proxy.cut.is_set()
    await log.append(batch(5, 5))
    require_chained(await log.read(0, 10))
    assert await positions(migrated) == [1, 2, 3, 4, 5]
    assert (await verify(migrated)).sound


async def test_a_request_that_never_arrived_is_sent_again(
    through: tuple[PostgresProxy, PostgresEventLog], migrated: str
) -> None:
    proxy, log = through
    proxy.lose_requests = True
    await asyncio.gather(log.append(batch(2, 2)), log.append(batch(3, 3)))
    assert proxy.cut.is_set()
    assert await positions(migrated) == [1, 2, 3]


async def test_kept_commands_without_events_are_read_back_too(
    through: tuple[PostgresProxy, PostgresEventLog], migrated: str
) -> None:
    proxy, log = through
    refusals = batch(2, 2)
    bare = type(refusals)(
        2, (), (type(refusals.commands[0])(refusals.commands[0].command_id, 2, "k", b"", b"", None, None),), 0
    )
    proxy.lose_answers = True
    await log.append(bare)
    await log.append(batch(2, 3))
    assert len(await log.outcomes([refusals.commands[0].command_id])) == 1


@pytest.mark.parametrize("lost", ["answers", "requests"])
async def test_after_a_takeover_meanwhile_the_truth_is_told(
    through: tuple[PostgresProxy, PostgresEventLog], migrated: str, lost: str
) -> None:
    proxy, log = through
    setattr(proxy, f"lose_{lost}", True)
    proxy.refuse = True
    pending = asyncio.ensure_future(log.append(batch(2, 2)))
    await proxy.cut.wait()
    successor = PostgresEventLog(migrated)
    try:
        head = await successor.take_over()
        assert head.position == (2 if lost == "answers" else 1)
        proxy.refuse = False
        if lost == "answers":
            await pending
        else:
            with pytest.raises(Fenced):
                await pending
        with pytest.raises(Fenced):
            await log.append(batch(3, 3))
        await successor.append(batch(head.position + 1, head.sequence + 1))
        assert (await verify(migrated)).sound
    finally:
        await successor.close()


async def test_a_lost_idle_connection_comes_back_by_itself(
    through: tuple[PostgresProxy, PostgresEventLog], migrated: str
) -> None:
    _, log = through
    connection = await asyncpg.connect(migrated)
    ended = await connection.fetch(
        "select pg_terminate_backend(pid) from pg_stat_activity "
        "where application_name = 'ballast-writer' and datname = current_database()"
    )
    await connection.close()
    assert len(ended) == 1
    await log.append(batch(2, 2))
    assert await positions(migrated) == [1, 2]


async def test_a_server_that_stays_away_leaves_the_outcome_unknown(migrated: str) -> None:
    async with proxied(migrated) as (proxy, dsn):
        log = PostgresEventLog(dsn, recovery_ms_max=200)
        try:
            await log.take_over()
            proxy.lose_answers = True
            proxy.refuse = True
            first, second = log.append(batch(1, 1)), log.append(batch(2, 2))
            with pytest.raises(LogUnreachable):
                await first
            with pytest.raises(LogUnreachable):
                await second
            with pytest.raises(AppendFailed):
                await log.append(batch(3, 3))
            # Taking over again tells what happened.
            proxy.refuse = False
            assert (await log.take_over()).position in {1, 2}
        finally:
            await log.close()


async def test_while_the_lost_session_may_still_commit_nothing_is_said(
    dsns: tuple[str, str], migrated: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fence, "YIELD_MS_MAX", 20)
    monkeypatch.setattr(fence, "ENDED_MS_MAX", 20)
    async with proxied(dsns[0]) as (proxy, dsn):
        log = PostgresEventLog(dsn, recovery_ms_max=500)
        # Stands for a backend of ours that hangs in its commit and cannot be ended: the owner's, which we may not end.
        hanging = await asyncpg.connect(migrated)
        try:
            await log.take_over()
            proxy.refuse = proxy.lose_requests = True
            pending = asyncio.ensure_future(log.append(batch(1, 1)))
            await proxy.cut.wait()
            await hanging.execute("select pg_advisory_lock($1, $2)", *fence.WRITER_LOCK)
            proxy.refuse = False
            with pytest.raises(LogUnreachable):
                await pending
        finally:
            await hanging.close()
            await log.close()


async def test_a_server_that_does_not_answer_is_given_up(
    through: tuple[PostgresProxy, PostgresEventLog], migrated: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "ANSWER_MS_MAX", 100)
    proxy, log = through
    proxy.held.clear()
    pending = asyncio.ensure_future(log.append(batch(2, 2)))
    await asyncio.sleep(0.3)
    assert not pending.done()
    proxy.held.set()
    await pending
    assert await positions(migrated) == [1, 2]


async def test_a_log_that_lost_acknowledged_events_stops_the_writer(
    through: tuple[PostgresProxy, PostgresEventLog], migrated: str
) -> None:
    proxy, log = through
    proxy.lose_requests = True
    proxy.refuse = True
    pending = asyncio.ensure_future(log.append(batch(2, 2)))
    await proxy.cut.wait()
    connection = await asyncpg.connect(migrated)
    await connection.execute("delete from stored_events")
    await connection.close()
    proxy.refuse = False
    with pytest.raises(LogDiverged):
        await pending
    with pytest.raises(AppendFailed):
        await log.append(batch(3, 3))


async def test_a_log_written_behind_the_writers_back_stops_it(
    through: tuple[PostgresProxy, PostgresEventLog], migrated: str
) -> None:
    _, log = through
    connection = await asyncpg.connect(migrated)
    await connection.execute(
        "insert into stored_events (originator_id, originator_version, topic, state, notification_id) "
        "values (gen_random_uuid(), 1, 'forged.v1', '', 2)"
    )
    await connection.close()
    with pytest.raises(LogDiverged):
        await log.append(batch(2, 2))
