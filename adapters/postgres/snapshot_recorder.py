"""A recorder of the `eventsourcing` library for snapshots of its aggregates."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from eventsourcing.persistence import AggregateRecorder, NotSupportedError, StoredEvent

from adapters.postgres.library import library_errors, select_stream, stream_id
from adapters.postgres.loop_thread import LoopThread
from adapters.postgres.migrate import migrate, missing_migrations
from adapters.postgres.pool import Pool

TABLE = "stored_snapshots"

_INSERT = """
insert into public.stored_snapshots (originator_id, originator_version, topic, state)
select * from unnest($1::uuid[], $2::bigint[], $3::text[], $4::bytea[])
"""


class BallastSnapshotRecorder(AggregateRecorder):
    """Keep snapshots in `stored_snapshots`; create the schema if it is absent. `close` it after use."""

    def __init__(self, dsn: str) -> None:
        self._pool: Pool | None = None
        self._thread = LoopThread("ballast-snapshot-recorder")
        try:
            with library_errors():
                self._thread.call(self._open(dsn))
        except BaseException:
            self.close()
            raise

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> None:
        """Write snapshots, all or none; raise IntegrityError when one of the same version is there."""
        if kwargs:
            raise NotSupportedError(f"this recorder does not know {', '.join(sorted(kwargs))}")
        if not stored_events:
            return
        columns = zip(
            *(
                (stream_id(each.originator_id), each.originator_version, each.topic, each.state)
                for each in stored_events
            ),
            strict=True,
        )
        with library_errors():
            self._thread.call(self._opened().execute(_INSERT, *map(list, columns)))

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        """Return a stream's snapshots between versions."""
        with library_errors():
            return self._thread.call(
                select_stream(self._opened(), TABLE, stream_id(originator_id), gt=gt, lte=lte, desc=desc, limit=limit)
            )

    def close(self) -> None:
        """Close the connections and end the thread; idempotent."""
        self._thread.close(self._close())

    def _opened(self) -> Pool:
        assert self._pool is not None  # noqa: S101 - set by __init__
        return self._pool

    async def _open(self, dsn: str) -> None:
        if await missing_migrations(dsn):
            await migrate(dsn)
        self._pool = Pool(dsn)

    async def _close(self) -> None:
        if self._pool is not None:
            await self._pool.close()
