"""Events just committed, kept in memory until they are published: bounded, in order, and never the only copy."""

from collections import deque
from collections.abc import Sequence
from time import monotonic

import msgspec

from adapters.nats.ports import EventBody

HOT_EVENTS_MAX = 32_768


class Group(msgspec.Struct, frozen=True):
    """Hold events that go out together from position `first` on, and how many of them were offered when."""

    first: int
    events: list[EventBody]
    offered: list[tuple[float, int]]


class _Chunk(msgspec.Struct, frozen=True):
    """Hold events offered together, and when, on the machine's clock: uvloop's own goes in whole milliseconds."""

    first: int
    events: Sequence[EventBody]
    offered_at_s: float

    @property
    def last(self) -> int:
        return self.first + len(self.events) - 1


class HotCopy:
    """Keep what was offered and not yet published, at most `HOT_EVENTS_MAX` events; above that, nothing."""

    def __init__(self) -> None:
        self.events = 0
        self.drops = 0
        self._chunks: deque[_Chunk] = deque()

    def keep(self, first: int, events: Sequence[EventBody]) -> None:
        """Keep events from position `first` on at their place; what is there already is kept once.

        Of two commits that end in one turn of the loop, the later may be offered first.
        """
        if self.events + len(events) > HOT_EVENTS_MAX:
            self.drops += self.events + len(events)
            self._chunks.clear()
            self.events = 0
            return
        place = len(self._chunks)
        while place and self._chunks[place - 1].first > first:
            place -= 1
        if place and self._chunks[place - 1].last >= first:
            return
        self._chunks.insert(place, _Chunk(first, events, monotonic()))
        self.events += len(events)

    def take(self, following: int, limit: int) -> Group | None:
        """Return up to `limit` events from position `following` on, and forget those before; None if it lacks them."""
        chunks = self._chunks
        while chunks and chunks[0].last < following:
            self.events -= len(chunks.popleft().events)
        if not chunks or chunks[0].first > following:
            return None
        group = Group(following, [], [])
        for chunk in chunks:
            reached = following + len(group.events)
            if chunk.first > reached:
                break
            part = chunk.events[reached - chunk.first :][: limit - len(group.events)]
            group.events.extend(part)
            group.offered.append((chunk.offered_at_s, len(part)))
            if len(group.events) == limit:
                break
        return group
