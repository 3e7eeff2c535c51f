"""Connections for the read side: what the bytes of a document are, and when Postgres counts as unreachable."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import asyncpg

from projections.ports import StoreUnreachable

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]
    Pool = asyncpg.Pool[asyncpg.Record]
else:  # asyncpg's classes take no arguments at run time
    Connection = asyncpg.Connection
    Pool = asyncpg.Pool

READERS_MAX = 8
"""Connections that one process reads with."""
COMMAND_S_MAX = 60.0

_JSONB_VERSION = b"\x01"


async def prepare(connection: Connection) -> None:
    """Make `jsonb` mean its bytes, both ways."""
    await connection.set_type_codec(
        "jsonb", schema="pg_catalog", encoder=_JSONB_VERSION.__add__, decoder=_without_version, format="binary"
    )


def _without_version(data: bytes) -> bytes:
    return bytes(data[1:])


async def reading_pool(dsn: str) -> Pool:
    """Open a pool for readers. It reconnects by itself. Raise `StoreUnreachable` when the server cannot be reached."""
    with reaching():
        return await asyncpg.create_pool(
            dsn, min_size=1, max_size=READERS_MAX, init=prepare, command_timeout=COMMAND_S_MAX
        )


async def connect(dsn: str) -> Connection:
    """Open one connection. Raise `StoreUnreachable` when the server cannot be reached."""
    with reaching():
        connection = await asyncpg.connect(dsn, command_timeout=COMMAND_S_MAX)
        await prepare(connection)
        return connection


@contextmanager
def reaching() -> Generator[None]:
    """Turn a lost, refused or closed connection into `StoreUnreachable`; let every other error through."""
    try:
        yield
    except (OSError, asyncpg.PostgresConnectionError, asyncpg.OperatorInterventionError) as error:
        raise StoreUnreachable(f"Postgres cannot be reached: {error!r}") from error
    except (asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
        # The same types tell of misuse, which is a bug and must be seen. A connection that ends while a statement is
        # being prepared leaves the client's state machine between two states, which it tells when it is given back.
        if "closed" not in str(error) and "cannot switch to state" not in str(error):
            raise
        raise StoreUnreachable(f"Postgres cannot be reached: {error}") from error
