"""The core's port to the log: the fenced writer, the reader and the snapshots under one name."""

from collections.abc import AsyncGenerator, Awaitable, Mapping, Sequence
from uuid import UUID

from adapters.postgres import snapshots
from adapters.postgres.address import parse_dsn
from adapters.postgres.pool import Pool
from adapters.postgres.reader import PAGE_EVENTS, LogReader
from adapters.postgres.writer import RECOVERY_MS_MAX, FencedWriter
from domain.log import Batch, Head, KeptCommand, Snapshot, StoredEvent

_OUTCOMES = """
select command_id, sequence, kind, command, outcome, first_position, last_position
from public.command_outcomes where command_id = any($1::uuid[])
"""

_COMMANDS_AFTER = """
select command_id, sequence, kind, command, outcome, first_position, last_position
from public.command_outcomes where sequence > $1 order by sequence limit $2
"""


class PostgresEventLog:
    """Implement `commands.ports.EventLog`. The schema must be there: `migrate` first."""

    def __init__(self, dsn: str, recovery_ms_max: int = RECOVERY_MS_MAX) -> None:
        self._address = parse_dsn(dsn)
        self._recovery_ms_max = recovery_ms_max
        self._writer: FencedWriter | None = None
        self._pool = Pool(dsn)
        self._reader = LogReader(self._pool)

    async def take_over(self) -> Head:
        """Become the writer: commit epoch + 1, which waits for appends in flight, then read the head.

        The writer before is told to stop, and its session is ended if it does not. Raise Fenced when that fails or a
        later takeover came in between.
        """
        if self._writer is None:
            self._writer = FencedWriter(self._address, self._recovery_ms_max)
        return await self._writer.take_over()

    def append(self, batch: Batch) -> Awaitable[None]:
        """Queue a batch at once, in call order; the awaitable ends when it is durable.

        Raise Fenced or AppendFailed, both only when the batch is surely not in the log; LogUnreachable when the server
        stays away and the outcome cannot be known; LogDiverged when the log is not what was acknowledged.
        """
        if self._writer is None:
            self._writer = FencedWriter(self._address, self._recovery_ms_max)
        return self._writer.append(batch)

    @property
    def backlog(self) -> int:
        """Tell how many transactions are in flight or queued, for the metrics."""
        return self._writer.backlog if self._writer else 0

    async def outcomes(self, command_ids: Sequence[UUID]) -> Mapping[UUID, KeptCommand]:
        """Return the kept commands among these ids."""
        rows = await self._pool.fetch(_OUTCOMES, list(command_ids))
        kept = [KeptCommand(*row) for row in rows]
        return {each.command_id: each for each in kept}

    async def commands(self, after: int, limit: int) -> Sequence[KeptCommand]:
        """Return up to `limit` kept commands with sequences above `after`, in order: to decide history again."""
        return [KeptCommand(*row) for row in await self._pool.fetch(_COMMANDS_AFTER, after, limit)]

    async def read(self, after: int, limit: int) -> Sequence[StoredEvent]:
        """Return up to `limit` committed events with positions above `after`, in order, without gaps."""
        return await self._reader.read(after, limit)

    def tail(self, after: int, limit: int = PAGE_EVENTS) -> AsyncGenerator[Sequence[StoredEvent], None]:
        """Yield events as they are committed; see `LogReader.tail`."""
        return self._reader.tail(after, limit)

    async def load_snapshot(self, name: str, schema: str) -> Snapshot | None:
        """Return the newest snapshot of that name and schema, if any."""
        return await snapshots.load_snapshot(self._pool, name, schema)

    async def save_snapshot(self, snapshot: Snapshot) -> None:
        """Keep a snapshot; all but the newest few of the name are dropped."""
        await snapshots.save_snapshot(self._pool, snapshot)

    async def close(self) -> None:
        """Release the fence and every connection; idempotent."""
        writer, self._writer = self._writer, None
        try:
            if writer is not None:
                await writer.close()
        finally:
            await self._pool.close()
