"""Read models in Postgres: tables that one projector writes and everyone pages through."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime

import asyncpg

from adapters.postgres.views_reach import Connection, Pool, connect, reaching
from adapters.postgres.views_write import announce, move_checkpoints, write_rows, write_snapshot
from domain.instant import parse_rfc3339
from projections.ports import Change, Checkpoint, Page, Query, StoredRow, ViewSnapshot
from projections.query import checked, cut
from projections.view import View

_CHECKPOINTS = "select name, position, schema from public.projection_checkpoints where name = any($1::text[])"
_SNAPSHOT = """
select position, state from public.projection_snapshots
where name = $1 and schema = $2 and position <= $3 order by position desc limit 1
"""


class PostgresViews:
    """Keep read models. Reads go over the pool, writes over one connection of its own.

    A write is not flushed before it counts: rows and checkpoint are lost together, if at all, and folded again.
    """

    def __init__(self, pool: Pool, dsn: str) -> None:
        self._pool = pool
        self._dsn = dsn
        self._writing = asyncio.Lock()
        self._connection: Connection | None = None

    async def close(self) -> None:
        """Close the writing connection; idempotent. The pool is its owner's to close."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def checkpoints(self, names: Sequence[str]) -> Mapping[str, Checkpoint]:
        """See `projections.ports.ViewStore.checkpoints`."""
        with reaching():
            records = await self._pool.fetch(_CHECKPOINTS, list(names))
        return {name: Checkpoint(position, schema) for name, position, schema in records}

    async def apply(self, changes: Sequence[Change]) -> None:
        """See `projections.ports.ViewStore.apply`."""
        async with self._writing:
            connection = await self._writer()
            with reaching():
                async with connection.transaction():
                    await move_checkpoints(connection, changes)
                    for change in changes:
                        await write_rows(connection, change.view.name, change.rows)
                        await write_snapshot(connection, change.view.name, change)
                    await announce(connection, changes)

    async def _writer(self) -> Connection:
        if self._connection is None or self._connection.is_closed():
            self._connection = await connect(self._dsn)
            with reaching():
                await self._connection.execute("set synchronous_commit = off")
        return self._connection

    async def snapshot(self, view: View, at_or_before: int) -> ViewSnapshot | None:
        """See `projections.ports.ViewStore.snapshot`."""
        with reaching():
            record = await self._pool.fetchrow(_SNAPSHOT, view.name, view.schema, at_or_before)
        return None if record is None else ViewSnapshot(record["position"], record["state"])

    async def page(self, view: View, query: Query) -> Page:
        """See `projections.ports.ViewStore.page`: rows and position come from one statement, so from one moment."""
        where, order, arguments = _clauses(view, query)
        sql = f"""
            with rows as (
                select key, sort, position, open, document from public."{view.name}"
                {where} {order} limit {query.limit + 1}
            )
            select at.position as as_of_position, log.recorded_at as as_of, rows.*
            from (
                select coalesce(max(position), 0) as position from public.projection_checkpoints where name = $1
            ) as at
            left join public.stored_events as log on log.notification_id = at.position
            left join rows on true
        """  # noqa: S608 # names and clauses are ours, values are arguments
        with reaching():
            records = await self._pool.fetch(sql, view.name, *arguments)
        rows, following = cut((_row(record) for record in records if record["key"] is not None), query)
        at: datetime | None = records[0]["as_of"]
        return Page(
            rows=rows,
            next=following,
            as_of_position=records[0]["as_of_position"],
            as_of_us=None if at is None else parse_rfc3339(at.isoformat()),
        )

    async def closed_before(self, view: View, position: int, query: Query) -> Sequence[StoredRow]:
        """See `projections.ports.ViewStore.closed_before`."""
        where, order, arguments = _clauses(view, query)
        sql = f"""
            select key, sort, position, open, document from public."{view.name}"
            {where} and not open and position <= $1 and sort <= $1 {order} limit {query.limit + 1}
        """  # noqa: S608 # same
        with reaching():
            return [_row(record) for record in await self._pool.fetch(sql, position, *arguments)]


def _clauses(view: View, query: Query) -> tuple[str, str, list[object]]:
    """Return the conditions and the order of a query, and the arguments they number from $2 on."""
    place = checked(view, query)
    conditions, arguments = ["true"], list[object]()

    def argument(value: object) -> str:
        arguments.append(value)
        return f"${len(arguments) + 1}"

    if place is not None:
        side = "<" if query.newest_first else ">"
        conditions.append(f"(sort, key) {side} ({argument(place[0])}::bigint, {argument(place[1])}::text)")
    if query.open is not None:
        conditions.append("open" if query.open else "not open")
    if query.field:
        conditions.append(f"document ->> '{query.field}' = {argument(query.equals)}::text")
    direction = "desc" if query.newest_first else "asc"
    return f"where {' and '.join(conditions)}", f"order by sort {direction}, key {direction}", arguments


def _row(record: asyncpg.Record) -> StoredRow:
    return StoredRow(record["key"], record["sort"], record["position"], record["open"], record["document"])
