"""Reading the log for folds: long stretches without what nobody needs, and instants turned into positions."""

from collections.abc import Sequence
from uuid import UUID

import asyncpg
import msgspec

from adapters.postgres.views_reach import Pool, reaching
from domain.instant import rfc3339
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
_EVENTS = """
select notification_id, originator_id, originator_version, topic, state, metadata, chain_hash, command_id,
    (extract(epoch from recorded_at) * 1000000)::bigint as recorded_at_us
from public.stored_events
where notification_id > $1 and notification_id <= $2 and ($3::text = '' or topic = $3)
order by notification_id limit $4
"""


class Logged(msgspec.Struct, frozen=True, gc=False):
    """Show one event as a fold reads it."""

    position: int
    topic: str
    state: bytes
    metadata: bytes


class EventDocument(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Show one event to an auditor: its body and metadata as stored, its hash in hex."""

    position: int
    originator_id: UUID
    version: int
    topic: str
    state: msgspec.Raw
    metadata: msgspec.Raw
    chain_hash: str | None
    command_id: UUID | None
    recorded_at: str | None


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

    async def events(self, after: int, until: int, limit: int, topic: str = "") -> Sequence[EventDocument]:
        """Return up to `limit` events of the positions after+1 … until, of one topic if it is given."""
        with reaching():
            records = await self._pool.fetch(_EVENTS, after, until, topic, limit)
        return [_document(record) for record in records]


def _document(record: asyncpg.Record) -> EventDocument:
    chain_hash, recorded_at_us = record["chain_hash"], record["recorded_at_us"]
    return EventDocument(
        position=record["notification_id"],
        originator_id=UUID(bytes=record["originator_id"].bytes),
        version=record["originator_version"],
        topic=record["topic"],
        state=msgspec.Raw(record["state"]),
        metadata=msgspec.Raw(record["metadata"]),
        chain_hash=None if chain_hash is None else chain_hash.hex(),
        command_id=None if record["command_id"] is None else UUID(bytes=record["command_id"].bytes),
        recorded_at=None if recorded_at_us is None else rfc3339(recorded_at_us),
    )
