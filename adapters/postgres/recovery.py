"""After a lost connection: come back to the same epoch and learn what became of the appends in flight."""

import asyncio
from collections.abc import Sequence

import msgspec

from adapters.postgres import fence
from adapters.postgres.address import Address
from adapters.postgres.append import Append, LogEnd
from adapters.postgres.connection import Connection, connect
from adapters.postgres.failures import (
    ConnectionLost,
    HandshakeFailed,
    LockHeld,
    LogDiverged,
    LogUnreachable,
    PostgresRefused,
)
from commands.ports import Fenced
from domain.log import Head

FIRST_PAUSE_MS = 50
PAUSE_MS_MAX = 1_000

_READ_OPTIONS = {"application_name": "ballast-writer-reads-back"}

_HASH_AT = "select encode(chain_hash, 'hex') from public.stored_events where notification_id = {position:d}"
_COMMAND_AT = "select command_id from public.command_outcomes where sequence = {sequence:d}"


class Recovered(msgspec.Struct, frozen=True):
    """Say how many of the appends in flight are in the log, oldest first, and the session to go on with.

    Without a session another writer has taken over, and the rest is surely not in the log.
    """

    committed: int
    connection: Connection | None
    fenced_because: str = ""


async def recover(
    address: Address, epoch: int, durable: LogEnd, in_flight: Sequence[Append], within_ms: int
) -> Recovered:
    """Try until the bound; raise LogUnreachable when it passes, LogDiverged when acknowledged events are gone."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within_ms / 1_000
    pause_ms = FIRST_PAUSE_MS
    while True:
        try:
            return await _once(address, epoch, durable, in_flight)
        except (HandshakeFailed, ConnectionLost, PostgresRefused, LockHeld) as error:
            if loop.time() + pause_ms / 1_000 > deadline:
                raise LogUnreachable(f"no way back to the log within {within_ms} ms: {error}") from error
        await asyncio.sleep(pause_ms / 1_000)
        pause_ms = min(pause_ms * 2, PAUSE_MS_MAX)


async def _once(address: Address, epoch: int, durable: LogEnd, in_flight: Sequence[Append]) -> Recovered:
    try:
        connection, head = await fence.return_to(address, epoch)
    except Fenced as fenced:
        # The new epoch is committed, so each of our appends is either in the log already or never will be.
        reading = await connect(address, _READ_OPTIONS)
        try:
            return Recovered(await _committed(reading, in_flight), None, str(fenced))
        finally:
            await reading.close()
    # The lock is ours again, so the old session is gone: nothing of it can still be carried out.
    try:
        committed = await _committed(connection, in_flight)
        _require_end(head, in_flight[committed - 1].after if committed else durable)
    except BaseException:
        await connection.close()
        raise
    return Recovered(committed, connection)


async def _committed(connection: Connection, in_flight: Sequence[Append]) -> int:
    count = 0
    for append in in_flight:
        if not await _is_in_log(connection, append):
            break
        count += 1
    return count


async def _is_in_log(connection: Connection, append: Append) -> bool:
    """Tell by the chain hash of its last event and the id of its last command, whichever it has."""
    if append.events:
        rows = await connection.fetch(_HASH_AT.format(position=append.after.position))
        if not rows or rows[0][0] != append.after.chain_hash.hex():
            return False
    if append.last_command is not None:
        rows = await connection.fetch(_COMMAND_AT.format(sequence=append.after.sequence))
        return bool(rows) and rows[0][0] == str(append.last_command.command_id)
    return bool(append.events)


def _require_end(head: Head, expected: LogEnd) -> None:
    if LogEnd.of(head) != expected:
        raise LogDiverged(
            f"the log ends at position {head.position}, sequence {head.sequence}; "
            f"this writer's last known end is position {expected.position}, sequence {expected.sequence}"
        )
