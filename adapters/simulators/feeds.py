"""What the simulated venue says of one market on its public streams: diffs that chain, tops, trades, marks. No I/O."""

from collections.abc import Iterator

from adapters.simulators.exchange import FUNDING_INTERVAL_MS, FUNDING_RATE, Exchange
from adapters.simulators.instruments import Instrument, plain
from adapters.simulators.matching import Side
from adapters.simulators.outbox import Print
from adapters.simulators.wire import Json

DEPTH_STREAMS = ("depth", "depth@0ms", "depth@100ms", "depth@250ms", "depth@500ms")
MARK_STREAMS = ("markPrice", "markPrice@1s")
STREAMS: frozenset[str] = frozenset({*DEPTH_STREAMS, *MARK_STREAMS, "bookTicker", "trade", "aggTrade"})

Message = tuple[str, Json]


class MarketFeed:
    """Follow one book and number its changes: `u` grows by one with each changed level; each diff names the one before.

    All depth streams carry the same diffs at the pace at which the server asks for them.
    """

    def __init__(self, instrument: Instrument, exchange: Exchange, first_update_id: int) -> None:
        self._instrument = instrument
        self._exchange = exchange
        self._book = exchange.books[instrument.symbol]
        self._pending: dict[tuple[Side, int], int] = {}
        self._published = first_update_id
        self._top: tuple[tuple[int, int], ...] = ()
        self.last_update_id = first_update_id

    def collect(self) -> None:
        """Number what changed in the book since the last call."""
        for side, price, quantity in self._book.take_touched():
            self.last_update_id += 1
            self._pending[(side, price)] = quantity

    def snapshot(self, limit: int, now_ms: int) -> Json:
        """Return the book as REST tells it."""
        self.collect()
        return {
            "lastUpdateId": self.last_update_id,
            "E": now_ms,
            "T": now_ms,
            "bids": self._rows(self._book.levels("BUY", limit)),
            "asks": self._rows(self._book.levels("SELL", limit)),
        }

    def diffs(self, now_ms: int) -> Iterator[Message]:
        """Yield one depth diff per stream when anything changed since the last one."""
        self.collect()
        if not self._pending:
            return
        message: Json = {
            "e": "depthUpdate",
            "E": now_ms,
            "T": now_ms,
            "s": self._instrument.symbol,
            "U": self._published + 1,
            "u": self.last_update_id,
            "pu": self._published,
            "b": self._rows([(price, size) for (side, price), size in self._pending.items() if side == "BUY"]),
            "a": self._rows([(price, size) for (side, price), size in self._pending.items() if side == "SELL"]),
        }
        self._pending.clear()
        self._published = self.last_update_id
        for stream in DEPTH_STREAMS:
            yield self._name(stream), message

    def tops(self, now_ms: int) -> Iterator[Message]:
        """Yield a bookTicker when the top changed since the last one."""
        self.collect()
        top = (*self._book.levels("BUY", 1), *self._book.levels("SELL", 1))
        if len(top) < 2 or top == self._top:  # noqa: PLR2004 - a top has two sides
            return
        self._top = top
        (bid, bid_size), (ask, ask_size) = self._rows(list(top))
        yield (
            self._name("bookTicker"),
            {
                "e": "bookTicker",
                "u": self.last_update_id,
                "s": self._instrument.symbol,
                "b": bid,
                "B": bid_size,
                "a": ask,
                "A": ask_size,
                "T": now_ms,
                "E": now_ms,
            },
        )

    def marks(self, now_ms: int) -> Iterator[Message]:
        """Yield the mark, index and funding as they stand."""
        mark = self._exchange.marks.get(self._instrument.symbol)
        if mark is None:
            return
        message: Json = {
            "e": "markPriceUpdate",
            "E": now_ms,
            "s": self._instrument.symbol,
            "p": plain(mark),
            "i": plain(mark),
            "P": plain(mark),
            "r": plain(FUNDING_RATE),
            "T": now_ms - now_ms % FUNDING_INTERVAL_MS + FUNDING_INTERVAL_MS,
        }
        for stream in MARK_STREAMS:
            yield self._name(stream), message

    def _name(self, stream: str) -> str:
        return f"{self._instrument.symbol.lower()}@{stream}"

    def _rows(self, levels: list[tuple[int, int]]) -> list[list[str]]:
        instrument = self._instrument
        return [[plain(instrument.price(price)), plain(instrument.quantity(size))] for price, size in levels]


def trade_messages(made: Print) -> Iterator[Message]:
    """Yield one public trade on the streams that tell it."""
    name = made.symbol.lower()
    common: Json = {
        "E": made.time_ms,
        "T": made.time_ms,
        "s": made.symbol,
        "p": plain(made.price),
        "q": plain(made.quantity),
        "m": made.buyer_is_maker,
    }
    yield f"{name}@trade", common | {"e": "trade", "t": made.trade_id, "X": "MARKET"}
    yield f"{name}@aggTrade", common | {"e": "aggTrade", "a": made.trade_id, "f": made.trade_id, "l": made.trade_id}
