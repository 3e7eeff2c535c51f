"""kill -9, of the writer and of Postgres, under load: nothing acknowledged is lost, nothing is there twice."""

import asyncio
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path

import asyncpg
import pytest

from adapters.postgres.event_log import PostgresEventLog
from adapters.postgres.migrate import migrate
from adapters.postgres.verify import verify
from tests.contract.event_log import batch
from tests.support.servers import PostgresServer, fresh_database, running_postgres

KILLS = 4
SERVER_KILLS = 2


async def require_sound(dsn: str, acknowledged: int) -> int:
    """Check the log, that it reaches what was acknowledged, and that each command is kept once; return its end."""
    result = await verify(dsn)
    assert result.sound, result
    assert result.position >= acknowledged
    connection = await asyncpg.connect(dsn)
    try:
        counted = await connection.fetchrow(
            "select (select count(*) from stored_events) as events, (select count(*) from command_outcomes) as commands"
        )
        assert counted is not None
        assert counted["events"] == counted["commands"] == result.position
    finally:
        await connection.close()
    return result.position


async def test_a_killed_writer_loses_nothing_acknowledged(migrated: str) -> None:
    end = 0
    for _ in range(KILLS):
        writer = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.support.log_writer",
            migrated,
            cwd=Path(__file__).parents[3],
            stdout=asyncio.subprocess.PIPE,
        )
        assert writer.stdout is not None
        acknowledged = end
        while acknowledged < end + 400:
            acknowledged = int(await writer.stdout.readline())
        writer.kill()
        *_, last = (await writer.stdout.read()).splitlines() or [b"0"]
        await writer.wait()
        # The backend may still be committing what it had received: the takeover waits for it.
        log = PostgresEventLog(migrated)
        try:
            head = await log.take_over()
        finally:
            await log.close()
        end = await require_sound(migrated, max(acknowledged, int(last)))
        assert head.position == end


@pytest.fixture
def own_server() -> Iterator[PostgresServer]:
    """Run a server that this test may kill; its supervisor starts it again."""
    with running_postgres() as server:
        yield server


def postmaster(server: PostgresServer) -> int:
    return int((server.root / "cluster/pgdata/postmaster.pid").read_text().split()[0])


async def test_a_killed_postgres_loses_and_repeats_nothing(own_server: PostgresServer) -> None:
    with fresh_database(own_server.dsn) as dsn:
        await migrate(dsn)
        log = PostgresEventLog(dsn)
        acknowledged = 0
        stop = False

        async def write() -> None:
            nonlocal acknowledged
            position = 1
            while not stop:
                await asyncio.gather(
                    log.append(batch(position, position, 3)), log.append(batch(position + 3, position + 3))
                )
                position += 4
                acknowledged = position - 1

        seen: list[int] = []

        async def read() -> None:
            async with aclosing(log.tail(0, 100)) as pages:
                async for page in pages:
                    seen.extend(event.position for event in page)

        try:
            epoch = (await log.take_over()).epoch
            writing, reading = asyncio.ensure_future(write()), asyncio.ensure_future(read())
            for _ in range(SERVER_KILLS):
                before = acknowledged
                while acknowledged < before + 200:
                    assert not writing.done()
                    await asyncio.sleep(0.01)
                os.kill(postmaster(own_server), signal.SIGKILL)
                before = acknowledged
                async with asyncio.timeout(60):
                    while acknowledged < before + 40:
                        assert not writing.done(), writing.exception()
                        await asyncio.sleep(0.01)
            stop = True
            await writing
            # The same writer, the same epoch: nobody took over.
            assert await require_sound(dsn, acknowledged) == acknowledged
            async with asyncio.timeout(30):
                while len(seen) < acknowledged:
                    assert not reading.done(), reading.exception()
                    await asyncio.sleep(0.01)
            assert seen == list(range(1, acknowledged + 1))
            reading.cancel()
            await asyncio.wait([reading])
            assert (await log.take_over()).epoch == epoch + 1
        finally:
            await log.close()
