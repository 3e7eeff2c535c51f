"""Walk the log from its first event and find the first that is not what was written.

Any role that may select can do it, and needs nothing but the database: the chain of hashes, the positions, the streams'
versions, and the kept commands, whose digests stand in the chained metadata. Memory is bounded by one page.
"""

import hashlib
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import asyncpg
import msgspec

from domain.chain import GENESIS, chain_hash

PAGE_EVENTS = 5_000

_PAGE = """
select log.notification_id, log.originator_id, log.originator_version, log.topic, log.state, log.metadata,
    log.chain_hash, log.command_id, kept.command
from public.stored_events as log
left join public.command_outcomes as kept on kept.command_id = log.command_id
where log.notification_id > $1 and log.notification_id <= $2
order by log.notification_id limit $3
"""

_LAST = "select coalesce(max(notification_id), 0) from public.stored_events"

# Positions below 1 and events without a position are outside the chain, and so outside the log.
_STRAYS = "select count(*) from public.stored_events where notification_id < 1"

_BROKEN_STREAM = """
select min(position) from (
    select notification_id as position, originator_version as version,
        lag(originator_version) over stream as version_before,
        lag(notification_id) over stream as position_before
    from public.stored_events where notification_id <= $1
    window stream as (partition by originator_id order by originator_version)
) as followed
where case when version_before is null then version not in (0, 1)
    else version <> version_before + 1 or position <= position_before end
"""

_MISSING_COMMAND = """
select min(sequence) from (
    select sequence, lag(sequence, 1, 0::bigint) over (order by sequence) as before from public.command_outcomes
) as followed where sequence <> before + 1
"""

_ENDS = """
select (select coalesce(max(notification_id), 0) from public.stored_events) as logged,
    (select coalesce(max(last_position), 0) from public.command_outcomes) as kept
"""

Progress = Callable[[int, int], None]


class Expected(msgspec.Struct, frozen=True):
    """Hold what someone noted earlier: the chain hash at a position."""

    position: int
    chain_hash: bytes

    @classmethod
    def parse(cls, text: str) -> "Expected":
        """Read `POSITION:HASH`, the hash in hexadecimal; raise ValueError for anything else."""
        position, colon, chained = text.partition(":")
        expected = cls(int(position), bytes.fromhex(chained))
        if not colon or expected.position < 0 or len(expected.chain_hash) != len(GENESIS):
            raise ValueError(f"expected POSITION:HASH with {len(GENESIS)} bytes of hash, not {text!r}")
        return expected


class VerifyResult(msgspec.Struct, frozen=True):
    """Say how far the log is sound: up to `position`, whose hash is `chain_hash`.

    `bad_position` names the first position that was changed or is missing, None for a sound log; `reason` says how.
    """

    position: int
    chain_hash: bytes
    bad_position: int | None = None
    reason: str = ""

    @property
    def sound(self) -> bool:
        """Tell whether nothing was found."""
        return self.bad_position is None


class _Sound(msgspec.Struct):
    """Walk along: the last sound position and its hash."""

    position: int = 0
    chain_hash: bytes = GENESIS


class _Claimed(msgspec.Struct):
    """Read the one field of the metadata that this check needs; events of other writers have none."""

    command_sha256: str = ""


_CLAIMED = msgspec.json.Decoder(_Claimed)


async def verify(dsn: str, expect: Expected | None = None, progress: Progress | None = None) -> VerifyResult:
    """Check the whole log as it stands now, and against what was noted earlier, if given.

    `progress` is called after each page with (position reached, last position). Events appended meanwhile are left to
    the next run.
    """
    async with _reading(dsn) as connection:
        last: int = await connection.fetchval(_LAST)
        if await connection.fetchval(_STRAYS):
            return VerifyResult(0, GENESIS, 1, "events stand before the first position")
        found = await _walk(connection, last, expect, progress)
        return await _streams(connection, found)


