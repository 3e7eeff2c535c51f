"""A book as Bybit's topics show it: 50, 200 or 500 levels of each side, update numbers that count by one. No I/O.

The engine's changes are of the whole book. What a topic tells is the difference of its own view, so a level that a
better one pushed out is taken away, and one that moved up is told. A change that never came leaves a hole in the
numbers, one that came twice or late keeps the number that it has.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from decimal import Decimal

from adapters.simulators.changes import Change, Levels, Snapshot, Top
from adapters.simulators.instruments import plain
from adapters.simulators.sockets import Json, rows

DEPTHS = (50, 200, 500)
WHOLE_BOOK = 10_000
NUMBERS_KEPT = 256

Side = dict[Decimal, Decimal]


class ShownBook:
    """Follow one book as it is shown. `whole` returns it as it stands."""

    def __init__(self, symbol: str, first_id: int, whole: Callable[[], Snapshot]) -> None:
        self._symbol = symbol
        self._whole = whole
        self._numbers: OrderedDict[int, int] = OrderedDict({first_id: 1})
        self._newest = 1
        self._bids: Side = {}
        self._asks: Side = {}

    def number(self, last_id: int) -> int:
        """Return the update number at an id of the engine; one never told before gets the next."""
        if last_id not in self._numbers:
            self._know(last_id, self._newest + 1)
            self._look_again()
        return self._numbers[last_id]

    def deltas(self, change: Change, depths: tuple[int, ...]) -> Mapping[int, Json]:
        """Return what a change does to each view; the views are then those after it."""
        known = change.last_id in self._numbers
        if known or change.previous_id not in self._numbers:
            # Not in order: a view cannot tell what it missed, so the change is told as it is.
            if not known:
                self._know(change.previous_id, self._newest + 1)
                self._know(change.last_id, self._newest + 1)
                self._look_again()
            number = self._numbers[change.last_id]
            return {depth: self._message(change, number, change.bids, change.asks) for depth in depths}
        self._know(change.last_id, self._numbers[change.previous_id] + 1)
        before = {depth: self._views(depth) for depth in depths}
        _apply(self._bids, change.bids)
        _apply(self._asks, change.asks)
        told: dict[int, Json] = {}
        for depth, (bids, asks) in before.items():
            new_bids, new_asks = self._views(depth)
            moved = _difference(bids, new_bids), _difference(asks, new_asks)
            told[depth] = self._message(change, self._newest, *moved)
        return told

    def top(self, top: Top) -> Json:
        """Return the one-level view, which is always told whole."""
        return self.message(top.time_ms, self._newest, top.last_id, (top.bid,), (top.ask,))

    def shown(self, snapshot: Snapshot) -> Json:
        """Return a snapshot."""
        number = self.number(snapshot.last_id)
        return self.message(snapshot.time_ms, number, snapshot.last_id, snapshot.bids, snapshot.asks)

    def message(self, time_ms: int, number: int, seq: int, bids: Levels, asks: Levels) -> Json:
        """Return what every message about a book holds."""
        data: Json = {"s": self._symbol, "b": rows(bids, plain), "a": rows(asks, plain), "u": number, "seq": seq}
        return {"ts": time_ms, "data": data, "cts": time_ms}

    def _message(self, change: Change, number: int, bids: Levels, asks: Levels) -> Json:
        return self.message(change.time_ms, number, change.last_id, bids, asks)

    def _know(self, last_id: int, number: int) -> None:
        self._numbers[last_id] = number
        self._newest = max(self._newest, number)
        while len(self._numbers) > NUMBERS_KEPT:
            self._numbers.popitem(last=False)

    def _look_again(self) -> None:
        whole = self._whole()
        self._bids, self._asks = dict(whole.bids), dict(whole.asks)

    def _views(self, depth: int) -> tuple[Side, Side]:
        bids = sorted(self._bids.items(), reverse=True)[:depth]
        return dict(bids), dict(sorted(self._asks.items())[:depth])


def topic(symbol: str, depth: int) -> str:
    """Return the name of a book's topic."""
    return f"orderbook.{depth}.{symbol}"


def _apply(side: Side, levels: Levels) -> None:
    for price, size in levels:
        if size:
            side[price] = size
        else:
            side.pop(price, None)


def _difference(before: Side, after: Side) -> Levels:
    gone = [(price, Decimal(0)) for price in before if price not in after]
    moved = [(price, size) for price, size in after.items() if before.get(price) != size]
    return (*gone, *moved)
