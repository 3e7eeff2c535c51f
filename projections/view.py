"""A view: a pure fold of the log into rows that a reader can page through.

A view's state holds only what may still change. `Rows.keep` writes a row and keeps it, `Rows.close` writes a row for
the last time and lets it go: a closed row never changes again, which is what lets history be answered from the table.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Generic, TypeVar

import msgspec

from domain.codec import UPCASTERS, decoder, schema_fingerprint
from domain.event import Event
from domain.quantity import plain

D = TypeVar("D")


class Row(msgspec.Struct, Generic[D], frozen=True, gc=False):
    """Hold one row as an upsert: `sort` is its place in the listing and never changes, `position` is its last change.

    `open` says that the row may still change. A row that is rendered from the state keeps the position of its place.
    """

    key: str
    sort: int
    position: int
    open: bool
    document: D


class Rows(msgspec.Struct, Generic[D]):
    """Hold the open rows of a view, oldest first. Owned by one fold, updated in place, never shared."""

    rows: dict[str, Row[D]] = {}

    def keep(self, key: str, position: int, document: D, *, sort: int = 0) -> tuple[Row[D], ...]:
        """Write a row that may change again; a new one takes its place in the listing at `sort`, else at `position`."""
        held = self.rows.get(key)
        row = Row(key, (sort or position) if held is None else held.sort, position, open=True, document=document)
        self.rows[key] = row
        return (row,)

    def close(self, key: str, position: int, document: D) -> tuple[Row[D], ...]:
        """Write a row for the last time."""
        held = self.rows.pop(key, None)
        return (Row(key, position if held is None else held.sort, position, open=False, document=document),)

    def find(self, key: str) -> D | None:
        """Return an open row's document, None when nothing is open under that key."""
        held = self.rows.get(key)
        return None if held is None else held.document


class LateRows(Rows[D]):
    """Hold rows that are written once after a run of events: for few rows that nearly every event changes."""

    touched: dict[str, tuple[int, int, int]] = msgspec.field(default_factory=dict[str, tuple[int, int, int]])

    def touch(self, key: str, position: int, at_us: int) -> None:
        """Note that a row changes."""
        held = self.touched.get(key)
        self.touched[key] = (position if held is None else held[0], position, at_us)

    def write(self, document: Callable[[str, int], D]) -> tuple[Row[D], ...]:
        """Write the rows that changed; `document` makes one of its key and the instant of its last change."""
        rows: tuple[Row[D], ...] = ()
        for key, (first, position, at_us) in self.touched.items():
            rows += self.keep(key, position, document(key, at_us), sort=first)
        self.touched = {}
        return rows


Step = Callable[[Any, Any, int, int], tuple[Row[Any], ...]]
"""Folds one event: (state, event, position, at_us) -> the rows to write."""


@dataclass(frozen=True, kw_only=True)
class Shared:
    """Describe a part of a state that several views fold alike: one fold of it does for all at the same position.

    The states hold it in `field`; `steps` folds each type of event that it needs into it, and writes no rows.
    """

    field: str
    steps: Mapping[type[Event], Callable[[Any, Any, int, int], None]]


@dataclass(frozen=True, kw_only=True)
class View:
    """Describe a view: `document` is the type of its rows' documents, `state` the type of its state.

    `steps` folds each type of event that the view needs; other events only move its position. `lookups` are the fields
    of the document that rows can be asked by. `render`, if given, writes what follows from the state alone, once after
    each run of events instead of after each event. What the state holds of `shared` is folded before its own steps.
    """

    name: str
    document: Any
    state: Any
    steps: Mapping[type[Event], Step]
    lookups: frozenset[str] = field(default_factory=frozenset[str])
    render: Callable[[Any], tuple[Row[Any], ...]] | None = None
    shared: Shared | None = None

    @property
    def topics(self) -> frozenset[str]:
        """Return the tags of the events that the view needs decoded."""
        shared = () if self.shared is None else self.shared.steps
        return frozenset(event_type.TOPIC for event_type in (*self.steps, *shared))

    @property
    def schema(self) -> str:
        """Return the fingerprint of the state's shape; a snapshot or table of another shape is not read."""
        return schema_fingerprint(self.state)

    def initial(self) -> Any:
        """Return the state before the first event."""
        return self.state()

    def fold(self, state: Any, event: Event, position: int, at_us: int) -> tuple[Row[Any], ...]:
        """Fold one event, decided at `at_us`, into the state, alone; return the rows it writes."""
        if self.shared is not None and type(event) in self.shared.steps:
            self.shared.steps[type(event)](getattr(state, self.shared.field), event, position, at_us)
        step = self.steps.get(type(event))
        return () if step is None else step(state, event, position, at_us)

    def freeze(self, state: Any) -> bytes:
        """Return a state's bytes. Keys stay in their order, which the folds rely on, and need not be text."""
        return _freeze(state)

    def thaw(self, frozen: bytes) -> Any:
        """Return the state of these bytes, its rows in the order in which folding left them."""
        return decoder(self.state).decode(frozen)


def _exact(value: object) -> str:
    if isinstance(value, Decimal):
        return plain(value)
    raise NotImplementedError(f"no exact form for {type(value).__name__}")


_freeze = msgspec.json.Encoder(enc_hook=_exact).encode


def current_topic(topic: str) -> str:
    """Return the tag that a tag's documents have after upcasting."""
    while topic in UPCASTERS:
        topic = UPCASTERS[topic][0]
    return topic
