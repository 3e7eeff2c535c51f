"""Bring a database to today's schema: numbered files, forward only, each once, in its own transaction."""

import hashlib
import re
from importlib import resources

import asyncpg
import msgspec

from adapters.postgres.failures import SchemaMismatch

# Any constant will do, as long as every Ballast uses the same: "ball" in ASCII, then the subject's number.
MIGRATION_LOCK = (0x62616C6C, 1)

_FILE_NAME = re.compile(r"^\d{4}_[a-z0-9_]+\.sql$")

_RECORD_TABLE = """
create table if not exists public.schema_migrations (
    name text primary key,
    sha256 bytea not null,
    applied_at timestamptz not null default now()
)
"""


class Migration(msgspec.Struct, frozen=True):
    """Hold one file: its name, its text and the text's sha256."""

    name: str
    sql: str
    sha256: bytes


def migrations() -> tuple[Migration, ...]:
    """Return the files of the package `migrations`, in order; raise SchemaMismatch for a gap or a bad name."""
    found: list[Migration] = []
    entries = [entry for entry in resources.files("migrations").iterdir() if entry.name.endswith(".sql")]
    for number, entry in enumerate(sorted(entries, key=lambda each: each.name), start=1):
        if not _FILE_NAME.match(entry.name) or int(entry.name[:4]) != number:
            raise SchemaMismatch(f"migration {entry.name} is not number {number:04d} in lower case")
        text = entry.read_bytes()
        found.append(Migration(name=entry.name, sql=text.decode(), sha256=hashlib.sha256(text).digest()))
    return tuple(found)


async def migrate(dsn: str) -> list[str]:
    """Apply the files that the database does not have yet; return their names.

    Takes the owner's dsn. Two calls at once wait for each other. Raise SchemaMismatch when an applied file has
    changed since, or when the database knows a migration that these files do not.
    """
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("select pg_advisory_lock($1, $2)", *MIGRATION_LOCK)
        await connection.execute(_RECORD_TABLE)
        waiting = _not_applied(await _applied(connection))
        for migration in waiting:
            async with connection.transaction():
                await connection.execute(migration.sql)
                await connection.execute(
                    "insert into public.schema_migrations (name, sha256) values ($1, $2)",
                    migration.name,
                    migration.sha256,
                )
        return [migration.name for migration in waiting]
    finally:
        await connection.close()


async def missing_migrations(dsn: str) -> list[str]:
    """Return the names of the files not yet applied, changing nothing; any role that may select can ask."""
    connection = await asyncpg.connect(dsn)
    try:
        if await connection.fetchval("select to_regclass('public.schema_migrations')") is None:
            return [migration.name for migration in migrations()]
        return [migration.name for migration in _not_applied(await _applied(connection))]
    finally:
        await connection.close()


async def _applied(connection: "asyncpg.Connection[asyncpg.Record]") -> dict[str, bytes]:
    rows = await connection.fetch("select name, sha256 from public.schema_migrations")
    return {row["name"]: row["sha256"] for row in rows}


def _not_applied(applied: dict[str, bytes]) -> tuple[Migration, ...]:
    known = migrations()
    strangers = sorted(applied.keys() - {migration.name for migration in known})
    if strangers:
        raise SchemaMismatch(f"the database is newer than this program: it has {', '.join(strangers)}")
    for migration in known:
        if applied.get(migration.name, migration.sha256) != migration.sha256:
            raise SchemaMismatch(f"{migration.name} has changed since it was applied; write a new migration instead")
    return tuple(migration for migration in known if migration.name not in applied)
