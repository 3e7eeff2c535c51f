"""The embedded Postgres in a temporary directory, as the product starts it, and fresh databases on it."""

import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import msgspec

from adapters.embedded.postgres import EmbeddedPostgres
from adapters.embedded.supervisor import Supervisor
from adapters.postgres.migrate import migrate


class BenchServer(msgspec.Struct, frozen=True):
    """Name a running server: the owner's dsn, and the directory with its data."""

    dsn: str
    root: Path

    async def fresh(self, name: str, *, migrated: bool = True) -> str:
        """Drop the database of that name if it is there, make it anew, and return its dsn."""
        connection = await asyncpg.connect(self.dsn)
        try:
            await connection.execute(f'drop database if exists "{name}" with (force)')
            await connection.execute(f'create database "{name}"')
        finally:
            await connection.close()
        dsn = f"{self.dsn.rpartition('/')[0]}/{name}"
        if migrated:
            await migrate(dsn)
        return dsn

    async def settle(self) -> None:
        """Write what is dirty, so that one measurement does not pay for another's data."""
        connection = await asyncpg.connect(self.dsn)
        try:
            if await connection.fetchval("show fsync") != "on":
                raise RuntimeError("figures without fsync mean nothing")
            await connection.execute("checkpoint")
        finally:
            await connection.close()


@asynccontextmanager
async def bench_server() -> AsyncGenerator[BenchServer]:
    """Run the server until the block is left."""
    with tempfile.TemporaryDirectory(prefix="ballast-bench-") as folder:
        root = Path(folder) / "postgres"
        postgres = EmbeddedPostgres(root)
        async with Supervisor() as supervisor:
            await supervisor.launch(await postgres.prepare())
            yield BenchServer(postgres.dsn(), root)
