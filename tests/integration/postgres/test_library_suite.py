"""The `eventsourcing` library's own test classes, against our recorders."""

import threading
from uuid import UUID, uuid4

import pytest
from eventsourcing.persistence import (
    IntegrityError,
    InterfaceError,
    NotSupportedError,
    OperationalError,
    StoredEvent,
    Tracking,
)
from eventsourcing.tests.persistence import (
    AggregateRecorderTestCase,
    ApplicationRecorderTestCase,
    NonInterleavingNotificationIDsBaseCase,
)

from adapters.postgres.recorder import BallastRecorder
from adapters.postgres.snapshot_recorder import BallastSnapshotRecorder


class TestApplicationRecorder(ApplicationRecorderTestCase[BallastRecorder]):
    @pytest.fixture(autouse=True)
    def _database(self, database: str) -> None:
        self._dsn = database

    def create_recorder(self) -> BallastRecorder:
        recorder = BallastRecorder(self._dsn)
        self.addCleanup(recorder.close)
        return recorder

    def test_insert_subscribe(self) -> None:
        self.optional_test_insert_subscribe()


class TestNonInterleaving(NonInterleavingNotificationIDsBaseCase):
    @pytest.fixture(autouse=True)
    def _database(self, database: str) -> None:
        self._dsn = database

    def create_recorder(self) -> BallastRecorder:
        recorder = BallastRecorder(self._dsn)
        self.addCleanup(recorder.close)
        return recorder


class TestAggregateRecorder(AggregateRecorderTestCase):
    @pytest.fixture(autouse=True)
    def _database(self, database: str) -> None:
        self._dsn = database

    def create_recorder(self) -> BallastSnapshotRecorder:
        recorder = BallastSnapshotRecorder(self._dsn)
        self.addCleanup(recorder.close)
        return recorder


def event(version: int = 1, originator: UUID | None = None, state: bytes = b"\x00\xff") -> StoredEvent:
    return StoredEvent(originator or uuid4(), version, "any topic: even this", state)


def test_close_is_idempotent_and_leaves_no_thread(database: str) -> None:
    before = set(threading.enumerate())
    recorder = BallastRecorder(database)
    subscription = recorder.subscribe()
    recorder.insert_events([event()])
    with subscription:
        next(subscription)
    left_open = recorder.subscribe()
    next(left_open)
    recorder.close()
    recorder.close()
    assert set(threading.enumerate()) == before
    with pytest.raises(InterfaceError):
        recorder.max_notification_id()
    with pytest.raises(InterfaceError):
        recorder.insert_events([event()])


@pytest.mark.parametrize("first", [0, 1])
def test_streams_start_at_zero_or_one_and_have_no_gaps(database: str, first: int) -> None:
    recorder, stream = BallastRecorder(database), uuid4()
    try:
        assert list(recorder.insert_events([event(first, stream), event(first + 1, stream)])) == [1, 2]
        for wrong in (first, first + 1, first + 3):
            with pytest.raises(IntegrityError):
                recorder.insert_events([event(wrong, stream)])
        with pytest.raises(IntegrityError):
            recorder.insert_events([event(5)])
        assert list(recorder.insert_events([event(first + 2, stream)])) == [3]
    finally:
        recorder.close()


def test_a_stream_of_an_earlier_writer_is_looked_up(database: str) -> None:
    stream = uuid4()
    for version in (1, 2, 3):
        recorder = BallastRecorder(database)
        try:
            with pytest.raises(IntegrityError):
                recorder.insert_events([event(version + 1, stream)])
            recorder.insert_events([event(version, stream)])
        finally:
            recorder.close()


def test_one_conflict_among_many_fails_alone(database: str) -> None:
    recorder, taken = BallastRecorder(database), uuid4()
    try:
        recorder.insert_events([event(1, taken)])
        outcomes: dict[int, object] = {}
        start = threading.Barrier(24)

        def insert(number: int) -> None:
            start.wait()
            try:
                outcomes[number] = list(recorder.insert_events([event(1, taken if number % 4 == 0 else None)]))
            except IntegrityError as error:
                outcomes[number] = error

        threads = [threading.Thread(target=insert, args=(number,)) for number in range(24)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        failed = {number for number, outcome in outcomes.items() if isinstance(outcome, IntegrityError)}
        assert failed == {0, 4, 8, 12, 16, 20}
        positions = [each.id for each in recorder.select_notifications(None, 100)]
        assert positions == list(range(1, 20))
    finally:
        recorder.close()


def test_a_recorder_that_was_taken_over_stops_and_a_reading_one_takes_nothing(database: str) -> None:
    first, second, reading = BallastRecorder(database), BallastRecorder(database), BallastRecorder(database)
    try:
        first.insert_events([event()])
        assert reading.max_notification_id() == 1
        first.insert_events([event()])
        second.insert_events([event()])
        for _ in range(2):
            with pytest.raises(OperationalError):
                first.insert_events([event()])
        assert list(second.insert_events([event()])) == [4]
    finally:
        for recorder in (first, second, reading):
            recorder.close()


def test_what_the_recorder_does_not_know_is_refused(database: str) -> None:
    recorder = BallastRecorder(database)
    try:
        with pytest.raises(NotSupportedError, match="tracking"):
            recorder.insert_events([event()], tracking=Tracking("upstream", 1))
    finally:
        recorder.close()
