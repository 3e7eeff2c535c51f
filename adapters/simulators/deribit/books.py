"""A book as Deribit's channel tells it: each level `new`, `change` or `delete`. No I/O.

What is new depends on what was told before. A change that never came, or came late, is worded as well as can be:
whoever listens must see by the ids that something is wrong.
"""

from adapters.simulators.changes import Change, Levels, Snapshot
from adapters.simulators.deribit.wire import number
from adapters.simulators.sockets import Json

WHOLE_BOOK = 10_000
_SIDES = ("bids", "asks")


class ShownBook:
    """Follow what was told of one book."""

    def __init__(self) -> None:
        self._known = {side: set[str]() for side in _SIDES}

    def snapshot(self, snapshot: Snapshot) -> Json:
        """Return the whole book; from here on these levels are known."""
        row = _row("snapshot", snapshot)
        for side in _SIDES:
            self._known[side].clear()
            row[side] = self._levels(side, getattr(snapshot, side))
        return row

    def change(self, change: Change) -> Json:
        """Return what changed."""
        row = _row("change", change) | {"prev_change_id": change.previous_id}
        return row | {side: self._levels(side, getattr(change, side)) for side in _SIDES}

    def _levels(self, side: str, levels: Levels) -> list[list[object]]:
        known = self._known[side]
        told: list[list[object]] = []
        for price, size in levels:
            name = str(price)
            if size:
                told.append(["change" if name in known else "new", number(price), number(size)])
                known.add(name)
            elif name in known:
                told.append(["delete", number(price), number(size)])
                known.discard(name)
        return told


def _row(kind: str, what: Change | Snapshot) -> Json:
    return {
        "type": kind,
        "timestamp": what.time_ms,
        "instrument_name": what.instrument.symbol,
        "change_id": what.last_id,
    }
