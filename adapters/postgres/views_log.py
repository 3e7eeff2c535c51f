"""Reading the log for folds: long stretches without what nobody needs, and instants turned into positions."""

from collections.abc import Sequence

import msgspec

from adapters.postgres.views_reach import Pool, reaching
from projections.ports import LogPage

_HEAD = "select coalesce(max(notification_id), 0) from public.stored_events"
_PAGE = """
select notification_id, topic, state, metadata from public.stored_events
where notification_id > $1 and notification_id <= $2 and topic <> all($3::text[])
order by notification_id
"""
_RECORDED_AT = """
select (extract(epoch from recorded_at) * 1000000)::bigint from public.stored_events where notification_id = $1
"""


class Logged(msgspec.Struct, frozen=True, gc=False):
    """Show one event as a fold reads it."""

    position: int
    topic: str
    state: bytes
    metadata: bytes


class PostgresLog:
    """Read committed events over a pool."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def head(self) -> int:
        """See `projections.ports.LogReader.head`."""
        with reaching():
            return await self._pool.fetchval(_HEAD)

    async def page(self, after: int, limit: int, without: frozenset[str], until: int | None = None) -> LogPage:
        """See `projections.ports.LogReader.page`.

        Positions are committed in order, so that everything up to a head that was seen is there to be read.
        """
        with reaching():
            async with self._pool.acquire() as connection:
                head: int = await connection.fetchval(_HEAD)
                end = max(after, min(after + limit, head if until is None else min(head, until)))
                records = await connection.fetch(_PAGE, after, end, sorted(without)) if end > after else []
        return LogPage(events=[Logged(*record) for record in records], position=end, last=end >= head)

    async def read(self, after: int, limit: int) -> Sequence[Logged]:
        """Return up to `limit` events after a position, none left out."""
        return [event for event in (await self.page(after, limit, frozenset())).events if isinstance(event, Logged)]

    async def recorded_at_us(self, position: int) -> int | None:
        """See `projections.ports.LogReader.recorded_at_us`."""
        with reaching():
            return await self._pool.fetchval(_RECORDED_AT, position)

    async def position_at(self, at_us: int) -> int:
        """See `projections.ports.LogReader.position_at`. Events are recorded in order, so halving finds it."""
        with reaching():
            async with self._pool.acquire() as connection:
                low, high = 0, await connection.fetchval(_HEAD)
                while low < high:
                    middle = (low + high + 1) // 2
                    if (await connection.fetchval(_RECORDED_AT, middle) or 0) <= at_us:
                        low = middle
                    else:
                        high = middle - 1
                return low
