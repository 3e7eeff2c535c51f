"""Live news to subscribers (server-sent events), and the latest indicative ladder of each pair.

Each subscriber has a bounded queue. One that does not keep up is told so (`event: dropped`) and let go: it comes back
and reads the views, instead of holding everyone's memory or seeing a stream with holes it does not know of.
Of one pair's ladders only the newest counts: whoever watches a pair is given that one, however slow he reads.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Generator
from contextlib import contextmanager

import msgspec

QUEUE_MAX = 512
SUBSCRIBERS_MAX = 64
PAIRS_MAX = 256
TICK_S = 2.0
"""After so long without news a subscriber is sent the lags, which also shows that the line is alive."""

LADDER_AGE_S_MAX = 3.0
"""An older ladder is not shown: it is no price."""

News = tuple[str, bytes]


class Ladder(msgspec.Struct, frozen=True):
    """Hold a pair's indicative ladder as published (JSON), and when it came, in monotonic seconds and Unix us."""

    body: bytes
    received_s: float
    received_us: int


class TooManySubscribers(Exception):
    """Say that no further stream can be opened."""


class Ended(Exception):
    """Say that a subscription is over."""


class Subscription:
    """Receive news, in order, up to a bound."""

    def __init__(self) -> None:
        self._queue: deque[News] = deque()
        self._arrived = asyncio.Event()
        self._ended = False

    def offer(self, news: News) -> None:
        """Queue news; end the subscription when its bound is reached."""
        if self._ended:
            return
        if len(self._queue) >= QUEUE_MAX:
            self._queue.clear()
            self._queue.append(("dropped", b'{"reason":"too slow; read the views and subscribe again"}'))
            self._ended = True
        else:
            self._queue.append(news)
        self._arrived.set()

    def end(self) -> None:
        """End after what is queued."""
        self._ended = True
        self._arrived.set()

    async def next(self, timeout_s: float) -> News | None:
        """Return the next news, None when there was none in time; raise `Ended` at the end."""
        if not self._queue and not self._ended:
            self._arrived.clear()
            try:
                await asyncio.wait_for(self._arrived.wait(), timeout_s)
            except TimeoutError:
                return None
        if self._queue:
            return self._queue.popleft()
        raise Ended


class Watching:
    """Receive one pair's newest ladder: one that was not taken in time is replaced by the next, and counted."""

    def __init__(self) -> None:
        self.skipped = 0
        self._ladder: Ladder | None = None
        self._arrived = asyncio.Event()
        self._ended = False

    def offer(self, ladder: Ladder) -> None:
        """Take the newest ladder."""
        if self._ladder is not None:
            self.skipped += 1
        self._ladder = ladder
        self._arrived.set()

    def end(self) -> None:
        """End at once: a ladder that was not taken yet is old."""
        self._ended = True
        self._arrived.set()

    async def next(self, timeout_s: float) -> Ladder | None:
        """Return the newest ladder not yet taken, None when none came in time; raise `Ended` at the end."""
        if self._ladder is None and not self._ended:
            self._arrived.clear()
            try:
                await asyncio.wait_for(self._arrived.wait(), timeout_s)
            except TimeoutError:
                return None
        if self._ended:
            raise Ended
        ladder, self._ladder = self._ladder, None
        return ladder


class Broadcast:
    """Give every subscriber the news. Belongs to one event loop."""

    def __init__(self, monotonic_s: Callable[[], float], now_us: Callable[[], int]) -> None:
        self._monotonic_s = monotonic_s
        self._now_us = now_us
        self._subscriptions: set[Subscription] = set()
        self._ladders: dict[str, Ladder] = {}
        self._watching: set[tuple[str, Watching]] = set()
        self._closed = False

    def __len__(self) -> int:
        return len(self._subscriptions) + len(self._watching)

    def publish(self, event: str, body: bytes) -> None:
        """Send one JSON document (a single line) to every subscriber as `event`."""
        for subscription in self._subscriptions:
            subscription.offer((event, body))

    def publish_indicative(self, pair: str, body: bytes) -> None:
        """Keep a pair's ladder as the latest and send it to every subscriber."""
        name = pair.lower()
        ladder = Ladder(body, self._monotonic_s(), self._now_us())
        if name in self._ladders or len(self._ladders) < PAIRS_MAX:
            self._ladders[name] = ladder
        for wanted, watching in self._watching:
            if wanted == name:
                watching.offer(ladder)
        self.publish("indicative", body)

    def latest(self, pair: str) -> Ladder | None:
        """Return a pair's latest ladder, whatever its age."""
        return self._ladders.get(pair.lower())

    def age_s(self, ladder: Ladder) -> float:
        """Return how long ago a ladder came."""
        return self._monotonic_s() - ladder.received_s

    @contextmanager
    def watched(self, pair: str) -> Generator[Watching]:
        """Hold a watch on a pair's ladders, a fresh latest one first. Raise `TooManySubscribers` at the bound."""
        self._require_room()
        watching, latest = Watching(), self.latest(pair)
        if latest is not None and self.age_s(latest) <= LADDER_AGE_S_MAX:
            watching.offer(latest)
        if self._closed:
            watching.end()
        self._watching.add((pair.lower(), watching))
        try:
            yield watching
        finally:
            self._watching.discard((pair.lower(), watching))

    def _require_room(self) -> None:
        if len(self) >= SUBSCRIBERS_MAX:
            raise TooManySubscribers(f"more than {SUBSCRIBERS_MAX}")

    @contextmanager
    def subscribed(self) -> Generator[Subscription]:
        """Hold a subscription. Raise `TooManySubscribers` at the bound."""
        self._require_room()
        subscription = Subscription()
        if self._closed:
            subscription.end()
        self._subscriptions.add(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)

    def close(self) -> None:
        """End every stream, those to come too: the process is stopping."""
        self._closed = True
        for subscription in self._subscriptions:
            subscription.end()
        for _, watching in self._watching:
            watching.end()


def frame(event: str, body: bytes) -> bytes:
    """Write one server-sent event; a line break in the body becomes a further data line."""
    data = b"".join(b"data: " + line + b"\n" for line in body.splitlines() or [b""])
    return b"event: " + event.encode() + b"\n" + data + b"\n"


async def frames(broadcast: Broadcast, lags: Callable[[], bytes]) -> AsyncIterator[bytes]:
    """Yield server-sent events until the subscription ends; the lags first, and again in every silence."""
    with broadcast.subscribed() as subscription:
        yield frame("lags", lags())
        while True:
            try:
                news = await subscription.next(TICK_S)
            except Ended:
                return
            yield frame(*news) if news is not None else frame("lags", lags())


async def ladder_frames(broadcast: Broadcast, pair: str) -> AsyncIterator[bytes]:
    """Yield a pair's ladders as they are published, and `stale` in every silence, until the process stops."""
    with broadcast.watched(pair) as watching:
        while True:
            try:
                ladder = await watching.next(TICK_S)
            except Ended:
                return
            if ladder is not None:
                yield frame("indicative", ladder.body)
            else:
                latest = broadcast.latest(pair)
                age_ms = None if latest is None else int(broadcast.age_s(latest) * 1_000)
                yield frame("stale", msgspec.json.encode({"age_ms": age_ms}))
