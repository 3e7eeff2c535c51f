"""What a reader of a feed has not read yet: the newest of each book and mark, the last trades, every loss.

A loss is handed out before the next update of its book, always. A slow reader gets newer books, never a backlog; trades
are the exception, and are bounded: the oldest go first, and are counted.
"""

import asyncio
from collections import deque
from collections.abc import Callable

from domain.venue import BookLost, BookUpdate, ClockDrift, FeedEvent, MarkReport, TradePrint


class Mailbox:
    """Keep what is unread. `read` makes the newest update of a book, or None when it is not believed by now."""

    def __init__(self, read: Callable[[str], BookUpdate | None], *, trades_max: int) -> None:
        self._read = read
        self._lost: dict[str, BookLost] = {}
        # A book whose loss was told is not told lost again until it was whole in between.
        self._down: set[str] = set()
        self._changed: dict[str, None] = {}
        self._marks: dict[str, MarkReport] = {}
        self._trades: deque[TradePrint] = deque(maxlen=trades_max)
        self._drift: ClockDrift | None = None
        self._more = asyncio.Event()
        self._turn = 0
        self.trades_dropped = 0

    def changed(self, symbol: str) -> None:
        """Note that a book is newer."""
        self._down.discard(symbol)
        self._changed[symbol] = None
        self._more.set()

    def lost(self, loss: BookLost) -> None:
        """Note that a book is lost; what was unread of it is gone with it."""
        self._changed.pop(loss.symbol, None)
        if loss.symbol not in self._down:
            self._down.add(loss.symbol)
            self._lost[loss.symbol] = loss
            self._more.set()

    def mark(self, report: MarkReport) -> None:
        """Keep the newest mark of a symbol."""
        self._marks[report.symbol] = report
        self._more.set()

    def trade(self, made: TradePrint) -> None:
        """Keep a trade, in place of the oldest when there are too many."""
        self.trades_dropped += len(self._trades) == self._trades.maxlen
        self._trades.append(made)
        self._more.set()

    def drift(self, measured: ClockDrift) -> None:
        """Keep the newest measurement."""
        self._drift = measured
        self._more.set()

    async def next(self) -> FeedEvent:
        """Wait for the next event."""
        while True:
            found = self.take()
            if found is not None:
                return found
            self._more.clear()
            await self._more.wait()

    def take(self) -> FeedEvent | None:
        """Return the next event, or None: losses first, then books and the rest in turn, so that none starves."""
        if self._lost:
            return self._lost.pop(next(iter(self._lost)))
        self._turn ^= 1
        first, second = (self._book, self._other) if self._turn else (self._other, self._book)
        return first() or second()

    def _book(self) -> BookUpdate | None:
        while self._changed:
            symbol = next(iter(self._changed))
            del self._changed[symbol]
            update = self._read(symbol)
            if update is not None:
                return update
        return None

    def _other(self) -> FeedEvent | None:
        if self._trades:
            return self._trades.popleft()
        if self._marks:
            return self._marks.pop(next(iter(self._marks)))
        drift, self._drift = self._drift, None
        return drift
