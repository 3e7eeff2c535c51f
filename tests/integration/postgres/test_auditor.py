"""The auditor: the library's stock Application, our mapper, a role that may only select."""

import asyncio
import sys
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from eventsourcing.application import Application
from eventsourcing.persistence import MapperDeserialisationError, NotSupportedError, StoredEvent
from eventsourcing.utils import resolve_topic

from adapters.postgres.event_log import PostgresEventLog
from adapters.postgres.mapper import BallastMapper, register_topics
from adapters.postgres.recorder import BallastRecorder
from adapters.postgres.verify import verify
from domain.codec import encode
from domain.event import CATALOGUE
from domain.log import Batch, NewEvent
from domain.mode import Mode, ModeChanged
from examples.auditor import environment

EVENTS = [
    ModeChanged(scope="global", mode=mode, previous=Mode.ACTIVE, author="risk", reason=f"ünïcode {mode}")
    for mode in (Mode.REDUCE_ONLY, Mode.HALTED, Mode.ACTIVE)
]


class Stored(Application[UUID]):
    """The library names the table after the class: stored_events."""


@pytest.fixture
async def auditor_dsn(dsns: tuple[str, str]) -> str:
    """Write three events of ours as the service, give the auditor's dsn."""
    log = PostgresEventLog(dsns[0])
    try:
        await log.take_over()
        new = tuple(
            NewEvent(event.originator, version, event.TOPIC, encode(event), b"{}", uuid4())
            for version, event in enumerate(EVENTS, start=1)
        )
        await log.append(Batch(1, new, (), 1_700_000_000_000_000))
    finally:
        await log.close()
    return dsns[1]


@pytest.mark.parametrize("application_class", [Stored, Application])
def test_the_stock_application_reads_our_events(auditor_dsn: str, application_class: type[Application[UUID]]) -> None:
    application = application_class(environment(auditor_dsn))
    try:
        notifications = application.notification_log.select(start=1, limit=10)
        assert [each.id for each in notifications] == [1, 2, 3]
        assert [application.mapper.to_domain_event(each) for each in notifications] == EVENTS
        # The same by stream.
        assert list(application.events.get(EVENTS[0].originator)) == EVENTS
        section = application.notification_log["1,2"]
        assert [each.topic for each in section.items] == ["mode.changed.v2"] * 2
    finally:
        application.close()


async def test_the_audit_runs_under_the_auditors_role(auditor_dsn: str) -> None:
    assert (await verify(auditor_dsn)).position == 3


@pytest.mark.parametrize("given", [True, False])
async def test_the_example_prints_the_first_and_the_last(auditor_dsn: str, given: bool) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "examples/auditor.py",
        *([f"--dsn={auditor_dsn}"] if given else []),
        "--limit=1",
        cwd=Path(__file__).parents[3],
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    output = (await process.communicate(b"" if given else auditor_dsn.encode() + b"\n"))[0].decode()
    assert process.returncode == 0
    assert "The log holds 3 events" in output
    assert output.count("mode.changed.v2") == 2
    assert "REDUCE_ONLY" in output


def test_every_tag_is_a_topic_of_the_library() -> None:
    register_topics()
    assert CATALOGUE
    for tag, event_type in CATALOGUE.items():
        assert resolve_topic(tag) is event_type


def test_what_cannot_be_decoded_says_which_event(migrated: str) -> None:
    recorder = BallastRecorder(migrated)
    try:
        stream = uuid4()
        recorder.insert_events(
            [StoredEvent(stream, 1, "no.such.v1", b"{}"), StoredEvent(stream, 2, "mode.changed.v2", b"{}")]
        )
        mapper = BallastMapper(None)  # pyright: ignore[reportArgumentType] - it needs no transcoder
        for each in recorder.select_notifications(None, 10):
            with pytest.raises(MapperDeserialisationError, match=str(stream)):
                mapper.to_domain_event(each)
    finally:
        recorder.close()


def test_the_mapper_writes_nothing() -> None:
    mapper = BallastMapper(None)  # pyright: ignore[reportArgumentType] - it needs no transcoder
    with pytest.raises(NotSupportedError):
        mapper.to_stored_event(EVENTS[0])  # pyright: ignore[reportArgumentType] - whatever it is
