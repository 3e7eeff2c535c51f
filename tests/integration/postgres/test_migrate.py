"""Migrations: forward only, each once, nothing changed behind their back."""

import asyncio

import asyncpg
import pytest

from adapters.postgres import migrate as migrating
from adapters.postgres.failures import SchemaMismatch
from adapters.postgres.migrate import Migration, migrate, migrations, missing_migrations


async def test_each_file_is_applied_once_even_by_two_at_once(database: str) -> None:
    assert await missing_migrations(database) == [each.name for each in migrations()]
    first, second = await asyncio.gather(migrate(database), migrate(database))
    assert sorted(first + second) == [each.name for each in migrations()]
    assert await migrate(database) == []
    assert await missing_migrations(database) == []


async def test_a_changed_file_is_refused(migrated: str, monkeypatch: pytest.MonkeyPatch) -> None:
    changed = tuple(Migration(each.name, each.sql, b"x" * 32) for each in migrations())
    monkeypatch.setattr(migrating, "migrations", lambda: changed)
    with pytest.raises(SchemaMismatch, match=r"0001_event_log\.sql has changed"):
        await migrate(migrated)


async def test_a_database_of_a_newer_program_is_refused(migrated: str, monkeypatch: pytest.MonkeyPatch) -> None:
    older = migrations()[:-1]
    monkeypatch.setattr(migrating, "migrations", lambda: older)
    with pytest.raises(SchemaMismatch, match="newer than this program"):
        await migrate(migrated)


async def test_a_migration_that_fails_leaves_nothing(migrated: str, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = (*migrations(), Migration("9999_broken.sql", "create table public.half (x int); select 1 / 0", b"x"))
    monkeypatch.setattr(migrating, "migrations", lambda: broken)
    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrate(migrated)
    connection = await asyncpg.connect(migrated)
    try:
        assert await connection.fetchval("select to_regclass('public.half')") is None
    finally:
        await connection.close()
    assert await missing_migrations(migrated) == ["9999_broken.sql"]


async def test_the_contracts_columns_are_there(migrated: str) -> None:
    connection = await asyncpg.connect(migrated)
    try:
        rows = await connection.fetch(
            "select table_name, column_name, data_type, is_nullable from information_schema.columns "
            "where table_schema = 'public' and table_name in ('stored_events', 'command_outcomes') "
            "order by table_name, ordinal_position"
        )
    finally:
        await connection.close()
    columns = [tuple(row) for row in rows]
    assert [(name, kind) for table, name, kind, _ in columns if table == "stored_events"] == [
        ("originator_id", "uuid"),
        ("originator_version", "bigint"),
        ("topic", "text"),
        ("state", "bytea"),
        ("notification_id", "bigint"),
        ("metadata", "bytea"),
        ("chain_hash", "bytea"),
        ("command_id", "uuid"),
        ("recorded_at", "timestamp with time zone"),
    ]
    assert [(name, kind) for table, name, kind, _ in columns if table == "command_outcomes"] == [
        ("command_id", "uuid"),
        ("sequence", "bigint"),
        ("kind", "text"),
        ("command", "bytea"),
        ("outcome", "bytea"),
        ("first_position", "bigint"),
        ("last_position", "bigint"),
    ]
    assert ("stored_events", "metadata", "bytea", "NO") in columns
