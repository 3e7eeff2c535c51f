"""What projections need from outside: the log they fold and the store that their rows are kept in."""

from collections.abc import Awaitable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

import msgspec

from projections.view import Row, View

PAGE_ROWS_MAX = 1_000
"""A reader gets at most so many rows at once."""


class CheckpointMoved(Exception):
    """Say that someone else moved a view's checkpoint: what was folded is void, start again from the store."""


class SchemaChanged(Exception):
    """Say that a read model was written by another version of its view: it must be rebuilt."""


class StoreUnreachable(Exception):
    """Say that the store cannot be reached now; nothing of the call is surely done, ask the checkpoint."""


class PositionAhead(Exception):
    """Say that a position asked for is beyond the end of the log."""


class NotThereYet(Exception):
    """Say that a read model did not reach a position in the time allowed."""

    def __init__(self, view: str, wanted: int, position: int) -> None:
        super().__init__(f"{view} is at {position}, not at {wanted} yet")
        self.view = view
        self.wanted = wanted
        self.position = position


class LoggedEvent(Protocol):
    """Show an event of the log: what a fold reads of it."""

    @property
    def position(self) -> int:
        """Return its position, counted from 1 without gaps."""
        ...

    @property
    def topic(self) -> str:
        """Return its tag."""
        ...

    @property
    def state(self) -> bytes:
        """Return its body as stored."""
        ...

    @property
    def metadata(self) -> bytes:
        """Return its metadata as stored."""
        ...


class LogPage(msgspec.Struct, frozen=True):
    """Hold the events of a stretch of the log, those left out that the reader asked to leave out.

    The stretch ends at `position`, whatever the last event in it; `last` says that it was the end of the log then.
    """

    events: Sequence[LoggedEvent]
    position: int
    last: bool


class LogReader(Protocol):
    """Read the committed log."""

    async def head(self) -> int:
        """Return the position of the last event, 0 when the log is empty."""
        ...

    async def page(self, after: int, limit: int, without: frozenset[str], until: int | None = None) -> LogPage:
        """Return the events of the positions after+1 … after+limit (and not beyond `until`), in order.

        Those with a topic in `without` are left out.
        """
        ...

    async def recorded_at_us(self, position: int) -> int | None:
        """Return when the event at a position was recorded, None when there is none."""
        ...

    async def position_at(self, at_us: int) -> int:
        """Return the position of the last event recorded at or before an instant, 0 when there is none."""
        ...


class EventTail(Protocol):
    """Follow the log."""

    async def next_batch(self, limit: int) -> Sequence[LoggedEvent]:
        """Wait for and return the next events, in order, without gaps, at least one and at most `limit`."""
        ...


class OpenTail(Protocol):
    """Begin to follow the log."""

    def __call__(self, after: int) -> AbstractAsyncContextManager[EventTail]:
        """Return a tail that begins after a position."""
        ...


class Checkpoint(msgspec.Struct, frozen=True):
    """Hold how far a view's table is, and the schema of the view that wrote it."""

    position: int
    schema: str


class ViewSnapshot(msgspec.Struct, frozen=True):
    """Hold a view's state at a position."""

    position: int
    state: bytes


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """Move one view from the position `before` to `position`: its rows, each key once, and perhaps its state."""

    view: View
    before: int
    position: int
    rows: Sequence[Row[Any]]
    snapshot: bytes | None = None


class StoredRow(msgspec.Struct, frozen=True):
    """Show a row as it is read: `document` is JSON."""

    key: str
    sort: int
    position: int
    open: bool
    document: bytes


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """Ask for a page: up to `limit` rows after a cursor, in the order of the listing (oldest first).

    `newest_first` turns the order round. `field` names one of the view's lookups and `equals` the text it must have.
    """

    after: str = ""
    limit: int = 100
    newest_first: bool = False
    open: bool | None = None
    field: str = ""
    equals: str = ""


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """Answer a query as the view stood at one position: `next` is the cursor of the next page, empty at the end."""

    rows: Sequence[StoredRow]
    next: str
    as_of_position: int
    as_of_us: int | None


class ViewStore(Protocol):
    """Keep read models."""

    async def checkpoints(self, names: Sequence[str]) -> Mapping[str, Checkpoint]:
        """Return how far these views are; one that was never written is left out."""
        ...

    async def apply(self, changes: Sequence[Change]) -> None:
        """Write rows, snapshots and checkpoints of all these changes, or nothing.

        Raise `CheckpointMoved` when a view is not at the change's `before`.
        """
        ...

    async def snapshot(self, view: View, at_or_before: int) -> ViewSnapshot | None:
        """Return the last state kept at or before a position, if any is kept of this schema."""
        ...

    async def page(self, view: View, query: Query) -> Page:
        """Answer a query from the table and its checkpoint, read at one moment. Raise ValueError for a bad query."""
        ...

    async def closed_before(self, view: View, position: int, query: Query) -> Sequence[StoredRow]:
        """Return the first `query.limit + 1` rows that were closed at or before a position; they never change again."""
        ...


class CheckpointWatch(Protocol):
    """Wait for read models to get somewhere."""

    def wait_for(self, view: str, position: int, timeout_s: float) -> Awaitable[int]:
        """Return a view's position once it is at least `position`; raise `NotThereYet` when the time is over."""
        ...


class Bookmark(msgspec.Struct, frozen=True):
    """Hold a position that a worker keeps, and what it counts in (a generation of a stream), empty for the log."""

    position: int
    of: str = ""


class Bookmarks(Protocol):
    """Keep bookmarks."""

    async def load(self, name: str) -> Bookmark:
        """Return a bookmark, position 0 when it was never kept."""
        ...

    async def save(self, name: str, bookmark: Bookmark) -> None:
        """Keep a bookmark."""
        ...


class Shadow(Protocol):
    """Build a view's table anew beside the one that is read, then take its place."""

    async def begin(self, view: View) -> None:
        """Start an empty table, dropping what an earlier attempt left."""
        ...

    async def apply(self, change: Change) -> None:
        """Write rows and snapshots into the new table."""
        ...

    def swap(self, view: View) -> "AbstractAsyncContextManager[Swap]":
        """Hold the view's checkpoint still; on a clean exit the new table has taken the old one's place."""
        ...


class Swap(Protocol):
    """Finish a rebuild while the view stands still."""

    @property
    def live_position(self) -> int:
        """Return where the table that is read stands."""
        ...

    async def apply(self, change: Change) -> None:
        """Write the last rows, in the transaction of the swap."""
        ...
