"""What the recorders for the `eventsourcing` library share: its errors for ours, and its way of selecting a stream."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import asyncpg
from eventsourcing.persistence import (
    DatabaseError,
    DataError,
    IntegrityError,
    InterfaceError,
    OperationalError,
    ProgrammingError,
    StoredEvent,
)

from adapters.postgres.failures import (
    AppendConflict,
    ConnectionLost,
    HandshakeFailed,
    LogDiverged,
    LogUnreachable,
    PostgresRefused,
    SchemaMismatch,
)
from adapters.postgres.loop_thread import LoopClosed
from adapters.postgres.pool import Pool
from commands.ports import AppendFailed, Fenced

# The first that fits: ours and the driver's on the left, the library's on the right.
_MEANINGS: tuple[tuple[type[Exception] | tuple[type[Exception], ...], type[Exception]], ...] = (
    ((AppendConflict, asyncpg.IntegrityConstraintViolationError), IntegrityError),
    ((Fenced, LogUnreachable, ConnectionLost), OperationalError),
    ((HandshakeFailed, LoopClosed), InterfaceError),
    (SchemaMismatch, ProgrammingError),
    (asyncpg.DataError, DataError),
    ((asyncpg.PostgresConnectionError, asyncpg.OperatorInterventionError, OSError), OperationalError),
    (asyncpg.InterfaceError, InterfaceError),
    ((asyncpg.SyntaxOrAccessError, asyncpg.InvalidAuthorizationSpecificationError), ProgrammingError),
    ((AppendFailed, LogDiverged, PostgresRefused, asyncpg.PostgresError), DatabaseError),
)


@contextmanager
def library_errors() -> Generator[None]:
    """Raise the library's exceptions in place of ours and the driver's."""
    try:
        yield
    except Exception as error:
        for ours, theirs in _MEANINGS:
            if isinstance(error, ours):
                raise theirs(str(error)) from error
        raise


def stream_id(originator_id: UUID | str) -> UUID:
    """Return a stream's id as a UUID; raise DataError for what is none."""
    if isinstance(originator_id, UUID):
        return originator_id
    try:
        return UUID(originator_id)
    except ValueError as error:
        raise DataError(f"an originator id is a UUID, not {originator_id!r}") from error


async def select_stream(
    pool: Pool, table: str, originator_id: UUID, *, gt: int | None, lte: int | None, desc: bool, limit: int | None
) -> Sequence[StoredEvent]:
    """Return a stream's events between versions, as the library's `select_events` says."""
    order = "desc" if desc else "asc"
    rows = await pool.fetch(
        f"select originator_id, originator_version, topic, state from public.{table} "  # noqa: S608 - table and order are constants of ours
        "where originator_id = $1 and ($2::bigint is null or originator_version > $2) "
        f"and ($3::bigint is null or originator_version <= $3) order by originator_version {order} limit $4",
        originator_id,
        gt,
        lte,
        limit,
    )
    return [_stored(row) for row in rows]


def _stored(row: "asyncpg.Record") -> StoredEvent:
    values: tuple[Any, ...] = tuple(row)
    return StoredEvent(UUID(int=values[0].int), values[1], values[2], values[3])
