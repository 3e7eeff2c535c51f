"""A migrated database, logins on it, and a log."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import asyncpg
import pytest

from adapters.postgres.event_log import PostgresEventLog
from adapters.postgres.migrate import migrate
from adapters.postgres.roles import Login, create_logins, login_dsn

PASSWORD = "a pass:word/with@odd%chars"


@pytest.fixture
def migrated(database: str) -> str:
    """Give the owner's dsn of a database with today's schema."""
    asyncio.run(migrate(database))
    return database


@pytest.fixture
async def log(migrated: str) -> AsyncIterator[PostgresEventLog]:
    """Give a log that is not taken over yet; it is closed afterwards."""
    opened = PostgresEventLog(migrated)
    yield opened
    await opened.close()


@pytest.fixture
async def dsns(migrated: str) -> AsyncIterator[tuple[str, str]]:
    """Give the dsns of a service and an auditor of their own names; drop the roles afterwards."""
    name = uuid4().hex[:12]
    service, auditor = Login(f"service_{name}", PASSWORD), Login(f"auditor_{name}", PASSWORD)
    await create_logins(migrated, service, auditor)
    await create_logins(migrated, service, auditor)
    yield login_dsn(migrated, service), login_dsn(migrated, auditor)
    connection = await asyncpg.connect(migrated)
    for login in (service, auditor):
        await connection.execute(f'drop owned by "{login.name}"')
        await connection.execute(f'drop role "{login.name}"')
    await connection.close()
