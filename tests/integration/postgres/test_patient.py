"""A follower waits for a server that is away, and says so when it stays away."""

import asyncio

import pytest

from adapters.postgres.event_log import PostgresEventLog
from adapters.postgres.failures import LogUnreachable
from adapters.postgres.patient import PatientLog
from tests.contract.event_log import batch
from tests.support.postgres_proxy import proxied

HELD_S_MAX = 20


async def _written(dsn: str, events: int) -> None:
    log = PostgresEventLog(dsn)
    try:
        await log.take_over()
        await log.append(batch(1, 1, events))
    finally:
        await log.close()


async def test_a_read_whose_answer_is_lost_is_asked_again(migrated: str) -> None:
    await _written(migrated, 3)
    async with proxied(migrated) as (proxy, dsn):
        log = PostgresEventLog(dsn)
        try:
            reader = PatientLog(log)
            assert [event.position for event in await reader.read(0, 10)] == [1, 2, 3]
            proxy.lose_answers = True
            async with asyncio.timeout(HELD_S_MAX):
                assert [event.position for event in await reader.read(1, 10)] == [2, 3]
            assert proxy.cut.is_set()
            assert await reader.load_snapshot("none", "of this") is None
        finally:
            await log.close()


async def test_a_server_that_comes_back_is_waited_for(migrated: str) -> None:
    await _written(migrated, 1)
    async with proxied(migrated) as (proxy, dsn):
        proxy.refuse = True
        log = PostgresEventLog(dsn)
        try:
            reading = asyncio.create_task(PatientLog(log).read(0, 10))
            done, _ = await asyncio.wait([reading], timeout=1)
            assert not done, "an outage is no answer"
            proxy.refuse = False
            async with asyncio.timeout(HELD_S_MAX):
                assert [event.position for event in await reading] == [1]
        finally:
            await log.close()


async def test_a_server_that_stays_away_is_told(migrated: str) -> None:
    async with proxied(migrated) as (proxy, dsn):
        proxy.refuse = True
        log = PostgresEventLog(dsn)
        try:
            with pytest.raises(LogUnreachable):
                await PatientLog(log, away_ms_max=500).read(0, 10)
        finally:
            await log.close()
