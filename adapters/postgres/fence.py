"""Who may write: the epoch row, the session lock, and taking both over.

The epoch is what fences: every append carries it, in its transaction. The session lock is what tells a living writer
from a dead one, and keeps a dead one's backend from still working through what it had received.
"""

import contextlib

from adapters.postgres.address import Address
from adapters.postgres.connection import Connection, connect
from adapters.postgres.failures import ConnectionLost, LockHeld, LogDiverged, PostgresRefused
from commands.ports import Fenced
from domain.chain import GENESIS
from domain.log import Head

# Any constants will do, as long as every Ballast uses the same: "ball" in ASCII, then the subject's number.
WRITER_LOCK = (0x62616C6C, 2)
EPOCH_CHANNEL = "writer_epoch"

# How long a living writer has to stop once the epoch moved; after that its session is ended from here.
YIELD_MS_MAX = 2_000
ENDED_MS_MAX = 5_000

FENCED = "BA001"
MISPLACED = "BA002"
_LOCK_TIMEOUT = "55P03"

_SESSION_OPTIONS = {
    "application_name": "ballast-writer",
    "client_min_messages": "error",
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
}

# An acknowledged append is on disk, whatever the server's default says; stricter defaults stay.
_DURABLE = (
    "select set_config('synchronous_commit', 'on', false) "
    "where current_setting('synchronous_commit') in ('off', 'local')"
)

_NEXT_EPOCH = f"""
with taken as (
    update public.writer_epoch set epoch = epoch + 1, taken_at = now() where id = 1 returning epoch
)
select epoch, pg_notify('{EPOCH_CHANNEL}', epoch::text) from taken
"""  # noqa: S608 - built from constants

CURRENT_EPOCH = "select epoch from public.writer_epoch where id = 1"

_HEAD = """
select writer.epoch, coalesce(head.notification_id, 0), encode(head.chain_hash, 'hex'),
    (select coalesce(max(sequence), 0) from public.command_outcomes)
from public.writer_epoch as writer
left join lateral (
    select notification_id, chain_hash from public.stored_events order by notification_id desc limit 1
) as head on true
where writer.id = 1
"""

_END_HOLDERS = f"""
select pg_terminate_backend(pid) from pg_catalog.pg_locks
where locktype = 'advisory' and classid = {WRITER_LOCK[0]} and objid = {WRITER_LOCK[1]} and objsubid = 2 and granted
    and database = (select oid from pg_catalog.pg_database where datname = current_database())
    and pid <> pg_backend_pid()
"""  # noqa: S608 - built from constants


async def take_over(address: Address) -> tuple[Connection, Head]:
    """Become the writer: commit epoch + 1, wait until the writer before is gone, read where the log ends.

    Raise Fenced when another takeover came after ours, or the old writer's session could not be ended.
    """
    connection = await connect(address, _SESSION_OPTIONS)
    try:
        await connection.fetch(_DURABLE)
        return connection, await _enter(connection, await _next_epoch(connection))
    except LockHeld as held:
        await connection.close()
        raise Fenced(str(held)) from held
    except BaseException:
        await connection.close()
        raise


async def return_to(address: Address, epoch: int) -> tuple[Connection, Head]:
    """Become the writer of the same epoch again after a lost connection.

    Raise Fenced if anyone took over since. Raise LockHeld while the lost session may still be committing: what became
    of its appends cannot be known before it is gone.
    """
    connection = await connect(address, _SESSION_OPTIONS)
    try:
        await connection.fetch(_DURABLE)
        _require(epoch, await current_epoch(connection))
        return connection, await _enter(connection, epoch)
    except BaseException:
        await connection.close()
        raise


async def current_epoch(connection: Connection) -> int:
    """Return the epoch that stands in the database now."""
    rows = await connection.fetch(CURRENT_EPOCH)
    return int(rows[0][0] or 0) if rows else 0


async def _next_epoch(connection: Connection) -> int:
    rows = await connection.fetch(_NEXT_EPOCH)
    if not rows:
        raise LogDiverged("writer_epoch has no row")
    return int(rows[0][0] or 0)


async def _enter(connection: Connection, epoch: int) -> Head:
    await connection.fetch(f"listen {EPOCH_CHANNEL}")
    await _lock(connection)
    rows = await connection.fetch(_HEAD)
    current, position, chained, sequence = rows[0]
    _require(epoch, int(current or 0))
    if position != "0" and not chained:
        raise LogDiverged(f"the event at position {position} has no chain hash; run `ballast audit verify`")
    return Head(
        epoch=epoch,
        position=int(position or 0),
        sequence=int(sequence or 0),
        chain_hash=bytes.fromhex(chained) if chained else GENESIS,
    )


def _require(held: int, current: int) -> None:
    if held != current:
        raise Fenced(f"the log is at epoch {current}, this writer holds {held}")


async def _lock(connection: Connection) -> None:
    """Take the session lock; end whoever still holds it after its time, for its epoch is over."""
    if await _locked_within(connection, YIELD_MS_MAX):
        return
    # Not allowed to end another role's session: then the wait below decides.
    with contextlib.suppress(PostgresRefused):
        await connection.fetch(_END_HOLDERS)
    if not await _locked_within(connection, ENDED_MS_MAX):
        raise LockHeld("another writer's session holds the lock and could not be ended")


async def _locked_within(connection: Connection, wait_ms: int) -> bool:
    await connection.fetch(f"set lock_timeout = {wait_ms}")
    try:
        await connection.fetch(f"select pg_advisory_lock({WRITER_LOCK[0]}, {WRITER_LOCK[1]})")
    except PostgresRefused as refused:
        if refused.error.sqlstate != _LOCK_TIMEOUT:
            raise
        return False
    finally:
        with contextlib.suppress(ConnectionLost):
            await connection.fetch("set lock_timeout = 0")
    return True
