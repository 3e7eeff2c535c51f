"""What the service and the auditor may do, and may not."""

import asyncpg

from adapters.postgres.event_log import PostgresEventLog
from domain.log import Snapshot
from tests.contract.event_log import batch


async def refused(dsn: str, *statements: str) -> bool:
    connection = await asyncpg.connect(dsn)
    try:
        for statement in statements:
            await connection.execute(statement)
    except (asyncpg.InsufficientPrivilegeError, asyncpg.ReadOnlySQLTransactionError):
        return True
    finally:
        await connection.close()
    return False


async def test_the_service_appends_and_snapshots_under_its_own_role(dsns: tuple[str, str]) -> None:
    log = PostgresEventLog(dsns[0])
    try:
        await log.take_over()
        await log.append(batch(1, 1, 3))
        await log.save_snapshot(Snapshot("book", 2, 2, "s", b"state"))
        assert len(await log.outcomes([event.command_id for event in batch(1, 1, 3).events])) == 3
        other = PostgresEventLog(dsns[0])
        assert (await other.take_over()).epoch == 2
        await other.close()
    finally:
        await log.close()


LOG_CHANGES = [
    f"{change} {table}{rest}"
    for table in ("stored_events", "command_outcomes")
    for change, rest in (("delete from", ""), ("truncate", ""), ("drop table", ""), ("alter table", " add x int"))
] + [
    "update stored_events set state = '{}'",
    "update command_outcomes set outcome = '{}'",
    "update application_events set state = '{}'",
    "insert into application_events select * from stored_events",
    "delete from writer_epoch",
    "insert into writer_epoch (id, epoch) values (1, 9)",
    "delete from schema_migrations",
    "create table public.mine (x int)",
]


async def test_the_service_cannot_change_the_log(dsns: tuple[str, str]) -> None:
    for change in LOG_CHANGES:
        assert await refused(dsns[0], change), change


AUDITOR_CHANGES = [
    "insert into stored_events (originator_id, originator_version, topic, state, notification_id) "  # noqa: ISC004 - one statement
    "values (gen_random_uuid(), 1, 't', '', 1)",
    "update writer_epoch set epoch = 9",
    "select append_fence(0, 0, 0)",
    "delete from snapshots",
    "update projection_checkpoints set position = 1",
]


async def test_the_auditor_changes_nothing(dsns: tuple[str, str]) -> None:
    for change in LOG_CHANGES + AUDITOR_CHANGES:
        assert await refused(dsns[1], change), change
        # Nor after switching off its sessions' default.
        assert await refused(dsns[1], "set default_transaction_read_only = off", change), change
