"""Given events, which rows? What tests of projections share."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from benchmarks.mint_log import START_US, events, stored
from domain.codec import encode
from domain.event import Event
from domain.log import StoredEvent
from projections.folding import Fold, Folding, start
from projections.history import as_of
from projections.ports import LogReader, Page, Query, StoredRow, ViewStore
from projections.view import View

SECOND_US = 1_000_000


def logged(*told: Event | tuple[Event, int]) -> list[StoredEvent]:
    """Store these events, one a second unless they say when they were decided (seconds after the start)."""
    timed = [
        (each[0], START_US + each[1] * SECOND_US) if isinstance(each, tuple) else (each, START_US + index * SECOND_US)
        for index, each in enumerate(told)
    ]
    return list(stored(iter(timed), len(timed)))


def busy_log(count: int, seed: int = 7) -> list[StoredEvent]:
    """Return the log of a busy book."""
    return list(stored(events(seed), count))


def folded(view: View, log: Sequence[StoredEvent]) -> Fold:
    """Fold a log in one run; `changed` holds every row ever written."""
    fold = start(view)
    Folding((fold,)).fold(log, len(log))
    fold.render()
    return fold


def table(view: View, *told: Event | tuple[Event, int]) -> dict[str, tuple[bool, dict[str, Any]]]:
    """Return {key: (open, document)} after these events."""
    fold = folded(view, logged(*told))
    return {key: (row.open, msgspec.json.decode(encode(row.document))) for key, row in fold.changed.items()}


def lines(view: View, *told: Event | tuple[Event, int]) -> list[dict[str, Any]]:
    """Return the documents after these events, in the order of the listing."""
    fold = folded(view, logged(*told))
    rows = sorted(fold.changed.values(), key=lambda row: (row.sort, row.key))
    return [msgspec.json.decode(encode(row.document)) for row in rows]


Shown = tuple[str, int, int, bool, Any]


def shown(rows: Iterable[StoredRow]) -> list[Shown]:
    """Return rows with their documents decoded, so that the spelling of JSON does not matter."""
    return [(row.key, row.sort, row.position, row.open, msgspec.json.decode(row.document)) for row in rows]


def shown_fold(fold: Fold) -> list[Shown]:
    """Return every row that a fold wrote, in the order of the listing."""
    rows = sorted(fold.changed.values(), key=lambda row: (row.sort, row.key))
    return shown(StoredRow(row.key, row.sort, row.position, row.open, encode(row.document)) for row in rows)


async def whole_table(view: View, store: ViewStore, limit: int = 1_000) -> list[Shown]:
    """Page through a table from end to end."""
    rows: list[StoredRow] = []
    after = ""
    while True:
        page: Page = await store.page(view, Query(after=after, limit=limit))
        rows += page.rows
        after = page.next
        if not after:
            return shown(rows)


async def whole_history(
    view: View, position: int, store: ViewStore, reader: LogReader, limit: int = 1_000
) -> list[Shown]:
    """Page through a view as it stood at a position."""
    rows: list[StoredRow] = []
    after = ""
    while True:
        page = await as_of(view, position, Query(after=after, limit=limit), store, reader)
        rows += page.rows
        after = page.next
        if not after:
            return shown(rows)
