"""How fast a read model is rebuilt: from `stored_events` to a queryable table, through the code that users run."""

import asyncio
import sys
import time
from datetime import UTC, datetime, timedelta
from itertools import islice

import asyncpg
import msgspec

from adapters.postgres.migrate import migrate
from adapters.postgres.views import PostgresViews
from adapters.postgres.views_log import PostgresLog
from adapters.postgres.views_reach import reading_pool
from adapters.postgres.views_rebuild import PostgresShadow
from api.rebuilding import rebuild
from benchmarks.mint_log import events as told
from benchmarks.mint_log import stored
from benchmarks.report import Figure, at_least
from domain.log import StoredEvent
from projections.catalogue import VIEWS
from projections.ports import Query

EVENTS = 500_000
GOAL_EVENTS_PER_S = 150_000.0
FILL_EVENTS = 50_000
COLUMNS = (
    "originator_id",
    "originator_version",
    "topic",
    "state",
    "notification_id",
    "metadata",
    "chain_hash",
    "command_id",
    "recorded_at",
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def record(event: StoredEvent) -> tuple[object, ...]:
    """Return an event as a row of `stored_events`."""
    return (
        event.originator_id,
        event.version,
        event.topic,
        event.state,
        event.position,
        event.metadata,
        event.chain_hash,
        event.command_id,
        _EPOCH + timedelta(microseconds=event.recorded_at_us),
    )


async def fill(dsn: str, count: int, seed: int = 7) -> None:
    """Write a busy book's log of `count` events into an empty, migrated database."""
    connection = await asyncpg.connect(dsn)
    try:
        log = stored(told(seed), count)
        while batch := [record(event) for event in islice(log, FILL_EVENTS)]:
            await connection.copy_records_to_table(
                "stored_events", schema_name="public", records=batch, columns=COLUMNS
            )
        await connection.execute("vacuum analyze public.stored_events")
    finally:
        await connection.close()


async def measure(dsn: str, events: int = EVENTS, view: str = "portfolio") -> Figure:
    """Fill an empty database (owner's dsn), rebuild a view from it, and check that the table can be queried.

    Only the rebuild is timed: reading the log, folding, writing the table and putting it in place.
    """
    await migrate(dsn)
    await fill(dsn, events)
    pool = await reading_pool(dsn)
    try:
        log = PostgresLog(pool)
        begun = time.perf_counter()
        async with PostgresShadow(dsn) as shadow:
            done = await rebuild(VIEWS[view], log, shadow)
        spent_s = time.perf_counter() - begun
        page = await PostgresViews(pool, dsn).page(VIEWS[view], Query(limit=1))
    finally:
        await pool.close()
    if (done.position, page.as_of_position) != (events, events) or not page.rows:
        raise RuntimeError(f"{view} was rebuilt to {done.position} and reads as of {page.as_of_position}, not {events}")
    name = "rebuild_events_per_s" if view == "portfolio" else f"rebuild_{view}_events_per_s"
    return at_least(name, events / spent_s, "events/s", GOAL_EVENTS_PER_S)


def main() -> None:
    """Measure on the database of the dsn given, which must be empty."""
    print(msgspec.json.encode(asyncio.run(measure(sys.argv[1]))).decode())


if __name__ == "__main__":
    main()
