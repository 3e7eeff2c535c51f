"""A book kept fast: the best levels in order, the others only kept.

A side's levels go by price as a whole number of steps, negative for bids, so that the least key is the best. The best
few hundred are near: read, checked and in order. What lies beyond `edge` is far: kept as the venue wrote it, sizes of
zero and all, and read only when the near ones run low. Most changes are far, and cost one look-up; nothing is ever
shown that was not read. The best price is the first of the window.
"""

from bisect import bisect_left, insort
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec

from adapters.exchange.feeds.number import SIZE_MAX, TEXT_CHARS_MAX, Prices
from adapters.exchange.feeds.trouble import Unreadable
from domain.venue import BookLevel, BookTop

# More levels than this on one side, and the book is given up and taken anew: a diff stream never says that a level out
# of its reach is gone.
LEVELS_MAX = 20_000
# How many best keys are kept in order, as a multiple of those that are read; twice as many are cut back to it.
WINDOW_FACTOR = 5
# How far beyond the edge a refill looks first, in widths of what is near.
REACH_FACTOR = 4
# Levels of size zero are dropped from the far ones when these have doubled, and grown by this many.
SWEEP_LEVELS = 1_000
_BEYOND = 1 << 80
_SIZE_MAX = float(SIZE_MAX)


class Row(msgspec.Struct, array_like=True, gc=False):
    """Hold a level as the venue sends it: an array of price, size, and what else it may tell, which is left out.

    Size zero takes the level away. Both are texts; a dialect whose venue sends JSON numbers may put in ints, too.
    """

    price: str
    size: str


Rows = Sequence[Row]


class Side:
    """Hold one side of a book. `window` has the keys of `near` in order: every live key up to `edge`."""

    __slots__ = ("_made", "_sweep_at", "edge", "far", "near", "prices", "wanted", "window")

    def __init__(self, prices: Prices, wanted: int) -> None:
        self.prices = prices
        self.wanted = wanted
        self.near: dict[int, Any] = {}
        self.far: dict[int, Any] = {}
        self.window: list[int] = []
        self.edge = _BEYOND
        self._sweep_at = SWEEP_LEVELS
        # What was last read of a level, good as long as its size is the same object.
        self._made: dict[int, tuple[Any, BookLevel]] = {}

    def clear(self) -> None:
        """Forget every level."""
        self.near.clear()
        self.far.clear()
        self.window.clear()
        self._made.clear()
        self._sweep_at = SWEEP_LEVELS
        self.edge = _BEYOND

    def apply(self, rows: Rows) -> None:
        """Set or take away each row's level; raise `Unreadable` when a row is none.

        Prices and near sizes are read here; that far sizes are written as numbers the dialect has seen to before.
        """
        keys, near, far, edge = self.prices.keys, self.near, self.far, self.edge
        try:
            for row in rows:
                try:
                    key = keys[row.price]
                except KeyError:
                    key = self.prices.learn(row.price)
                if key > edge:
                    far[key] = row.size
                    continue
                # The float is only looked at, never kept. In here rather than in a call: this is the hot line.
                size = row.size
                rough = float(size)
                if 0.0 < rough <= _SIZE_MAX:
                    if key not in near:
                        insort(self.window, key)
                    near[key] = size
                elif rough != 0.0:
                    raise Unreadable(f"a size of {str(size)[:TEXT_CHARS_MAX]}")
                elif near.pop(key, None) is not None:
                    del self.window[bisect_left(self.window, key)]
            self._keep_width()
        except (ValueError, TypeError, OverflowError) as error:
            raise Unreadable(f"a level that is none: {str(error)[:TEXT_CHARS_MAX]}") from error

    def best(self, count: int, factor: Decimal) -> tuple[BookLevel, ...]:
        """Return the best levels, best first, sizes times `factor`."""
        near, made = self.near, self._made
        found: list[BookLevel] = []
        for key in self.window[:count]:
            size = near[key]
            known = made.get(key)
            if known is None or known[0] is not size:
                known = made[key] = (size, (self.prices.price(key), Decimal(size) * factor))
            found.append(known[1])
        if len(made) > self.wanted * WINDOW_FACTOR * 2:
            made.clear()
        return tuple(found)

    def _keep_width(self) -> None:
        """Cut what is near when it is too much, fill it up when it is too little."""
        held = len(self.near)
        if held > self.wanted * WINDOW_FACTOR * 2:
            self._cut()
        elif (held < self.wanted and self.edge != _BEYOND) or len(self.far) > LEVELS_MAX:
            self._refill()

    def _cut(self) -> None:
        """Move the worst half of what is near to what is far."""
        keep = self.wanted * WINDOW_FACTOR
        for key in self.window[keep:]:
            self.far[key] = self.near.pop(key)
        del self.window[keep:]
        self.edge = self.window[-1]

    def _refill(self) -> None:
        """Choose the near levels anew: those not much further than the edge first, everything if they are too few."""
        reach = self.edge + (self.edge - self.window[0]) * REACH_FACTOR if self.window else -_BEYOND
        close = {key: size for key, size in self.far.items() if key <= reach and _above_zero(size)}
        if len(close) < self.wanted or len(self.far) > self._sweep_at:
            close = self.far = {key: size for key, size in self.far.items() if _above_zero(size)}
            self._sweep_at = len(close) * 2 + SWEEP_LEVELS
        ordered = sorted((close | self.near) if close else self.near)
        self.window[:] = ordered[: self.wanted * WINDOW_FACTOR]
        chosen = self.window[-1] if self.window else _BEYOND
        # What is near already and stays so needs no look; what was far and is now near leaves the far ones.
        for key in [key for key in self.near if key > chosen]:
            self.far[key] = self.near.pop(key)
        for key in self.window:
            if key not in self.near:
                self.near[key] = self.far.pop(key)
        self.edge = chosen if self.far else _BEYOND


