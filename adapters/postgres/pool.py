"""Connections for everything off the hot path: asyncpg, opened on first use."""

import asyncio
from typing import Any

import asyncpg

from adapters.postgres.rows import POSTGRES_EPOCH_US

POOL_CONNECTIONS_MAX = 4
COMMAND_MS_MAX = 120_000


async def instants_as_integers(connection: "asyncpg.Connection[Any] | asyncpg.pool.PoolConnectionProxy[Any]") -> None:
    """Make a connection read and write timestamptz as integer microseconds since the Unix epoch."""
    await connection.set_type_codec(
        "timestamptz",
        schema="pg_catalog",
        format="tuple",
        encoder=lambda at_us: (at_us - POSTGRES_EPOCH_US,),
        decoder=lambda parts: parts[0] + POSTGRES_EPOCH_US,
    )


async def _as_it_is(_connection: object) -> None:
    """Reset nothing: nobody here changes a session, and asyncpg's own reset is a round trip after every statement."""


async def connect_reader(dsn: str) -> "asyncpg.Connection[asyncpg.Record]":
    """Open one connection whose instants are integers."""
    connection = await asyncpg.connect(dsn, command_timeout=COMMAND_MS_MAX / 1_000)
    await instants_as_integers(connection)
    return connection


class Pool:
    """Hold a pool that opens on first use and closes once."""

    def __init__(self, dsn: str, connections_max: int = POOL_CONNECTIONS_MAX) -> None:
        self.dsn = dsn
        self._connections_max = connections_max
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None
        self._opening = asyncio.Lock()

    async def opened(self) -> "asyncpg.Pool[asyncpg.Record]":
        """Return the pool, opening it if need be."""
        async with self._opening:
            if self._pool is None:
                self._pool = await asyncpg.create_pool(
                    self.dsn,
                    min_size=0,
                    max_size=self._connections_max,
                    command_timeout=COMMAND_MS_MAX / 1_000,
                    init=instants_as_integers,
                    reset=_as_it_is,
                )
            return self._pool

    async def fetch(self, sql: str, *arguments: object) -> "list[asyncpg.Record]":
        """Run one statement and return its rows."""
        return await (await self.opened()).fetch(sql, *arguments)

    async def fetchval(self, sql: str, *arguments: object) -> Any:
        """Run one statement and return the first value of its first row."""
        return await (await self.opened()).fetchval(sql, *arguments)

    async def execute(self, sql: str, *arguments: object) -> str:
        """Run one statement for its effect."""
        return await (await self.opened()).execute(sql, *arguments)

    async def close(self) -> None:
        """Close every connection; idempotent."""
        async with self._opening:
            pool, self._pool = self._pool, None
        if pool is not None:
            await pool.close()
