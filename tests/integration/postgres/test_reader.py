"""Reading: pages, positions, instants, and a tail that passes over nothing while others write."""

import asyncio
import threading
from contextlib import aclosing
from uuid import uuid4

import asyncpg
import pytest
from eventsourcing.persistence import StoredEvent

from adapters.postgres.event_log import PostgresEventLog
from adapters.postgres.failures import LogDiverged, LogUnreachable
from adapters.postgres.pool import Pool
from adapters.postgres.reader import LogReader
from adapters.postgres.recorder import BallastRecorder
from domain.log import Batch
from tests.contract.event_log import AT_US, batch, new_event
from tests.support.postgres_proxy import proxied

WRITERS = 6
WRITES = 60


async def test_a_tail_beside_concurrent_writers_sees_every_position_once(migrated: str) -> None:
    recorder = BallastRecorder(migrated)
    pool = Pool(migrated)
    expected = WRITERS * sum(number % 3 + 1 for number in range(WRITES))

    def write() -> None:
        for number in range(WRITES):
            stream = uuid4()
            recorder.insert_events(
                [StoredEvent(stream, version, "t.v1", b"{}") for version in range(1, number % 3 + 2)]
            )

    threads = [threading.Thread(target=write) for _ in range(WRITERS)]

    async def follow(after: int) -> list[int]:
        seen: list[int] = []
        async with aclosing(LogReader(pool).tail(after, 37)) as pages:
            async for page in pages:
                seen += [event.position for event in page]
                if seen[-1] == expected:
                    break
        return seen

    try:
        followers = [asyncio.ensure_future(follow(after)) for after in (0, 0, 25)]
        for thread in threads:
            thread.start()
        async with asyncio.timeout(60):
            seen = await asyncio.gather(*followers)
        assert seen == [list(range(1, expected + 1))] * 2 + [list(range(26, expected + 1))]
    finally:
        for thread in threads:
            await asyncio.to_thread(thread.join)
        await asyncio.to_thread(recorder.close)
        await pool.close()


async def test_a_tail_wakes_by_notification_and_by_itself(
    log: PostgresEventLog, migrated: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await log.take_over()
    async with aclosing(log.tail(0)) as pages:
        following = asyncio.ensure_future(anext(pages))
        done, _ = await asyncio.wait([following], timeout=0.3)
        assert not done
        monkeypatch.setattr("adapters.postgres.reader.POLL_MS", 60_000)
        await log.append(batch(1, 1))
        async with asyncio.timeout(20):
            assert [event.position for event in await following] == [1]
        # A tail whose listening session is ended listens again.
        monkeypatch.setattr("adapters.postgres.reader.POLL_MS", 50)
        connection = await asyncpg.connect(migrated)
        await connection.execute("select pg_terminate_backend(pid) from pg_stat_activity where query ilike 'listen%'")
        await connection.close()
        following = asyncio.ensure_future(anext(pages))
        await log.append(batch(2, 2))
        async with asyncio.timeout(30):
            assert [event.position for event in await following] == [2]


async def test_a_tail_gives_up_when_the_server_stays_away(migrated: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.postgres.reader.UNREACHABLE_MS_MAX", 300)
    async with proxied(migrated) as (proxy, dsn):
        proxy.refuse = True
        pool = Pool(dsn)
        with pytest.raises(LogUnreachable):
            async with aclosing(LogReader(pool).tail(0)) as pages:
                await anext(pages)
        await pool.close()


async def test_pages_topics_and_bounds(log: PostgresEventLog, migrated: str) -> None:
    await log.take_over()
    events = tuple(
        new_event(number)
        if number % 3
        else type(new_event(1))(new_event(number).originator_id, 1, "third.v1", b"", b"{}", uuid4())
        for number in range(1, 31)
    )
    await log.append(Batch(1, events, (), AT_US))
    pool = Pool(migrated)
    reader = LogReader(pool)

    async def read(after: int, limit: int, topics: list[str] | None = None, upto: int | None = None) -> list[int]:
        return [event.position for event in await reader.read(after, limit, topics, upto)]

    try:
        assert await read(0, 4) == [1, 2, 3, 4]
        assert await read(28, 100) == [29, 30]
        assert await read(30, 100) == []
        assert await read(5, 100, upto=8) == [6, 7, 8]
        assert await read(5, 3, ["third.v1"]) == [6, 9, 12]
        assert await read(0, 100, ["third.v1"], 7) == [3, 6]
        assert await read(0, 100, ["no.such.v1"]) == []
        assert await read(0, 100, []) == []
        found = await reader.read_at(6)
        assert found is not None
        assert (found.position, found.topic) == (6, "third.v1")
        assert await reader.read_at(31) is None
        assert await reader.last_position() == 30
    finally:
        await pool.close()


async def test_an_instant_names_the_last_event_recorded_by_then(log: PostgresEventLog, migrated: str) -> None:
    await log.take_over()
    pool = Pool(migrated)
    reader = LogReader(pool)
    try:
        assert await reader.position_at(AT_US) == 0
        for position, at_us in enumerate((10, 20, 20, 20, 35, 50, 51), start=1):
            await log.append(Batch(position, (new_event(position),), (), AT_US + at_us))
        wanted = {9: 0, 10: 1, 19: 1, 20: 4, 34: 4, 35: 5, 50: 6, 51: 7, 1_000: 7}
        assert {at: await reader.position_at(AT_US + at) for at in wanted} == wanted
    finally:
        await pool.close()


async def test_a_gap_stops_a_reader(log: PostgresEventLog, migrated: str) -> None:
    await log.take_over()
    await log.append(batch(1, 1, 9))
    connection = await asyncpg.connect(migrated)
    await connection.execute("delete from stored_events where notification_id = 5")
    await connection.close()
    assert len(await log.read(0, 4)) == 4
    for after, limit in ((0, 9), (4, 1), (3, 2)):
        with pytest.raises(LogDiverged, match="position 5 is missing"):
            await log.read(after, limit)
