"""Login roles for the service and the auditor, members of the group roles that the migrations make."""

from urllib.parse import quote, urlsplit

import asyncpg
import msgspec

from adapters.postgres.scram import verifier

WRITER_GROUP = "ballast_writer"
AUDITOR_GROUP = "ballast_auditor"
# Of the server itself.
SIGNALS_GROUP = "pg_signal_backend"


class Login(msgspec.Struct, frozen=True):
    """Name a role that logs in. The password is printable ASCII and never appears in `repr`."""

    name: str
    password: str

    def __repr__(self) -> str:
        """Write the login without its password."""
        return f"Login({self.name!r})"


async def create_logins(dsn: str, service: Login, auditor: Login) -> None:
    """Create both roles, or give them their passwords again. Takes the owner's dsn of a migrated database.

    The service writes the log; the auditor only reads, and its sessions are read-only by default as well. What is sent
    is the password's verifier, so that no server log ever holds the password.
    """
    connection = await asyncpg.connect(dsn)
    try:
        async with connection.transaction():
            await _create_login(connection, service, WRITER_GROUP)
            await _create_login(connection, auditor, AUDITOR_GROUP)
            await _run(connection, "alter role %I set default_transaction_read_only = on", auditor.name)
    finally:
        await connection.close()


async def create_kill_login(dsn: str, login: Login) -> None:
    """Create the kill's login, or give it its password again: it may end others' sessions, and owns nothing.

    Takes the dsn of who may grant `pg_signal_backend`: a superuser.
    """
    connection = await asyncpg.connect(dsn)
    try:
        async with connection.transaction():
            await _create_login(connection, login, SIGNALS_GROUP)
    finally:
        await connection.close()


def login_dsn(dsn: str, login: Login) -> str:
    """Return the dsn with this login in place of its user and password."""
    parts = urlsplit(dsn)
    server = parts.netloc.rpartition("@")[2]
    user = f"{quote(login.name, safe='')}:{quote(login.password, safe='')}"
    return parts._replace(netloc=f"{user}@{server}").geturl()


async def _create_login(connection: "asyncpg.Connection[asyncpg.Record]", login: Login, group: str) -> None:
    if not await connection.fetchval("select exists (select from pg_catalog.pg_roles where rolname = $1)", login.name):
        try:
            async with connection.transaction():
                await _run(connection, "create role %I", login.name)
        except (asyncpg.DuplicateObjectError, asyncpg.UniqueViolationError):
            # Made at the same moment for another database of this server.
            pass
    await _run(connection, "alter role %I login password %L", login.name, verifier(login.password))
    await _run(connection, "grant %I to %I", group, login.name)


async def _run(connection: "asyncpg.Connection[asyncpg.Record]", statement: str, *parts: str) -> None:
    """Run a statement that takes no parameters, its names and literals quoted by the server."""
    markers = ", ".join(f"${number + 1}::text" for number in range(1, len(parts) + 1))
    await connection.execute(await connection.fetchval(f"select format($1, {markers})", statement, *parts))
