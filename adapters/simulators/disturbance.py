"""What faults do to a venue's books on their way to the public: left out, doubled, out of order, crossed."""

from collections.abc import Iterator
from decimal import Decimal

from adapters.simulators.changes import Change, Changes
from adapters.simulators.faults import Faults

# How far over the best ask a crossed book's bid is.
CROSSED_BY = Decimal("0.002")


class Disturbance:
    """Hand changes on as armed faults want them. `names` are what a fault may call the book."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._held: dict[str, Change] = {}

    def cross(self, changes: Changes, names: tuple[str, ...], now_ms: int) -> None:
        """Put a bid over the best ask while a fault says so, and take it away after."""
        crossed = self._faults.take(("crossed",), names, now_ms) is not None
        ask = changes.best_ask() if crossed else None
        changes.overlay_bid(None if ask is None else ask + max(1, int(ask * CROSSED_BY)))

    def pass_on(self, change: Change, names: tuple[str, ...], now_ms: int) -> Iterator[Change]:
        """Yield what is told instead of a change."""
        symbol = change.instrument.symbol
        if self._faults.take(("gap",), names, now_ms):
            return
        held = self._held.pop(symbol, None)
        if held is None and self._faults.take(("reorder",), names, now_ms):
            self._held[symbol] = change
            return
        yield change
        if self._faults.take(("duplicate",), names, now_ms):
            yield change
        if held is not None:
            yield held
