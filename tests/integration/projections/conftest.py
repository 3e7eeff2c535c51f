"""A migrated database, a service's login on it, and read models kept there."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from uuid import uuid4

import asyncpg
import pytest

from adapters.postgres.migrate import migrate
from adapters.postgres.roles import Login, create_logins, login_dsn
from adapters.postgres.views import PostgresViews
from adapters.postgres.views_log import PostgresLog
from adapters.postgres.views_reach import Pool, reading_pool
from adapters.postgres.views_watch import PostgresCheckpointWatch
from benchmarks.rebuild import COLUMNS, record
from domain.log import StoredEvent


class PostgresWorld:
    """A log and read models in Postgres, as the service's role sees them; `owner` may do more."""

    def __init__(self, owner: str, dsn: str, pool: Pool) -> None:
        self.owner = owner
        self.dsn = dsn
        self.pool = pool
        self.store = PostgresViews(pool, dsn)
        self.reader = PostgresLog(pool)
        self.watch = PostgresCheckpointWatch(dsn)

    async def append(self, events: Sequence[StoredEvent]) -> None:
        """Write events as the log's writer would, on a session that `kill_sessions` spares."""
        connection = await asyncpg.connect(self.owner)
        records = [record(event) for event in events]
        await connection.copy_records_to_table("stored_events", records=records, columns=COLUMNS)
        await connection.close()

    async def wait_for(self, view: str, position: int, timeout_s: float) -> int:
        return await self.watch.wait_for(view, position, timeout_s)

    async def kill_sessions(self) -> None:
        """End every session of the service, as a restart of the server would."""
        connection = await asyncpg.connect(self.owner)
        await connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() "
            "and usename <> current_user"
        )
        await connection.close()

    async def close(self) -> None:
        await self.watch.close()
        await self.store.close()
        await self.pool.close()


@pytest.fixture
def owner(database: str) -> str:
    asyncio.run(migrate(database))
    return database


@pytest.fixture
async def world(owner: str) -> AsyncIterator[PostgresWorld]:
    name = uuid4().hex[:12]
    service, auditor = Login(f"service_{name}", "secret"), Login(f"auditor_{name}", "secret")
    await create_logins(owner, service, auditor)
    dsn = login_dsn(owner, service)
    opened = PostgresWorld(owner, dsn, await reading_pool(dsn))
    yield opened
    await opened.close()
    connection = await asyncpg.connect(owner)
    for login in (service, auditor):
        await connection.execute(f'drop owned by "{login.name}"')
        await connection.execute(f'drop role "{login.name}"')
    await connection.close()
