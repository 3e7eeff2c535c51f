"""The audit: whatever is changed behind the writer's back, the first changed position is named."""

import hashlib
from uuid import uuid4

import asyncpg
import pytest

from adapters.postgres import verify as verifying
from adapters.postgres.event_log import PostgresEventLog
from adapters.postgres.verify import Expected, verify
from domain.chain import GENESIS, chain_hash
from domain.log import Batch, KeptCommand, NewEvent

EVENTS = 23
STREAM = uuid4()


@pytest.fixture
async def sound(log: PostgresEventLog, migrated: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A log of 23 events by 23 commands, walked in pages of 5; the even ones are one stream."""
    monkeypatch.setattr(verifying, "PAGE_EVENTS", 5)
    await log.take_over()
    for position in range(1, EVENTS + 1):
        command = b'{"ask":%d}' % position
        stream, version = (STREAM, position // 2) if position % 2 == 0 else (uuid4(), 1)
        kept = KeptCommand(uuid4(), position, "ask", command, b"{}", position, position)
        metadata = b'{"command_sha256":"%s"}' % hashlib.sha256(command).hexdigest().encode()
        event = NewEvent(stream, version, "tried.v1", b'{"n":%d}' % position, metadata, kept.command_id)
        await log.append(Batch(position, (event,), (kept,), 1_700_000_000_000_000 + position))
    return migrated


async def tamper(dsn: str, *statements: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def test_a_sound_log_is_walked_to_its_end(sound: str, log: PostgresEventLog) -> None:
    reached: list[tuple[int, int]] = []
    result = await verify(sound, progress=lambda done, last: reached.append((done, last)))
    assert result.sound
    assert result.position == EVENTS
    assert result.chain_hash == (await log.read(EVENTS - 1, 1))[0].chain_hash
    assert reached == [(5, 23), (10, 23), (15, 23), (20, 23), (23, 23)]


async def test_an_empty_log_is_sound(migrated: str) -> None:
    assert (await verify(migrated, Expected(0, GENESIS))).sound


CHANGES = {
    "state": ("update stored_events set state = '{\"n\":8}' where notification_id = 7", 7),
    "one bit": ("update stored_events set state = set_bit(state, 2, 1) where notification_id = 7", 7),
    "metadata": ("update stored_events set metadata = '{}' where notification_id = 9", 9),
    "topic": ("update stored_events set topic = 'tried.v2' where notification_id = 11", 11),
    "version": ("update stored_events set originator_version = 2 where notification_id = 13", 13),
    "originator": ("update stored_events set originator_id = gen_random_uuid() where notification_id = 13", 13),
    "hash": ("update stored_events set chain_hash = sha256('x') where notification_id = 23", 23),
    "no hash": ("update stored_events set chain_hash = null where notification_id = 5", 5),
    "the first": ("update stored_events set state = '{}' where notification_id = 1", 1),
    "two": ("update stored_events set state = '{}' where notification_id in (20, 6)", 6),
    "deleted": ("delete from stored_events where notification_id = 11", 11),
    "deleted from a stream": ("delete from stored_events where notification_id = 12", 12),
    "a page deleted": ("delete from stored_events where notification_id between 6 and 10", 6),
    "the tail deleted": ("delete from stored_events where notification_id > 19", 20),
    "all deleted": ("delete from stored_events", 1),
    "before the first": ("update stored_events set notification_id = 0 where notification_id = 1", 1),
    "a command": ("update command_outcomes set command = '{}' where sequence = 14", 14),
    "a command deleted": ("delete from command_outcomes where sequence = 14", 14),
    "the link to a command": ("update stored_events set command_id = null where notification_id = 17", 17),
    "another's command": (
        "update stored_events set command_id = kept.command_id from command_outcomes as kept "  # noqa: ISC004 - one statement
        "where sequence = 2 and notification_id = 17",
        17,
    ),
    "forged at the end": (
        "insert into stored_events (originator_id, originator_version, topic, state, notification_id) "  # noqa: ISC004 - one statement
        "values (gen_random_uuid(), 1, 'tried.v1', '{}', 24)",
        24,
    ),
}


@pytest.mark.parametrize("change", CHANGES)
async def test_the_first_changed_position_is_named(sound: str, change: str) -> None:
    statement, position = CHANGES[change]
    await tamper(sound, statement)
    result = await verify(sound)
    assert (result.bad_position, bool(result.reason)) == (position, True)


async def test_two_events_that_changed_places_are_found(sound: str) -> None:
    await tamper(
        sound,
        "update stored_events set notification_id = 100 where notification_id = 3",
        "update stored_events set notification_id = 3 where notification_id = 5",
        "update stored_events set notification_id = 5 where notification_id = 100",
    )
    assert (await verify(sound)).bad_position == 3


async def rewrite_from(dsn: str, position: int) -> None:
    """Change an event and make every hash fit again, as someone with the owner's rights could."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("update stored_events set state = '{}' where notification_id = $1", position)
        chained: bytes = GENESIS
        for row in await connection.fetch("select * from stored_events order by notification_id"):
            chained = chain_hash(
                chained,
                row["notification_id"],
                row["originator_id"],
                row["originator_version"],
                row["topic"],
                row["state"],
                row["metadata"],
            )
            await connection.execute(
                "update stored_events set chain_hash = $1 where notification_id = $2", chained, row["notification_id"]
            )
    finally:
        await connection.close()


async def test_a_rewritten_tail_is_found_by_what_was_noted(sound: str, log: PostgresEventLog) -> None:
    noted = Expected(20, (await log.read(19, 1))[0].chain_hash)
    assert (await verify(sound, noted)).sound
    await rewrite_from(sound, 8)
    assert (await verify(sound)).sound
    assert (await verify(sound, noted)).bad_position == 20


async def test_a_truncated_tail_is_found_by_what_was_noted(sound: str, log: PostgresEventLog) -> None:
    noted = Expected(22, (await log.read(21, 1))[0].chain_hash)
    await tamper(
        sound,
        "delete from stored_events where notification_id > 18",
        "delete from command_outcomes where sequence > 18",
    )
    assert (await verify(sound)).sound
    result = await verify(sound, noted)
    assert result.bad_position == 19
    assert result.position == 18


async def test_a_stream_with_a_gap_is_found(log: PostgresEventLog, migrated: str) -> None:
    await log.take_over()
    command = uuid4()
    events = tuple(NewEvent(STREAM, version, "tried.v1", b"", b"", command) for version in (0, 1))
    await log.append(Batch(1, events, (), 0))
    await log.close()
    await log.take_over()
    # A writer that does not remember the stream lets it through; the audit does not.
    await log.append(Batch(3, (NewEvent(STREAM, 4, "tried.v1", b"", b"", command),), (), 0))
    result = await verify(migrated)
    assert (result.position, result.bad_position) == (3, 3)


@pytest.mark.parametrize("text", ["", "7", "7:", "x:" + "0" * 64, "7:" + "0" * 63, "7:" + "0" * 62, "-1:" + "0" * 64])
def test_what_is_no_expectation_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        Expected.parse(text)


def test_an_expectation_is_read() -> None:
    assert Expected.parse("7:" + "ab" * 32) == Expected(7, bytes.fromhex("ab" * 32))
