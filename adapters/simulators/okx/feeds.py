"""What the simulated OKX says of a market, by REST and on its public channels alike. No I/O."""

from collections.abc import Iterator
from decimal import Decimal

from adapters.simulators.changes import Change, Snapshot, Top
from adapters.simulators.happenings import Print
from adapters.simulators.instruments import Instrument, plain
from adapters.simulators.okx import wire
from adapters.simulators.okx.instruments import family
from adapters.simulators.sockets import Json

Level = tuple[Decimal, Decimal]
Message = tuple[str, Json]
CHANNELS = frozenset({"books", "bbo-tbt", "trades", "tickers", "mark-price", "funding-rate"})
TOP_CHANNELS = frozenset({"bbo-tbt", "tickers"})
INDEX_CHANNEL = "index-tickers"


def topic(channel: str, name: str) -> str:
    """Return a channel's topic."""
    return f"{channel}:{name}"


def push(channel: str, name: str, rows: list[Json], **more: str) -> Message:
    """Return a message of a channel under its topic."""
    return topic(channel, name), {"arg": {"channel": channel, "instId": name}, **more, "data": rows}


def snapshot(book: Snapshot) -> Message:
    """Return a book as it begins: nothing is before it."""
    row = _book(book.bids, book.asks, book.time_ms, previous=-1, last=book.last_id)
    return push("books", book.instrument.symbol, [row], action="snapshot")


def update(change: Change) -> Message:
    """Return what changed in a book."""
    row = _book(change.bids, change.asks, change.time_ms, previous=change.previous_id, last=change.last_id)
    return push("books", change.instrument.symbol, [row], action="update")


def heartbeat(symbol: str, last: int, now_ms: int) -> Message:
    """Return the message that says that a quiet book is as it was."""
    return push("books", symbol, [_book((), (), now_ms, previous=last, last=last)], action="update")


def tops(top: Top) -> Iterator[Message]:
    """Yield a top on the channels that tell it."""
    name, time_ms = top.instrument.symbol, top.time_ms
    row: Json = {
        "asks": wire.levels((top.ask,)),
        "bids": wire.levels((top.bid,)),
        "ts": str(time_ms),
        "seqId": top.last_id,
    }
    yield push("bbo-tbt", name, [row])
    yield push("tickers", name, [ticker_row(top.instrument, top.bid, top.ask, time_ms)])


def standing_top(channel: str, book: Snapshot) -> Json | None:
    """Return a top as it stands, None where a side is empty."""
    if not book.bids or not book.asks:
        return None
    top = Top(
        instrument=book.instrument, last_id=book.last_id, bid=book.bids[0], ask=book.asks[0], time_ms=book.time_ms
    )
    return dict(tops(top))[topic(channel, book.instrument.symbol)]


def trade(made: Print) -> Message:
    """Return a public trade; its side is the taker's."""
    row: Json = {
        "instId": made.symbol,
        "tradeId": str(made.trade_id),
        "px": plain(made.price),
        "sz": plain(made.quantity),
        "side": "sell" if made.buyer_is_maker else "buy",
        "ts": str(made.time_ms),
        "count": "1",
    }
    return push("trades", made.symbol, [row])


def marks(instrument: Instrument, mark: Decimal, index: Decimal, now_ms: int) -> Iterator[Message]:
    """Yield mark, index and funding, each on its own channel."""
    yield push("mark-price", instrument.symbol, [mark_row(instrument, mark, now_ms)])
    yield push(INDEX_CHANNEL, family(instrument), [index_row(instrument, index, now_ms)])
    yield push("funding-rate", instrument.symbol, [funding_row(instrument, now_ms)])


def mark_row(instrument: Instrument, mark: Decimal, now_ms: int) -> Json:
    """Return the mark price."""
    return {"instType": "SWAP", "instId": instrument.symbol, "markPx": plain(mark), "ts": str(now_ms)}


def index_row(instrument: Instrument, index: Decimal, now_ms: int) -> Json:
    """Return the index price, under the name of the index."""
    return {"instId": family(instrument), "idxPx": plain(index), "ts": str(now_ms)}


def funding_row(instrument: Instrument, now_ms: int) -> Json:
    """Return the funding rate: it is paid at `fundingTime`; `nextFundingTime` is the payment after."""
    due = instrument.next_funding_ms(now_ms)
    return {
        "instType": "SWAP",
        "instId": instrument.symbol,
        "method": "current_period",
        "fundingRate": plain(instrument.funding_rate),
        "nextFundingRate": "",
        "fundingTime": str(due),
        "nextFundingTime": str(due + instrument.funding_interval_ms),
        "prevFundingTime": str(due - instrument.funding_interval_ms),
        "minFundingRate": "-0.015",
        "maxFundingRate": "0.015",
        "settState": "settled",
        "settFundingRate": plain(instrument.funding_rate),
        "ts": str(now_ms),
    }


def ticker_row(instrument: Instrument, bid: Level, ask: Level, now_ms: int) -> Json:
    """Return the top as a ticker."""
    return {
        "instType": "SWAP",
        "instId": instrument.symbol,
        "last": plain(bid[0]),
        "lastSz": "0",
        "bidPx": plain(bid[0]),
        "bidSz": plain(bid[1]),
        "askPx": plain(ask[0]),
        "askSz": plain(ask[1]),
        "ts": str(now_ms),
    }


def _book(bids: tuple[Level, ...], asks: tuple[Level, ...], time_ms: int, *, previous: int, last: int) -> Json:
    return {
        "asks": wire.levels(asks),
        "bids": wire.levels(bids),
        "ts": str(time_ms),
        "seqId": last,
        "prevSeqId": previous,
    }
