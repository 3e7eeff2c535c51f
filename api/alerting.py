"""The watch's loop: causes in the log become alerts in the log, alerts in the log are told on the bus.

Two bookmarks. `alert.raise`: every cause up to it has its `alert.raised` in the log; it does not pass a cause whose
alert was only sent, so that a lost INBOX is healed by sending again. `alert.publish`: every alert up to it was taken by
ALERTS; when ALERTS was made anew, all are told again. Both only move after the fact, so that a crash repeats, and ids
that derive from causes make repetition harmless.
"""

import asyncio
from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

import msgspec

from api.projecting import RETRY_S, next_batch, pause
from domain.codec import encode
from domain.refusal import Unavailable, Unknown
from domain.watch import AlertRaised, Severity
from projections.alert_causes import Candidate
from projections.alert_rules import WATCHED_TOPICS, ExposureWatch, candidate
from projections.exposure import EXPOSURE, Exposures
from projections.folding import known_topics, read_event
from projections.history import fold_at
from projections.ports import (
    Bookmark,
    Bookmarks,
    LoggedEvent,
    LogReader,
    OpenTail,
    PositionAhead,
    StoreUnreachable,
    ViewStore,
)
from projections.view import current_topic

SEND_AGAIN_S = 5.0
"""An alert that did not come into the log by then is sent again."""
KEEP_S = 1.0
"""Bookmarks are kept about so often."""
PAGE_EVENTS = 5_000
PENDING_MAX = 1_000
"""So many alerts wait at most before they are sent, while catching up."""
RAISE, PUBLISH = "alert.raise", "alert.publish"
SOURCE = "watch"


