"""Leases taken by force: whoever holds one, or waits for one, is thrown out, for as long as this connection lives.

A holder finds its session gone before it next acts, and stops. Its login needs `pg_signal_backend` and nothing else.
"""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

import asyncpg

from adapters.postgres.lease import LEASE_CLASS, lease_key
from domain.refusal import Unavailable

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]

AGAIN_S = 0.02
CONNECT_S = 5.0

_OTHERS = """
pg_catalog.pg_locks where locktype = 'advisory' and classid = $1 and objid::bigint = any($2::bigint[]) and objsubid = 2
    and database = (select oid from pg_catalog.pg_database where datname = current_database())
    and pid <> pg_backend_pid()
"""
_THROW_OUT = f"select pg_terminate_backend(pid) from {_OTHERS}"  # noqa: S608 - built from constants
_HELD = f"select objid::bigint as key from {_OTHERS} and granted"  # noqa: S608 - built from constants


class LeaseBreaker:
    """Take named leases from whoever has them. `close` gives them up; so does this process' end."""

    def __init__(self, dsn: str, names: Sequence[str]) -> None:
        self._dsn = dsn
        self._names = {_unsigned(lease_key(name)): name for name in names}
        self._connection: Connection | None = None

    async def take(self) -> Sequence[str]:
        """Throw out who holds or waits, until every lease is ours; the caller bounds it. Raise `Unavailable`."""
        missing = set(self._names)
        try:
            connection = await self._open()
            while missing:
                await connection.execute(_THROW_OUT, LEASE_CLASS, sorted(missing))
                for key in sorted(missing):
                    if await connection.fetchval("select pg_try_advisory_lock($1, $2)", LEASE_CLASS, _signed(key)):
                        missing.discard(key)
                if missing:
                    await asyncio.sleep(AGAIN_S)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise Unavailable(f"{type(error).__name__}: {error}") from None
        return tuple(self._names.values())

    async def look(self) -> Sequence[str]:
        """Return the names of the leases that others hold. Raise `Unavailable`."""
        try:
            connection = await self._open()
            rows = await connection.fetch(_HELD, LEASE_CLASS, sorted(self._names))
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise Unavailable(f"{type(error).__name__}: {error}") from None
        return sorted({self._names[row["key"]] for row in rows})

    async def close(self) -> None:
        """Give the leases up; idempotent."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()
            await asyncio.sleep(0)  # for the transport to be closed

    async def _open(self) -> "Connection":
        if self._connection is None:
            self._connection = await asyncpg.connect(self._dsn, timeout=CONNECT_S, server_settings=_SETTINGS)
        return self._connection


_SETTINGS = {"application_name": "ballast-kill", "tcp_keepalives_idle": "5"}


def _unsigned(key: int) -> int:
    """Return a lock's key as `pg_locks` shows it."""
    return key & 0xFFFFFFFF


def _signed(key: int) -> int:
    return key - (1 << 32) if key >= 1 << 31 else key
