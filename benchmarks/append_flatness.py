"""Does an append cost the same in a log of five million events as in an empty one?"""

import asyncio
import statistics
import time

import asyncpg
import msgspec

from benchmarks.append_ours import COMMAND, METADATA, OUTCOME, STATE, TOPIC, append_ours
from benchmarks.report import Group, Line, within
from benchmarks.servers import BenchServer

FLAT_LOW, FLAT_HIGH = 0.85, 1.15
IN_FLIGHT = 64

_BARE = """
alter table stored_events drop constraint stored_events_pkey;
alter table command_outcomes drop constraint command_outcomes_pkey;
alter table command_outcomes drop constraint command_outcomes_sequence_key;
drop index stored_events_notification_id_idx;
"""

_DRESSED = """
alter table stored_events add primary key (originator_id, originator_version);
create unique index stored_events_notification_id_idx on stored_events (notification_id);
alter table command_outcomes add primary key (command_id);
alter table command_outcomes add unique (sequence);
"""

# Events and commands as the benchmark appends them, their ids random, their hashes of the right length.
_EVENTS = """
insert into stored_events (originator_id, originator_version, topic, state, notification_id, metadata, chain_hash,
    command_id, recorded_at)
select gen_random_uuid(), 1, $1, $2, position, $3, sha256(position::text::bytea), gen_random_uuid(), now()
from generate_series(1, $4::bigint) as position
"""

_COMMANDS = """
insert into command_outcomes (command_id, sequence, kind, command, outcome, first_position, last_position)
select gen_random_uuid(), position, 'fill.record', $1, $2, position, position
from generate_series(1, $3::bigint) as position
"""


class Flatness(msgspec.Struct, frozen=True):
    """Say how much to do: events to fill in, appends of a run, runs on each log."""

    filled: int
    each: int
    rounds: int


async def flatness(server: BenchServer, size: Flatness) -> Group:
    """Fill a log, then append to it and to an empty one in turn, as between two checkpoints.

    The first change of an index page after a checkpoint writes the whole page to the write-ahead log, and a full log
    has more pages than an empty one: the table shows that first run too, the figure is of those after it.
    """
    full = await server.fresh("bench_full")
    started = time.perf_counter()
    await _fill(full, size.filled)
    took_s = time.perf_counter() - started
    await server.settle()
    rounds = [await _round(server, full, number, size.each) for number in range(size.rounds + 1)]
    names = ["after a checkpoint", *(f"round {number}" for number in range(1, size.rounds + 1))]
    return Group(
        title=f"Flatness, {IN_FLIGHT} in flight (filled with {size.filled:,} events in {took_s:.0f} s)",
        columns=("empty, per s", "full, per s", "cost full / empty"),
        lines=tuple(
            Line(name, (f"{empty:,.0f}", f"{full:,.0f}", f"{empty / full:.3f}"))
            for name, (empty, full) in zip(names, rounds, strict=True)
        ),
        figures=(
            within(
                "append_flatness",
                statistics.median(empty / full for empty, full in rounds[1:]),
                "ratio",
                FLAT_LOW,
                FLAT_HIGH,
            ),
        ),
    )


async def _round(server: BenchServer, full: str, number: int, each: int) -> tuple[float, float]:
    # A database of its own each time: dropping one would be a checkpoint.
    empty = await server.fresh(f"bench_empty_{number}")
    await asyncio.to_thread(append_ours, empty, IN_FLIGHT, each // 20 + 1)
    at_empty = await asyncio.to_thread(append_ours, empty, IN_FLIGHT, each)
    at_full = await asyncio.to_thread(append_ours, full, IN_FLIGHT, each)
    return at_empty.per_s, at_full.per_s


async def _fill(dsn: str, count: int) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("set synchronous_commit = off")
        await connection.execute("set maintenance_work_mem = '512MB'")
        await connection.execute(_BARE)
        await connection.execute(_EVENTS, TOPIC, STATE, METADATA, count)
        await connection.execute(_COMMANDS, COMMAND, OUTCOME, count)
        await connection.execute(_DRESSED)
        # As a log that grew over weeks: frozen, analysed, nothing left to do in the background.
        await connection.execute("vacuum (freeze, analyze) stored_events")
        await connection.execute("vacuum (freeze, analyze) command_outcomes")
    finally:
        await connection.close()
