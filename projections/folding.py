"""Folding several views over one log at once: each event is decoded once, rows of a run are written once per key."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from domain.codec import UPCASTERS, UnknownTopic, decode_event
from domain.event import CATALOGUE, Event
from domain.instant import parse_rfc3339
from projections.ports import Change, LoggedEvent
from projections.view import Row, Shared, Step, View, current_topic

SNAPSHOT_EVENTS = 50_000
"""A state is kept about every so many positions: the most that an answer from history folds."""


class CannotFold(Exception):
    """Say which event a fold stopped at: it is unknown, unreadable or not the next one. Nothing is ever skipped."""

    def __init__(self, position: int, topic: str, why: str) -> None:
        super().__init__(f"cannot fold position {position} ({topic}): {why}")
        self.position = position
        self.topic = topic


class _Times(msgspec.Struct, frozen=True, gc=False):
    at: str
    recorded_at: str


_read_times = msgspec.json.Decoder(_Times).decode


class Fold:
    """Hold one view's place in the log: its state, and the rows that changed since they were last taken."""

    def __init__(self, view: View, state: Any, position: int, *, snapshot_position: int | None = None) -> None:
        self.view = view
        self.state = state
        self.position = position
        self.changed: dict[str, Row[Any]] = {}
        self._taken_position = position
        self._snapshot_position = position if snapshot_position is None else snapshot_position
        self._stale = False

    def step(self, step: Step, event: Any, position: int, at_us: int) -> None:
        """Fold one event that the view needs."""
        for row in step(self.state, event, position, at_us):
            self.changed[row.key] = row
        self._stale = True

    def moved(self) -> None:
        """Note that the state moved without a step of the view's own."""
        self._stale = True

    def render(self) -> None:
        """Write what follows from the state, if it moved."""
        if self._stale and self.view.render is not None:
            for row in self.view.render(self.state):
                self.changed[row.key] = row
        self._stale = False

    def take(self) -> Change:
        """Return what changed since the last call; a state rides along when enough events went by."""
        self.render()
        snapshot = None
        if self.position - self._snapshot_position >= SNAPSHOT_EVENTS:
            snapshot, self._snapshot_position = self.view.freeze(self.state), self.position
        change = Change(
            view=self.view,
            before=self._taken_position,
            position=self.position,
            rows=tuple(self.changed.values()),
            snapshot=snapshot,
        )
        self.changed = {}
        self._taken_position = self.position
        return change


def start(view: View) -> Fold:
    """Return a fold at the beginning of the log."""
    return Fold(view, view.initial(), 0)


class _Part:
    """Hold what several folds at one position share: it is folded once, for all of them."""

    def __init__(self, shared: Shared, folds: Sequence[Fold]) -> None:
        self._steps = {event_type.TOPIC: step for event_type, step in shared.steps.items()}
        self._folds = folds
        self._state = getattr(folds[0].state, shared.field)
        for fold in folds[1:]:
            setattr(fold.state, shared.field, self._state)

    @property
    def topics(self) -> frozenset[str]:
        """Return the tags of the events that it needs."""
        return frozenset(self._steps)

    def step(self, topic: str, event: Event, position: int, at_us: int) -> None:
        """Fold one event, unless it was seen."""
        if position > self._folds[0].position:
            self._steps[topic](self._state, event, position, at_us)
            for fold in self._folds:
                fold.moved()


def _parts(folds: Sequence[Fold]) -> tuple[_Part, ...]:
    parts: list[tuple[Shared, list[Fold]]] = []
    for fold in folds:
        shared = fold.view.shared
        if shared is None:
            continue
        found = (group for each, group in parts if each is shared and group[0].position == fold.position)
        group = next(found, None)
        if group is None:
            parts.append((shared, [fold]))
        else:
            group.append(fold)
    return tuple(_Part(shared, sharing) for shared, sharing in parts)


class Folding:
    """Fold runs of events into several views, each from its own place on; what views share is folded once."""

    def __init__(self, folds: Sequence[Fold]) -> None:
        self.folds = tuple(folds)
        self.recorded_at = ""
        self._steps: dict[str, list[tuple[Fold, Step]]] = {}
        self._shared: dict[str, list[_Part]] = {}
        parts = _parts(self.folds)
        for topic in known_topics():
            wanted = current_topic(topic)
            self._shared[topic] = [part for part in parts if wanted in part.topics]
            self._steps[topic] = [
                (fold, step)
                for fold in self.folds
                for event_type, step in fold.view.steps.items()
                if wanted == event_type.TOPIC
            ]

    @property
    def unneeded(self) -> frozenset[str]:
        """Return the known tags that no view needs; an unknown tag is never among them, so that it is seen."""
        return frozenset(topic for topic, steps in self._steps.items() if not steps and not self._shared[topic])

    @property
    def position(self) -> int:
        """Return the position of the view that is furthest behind."""
        return min(fold.position for fold in self.folds)

    def fold(self, events: Iterable[LoggedEvent], position: int) -> None:
        """Fold the events of a stretch that ends at `position`, in order; what a view has seen is passed over.

        Raise `CannotFold` for an event that cannot be folded. The states are void then.
        """
        steps_by_topic = self._steps
        for stored in events:
            steps = steps_by_topic.get(stored.topic)
            if steps is None:
                raise CannotFold(stored.position, stored.topic, "this version does not know the tag")
            parts = self._shared[stored.topic]
            if not steps and not parts:
                continue
            event, at_us = read_event(stored)
            for part in parts:
                part.step(event.TOPIC, event, stored.position, at_us)
            for fold, step in steps:
                if stored.position > fold.position:
                    fold.step(step, event, stored.position, at_us)
        for fold in self.folds:
            fold.position = max(fold.position, position)

    def follow(self, events: Sequence[LoggedEvent]) -> None:
        """Fold the next events of the log, all of them, none left out.

        Raise `CannotFold` when they do not follow the position of the view that is furthest behind.
        """
        for expected, stored in enumerate(events, self.position + 1):
            if stored.position != expected:
                raise CannotFold(stored.position, stored.topic, f"the next position is {expected}")
        if events:
            self.fold(events, events[-1].position)
            self.recorded_at = _read_times(events[-1].metadata).recorded_at

    def take(self) -> tuple[Change, ...]:
        """Return what changed in every view since the last call."""
        return tuple(fold.take() for fold in self.folds)


def read_event(stored: LoggedEvent) -> tuple[Event, int]:
    """Return an event and when it was decided (microseconds since the Unix epoch); raise `CannotFold`."""
    try:
        return decode_event(stored.topic, stored.state), parse_rfc3339(_read_times(stored.metadata).at)
    except (UnknownTopic, msgspec.DecodeError, ValueError) as error:
        raise CannotFold(stored.position, stored.topic, str(error)) from error


def known_topics() -> frozenset[str]:
    """Return every tag that this version can read, old ones too."""
    return frozenset(CATALOGUE) | frozenset(UPCASTERS)
