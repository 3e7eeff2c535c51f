"""A venue's public market data, followed: books, trades, marks, and how far its clock is off."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncGenerator, Sequence
from typing import Self

from adapters.exchange.feeds.backoff import Backoff
from adapters.exchange.feeds.connection import Reach
from adapters.exchange.feeds.counters import Counters
from adapters.exchange.feeds.dialect import Dialect
from adapters.exchange.feeds.line import Line, lines
from adapters.exchange.feeds.mailbox import Mailbox
from adapters.exchange.feeds.settings import FeedSettings
from adapters.exchange.feeds.trouble import Unreachable, Unreadable
from adapters.exchange.feeds.venues import dialects
from domain.venue import BookUpdate, ClockDrift, FeedEvent, InstrumentReport

CLOCK_ASKS = 2
_log = logging.getLogger(__name__)


class VenueFeed:
    """Follow some instruments of one venue. Use as `async with`; it reconnects by itself, and says what it lost.

    `events` is for one reader at a time. Reasons of `BookLost` begin with one of: gap, silence, disconnected, crossed,
    unreadable, refused. Raises `ValueError` for a venue or an instrument that no feed can follow.
    """

    def __init__(self, settings: FeedSettings, instruments: Sequence[InstrumentReport]) -> None:
        self.counters = Counters()
        self._settings = settings
        self._dialects = dialects(settings, instruments)
        self._by_symbol: dict[str, Dialect] = {
            symbol: dialect for dialect in self._dialects for symbol in dialect.books
        }
        hosts = {dialect.stream_host for dialect in self._dialects} | {dialect.rest_host for dialect in self._dialects}
        self._reach = Reach(settings.loopback, frozenset(hosts), timeout_s=settings.timeout_ms / 1_000)
        self._mailbox = Mailbox(self._read, trades_max=settings.trades_max)
        self._lines: list[Line] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._resources = contextlib.AsyncExitStack()

    @property
    def venue(self) -> str:
        """Return the venue's id."""
        return self._settings.venue

    @property
    def is_up(self) -> bool:
        """Say whether every socket is connected."""
        return bool(self._lines) and all(line.is_up for line in self._lines)

    @property
    def resnapshots(self) -> int:
        """Return how many snapshots were taken, the first ones too."""
        return sum(dialect.resnapshots for dialect in self._dialects)

    @property
    def trades_dropped(self) -> int:
        """Return how many trades nobody read in time."""
        return self._mailbox.trades_dropped

    async def __aenter__(self) -> Self:
        """Start connecting; what fails is told by `events` and tried again."""
        await self._resources.enter_async_context(self._reach)
        self._lines = lines(self._dialects, self._settings, self._reach, self._mailbox, self.counters)
        names = [f"{self.venue} {line.dialect.stream_path}" for line in self._lines]
        self._tasks = [
            asyncio.create_task(line.run(), name=name) for line, name in zip(self._lines, names, strict=True)
        ]
        self._tasks.append(asyncio.create_task(self._watch_clock(), name=f"{self.venue} clock"))
        return self

    async def __aexit__(self, *_exc: object) -> None:
        """Close every connection."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        await self._resources.aclose()

    async def events(self) -> AsyncGenerator[FeedEvent, None]:
        """Yield what is new: the newest book and mark of each symbol, trades, clock drift, and every loss first."""
        for symbol, dialect in self._by_symbol.items():
            if dialect.is_believed(symbol):
                self._mailbox.changed(symbol)
        while True:
            yield await self._mailbox.next()

    async def failed(self) -> None:
        """Wait until a task of this feed breaks, and raise its error; cancelling this only stops the waiting."""
        done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()

    def _read(self, symbol: str) -> BookUpdate | None:
        dialect = self._by_symbol[symbol]
        return dialect.book(symbol) if dialect.is_believed(symbol) else None

    async def _watch_clock(self) -> None:
        """Measure the venue's clock against ours, now and then."""
        dialect = self._dialects[0]
        backoff = Backoff()
        loop = asyncio.get_running_loop()
        while True:
            pause_s = self._settings.clock_interval_ms / 1_000
            try:
                # The first answer may have waited for a connection; the quickest one knows the time best.
                answers = [await self._ask_clock(dialect) for _ in range(CLOCK_ASKS)]
            except (Unreachable, Unreadable) as error:
                waited = error.retry_after_s if isinstance(error, Unreachable) else 0.0
                pause_s = max(pause_s, backoff.pause_s(loop.time(), waited))
                _log.info("%s: clock not measured: %s", self.venue, error)
            else:
                self._mailbox.drift(min(answers, key=lambda answer: answer.round_trip_ms))
            await asyncio.sleep(pause_s)

    async def _ask_clock(self, dialect: Dialect) -> ClockDrift:
        """Ask once: the venue's time less the middle of our asking."""
        asked_us, asked_ns = time.time_ns() // 1_000, time.monotonic_ns()
        body = await self._reach.get(dialect.rest_host, dialect.time_path)
        round_trip_us = (time.monotonic_ns() - asked_ns) // 1_000
        drift_us = dialect.clock(body) * 1_000 - (asked_us + round_trip_us // 2)
        return ClockDrift(
            venue=self.venue,
            drift_ms=round(drift_us / 1_000),
            round_trip_ms=round(round_trip_us / 1_000),
            at_us=asked_us + round_trip_us,
        )
