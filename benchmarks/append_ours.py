"""Our appends: many callers in flight, each one event and one kept command, hash chain and fsync on."""

import asyncio
import gc
import time
from collections.abc import Sequence
from uuid import uuid4

import msgspec
import uvloop

from adapters.postgres.address import parse_dsn
from adapters.postgres.group_commit import GroupCommitter
from adapters.postgres.writer import FencedWriter
from benchmarks.report import percentile
from domain.log import KeptCommand, NewEvent

TOPIC = "fill.recorded.v1"
STATE = (
    b'{"fee":"0.00014","instrument":"ETH/USDT:USDT","kind":"trade","order_id":"0b6a3c1e-6b0f-5a57-9d43-1f6d3f0f9f11",'
    b'"price":"3512.41","quantity":"0.25","side":"sell","source":"stream","trade_id":"4412839"}'
)
METADATA = (
    b'{"actor":"venue:binanceusdm","at":"2026-01-01T00:00:00.000000Z","cause":"inbox","command_id":"8a1d8a0e-9f0e-5b5c-8d2c'
    b'-56b1f2f9c001","command_sha256":"","recorded_at":"2026-01-01T00:00:00.000000Z","trace":"00-4bf92f3577b34da6a3ce929d0e'
    b'0e4736-00f067aa0ba902b7-01"}'
)
COMMAND = (
    b'{"fee":"0.00014","instrument":"ETH/USDT:USDT","order":"bl0b6a3c1e6b0f5a579d431f6d3f0f9f11","price":"3512.41"}'
)
OUTCOME = b'{"status":"accepted"}'

Work = tuple[tuple[NewEvent], KeptCommand]


class Appended(msgspec.Struct, frozen=True):
    """Hold one run: appends a second, and the times of single appends in milliseconds."""

    per_s: float
    p50_ms: float
    p99_ms: float


def append_ours(dsn: str, in_flight: int, each: int) -> Appended:
    """Run `in_flight` callers with `each` appends one after the other, in an event loop of its own."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_run(dsn, in_flight, each))


async def _run(dsn: str, in_flight: int, each: int) -> Appended:
    writer = FencedWriter(parse_dsn(dsn))
    await writer.take_over()
    group = GroupCommitter(writer)
    # What is appended is made before the clock starts, as the peers' is; the core freezes its start-up objects too.
    works = [_work(each) for _ in range(in_flight)]
    times: list[float] = []
    gc.collect()
    gc.freeze()
    try:
        started = time.perf_counter()
        async with asyncio.TaskGroup() as callers:
            for work in works:
                callers.create_task(_call(group, work, times))
        elapsed = time.perf_counter() - started
    finally:
        gc.unfreeze()
        await writer.close()
    times.sort()
    return Appended(len(times) / elapsed, percentile(times, 0.5) * 1e3, percentile(times, 0.99) * 1e3)


async def _call(group: GroupCommitter, work: Sequence[Work], times: list[float]) -> None:
    for events, command in work:
        started = time.perf_counter()
        await group.append(events, command)
        times.append(time.perf_counter() - started)


def _work(count: int) -> list[Work]:
    work: list[Work] = []
    for _ in range(count):
        command = KeptCommand(uuid4(), 0, "fill.record", COMMAND, OUTCOME, None, None)
        work.append(((NewEvent(uuid4(), 1, TOPIC, STATE, METADATA, command.command_id),), command))
    return work