@asynccontextmanager
async def _reading(dsn: str) -> "AsyncGenerator[asyncpg.Connection[asyncpg.Record]]":
    connection = await asyncpg.connect(dsn, server_settings={"default_transaction_read_only": "on"})
    try:
        yield connection
    finally:
        await connection.close()


async def _walk(
    connection: "asyncpg.Connection[asyncpg.Record]", last: int, expect: Expected | None, progress: Progress | None
) -> VerifyResult:
    sound = _Sound()
    noted = GENESIS if expect is not None and expect.position == 0 else None
    while sound.position < last:
        rows = await connection.fetch(_PAGE, sound.position, last, PAGE_EVENTS)
        for row in rows:
            reason = _wrong(row, sound)
            if reason:
                return VerifyResult(sound.position, sound.chain_hash, sound.position + 1, reason)
            sound.position, sound.chain_hash = row[0], row[6]
            if expect is not None and sound.position == expect.position:
                noted = sound.chain_hash
        if not rows:
            return VerifyResult(sound.position, sound.chain_hash, sound.position + 1, "the event is missing")
        if progress is not None:
            progress(sound.position, last)
    return _compared(VerifyResult(sound.position, sound.chain_hash), noted, expect)


def _wrong(row: "asyncpg.Record", sound: _Sound) -> str:
    """Say what is wrong with the event after the last sound one; empty if nothing is."""
    position, originator_id, version, topic, state, metadata, chained, command_id, command = row
    if position != sound.position + 1:
        return f"the event is missing: {position} follows {sound.position}"
    if chained is None:
        return "the event has no chain hash"
    try:
        computed = chain_hash(sound.chain_hash, position, originator_id, version, topic, state, metadata)
    except Exception as error:  # noqa: BLE001 - whatever cannot be chained was not written by the writer
        return f"the event cannot be chained: {error}"
    if computed != chained:
        return "the event's chain hash does not follow from its content and the hash before it"
    claimed = _claimed_digest(metadata)
    if claimed and command_id is None:
        return "the event has lost the id of its command"
    if claimed and command is None:
        return f"the command {command_id} that caused the event is not kept"
    if claimed and hashlib.sha256(command).hexdigest() != claimed:
        return f"the kept command {command_id} is not the one that caused the event"
    return ""


def _claimed_digest(metadata: bytes) -> str:
    try:
        return _CLAIMED.decode(metadata).command_sha256
    except msgspec.DecodeError:
        # The library's recorder takes any bytes; the chain has vouched for them.
        return ""


def _compared(found: VerifyResult, noted: bytes | None, expect: Expected | None) -> VerifyResult:
    if expect is None or noted == expect.chain_hash:
        return found
    if noted is None:
        reason = f"the log ends at position {found.position}, before the expected {expect.position}"
        return VerifyResult(found.position, found.chain_hash, found.position + 1, reason)
    reason = f"the chain hash at position {expect.position} is {noted.hex()}: it or an event before it was rewritten"
    return VerifyResult(found.position, found.chain_hash, expect.position, reason)


async def _streams(connection: "asyncpg.Connection[asyncpg.Record]", found: VerifyResult) -> VerifyResult:
    """Check what the chain does not: that versions follow each other, and that no kept command is gone."""
    broken: int | None = await connection.fetchval(_BROKEN_STREAM, found.position)
    if broken is not None:
        reason = "the event's version does not follow in its stream"
        return VerifyResult(found.position, found.chain_hash, broken, reason)
    if not found.sound:
        return found
    ends = await connection.fetchrow(_ENDS)
    if ends is not None and ends["kept"] > ends["logged"]:
        reason = f"the log ends at position {ends['logged']}, a kept command caused events up to {ends['kept']}"
        return VerifyResult(found.position, found.chain_hash, ends["logged"] + 1, reason)
    missing: int | None = await connection.fetchval(_MISSING_COMMAND)
    if missing is not None:
        reason = f"the kept command with sequence {missing - 1} is missing"
        return VerifyResult(found.position, found.chain_hash, found.position + 1, reason)
    return found