class Told(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Show an alert as it stands on the bus; `position` is its own in the log, `cause_position` its cause's."""

    alert_id: UUID
    severity: Severity
    area: str
    subject: str
    text: str
    cause_position: int
    position: int


class Facts(Protocol):
    """Publish facts for the core (INBOX)."""

    async def publish(self, source: str, kind: str, natural_key: str, body: bytes) -> object:
        """Return once the fact is held; the same key again changes nothing."""
        ...


class Generation(Protocol):
    """Describe a stream as found."""

    @property
    def generation(self) -> str:
        """Return what changes when the stream is made anew."""
        ...


class AlertBus(Protocol):
    """Publish alerts (ALERTS)."""

    async def ensure(self) -> Generation:
        """Make the stream if it is missing, and describe it."""
        ...

    async def publish(self, severity: str, area: str, alert_id: str, body: bytes) -> object:
        """Return once the alert is held; the same id again changes nothing."""
        ...


class Watched(msgspec.Struct, frozen=True):
    """Say how far the watch is and what it did: facts sent, alerts told, and how often it began again."""

    position: int
    pending: int
    sent: int
    told: int
    restarts: int


class AlertWatch:
    """Turn causes into alerts and tell them. Run it once; it ends when told to stop or when broken."""

    def __init__(
        self,
        *,
        reader: LogReader,
        store: ViewStore,
        tail: OpenTail,
        bookmarks: Bookmarks,
        facts: Facts,
        bus: AlertBus,
    ) -> None:
        self._reader = reader
        self._store = store
        self._tail = tail
        self._bookmarks = bookmarks
        self._facts = facts
        self._bus = bus
        self._position = 0
        self._told_position = 0
        self._generation = ""
        self._exposure = ExposureWatch(Exposures())
        self._pending: dict[UUID, Candidate] = {}
        self._sent = 0
        self._told = 0
        self._restarts = 0
        self._kept_at = 0.0

    @property
    def progress(self) -> Watched:
        """Return how far it is."""
        return Watched(self._position, len(self._pending), self._sent, self._told, self._restarts)

    async def run(self, stop: asyncio.Event) -> None:
        """Watch until `stop` is set.

        Begin again from the bookmarks when the log, the bus or the bookmarks cannot be reached or do not answer.
        Raise `CannotFold` at an event that cannot be read.
        """
        while not stop.is_set():
            try:
                await self._watch(stop)
            except (StoreUnreachable, Unavailable, Unknown, TimeoutError):
                await pause(stop, RETRY_S)
            if not stop.is_set():
                self._restarts += 1

    async def _watch(self, stop: asyncio.Event) -> None:
        """Watch until told to stop or until ALERTS was made anew."""
        self._generation = (await self._bus.ensure()).generation
        told = await self._bookmarks.load(PUBLISH)
        self._told_position = told.position if told.of == self._generation else 0
        self._position = (await self._bookmarks.load(RAISE)).position
        await self._tell_again()
        _, fold = await fold_at(EXPOSURE, self._position, self._store, self._reader)
        self._exposure, self._pending = ExposureWatch(fold.state), {}
        await self._catch_up(stop)
        loop = asyncio.get_running_loop()
        again_at = loop.time() + SEND_AGAIN_S
        async with self._tail(self._position) as tail:
            while not stop.is_set():
                batch = await next_batch(tail, stop, SEND_AGAIN_S)
                if batch:
                    fresh = await self._take(batch, batch[-1].position)
                    await self._send(fresh)
                if not stop.is_set() and (not batch or loop.time() >= again_at):  # a busy log is looked after too
                    again_at = loop.time() + SEND_AGAIN_S
                    await self._send(tuple(self._pending.values()))
                    if (await self._bus.ensure()).generation != self._generation:
                        return
                await self._keep(hurry=not batch)
        await self._keep(hurry=True)

    async def _tell_again(self) -> None:
        """Tell the alerts before the causes' bookmark that ALERTS does not have."""
        without = known_topics() - _topics(frozenset({AlertRaised.TOPIC}))
        while self._told_position < self._position:
            page = await self._reader.page(self._told_position, PAGE_EVENTS, without, self._position)
            if page.position == self._told_position:
                raise PositionAhead(f"the log ends at {page.position}, before the bookmark {self._position}")
            for stored in page.events:
                event, _ = read_event(stored)
                if isinstance(event, AlertRaised):
                    await self._tell(event, stored.position)
            self._told_position = page.position

    async def _catch_up(self, stop: asyncio.Event) -> None:
        """Take what is in the log already; only what it does not hold an alert for is sent."""
        without = known_topics() - _topics(WATCHED_TOPICS | {AlertRaised.TOPIC})
        while not stop.is_set():
            page = await self._reader.page(self._position, PAGE_EVENTS, without)
            await self._take(page.events, page.position)
            if page.last or len(self._pending) > PENDING_MAX:
                await self._send(tuple(self._pending.values()))
            await self._keep(hurry=page.last)
            if page.last:
                return

    async def _take(self, events: Sequence[LoggedEvent], position: int) -> tuple[Candidate, ...]:
        """Take the events of a stretch that ends at `position`; return the alerts among them to send."""
        fresh: dict[UUID, Candidate] = {}
        for stored in events:
            event, at_us = read_event(stored)
            if isinstance(event, AlertRaised):
                self._pending.pop(event.alert_id, None)
                fresh.pop(event.alert_id, None)
                if stored.position > self._told_position:
                    await self._tell(event, stored.position)
                continue
            found = candidate(event, stored.position)
            causes = self._exposure.step(event, stored.position, at_us)
            for cause in causes if found is None else (found, *causes):
                fresh[cause.alert_id] = self._pending[cause.alert_id] = cause
        self._position = position
        self._told_position = max(self._told_position, position)
        return tuple(fresh.values())

    async def _tell(self, alert: AlertRaised, position: int) -> None:
        told = Told(
            alert_id=alert.alert_id,
            severity=alert.severity,
            area=alert.area,
            subject=alert.subject,
            text=alert.text,
            cause_position=alert.cause_position,
            position=position,
        )
        await self._bus.publish(alert.severity, alert.area, str(alert.alert_id), encode(told))
        self._told += 1

    async def _send(self, candidates: Sequence[Candidate]) -> None:
        for each in candidates:
            await self._facts.publish(SOURCE, RAISE, str(each.alert_id), encode(each))
            self._sent += 1

    async def _keep(self, *, hurry: bool) -> None:
        """Keep the bookmarks, once in a while: what is read twice is told once."""
        now = asyncio.get_running_loop().time()
        if not hurry and now - self._kept_at < KEEP_S:
            return
        self._kept_at = now
        oldest = min((each.cause_position for each in self._pending.values()), default=self._position + 1)
        await self._bookmarks.save(RAISE, Bookmark(oldest - 1))
        await self._bookmarks.save(PUBLISH, Bookmark(self._told_position, self._generation))


def _topics(wanted: frozenset[str]) -> frozenset[str]:
    """Return these tags and every old one that became one of them."""
    return frozenset(topic for topic in known_topics() if current_topic(topic) in wanted)
