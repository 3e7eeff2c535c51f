"""Read the log: in pages, by position or time, and as it grows."""

import asyncio
from collections.abc import AsyncGenerator, Sequence

import asyncpg

from adapters.postgres.failures import LogDiverged, LogUnreachable
from adapters.postgres.pool import Pool, connect_reader
from domain.log import StoredEvent

CHANNEL = "stored_events"
PAGE_EVENTS = 1_000
PAGE_EVENTS_MAX = 200_000
POLL_MS = 1_000
UNREACHABLE_MS_MAX = 30_000
_PAUSE_MS = 200

_COLUMNS = (
    "notification_id, originator_id, originator_version, topic, state, metadata, chain_hash, command_id, recorded_at"
)

_PAGE = f"select {_COLUMNS} from public.stored_events where notification_id > $1 order by notification_id limit $2"  # noqa: S608 - built from constants

_CHOSEN = f"""
select {_COLUMNS} from public.stored_events
where notification_id > $1 and ($3::bigint is null or notification_id <= $3) and ($4::text[] is null or topic = any($4))
order by notification_id limit $2
"""  # noqa: S608 - built from constants

_LAST = "select coalesce(max(notification_id), 0) from public.stored_events"

_RECORDED_AT = "select recorded_at from public.stored_events where notification_id = $1"

# What asyncpg raises while the server is away or coming back. The last: a connection that ends while a statement is
# being prepared leaves its state machine between two states.
AWAY = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)


class LogReader:
    """Read committed events over a pool; any role that may select will do."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def read(
        self, after: int, limit: int, topics: Sequence[str] | None = None, upto: int | None = None
    ) -> Sequence[StoredEvent]:
        """Return up to `limit` events with positions above `after`, at most `upto`, of these topics.

        Without topics the positions follow each other without a gap; raise LogDiverged if they do not.
        """
        limit = min(limit, PAGE_EVENTS_MAX)
        if topics is None and upto is None:
            events = [_event(row) for row in await self._pool.fetch(_PAGE, after, limit)]
        else:
            chosen = None if topics is None else list(topics)
            events = [_event(row) for row in await self._pool.fetch(_CHOSEN, after, limit, upto, chosen)]
        if topics is None:
            require_gapless(after, events)
        return events

    async def read_at(self, position: int) -> StoredEvent | None:
        """Return the event at a position, None beyond the log's end."""
        events = await self.read(position - 1, 1, upto=position)
        return events[0] if events else None

    async def last_position(self) -> int:
        """Return the position of the newest event, 0 for an empty log."""
        found: int = await self._pool.fetchval(_LAST)
        return found

    async def position_at(self, recorded_at_us: int) -> int:
        """Return the position of the last event recorded at or before an instant, 0 if there is none.

        Searches by halves: the instants of recording do not decrease along the log.
        """
        low, high = 0, await self.last_position()
        while low < high:
            middle = (low + high + 1) // 2
            recorded: int | None = await self._pool.fetchval(_RECORDED_AT, middle)
            if recorded is None:
                raise LogDiverged(f"the event at position {middle} is missing or has no instant of recording")
            low, high = (middle, high) if recorded <= recorded_at_us else (low, middle - 1)
        return low

    async def tail(self, after: int, limit: int = PAGE_EVENTS) -> AsyncGenerator[Sequence[StoredEvent], None]:
        """Yield the events above `after` in pages, then go on as they are committed; nothing is passed over.

        Wakes on the writer's notification, and by itself every second should one be lost. Survives a restart of the
        server; raise LogUnreachable when it stays away. Use it inside `contextlib.aclosing`.
        """
        loop = asyncio.get_running_loop()
        woken = asyncio.Event()
        away_since: float | None = None
        listening: asyncpg.Connection[asyncpg.Record] | None = None
        try:
            while True:
                try:
                    if listening is None or listening.is_closed():
                        listening = await connect_reader(self._pool.dsn)
                        await listening.add_listener(CHANNEL, lambda *_: woken.set())
                    # Cleared before reading: what is committed after the read wakes us again.
                    woken.clear()
                    page = await self.read(after, limit)
                    away_since = None
                except AWAY as error:
                    away_since = away_since or loop.time()
                    if loop.time() - away_since > UNREACHABLE_MS_MAX / 1_000:
                        raise LogUnreachable(f"the log cannot be read: {error}") from error
                    await asyncio.sleep(_PAUSE_MS / 1_000)
                    continue
                if page:
                    after = page[-1].position
                    yield page
                if len(page) < limit:
                    await _wait(woken, POLL_MS)
        finally:
            if listening is not None:
                listening.terminate()


def require_gapless(after: int, events: Sequence[StoredEvent]) -> None:
    """Raise LogDiverged unless the events' positions are after + 1, after + 2 and so on."""
    if events and (events[0].position != after + 1 or events[-1].position != after + len(events)):
        for expected, event in enumerate(events, start=after + 1):
            if event.position != expected:
                raise LogDiverged(f"the event at position {expected} is missing")


async def _wait(woken: asyncio.Event, wait_ms: int) -> None:
    try:
        async with asyncio.timeout(wait_ms / 1_000):
            await woken.wait()
    except TimeoutError:
        return


def _event(row: asyncpg.Record) -> StoredEvent:
    position, originator_id, version, topic, state, metadata, chained, command_id, recorded_at_us = row
    if chained is None or recorded_at_us is None:
        raise LogDiverged(f"the event at position {position} was not written by this writer: it has no chain hash")
    return StoredEvent(position, originator_id, version, topic, state, metadata, chained, command_id, recorded_at_us)
