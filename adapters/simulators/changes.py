"""What changed in a book since it was last told, numbered so that the changes chain: in no dialect. No I/O."""

from collections.abc import Sequence
from decimal import Decimal

import msgspec

from adapters.simulators.instruments import Instrument
from adapters.simulators.matching import Book, Side

Levels = tuple[tuple[Decimal, Decimal], ...]
# How many lots a bid shows that is only shown.
OVERLAY_LOTS = 1_000


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """Hold what changed: levels with their size now (0: gone), as (price, quantity in order units).

    `last_id` of one change is `previous_id` of the next; `first_id` is `previous_id` + 1: a changed level counts one.
    """

    instrument: Instrument
    previous_id: int
    first_id: int
    last_id: int
    bids: Levels
    asks: Levels
    time_ms: int


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """Hold a book as it stands, best first, at the id of its last change."""

    instrument: Instrument
    last_id: int
    bids: Levels
    asks: Levels
    time_ms: int


class Top(msgspec.Struct, frozen=True, kw_only=True):
    """Hold a book's best levels, as (price, quantity)."""

    instrument: Instrument
    last_id: int
    bid: tuple[Decimal, Decimal]
    ask: tuple[Decimal, Decimal]
    time_ms: int


class Changes:
    """Follow one book and number its changes.

    `snapshot` is what has been published so far plus what is pending: a client that takes it and then hears the next
    change finds `first_id` <= snapshot id + 1.
    """

    def __init__(self, instrument: Instrument, book: Book, first_id: int) -> None:
        self.instrument = instrument
        self._book = book
        self._pending: dict[tuple[Side, int], int] = {}
        self._published = first_id
        self._top: tuple[tuple[int, int], ...] = ()
        self._overlay: int | None = None
        self.last_id = first_id

    def collect(self) -> None:
        """Number what changed in the book since the last call."""
        for side, price, quantity in self._book.take_touched():
            self.last_id += 1
            shown = quantity + (OVERLAY_LOTS if (side, price) == ("BUY", self._overlay) else 0)
            self._pending[(side, price)] = shown

    def best_ask(self) -> int | None:
        """Return the best ask in ticks."""
        return self._book.best("SELL")

    def overlay_bid(self, price: int | None) -> None:
        """Show a bid that does not stand in the book, in place of the last such; None shows none."""
        self.collect()
        if price == self._overlay:
            return
        gone, self._overlay = self._overlay, price
        for changed, lots in ((gone, 0), (price, OVERLAY_LOTS)):
            if changed is not None:
                self.last_id += 1
                self._pending[("BUY", changed)] = self._book.quantity("BUY", changed) + lots

    def snapshot(self, limit: int, now_ms: int) -> Snapshot:
        """Return up to `limit` levels of each side."""
        self.collect()
        return Snapshot(
            instrument=self.instrument,
            last_id=self.last_id,
            bids=self._rows(self._bids(limit)),
            asks=self._rows(self._book.levels("SELL", limit)),
            time_ms=now_ms,
        )

    def take(self, now_ms: int) -> Change | None:
        """Return what changed since the last call, None when nothing did."""
        self.collect()
        if not self._pending:
            return None
        change = Change(
            instrument=self.instrument,
            previous_id=self._published,
            first_id=self._published + 1,
            last_id=self.last_id,
            bids=self._rows([(price, size) for (side, price), size in self._pending.items() if side == "BUY"]),
            asks=self._rows([(price, size) for (side, price), size in self._pending.items() if side == "SELL"]),
            time_ms=now_ms,
        )
        self._pending.clear()
        self._published = self.last_id
        return change

    def take_top(self, now_ms: int) -> Top | None:
        """Return the top when it changed since the last call and has both sides."""
        self.collect()
        bids, asks = self._bids(1), self._book.levels("SELL", 1)
        top = (*bids, *asks)
        if not bids or not asks or top == self._top:
            return None
        self._top = top
        (bid,), (ask,) = self._rows(bids), self._rows(asks)
        return Top(instrument=self.instrument, last_id=self.last_id, bid=bid, ask=ask, time_ms=now_ms)

    def _bids(self, limit: int) -> list[tuple[int, int]]:
        levels = self._book.levels("BUY", limit)
        if self._overlay is None:
            return levels
        shown = dict(levels)
        shown[self._overlay] = shown.get(self._overlay, 0) + OVERLAY_LOTS
        return sorted(shown.items(), reverse=True)[:limit]

    def _rows(self, levels: Sequence[tuple[int, int]]) -> Levels:
        instrument = self.instrument
        return tuple((instrument.price(price), instrument.quantity(size)) for price, size in levels)
