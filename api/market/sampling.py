"""Sampling the market: of everything that is heard, what the time series keeps.

Trades are kept all; books, marks and oracle prices the first of each interval, so that nobody needs a timer; the loss
of a book at once, so that a hole in the series has its reason. Funding is kept when its date or interval changes, and
from time to time. The time is that of the thing itself: nothing here asks a clock.
"""

from collections.abc import Hashable
from typing import Protocol

import msgspec

from domain.oracle import OracleEvent, OracleLost, OraclePrice
from domain.venue import BookLost, BookUpdate, ClockDrift, FeedEvent, MarkReport, TradePrint

SUBJECTS_MAX = 2_048
"""So many instruments and feeds are sampled, each kind of data counted; one more is overlooked, and counted."""

_THERE, _LOST = "there", "lost"


class Series(Protocol):
    """Keep samples; never waits."""

    def keep_book(self, book: BookUpdate) -> None:
        """Keep a book."""
        ...

    def keep_lost_book(self, lost: BookLost) -> None:
        """Keep that there is no book, and why."""
        ...

    def keep_trade(self, trade: TradePrint) -> None:
        """Keep a trade; the same one again is known."""
        ...

    def keep_mark(self, mark: MarkReport) -> None:
        """Keep a mark and its index."""
        ...

    def keep_funding(self, mark: MarkReport) -> None:
        """Keep the funding that a mark announces."""
        ...

    def keep_price(self, price: OraclePrice) -> None:
        """Keep an oracle's price."""
        ...


class Intervals(msgspec.Struct, frozen=True, kw_only=True):
    """Set how often each is sampled at most, in milliseconds."""

    book_ms: int = 1_000
    mark_ms: int = 1_000
    funding_ms: int = 60_000
    price_ms: int = 1_000


class Sampler:
    """Hear everything and keep a part of it."""

    def __init__(self, series: Series, intervals: Intervals | None = None) -> None:
        self.overlooked = 0
        self._series = series
        self._intervals = intervals or Intervals()
        self._kept: dict[Hashable, tuple[int, object]] = {}

    def hear(self, event: FeedEvent | OracleEvent) -> None:
        """Keep an event, or not."""
        match event:
            case BookUpdate():
                self._hear_book(event)
            case BookLost():
                self._hear_loss(event)
            case TradePrint():
                self._series.keep_trade(event)
            case MarkReport():
                self._hear_mark(event)
            case OraclePrice():
                self._hear_price(event)
            case ClockDrift() | OracleLost():
                pass  # seen in what is believed, and in alerts

    def _hear_book(self, book: BookUpdate) -> None:
        if self._is_next(("book", book.venue, book.symbol), book.received_at_us, self._intervals.book_ms, _THERE):
            self._series.keep_book(book)

    def _hear_loss(self, lost: BookLost) -> None:
        key = ("book", lost.venue, lost.symbol)
        before = self._kept.get(key)
        # Told once: a feed that cannot connect says so with every attempt.
        if before is not None and before[1] == _LOST:
            return
        if self._is_next(key, lost.at_us, self._intervals.book_ms, _LOST):
            self._series.keep_lost_book(lost)

    def _hear_mark(self, mark: MarkReport) -> None:
        if self._is_next(("mark", mark.venue, mark.symbol), mark.at_us, self._intervals.mark_ms, _THERE):
            self._series.keep_mark(mark)
        due = (mark.next_funding_us, mark.funding_interval_ms)
        if mark.funding_interval_ms > 0 and self._is_next(
            ("funding", mark.venue, mark.symbol), mark.at_us, self._intervals.funding_ms, due
        ):
            self._series.keep_funding(mark)

    def _hear_price(self, price: OraclePrice) -> None:
        key = ("price", price.oracle, price.feed)
        if self._is_next(key, price.published_at_us, self._intervals.price_ms, _THERE):
            self._series.keep_price(price)

    def _is_next(self, key: Hashable, at_us: int, every_ms: int, state: object) -> bool:
        """Say whether this is the first of its interval, or of another state than the last; remember it if so."""
        interval = at_us // (every_ms * 1_000)
        before = self._kept.get(key)
        if before == (interval, state):
            return False
        if before is None and len(self._kept) >= SUBJECTS_MAX:
            self.overlooked += 1
            return False
        self._kept[key] = (interval, state)
        return True
