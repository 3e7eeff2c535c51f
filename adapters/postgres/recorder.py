"""The log as a recorder of the `eventsourcing` library, over the same fenced writer.

Its appends are independent of each other: callers of many threads are committed in groups, and one that conflicts
fails alone. It becomes the writer with its first insert, not before: a recorder that only reads fences nobody.
"""

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from eventsourcing.persistence import ApplicationRecorder, Notification, NotSupportedError, StoredEvent

from adapters.postgres.address import parse_dsn
from adapters.postgres.failures import LogUnreachable
from adapters.postgres.group_commit import GroupCommitter
from adapters.postgres.heads import EMPTY, FIRST_VERSIONS
from adapters.postgres.library import library_errors, select_stream, stream_id
from adapters.postgres.loop_thread import LoopThread
from adapters.postgres.migrate import migrate, missing_migrations
from adapters.postgres.pool import Pool
from adapters.postgres.rows import NO_COMMAND
from adapters.postgres.subscription import LogSubscription
from adapters.postgres.writer import FencedWriter
from domain.log import NewEvent

TABLE = "stored_events"

_NOTIFICATIONS = """
select notification_id, originator_id, originator_version, topic, state from public.stored_events
where notification_id >= $1 and ($2::bigint is null or notification_id <= $2)
    and ($3::text[] is null or topic = any($3))
order by notification_id limit $4
"""

_NEWEST_VERSION = "select max(originator_version) from public.stored_events where originator_id = $1"


class BallastRecorder(ApplicationRecorder):
    """Record and read events of any topic. Create the schema if it is absent. `close` it after use."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._writer: FencedWriter | None = None
        self._group: GroupCommitter | None = None
        self._pool: Pool | None = None
        self._becoming_writer = asyncio.Lock()
        self._subscriptions: set[LogSubscription] = set()
        self._thread = LoopThread("ballast-recorder")
        try:
            with library_errors():
                self._thread.call(self._open())
        except BaseException:
            self.close()
            raise

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int]:
        """Write events, all or none, and return their positions.

        Versions of a stream follow each other and start at 0 or 1. Raise IntegrityError when one does not, and
        OperationalError when another writer has taken over, for good, or the server stays away.
        """
        if kwargs:
            raise NotSupportedError(f"this recorder does not know {', '.join(sorted(kwargs))}")
        if not stored_events:
            return []
        events = [
            NewEvent(stream_id(each.originator_id), each.originator_version, each.topic, each.state, b"{}", NO_COMMAND)
            for each in stored_events
        ]
        with library_errors():
            return self._thread.call(self._insert(events))

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        """Return a stream's events between versions."""
        with library_errors():
            return self._thread.call(
                select_stream(self._opened(), TABLE, stream_id(originator_id), gt=gt, lte=lte, desc=desc, limit=limit)
            )

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        """Return up to `limit` events from position `start` to `stop`, of these topics if any are given."""
        first = 0 if start is None else start if inclusive_of_start else start + 1
        with library_errors():
            rows = self._thread.call(
                self._opened().fetch(_NOTIFICATIONS, first, stop, list(topics) if topics else None, limit)
            )
        return [
            Notification(
                id=row[0], originator_id=UUID(int=row[1].int), originator_version=row[2], topic=row[3], state=row[4]
            )
            for row in rows
        ]

    def max_notification_id(self) -> int | None:
        """Return the newest position, None for an empty log."""
        with library_errors():
            found: int | None = self._thread.call(
                self._opened().fetchval("select max(notification_id) from public.stored_events")
            )
        return found

    def subscribe(self, gt: int | None = None, topics: Sequence[str] = ()) -> LogSubscription:
        """Return an iterator over events above `gt` that waits for new ones; use it as a context manager."""
        with library_errors():
            subscription = LogSubscription(self, self._dsn, self._thread, gt, topics, self._subscriptions.discard)
        self._subscriptions.add(subscription)
        return subscription

    def close(self) -> None:
        """Stop subscriptions, wait for inserts under way, release the fence, end the thread; idempotent."""
        for subscription in tuple(self._subscriptions):
            subscription.end()
        self._thread.close(self._close())

    def _opened(self) -> Pool:
        assert self._pool is not None  # noqa: S101 - set by __init__
        return self._pool

    async def _open(self) -> None:
        if await missing_migrations(self._dsn):
            await migrate(self._dsn)
        self._pool = Pool(self._dsn)

    async def _insert(self, events: Sequence[NewEvent]) -> Sequence[int]:
        group = await self._as_writer()
        await self._look_up(events)
        first = await group.append(events)
        return list(range(first, first + len(events)))

    async def _look_up(self, events: Sequence[NewEvent]) -> None:
        """Remember the newest versions of streams that go on, so that these events are checked against them."""
        assert self._writer is not None  # noqa: S101 - set by _as_writer
        heads = self._writer.heads
        for event in events:
            stream = event.originator_id
            if event.version in FIRST_VERSIONS or heads.known(stream) is not None:
                continue
            newest: int | None = await self._opened().fetchval(_NEWEST_VERSION, stream)
            # An append in between knows better.
            if heads.known(stream) is None:
                heads.remember(stream, EMPTY if newest is None else newest)

    async def _as_writer(self) -> GroupCommitter:
        async with self._becoming_writer:
            if self._writer is not None and isinstance(self._writer.failure, LogUnreachable):
                await self._writer.close()
                self._writer = None
            if self._writer is None or self._group is None:
                writer = FencedWriter(parse_dsn(self._dsn))
                await writer.take_over()
                self._writer, self._group = writer, GroupCommitter(writer, self._look_up)
            return self._group

    async def _close(self) -> None:
        if self._group is not None:
            await self._group.close()
        if self._writer is not None:
            await self._writer.close()
        if self._pool is not None:
            await self._pool.close()
