"""Read models and a log in memory: held to the contract of the Postgres ones by tests/contract/test_view_store.py."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from domain.log import StoredEvent
from projections.ports import (
    Change,
    Checkpoint,
    CheckpointMoved,
    LogPage,
    NotThereYet,
    Page,
    Query,
    SchemaChanged,
    StoredRow,
    ViewSnapshot,
)
from projections.query import cut, matching
from projections.view import Row, View


class MemoryLog:
    """A log that grows, its reader and its tail."""

    def __init__(self, events: Sequence[StoredEvent] = ()) -> None:
        self.events = list(events)
        self._grew = asyncio.Event()

    def extend(self, events: Sequence[StoredEvent]) -> None:
        self.events.extend(events)
        self._grew.set()

    async def head(self) -> int:
        return len(self.events)

    async def page(self, after: int, limit: int, without: frozenset[str], until: int | None = None) -> LogPage:
        end = min(after + limit, len(self.events) if until is None else until, len(self.events))
        events = [event for event in self.events[after:end] if event.topic not in without]
        return LogPage(events=events, position=max(end, after), last=end >= len(self.events))

    async def recorded_at_us(self, position: int) -> int | None:
        return self.events[position - 1].recorded_at_us if 1 <= position <= len(self.events) else None

    async def position_at(self, at_us: int) -> int:
        return max((event.position for event in self.events if event.recorded_at_us <= at_us), default=0)

    @asynccontextmanager
    async def tail(self, after: int) -> AsyncGenerator["MemoryTail"]:
        yield MemoryTail(self, after)

    async def grown(self) -> None:
        self._grew.clear()
        await self._grew.wait()


class MemoryTail:
    def __init__(self, log: MemoryLog, after: int) -> None:
        self._log = log
        self._position = after

    async def next_batch(self, limit: int) -> Sequence[StoredEvent]:
        while len(self._log.events) <= self._position:
            await self._log.grown()
        batch = self._log.events[self._position : self._position + limit]
        self._position += len(batch)
        return batch


class MemoryViewStore:
    """Tables, checkpoints and snapshots as dicts; every call is one moment."""

    def __init__(self, log: MemoryLog) -> None:
        self.log = log
        self.rows: dict[str, dict[str, Row[Any]]] = {}
        self.places: dict[str, Checkpoint] = {}
        self.states: dict[tuple[str, str], dict[int, bytes]] = {}
        self.applied = 0
        self._moved = asyncio.Event()

    async def checkpoints(self, names: Sequence[str]) -> Mapping[str, Checkpoint]:
        return {name: self.places[name] for name in names if name in self.places}

    async def apply(self, changes: Sequence[Change]) -> None:
        for change in changes:
            place = self.places.get(change.view.name, Checkpoint(0, change.view.schema))
            if place.schema != change.view.schema:
                raise SchemaChanged(change.view.name)
            if place.position != change.before:
                raise CheckpointMoved(f"{change.view.name} is at {place.position}, not at {change.before}")
        for change in changes:
            name = change.view.name
            self.rows.setdefault(name, {}).update({row.key: row for row in change.rows})
            self.places[name] = Checkpoint(change.position, change.view.schema)
            if change.snapshot is not None:
                self.states.setdefault((name, change.view.schema), {})[change.position] = change.snapshot
        self.applied += 1
        self._moved.set()

    async def snapshot(self, view: View, at_or_before: int) -> ViewSnapshot | None:
        kept = self.states.get((view.name, view.schema), {})
        best = max((position for position in kept if position <= at_or_before), default=None)
        return None if best is None else ViewSnapshot(best, kept[best])

    async def page(self, view: View, query: Query) -> Page:
        rows, following = cut(matching(view, self.rows.get(view.name, {}).values(), query), query)
        position = self.places[view.name].position if view.name in self.places else 0
        at = await self.log.recorded_at_us(position)
        return Page(rows=rows, next=following, as_of_position=position, as_of_us=at)

    async def closed_before(self, view: View, position: int, query: Query) -> Sequence[StoredRow]:
        closed = [row for row in self.rows.get(view.name, {}).values() if not row.open and row.position <= position]
        return matching(view, closed, query)

    async def wait_for(self, view: str, position: int, timeout_s: float) -> int:
        try:
            async with asyncio.timeout(timeout_s):
                while self._position(view) < position:
                    self._moved.clear()
                    await self._moved.wait()
        except TimeoutError:
            raise NotThereYet(view, position, self._position(view)) from None
        return self._position(view)

    def _position(self, view: str) -> int:
        return self.places[view].position if view in self.places else 0
