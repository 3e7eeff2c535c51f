"""Keep states of folds at a position, the newest few of each name."""

import hashlib

from adapters.postgres.failures import LogDiverged
from adapters.postgres.pool import Pool
from domain.log import Snapshot

SNAPSHOTS_KEPT = 3

_NEWEST = """
select name, position, sequence, schema, state, state_sha256 from public.snapshots
where name = $1 and schema = $2 and position <= (select coalesce(max(notification_id), 0) from public.stored_events)
order by position desc limit 1
"""

_SAVE = """
insert into public.snapshots (name, position, sequence, schema, state, state_sha256) values ($1, $2, $3, $4, $5, $6)
on conflict (name, schema, position) do nothing
"""

_DROP_OLD = """
delete from public.snapshots where name = $1 and (name, schema, position) not in (
    select name, schema, position from public.snapshots where name = $1 order by position desc, saved_at desc limit $2
)
"""


async def load_snapshot(pool: Pool, name: str, schema: str) -> Snapshot | None:
    """Return the newest snapshot of that name and schema; raise LogDiverged if its bytes have changed."""
    rows = await pool.fetch(_NEWEST, name, schema)
    if not rows:
        return None
    row = rows[0]
    if hashlib.sha256(row["state"]).digest() != row["state_sha256"]:
        raise LogDiverged(f"the snapshot {name} at position {row['position']} is not what was saved; delete it")
    return Snapshot(row["name"], row["position"], row["sequence"], row["schema"], row["state"])


async def save_snapshot(pool: Pool, snapshot: Snapshot, kept: int = SNAPSHOTS_KEPT) -> None:
    """Keep a snapshot and drop all but the newest `kept` of its name."""
    digest = hashlib.sha256(snapshot.state).digest()
    opened = await pool.opened()
    async with opened.acquire() as connection, connection.transaction():
        await connection.execute(
            _SAVE, snapshot.name, snapshot.position, snapshot.sequence, snapshot.schema, snapshot.state, digest
        )
        await connection.execute(_DROP_OLD, snapshot.name, kept)