def _above_zero(size: Any) -> bool:
    """Say whether a size is above zero; raise when it is no size. The float is only looked at, never kept."""
    rough = float(size)
    if not 0.0 <= rough <= _SIZE_MAX:
        raise Unreadable(f"a size of {str(size)[:TEXT_CHARS_MAX]}")
    return rough != 0.0


class Book:
    """Hold one book. After an error its content is worth nothing: load it anew."""

    __slots__ = ("_factor", "asks", "bids", "levels")

    def __init__(self, prices: tuple[Prices, Prices], *, levels: int, factor: Decimal) -> None:
        self.bids = Side(prices[0], levels)
        self.asks = Side(prices[1], levels)
        self.levels = levels
        self._factor = factor

    def load(self, bids: Rows, asks: Rows) -> None:
        """Start anew from a snapshot."""
        self.bids.clear()
        self.asks.clear()
        self.change(bids, asks)

    def change(self, bids: Rows, asks: Rows) -> None:
        """Apply changed levels to both sides."""
        self.bids.apply(bids)
        self.asks.apply(asks)

    def fault(self) -> str:
        """Return why this book cannot be believed, or nothing."""
        bids, asks = self.bids.window, self.asks.window
        if not bids or not asks:
            return f"crossed: no {'asks' if bids else 'bids'}"
        if -bids[0] >= asks[0]:
            return f"crossed: bid {self.bids.prices.price(bids[0])}, ask {self.asks.prices.price(asks[0])}"
        if len(self.bids.far) > LEVELS_MAX or len(self.asks.far) > LEVELS_MAX:
            return f"unreadable: more than {LEVELS_MAX} levels"
        return ""

    def ladders(self) -> tuple[tuple[BookLevel, ...], tuple[BookLevel, ...]]:
        """Return bids and asks as exact decimals, best first."""
        return self.bids.best(self.levels, self._factor), self.asks.best(self.levels, self._factor)

    def top(self) -> BookTop:
        """Return the best bid and ask; raise `Unreadable` when a side is empty."""
        bids, asks = self.bids.best(1, self._factor), self.asks.best(1, self._factor)
        if not bids or not asks:
            raise Unreadable("a side is empty")
        (bid, bid_size), (ask, ask_size) = bids[0], asks[0]
        return BookTop(bid_price=bid, bid_quantity=bid_size, ask_price=ask, ask_quantity=ask_size)
