"""A replica folds what its owner needs, and knows where it is whatever it passes over."""

from collections.abc import Sequence

import pytest

from api.replica import Replica, restore_replica
from domain.book import Book
from domain.codec import encode
from domain.log import Snapshot, StoredEvent
from domain.refusal import Broken
from tests.support.desk import Desk, as_read

QUOTES = frozenset({"quote.issued.v3", "quote.used.v1"})


class Log:
    """The log of a desk, as followers read it."""

    def __init__(self, stored: Sequence[StoredEvent]) -> None:
        self.stored = stored

    async def load_snapshot(self, name: str, schema: str) -> Snapshot | None:
        return None

    async def read(self, after: int, limit: int) -> Sequence[StoredEvent]:
        return self.stored[after : after + limit]


@pytest.fixture
def log() -> Log:
    desk = Desk()
    desk.held()
    desk.quote("1")
    return Log(as_read(desk.stored, 1))


async def test_a_replica_is_the_book(log: Log) -> None:
    replica = await restore_replica(log)
    assert replica.position == len(log.stored)
    assert replica.book.quotes


async def test_what_is_passed_over_is_not_folded_and_nothing_else_is_missed(log: Log) -> None:
    whole, lean = await restore_replica(log), await restore_replica(log, QUOTES)
    assert lean.position == whole.position
    assert not lean.book.quotes
    for name in ("policy", "limits", "requests", "positions", "backing", "onchain", "outside"):
        assert encode(getattr(lean.book, name)) == encode(getattr(whole.book, name)), name


def test_a_missing_event_is_found_also_among_those_passed_over(log: Log) -> None:
    (quote, *_) = [event for event in log.stored if event.topic in QUOTES]
    with pytest.raises(Broken):
        Replica(Book(), quote.position - 2, QUOTES).fold(quote)
