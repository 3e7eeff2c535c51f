"""Rebuilding a read model: a new table beside the one that is read, and one transaction in which they change places."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Self

from adapters.postgres.views_reach import Connection, connect, reaching
from adapters.postgres.views_write import announce, write_rows, write_snapshot
from projections.ports import Change
from projections.view import View

_REBUILD_LOCK = 0x62616C6C
"""With the table's oid: one rebuild of a view at a time."""
# Indexes come with the shape; rights and the fill factor do not.
_CREATE = """
drop table if exists public."{table}";
create table public."{table}" (like public."{view}" including all) with (fillfactor = 80);
grant select, insert, update, delete on public."{table}" to ballast_writer;
grant select on public."{table}" to ballast_auditor;
"""
_LIVE = """
insert into public.projection_checkpoints (name, position, schema) values ($1, 0, $2) on conflict (name) do nothing
"""
_HOLD = "select position from public.projection_checkpoints where name = $1 for update"
_PLACE = """
drop table public."{view}";
alter table public."{table}" rename to "{view}";
"""
_KEEP_STATES = "update public.projection_snapshots set name = $1 where name = $2"
_MOVE = """
update public.projection_checkpoints set position = $2, schema = $3, updated_at = now() where name = $1
"""


class RebuildRunning(Exception):
    """Say that someone else is rebuilding this view."""


class PostgresShadow:
    """Build one view anew. Takes the owner's dsn: tables are made and dropped. Use as `async with`."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._held: Connection | None = None

    async def __aenter__(self) -> Self:
        self._held = await connect(self._dsn)
        await self._held.execute("set synchronous_commit = off")
        return self

    async def __aexit__(self, *_: object) -> None:
        connection, self._held = self._held, None
        if connection is not None:
            await connection.close()

    @property
    def _connection(self) -> Connection:
        if self._held is None:
            raise RuntimeError("a rebuild is entered before it is used")
        return self._held

    async def begin(self, view: View) -> None:
        """See `projections.ports.Shadow.begin`. Raise `RebuildRunning` while another rebuild of the view lives."""
        table = shadow_name(view)
        with reaching():
            mine = await self._connection.fetchval(
                "select pg_try_advisory_lock($1, hashtext($2))", _REBUILD_LOCK, view.name
            )
            if not mine:
                raise RebuildRunning(f"{view.name} is being rebuilt by another session")
            async with self._connection.transaction():
                await self._connection.execute(_CREATE.format(table=table, view=view.name))
                await self._forget_states(table)

    async def apply(self, change: Change) -> None:
        """See `projections.ports.Shadow.apply`."""
        with reaching():
            async with self._connection.transaction():
                await self.write(change)

    async def write(self, change: Change) -> None:
        """Write rows and snapshots in the transaction that is open."""
        table = shadow_name(change.view)
        await write_rows(self._connection, table, change.rows)
        await write_snapshot(self._connection, table, change)

    async def _forget_states(self, name: str) -> None:
        await self._connection.execute("delete from public.projection_snapshots where name = $1", name)

    @asynccontextmanager
    async def swap(self, view: View) -> AsyncGenerator["PostgresSwap"]:
        """See `projections.ports.Shadow.swap`.

        The checkpoint's row is locked first, as every write of rows does: the projector waits or comes before.
        """
        connection, table = self._connection, shadow_name(view)
        with reaching():
            async with connection.transaction():
                await connection.execute(_LIVE, view.name, view.schema)
                live = await connection.fetchval(_HOLD, view.name)
                swap = PostgresSwap(self, live)
                yield swap
                await connection.execute(_PLACE.format(table=table, view=view.name))
                await self._forget_states(view.name)
                await connection.execute(_KEEP_STATES, view.name, table)
                await connection.execute(_MOVE, view.name, swap.last.position, view.schema)
                await announce(connection, (swap.last,))
        await connection.execute("select pg_advisory_unlock($1, hashtext($2))", _REBUILD_LOCK, view.name)


class PostgresSwap:
    """Finish a rebuild inside the transaction of the swap."""

    def __init__(self, shadow: PostgresShadow, live_position: int) -> None:
        self._shadow = shadow
        self._last: Change | None = None
        self.live_position: int = live_position

    @property
    def last(self) -> Change:
        """Return the change that the new table ends with."""
        if self._last is None:
            raise RuntimeError("a swap needs the change that the new table ends with")
        return self._last

    async def apply(self, change: Change) -> None:
        """See `projections.ports.Swap.apply`."""
        await self._shadow.write(change)
        self._last = change


def shadow_name(view: View) -> str:
    """Return the name of the table in which a view is built anew."""
    return f"{view.name}__rebuild"
