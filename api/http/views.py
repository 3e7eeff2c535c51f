"""Views as the API reads them: the table now, the fold then, and the log itself as `events`."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from uuid import UUID

import msgspec

from api.http.ports import Moment, PageQuery, Row, ViewPage, ViewRefused
from domain.codec import UPCASTERS
from domain.event import CATALOGUE
from domain.instant import rfc3339
from domain.refusal import Unavailable
from projections.catalogue import VIEWS
from projections.folding import CannotFold
from projections.history import as_of
from projections.ports import (
    CheckpointWatch,
    LoggedEvent,
    LogReader,
    NotThereYet,
    PositionAhead,
    Query,
    SchemaChanged,
    StoreUnreachable,
    ViewStore,
)

EVENTS = "events"
WATCHED_FOR_EVENTS = "mode"
SCAN_POSITIONS = 5_000
SCANS_MAX = 20
"""A page of events looks through at most SCANS_MAX stretches for its topic; `next` goes on from there."""

POSITION_MAX = (1 << 63) - 1


class LoggedViews:
    """Answer the `Views` port from a store of read models and the log."""

    def __init__(self, store: ViewStore, reader: LogReader, watch: CheckpointWatch) -> None:
        self._store = store
        self._reader = reader
        self._watch = watch

    async def page(self, view: str, query: PageQuery) -> ViewPage:
        """Return a page of a view, or of the log for `events`."""
        async with _readable():
            position = None if query.at is None else await self._position(query.at)
            if view == EVENTS:
                return await self._events(query, position)
            asked = Query(
                after=query.after,
                limit=query.limit,
                newest_first=query.newest_first,
                open=query.open,
                field=query.field,
                equals=query.equals,
            )
            try:
                if position is None:
                    page = await self._store.page(VIEWS[view], asked)
                else:
                    page = await as_of(VIEWS[view], position, asked, self._store, self._reader)
            except ValueError as error:
                raise ViewRefused("bad_query", str(error)) from error
            rows = [row.document for row in page.rows]
            return ViewPage(as_of_position=page.as_of_position, as_of_us=page.as_of_us, rows=rows, next=page.next)

    async def _position(self, at: Moment) -> int:
        if at.at_us is not None:
            return await self._reader.position_at(at.at_us)
        position = at.position or 0
        if position > await self._reader.head():
            raise ViewRefused("at_ahead", f"the log ends before position {position}")
        return position

    async def _events(self, query: PageQuery, until: int | None) -> ViewPage:
        if query.newest_first or query.open is not None or query.field:
            raise ViewRefused("bad_query", "events are read in order, by `after`, `limit` and `topic`")
        after = _position(query.after)
        without = _others(query.topic)
        end = await self._reader.head() if until is None else until
        rows: list[bytes] = []
        for _ in range(SCANS_MAX):
            if after >= end or len(rows) >= query.limit:
                break
            stretch = SCAN_POSITIONS if query.topic else query.limit - len(rows)
            page = await self._reader.page(after, stretch, without, end)
            if page.position == after:
                break
            after = page.position
            for event in page.events:
                if not _matches(event.topic, query.topic):
                    continue
                if len(rows) == query.limit:
                    after = event.position - 1
                    break
                rows.append(_event_row(event))
        recorded_at = await self._reader.recorded_at_us(end) if end else None
        following = str(after) if after < end else ""
        return ViewPage(as_of_position=end, as_of_us=recorded_at, rows=rows, next=following)

    async def wait_for(self, view: str, position: int, timeout_s: float) -> bool:
        """Return whether the view, or the log for `events`, got to a position in time."""
        async with _readable():
            if view == EVENTS and await self._reader.head() >= position:
                return True
            # Whatever a view has folded is in the log, so any view tells of its growth.
            watched = WATCHED_FOR_EVENTS if view == EVENTS else view
            try:
                await self._watch.wait_for(watched, position, timeout_s)
            except NotThereYet:
                return False
            return True

    async def request(self, quote_id: UUID) -> Row | None:
        """Return the request that used a quote."""
        page = await self.page("requests", PageQuery(limit=1, field="quote_id", equals=str(quote_id)))
        return msgspec.json.decode(page.rows[0]) if page.rows else None

    async def head(self) -> tuple[int, int | None]:
        """Return the end of the log."""
        async with _readable():
            position = await self._reader.head()
            return position, await self._reader.recorded_at_us(position) if position else None


@asynccontextmanager
async def _readable() -> AsyncGenerator[None]:
    try:
        yield
    except PositionAhead as error:
        raise ViewRefused("at_ahead", str(error)) from error
    except (StoreUnreachable, SchemaChanged, CannotFold) as error:
        raise Unavailable(str(error)) from error


def _position(text: str) -> int:
    if not text:
        return 0
    if not (text.isascii() and text.isdecimal()) or int(text) > POSITION_MAX:
        raise ViewRefused("bad_after", "`after` is a position")
    return int(text)


def _matches(topic: str, wanted: str) -> bool:
    return not wanted or topic == wanted or topic.startswith(f"{wanted}.")


def _others(wanted: str) -> frozenset[str]:
    """Return the known tags that a topic (`fill`, `fill.recorded` or `fill.recorded.v1`) leaves out."""
    known = frozenset(CATALOGUE) | frozenset(UPCASTERS)
    matching = frozenset(topic for topic in known if _matches(topic, wanted))
    if not matching:
        raise ViewRefused("bad_topic", f"no event is called {wanted!r}")
    return known - matching


class _Event(msgspec.Struct, frozen=True):
    position: int
    topic: str
    state: msgspec.Raw
    metadata: msgspec.Raw


def _event_row(event: LoggedEvent) -> bytes:
    return msgspec.json.encode(
        _Event(event.position, event.topic, msgspec.Raw(event.state), msgspec.Raw(event.metadata or b"{}"))
    )


def at_text(at_us: int | None) -> str | None:
    """Write the time of an answer, None for an empty log."""
    return None if at_us is None else rfc3339(at_us)
