"""What the simulated Binance says of a market on its public streams: diffs that chain, tops, trades, marks. No I/O."""

from collections.abc import Iterator
from decimal import Decimal

from adapters.simulators.binance import wire
from adapters.simulators.changes import Change, Top
from adapters.simulators.happenings import Print
from adapters.simulators.instruments import Instrument, plain
from adapters.simulators.sockets import Json

DEPTH_STREAMS = ("depth", "depth@0ms", "depth@100ms", "depth@250ms", "depth@500ms")
MARK_STREAMS = ("markPrice", "markPrice@1s")
STREAMS: frozenset[str] = frozenset({*DEPTH_STREAMS, *MARK_STREAMS, "bookTicker", "trade", "aggTrade"})

Message = tuple[str, Json]


def stream(instrument: Instrument, kind: str) -> str:
    """Return a stream's name."""
    return f"{instrument.symbol.lower()}@{kind}"


def diffs(change: Change) -> Iterator[Message]:
    """Yield one depth diff per stream: all depth streams carry the same diffs at the same pace.

    A spot diff names neither the one before it nor the time of the change.
    """
    message: Json = {"e": "depthUpdate", "E": change.time_ms, "s": change.instrument.symbol}
    if change.instrument.kind != "spot":
        message |= {"T": change.time_ms, "pu": change.previous_id} | _pair(change.instrument)
    message |= {
        "U": change.first_id,
        "u": change.last_id,
        "b": wire.rows(change.bids),
        "a": wire.rows(change.asks),
    }
    for kind in DEPTH_STREAMS:
        yield stream(change.instrument, kind), message


def ticker(top: Top) -> Message:
    """Return a bookTicker."""
    (bid, bid_size), (ask, ask_size) = wire.rows((top.bid, top.ask))
    message: Json = {
        "u": top.last_id,
        "s": top.instrument.symbol,
        "b": bid,
        "B": bid_size,
        "a": ask,
        "A": ask_size,
    }
    if top.instrument.kind != "spot":
        message |= {"e": "bookTicker", "T": top.time_ms, "E": top.time_ms} | _pair(top.instrument)
    return stream(top.instrument, "bookTicker"), message


def marks(instrument: Instrument, mark: Decimal, now_ms: int) -> Iterator[Message]:
    """Yield the mark, index and funding as they stand."""
    message: Json = {
        "e": "markPriceUpdate",
        "E": now_ms,
        "s": instrument.symbol,
        "p": plain(mark),
        "i": plain(mark),
        "P": plain(mark),
        "r": plain(instrument.funding_rate),
        "T": instrument.next_funding_ms(now_ms),
    }
    for kind in MARK_STREAMS:
        yield stream(instrument, kind), message


def trades(instrument: Instrument, made: Print) -> Iterator[Message]:
    """Yield one public trade on the streams that tell it."""
    common: Json = {
        "E": made.time_ms,
        "T": made.time_ms,
        "s": made.symbol,
        "p": plain(made.price),
        "q": plain(made.quantity),
        "m": made.buyer_is_maker,
    }
    told = {"e": "trade", "t": made.trade_id}
    yield stream(instrument, "trade"), common | told | ({"M": True} if instrument.kind == "spot" else {"X": "MARKET"})
    numbers = {"e": "aggTrade", "a": made.trade_id, "f": made.trade_id, "l": made.trade_id}
    yield stream(instrument, "aggTrade"), common | numbers


def _pair(instrument: Instrument) -> Json:
    """Return what COIN-M adds: the pair that a contract is of."""
    return {"ps": instrument.base + instrument.quote} if instrument.kind == "inverse" else {}
