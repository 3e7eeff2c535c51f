"""Writing read models: rows, states and checkpoints in one transaction."""

from collections.abc import Sequence
from typing import Any

from adapters.postgres.views_reach import Connection
from domain.codec import encode
from projections.ports import Change, CheckpointMoved, SchemaChanged
from projections.view import Row

CHANNEL = "projections"
"""Told of every move of a checkpoint: `name=position`, one per view, on lines of their own."""

_FIRST = """
insert into public.projection_checkpoints (name, position, schema)
select name, 0, schema from unnest($1::text[], $2::text[]) as wanted (name, schema)
on conflict (name) do nothing
"""
_MOVE = """
update public.projection_checkpoints as kept set position = wanted.position, updated_at = now()
from unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[]) as wanted (name, schema, before, position)
where kept.name = wanted.name and kept.schema = wanted.schema and kept.position = wanted.before
returning kept.name
"""
_STANDING = "select name, position, schema from public.projection_checkpoints where name = any($1::text[])"
_SNAPSHOT = """
insert into public.projection_snapshots (name, position, schema, state) values ($1, $2, $3, $4)
on conflict (name, position) do update set schema = excluded.schema, state = excluded.state
"""


async def move_checkpoints(connection: Connection, changes: Sequence[Change]) -> None:
    """Move the checkpoints of all changes, or raise `CheckpointMoved` or `SchemaChanged`.

    Done first in the transaction: whoever comes second waits here, before it has touched a table.
    """
    ordered = sorted(changes, key=lambda change: change.view.name)
    names = [change.view.name for change in ordered]
    schemas = [change.view.schema for change in ordered]
    before = [change.before for change in ordered]
    if 0 in before:
        await connection.execute(_FIRST, names, schemas)
    moved = await connection.fetch(_MOVE, names, schemas, before, [change.position for change in ordered])
    if len(moved) == len(ordered):
        return
    done = {record["name"] for record in moved}
    standing = {name: (position, schema) for name, position, schema in await connection.fetch(_STANDING, names)}
    for change in (change for change in ordered if change.view.name not in done):
        position, schema = standing.get(change.view.name, (0, change.view.schema))
        if schema != change.view.schema:
            raise SchemaChanged(f"{change.view.name} was written by another version: rebuild it")
        if position != change.before:
            raise CheckpointMoved(f"{change.view.name} is at {position}, not at {change.before}")
    raise CheckpointMoved("a checkpoint moved and came back")


async def write_rows(connection: Connection, table: str, rows: Sequence[Row[Any]]) -> None:
    """Upsert rows, each key once, into a table."""
    if not rows:
        return
    await connection.execute(
        f"""
        insert into public."{table}" (key, sort, open, position, document)
        select * from unnest($1::text[], $2::bigint[], $3::boolean[], $4::bigint[], $5::jsonb[])
        on conflict (key) do update
        set open = excluded.open, position = excluded.position, document = excluded.document
        """,  # noqa: S608 # the name is a view's, from the code
        [row.key for row in rows],
        [row.sort for row in rows],
        [row.open for row in rows],
        [row.position for row in rows],
        [encode(row.document) for row in rows],
    )


async def write_snapshot(connection: Connection, name: str, change: Change) -> None:
    """Keep the state that a change carries, if it does."""
    if change.snapshot is not None:
        await connection.execute(_SNAPSHOT, name, change.position, change.view.schema, change.snapshot)


async def announce(connection: Connection, changes: Sequence[Change]) -> None:
    """Tell, when the transaction commits, where these views are."""
    told = "\n".join(f"{change.view.name}={change.position}" for change in changes)
    await connection.execute("select pg_notify($1, $2)", CHANNEL, told)
