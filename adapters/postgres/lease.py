"""The sole right to act on something, held as a session lock: it ends with its holder's connection."""

import hashlib
from typing import TYPE_CHECKING

import asyncpg

from commands.ports import Fenced

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]

# Two 32-bit keys: the first says that it is a lease, the second names it.
LEASE_CLASS = 0x42414C4C


def lease_key(name: str) -> int:
    """Return the second key of a lease's lock."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], signed=True)


class PostgresLease:
    """Hold a named lease: `take` waits until its holder before is gone, `check` fails once it may be another's."""

    def __init__(self, dsn: str, name: str) -> None:
        self._dsn = dsn
        self._key = lease_key(name)
        self._name = name
        self._connection: Connection | None = None

    async def take(self) -> None:
        """Wait for the lease; the server gives it when the session that held it has ended."""
        self._connection = await asyncpg.connect(self._dsn, server_settings={"tcp_keepalives_idle": "5"})
        await self._connection.execute("select pg_advisory_lock($1, $2)", LEASE_CLASS, self._key)

    def check(self) -> None:
        """Raise `Fenced` when the session that holds the lease is gone."""
        if self._connection is None or self._connection.is_closed():
            raise Fenced(f"the lease {self._name!r} is lost with its connection: another may act now")

    async def close(self) -> None:
        """Give the lease up; idempotent."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()
