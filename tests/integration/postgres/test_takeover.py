"""Two writers: the older one stops, whatever it was doing, and nothing of it lands after the takeover."""

import asyncio

import asyncpg
import pytest

from adapters.postgres import fence
from adapters.postgres.address import parse_dsn
from adapters.postgres.connection import connect
from adapters.postgres.event_log import PostgresEventLog
from adapters.postgres.failures import PostgresRefused
from adapters.postgres.verify import verify
from adapters.postgres.writer import Standing
from commands.ports import AppendFailed, Fenced
from tests.contract.event_log import batch, require_chained


async def test_the_older_writer_stops_by_itself_even_when_idle(log: PostgresEventLog, migrated: str) -> None:
    await log.take_over()
    await log.append(batch(1, 1))
    successor = PostgresEventLog(migrated)
    try:
        assert (await successor.take_over()).epoch == 2
        assert log._writer is not None
        while log._writer.standing is Standing.WRITING:  # noqa: ASYNC110 - it is told over its own connection
            await asyncio.sleep(0.001)
        assert isinstance(log._writer.failure, Fenced)
        await successor.append(batch(2, 2))
    finally:
        await successor.close()


async def test_a_takeover_under_load_interleaves_nothing(log: PostgresEventLog, migrated: str) -> None:
    await log.take_over()
    acknowledged = 0
    halfway = asyncio.Event()

    async def write() -> None:
        nonlocal acknowledged
        for first in range(1, 100_000, 10):
            await log.append(batch(first, first, 10))
            acknowledged = first + 9
            if acknowledged > 300:
                halfway.set()

    writing = asyncio.ensure_future(write())
    await halfway.wait()
    successor = PostgresEventLog(migrated)
    try:
        head = await successor.take_over()
        with pytest.raises(Fenced):
            await writing
        # What was acknowledged is there; what was in flight is there or not, but never later.
        assert acknowledged <= head.position <= acknowledged + 20
        await successor.append(batch(head.position + 1, head.sequence + 1, 5))
        events = await successor.read(0, 10_000)
        require_chained(events)
        assert len(events) == head.position + 5
        assert (await verify(migrated)).sound
    finally:
        await successor.close()


async def test_many_takeovers_at_once_leave_one_writer(migrated: str) -> None:
    logs = [PostgresEventLog(migrated) for _ in range(6)]
    try:
        heads = await asyncio.gather(*(log.take_over() for log in logs), return_exceptions=True)
        won = [log for log, head in zip(logs, heads, strict=True) if not isinstance(head, BaseException)]
        assert all(isinstance(head, Fenced) for head in heads if isinstance(head, BaseException))
        assert won
        ends = await asyncio.gather(*(log.append(batch(1, 1)) for log in won), return_exceptions=True)
        assert [type(end) for end in ends].count(type(None)) == 1
        assert all(isinstance(end, Fenced) for end in ends if end is not None)
    finally:
        await asyncio.gather(*(log.close() for log in logs))


async def test_a_holder_that_does_not_yield_is_ended(migrated: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fence, "YIELD_MS_MAX", 100)
    hung = await asyncpg.connect(migrated)
    await hung.execute("select pg_advisory_lock($1, $2)", *fence.WRITER_LOCK)
    log = PostgresEventLog(migrated)
    try:
        await log.take_over()
        await log.append(batch(1, 1))
        with pytest.raises((asyncpg.PostgresConnectionError, asyncpg.InterfaceError, asyncpg.AdminShutdownError)):
            await hung.execute("select 1")
    finally:
        hung.terminate()
        await log.close()


async def test_a_holder_that_cannot_be_ended_keeps_the_newcomer_out(
    migrated: str, dsns: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fence, "YIELD_MS_MAX", 50)
    monkeypatch.setattr(fence, "ENDED_MS_MAX", 50)
    holder = await asyncpg.connect(migrated)
    await holder.execute("select pg_advisory_lock($1, $2)", *fence.WRITER_LOCK)
    log = PostgresEventLog(dsns[0])  # the service may not end the owner's session
    try:
        with pytest.raises(Fenced):
            await log.take_over()
        with pytest.raises(AppendFailed):
            await log.append(batch(1, 1))
    finally:
        await holder.close()
        await log.close()


async def test_a_stale_epoch_is_refused_by_the_database_itself(log: PostgresEventLog, migrated: str) -> None:
    epoch = (await log.take_over()).epoch
    connection = await connect(parse_dsn(migrated), {})
    try:
        for statement, sqlstate in (
            (f"select append_fence({epoch - 1}, 0, 0)", fence.FENCED),
            (f"select append_fence({epoch}, 1, 0)", fence.MISPLACED),
            (f"select append_fence({epoch}, 0, 1)", fence.MISPLACED),
        ):
            with pytest.raises(PostgresRefused) as refused:
                await connection.fetch(statement)
            assert refused.value.error.sqlstate == sqlstate
    finally:
        await connection.close()


async def test_a_takeover_waits_for_an_append_in_flight(log: PostgresEventLog, migrated: str) -> None:
    epoch = (await log.take_over()).epoch
    in_flight = await asyncpg.connect(migrated)
    transaction = in_flight.transaction()
    await transaction.start()
    await in_flight.execute(f"select append_fence({epoch}, 0, 0)")
    successor = PostgresEventLog(migrated)
    taking = asyncio.ensure_future(successor.take_over())
    try:
        done, _ = await asyncio.wait([taking], timeout=0.3)
        assert not done
        await transaction.commit()
        assert (await taking).epoch == epoch + 1
    finally:
        await in_flight.close()
        await successor.close()


async def test_anyone_may_notify_but_only_the_epoch_stops_a_writer(
    log: PostgresEventLog, dsns: tuple[str, str]
) -> None:
    await log.take_over()
    auditor = await asyncpg.connect(dsns[1])
    await auditor.execute("select pg_notify('writer_epoch', '999')")
    await auditor.close()
    for first in range(1, 20):
        await log.append(batch(first, first))
