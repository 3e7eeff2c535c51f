"""How fast a read model is rebuilt: from `stored_events` to a queryable table, through the code that users run."""

import argparse
import asyncio
import statistics
import time
from datetime import UTC, datetime, timedelta
from itertools import islice

import asyncpg
import msgspec

from adapters.postgres.views import PostgresViews
from adapters.postgres.views_log import PostgresLog
from adapters.postgres.views_reach import reading_pool
from adapters.postgres.views_rebuild import PostgresShadow
from api.rebuilding import rebuild
from benchmarks.mint_log import events as told
from benchmarks.mint_log import stored
from benchmarks.report import Group, Line, at_least, machine, report
from benchmarks.servers import BenchServer, bench_server
from domain.log import StoredEvent
from projections.catalogue import VIEWS
from projections.ports import Query

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


class Rebuilds(msgspec.Struct, frozen=True):
    """Say how much to do: events in the log, and how often the portfolio is rebuilt."""

    events: int
    rounds: int


FULL = Rebuilds(events=500_000, rounds=3)
QUICK = Rebuilds(events=10_000, rounds=1)

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


async def rebuilds(server: BenchServer, size: Rebuilds) -> Group:
    """Fill a log, rebuild the portfolio from it several times, then every other view once."""
    dsn = await server.fresh("bench_rebuild")
    await fill(dsn, size.events)
    await server.settle()
    lines: list[Line] = []
    portfolio: list[float] = []
    for name in ("portfolio",) * size.rounds + tuple(name for name in VIEWS if name != "portfolio"):
        per_s, rows = await measure(dsn, size.events, name)
        if name == "portfolio":
            portfolio.append(per_s)
        lines.append(Line(name, (f"{per_s:,.0f}", f"{rows:,}")))
    return Group(
        title=f"Rebuilding a read model from {size.events:,} events, table, indexes and swap included",
        columns=("events/s", "rows written"),
        lines=tuple(lines),
        figures=(at_least("rebuild_events_per_s", statistics.median(portfolio), "events/s", GOAL_EVENTS_PER_S),),
    )


async def measure(dsn: str, events: int, view: str = "portfolio") -> tuple[float, int]:
    """Rebuild a view from a log of so many events (owner's dsn); return events a second and the rows it wrote.

    Timed is what `ballast projections rebuild` does: read, fold, write, swap. Raise RuntimeError unless the table can
    be queried afterwards, as of the last event.
    """
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
    if (done.position, page.as_of_position) != (events, events) or bool(page.rows) != bool(done.rows):
        raise RuntimeError(f"{view} was rebuilt to {done.position} and reads as of {page.as_of_position}, not {events}")
    return events / spent_s, done.rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure how fast read models are rebuilt.")
    parser.add_argument("--json", action="store_true", help="end with one line holding one JSON object")
    parser.add_argument("--quick", action="store_true", help="only show that everything runs")
    options = parser.parse_args()
    group, about = asyncio.run(_on_a_server(QUICK if options.quick else FULL))
    report([group], about, as_json=options.json)


async def _on_a_server(size: Rebuilds) -> tuple[Group, dict[str, object]]:
    async with bench_server() as server:
        return await rebuilds(server, size), machine(server.root)


if __name__ == "__main__":
    main()
