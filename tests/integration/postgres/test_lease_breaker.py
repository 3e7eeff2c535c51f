"""Leases taken by force: holders and waiting ones are thrown out, and stay out for as long as the breaker lives."""

import asyncio
from uuid import uuid4

import asyncpg
import pytest

from adapters.postgres.lease import PostgresLease
from adapters.postgres.lease_breaker import LeaseBreaker
from commands.ports import Fenced
from domain.refusal import Unavailable

WITHIN_S = 20.0


@pytest.fixture
def name() -> str:
    return f"{uuid4()}:okx:main"


async def test_who_holds_and_who_waits_is_thrown_out_and_kept_out(database: str, name: str) -> None:
    holder, waiting, breaker = (
        PostgresLease(database, name),
        PostgresLease(database, name),
        LeaseBreaker(database, [name]),
    )
    await holder.take()
    waits = asyncio.create_task(waiting.take())
    await _until_waiting(database)
    assert await breaker.look() == [name]
    async with asyncio.timeout(WITHIN_S):
        assert await breaker.take() == (name,)
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
            await waits
        while True:
            try:
                holder.check()
            except Fenced:
                break
            await asyncio.sleep(0.01)
    later = PostgresLease(database, name)
    again = asyncio.create_task(later.take())
    await _until_waiting(database)
    assert not again.done()
    await breaker.close()
    async with asyncio.timeout(WITHIN_S):
        await again
    later.check()
    for lease in (holder, waiting, later):
        await lease.close()


async def test_other_leases_are_left_alone(database: str, name: str) -> None:
    other, breaker = PostgresLease(database, f"{name}:other"), LeaseBreaker(database, [name])
    await other.take()
    assert await breaker.take() == (name,)
    looking = LeaseBreaker(database, [name, f"{name}:other"])
    assert await looking.look() == sorted([name, f"{name}:other"])
    other.check()
    await looking.close()
    await breaker.close()
    await other.close()


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    breaker = LeaseBreaker("postgresql://nobody:x@127.0.0.1:1/none", ["okx:main"])
    with pytest.raises(Unavailable):
        await breaker.take()
    await breaker.close()


async def _until_waiting(dsn: str) -> None:
    """Wait until a session waits for a lock of this database."""
    connection = await asyncpg.connect(dsn)
    asked = (
        "select count(*) from pg_locks where locktype = 'advisory' and not granted "
        "and database = (select oid from pg_database where datname = current_database())"
    )
    try:
        async with asyncio.timeout(WITHIN_S):
            while not await connection.fetchval(asked):  # noqa: ASYNC110 - what is waited for is another session
                await asyncio.sleep(0.01)
    finally:
        await connection.close()
