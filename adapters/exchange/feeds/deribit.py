"""Deribit's JSON-RPC stream: inverse perpetuals in dollars, USDC perpetuals in base units.

A book begins with a snapshot; each change names in `prev_change_id` the `change_id` before it. Numbers are JSON numbers
and are read by their text. Levels come as `new`, `change` or `delete`. The venue asks back on a heartbeat, and hangs up
on who does not answer. Source: docs.deribit.com, book.{instrument}.{interval}.
"""

from collections.abc import Iterable
from typing import Any, Literal

import msgspec

from adapters.exchange.feeds import number
from adapters.exchange.feeds.book import Row
from adapters.exchange.feeds.dialect import (
    NOTHING,
    TEXT_CHARS_MAX,
    Act,
    Acts,
    Dialect,
    Lost,
    Memories,
    Say,
    Track,
    Unread,
    instant_us,
    sequence,
)
from adapters.exchange.feeds.trouble import Unreadable
from domain.venue import InstrumentReport, MarkReport, TradePrint

HEARTBEAT_S = 10
INTERVAL = "100ms"
# Funding accrues all the time; its rate is told for eight hours.
FUNDING_INTERVAL_MS = 8 * 3_600_000
_CHANNELS = {"books": "book", "trades": "trades", "marks": "ticker"}
_PONG = '{"jsonrpc":"2.0","id":0,"method":"public/test","params":{}}'

Levels = list[tuple[Literal["new", "change", "delete"], Any, Any]]


class _Parameters(msgspec.Struct, frozen=True, gc=False):
    channel: str = ""
    type: str = ""
    data: msgspec.Raw = msgspec.Raw(b"")


class _Envelope(msgspec.Struct, gc=False):
    method: str = ""
    params: _Parameters = _Parameters()
    id: int | None = None
    error: Any = None


class _Book(msgspec.Struct, gc=False):
    type: Literal["snapshot", "change"]
    timestamp: int
    change_id: int
    bids: Levels
    asks: Levels
    prev_change_id: int | None = None


class _Trade(msgspec.Struct, gc=False):
    trade_id: str
    price: Any
    amount: Any
    direction: Literal["buy", "sell"]
    timestamp: int


class _Ticker(msgspec.Struct, gc=False):
    mark_price: Any
    index_price: Any
    timestamp: int
    current_funding: Any = None


class _Time(msgspec.Struct):
    result: int


_read_envelope = msgspec.json.Decoder(_Envelope, float_hook=str).decode
_read_book = msgspec.json.Decoder(_Book, float_hook=str).decode
_read_trades = msgspec.json.Decoder(list[_Trade], float_hook=str).decode
_read_ticker = msgspec.json.Decoder(_Ticker, float_hook=str).decode
_read_time = msgspec.json.Decoder(_Time).decode
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError)


class Deribit(Dialect):
    """Speak the one socket. Amounts are units already: dollars on inverse perpetuals, base units on linear ones."""

    venue = "deribit"
    stream_host = "www.deribit.com"
    rest_host = "www.deribit.com"
    time_path = "/api/v2/public/get_time"

    def __init__(
        self, listings: Iterable[InstrumentReport], memories: Memories, *, levels: int, streams: tuple[str, ...]
    ) -> None:
        super().__init__(listings, memories, levels=levels)
        self._streams = streams

    @property
    def stream_path(self) -> str:
        """Return the JSON-RPC path."""
        return "/ws/api/v2"

    def hello(self) -> Acts:
        """Ask for heartbeats and subscribe to every channel."""
        channels = [f"{_CHANNELS[name]}.{id_}.{INTERVAL}" for name in self._streams for id_ in self.tracks]
        return (
            _call(1, "public/set_heartbeat", {"interval": HEARTBEAT_S}),
            _call(2, "public/subscribe", {"channels": channels}),
        )

    def renew(self, symbol: str) -> Acts:
        """Subscribe anew: the answer to a subscription is a snapshot."""
        channels = {"channels": [f"book.{self._by_symbol[symbol].market_id}.{INTERVAL}"]}
        return _call(3, "public/unsubscribe", channels), _call(4, "public/subscribe", channels)

    def receive(self, payload: bytes, at_us: int) -> Acts:
        """Read a book, trades, a ticker, a heartbeat or an answer."""
        try:
            message = _read_envelope(payload)
        except _UNREADABLE as error:
            raise Unreadable(str(error)) from error
        if message.method == "heartbeat":
            return (Say(_PONG),) if message.params.type == "test_request" else NOTHING
        if message.error is not None:
            return self._refused(message.error)
        kind, _, rest = message.params.channel.partition(".")
        track = self.tracks.get(rest.rpartition(".")[0])
        if track is None:
            return NOTHING
        if kind == "book":
            return self._book(track, message.params.data, at_us)
        try:
            if kind == "trades":
                return self._trades(track, message.params.data, at_us)
            return self._ticker(track, message.params.data) if kind == "ticker" else NOTHING
        except (*_UNREADABLE, Unreadable) as error:
            return (Unread(f"{kind}: {error}"),)

    def clock(self, body: bytes) -> int:
        """Return the venue's clock."""
        try:
            return instant_us(_read_time(body).result) // 1_000
        except _UNREADABLE as error:
            raise Unreadable(str(error)) from error

    def _book(self, track: Track, data: msgspec.Raw, at_us: int) -> Acts:
        try:
            told = _read_book(data)
            change_id = sequence(told.change_id)
            exchange_us = instant_us(told.timestamp)
            bids, asks = _rows(told.bids), _rows(told.asks)
        except (*_UNREADABLE, Unreadable) as error:
            return self._lost(track, f"unreadable: {error}")
        if told.type == "snapshot":
            if change_id < track.last or (track.believed and change_id == track.last):
                return NOTHING
            acts = self._load(track, change_id, bids, asks)
        elif not track.believed or change_id <= track.last:
            return NOTHING
        elif told.prev_change_id != track.last:
            return self._gap(track, f"{change_id} after {told.prev_change_id}")
        else:
            acts = self._change(track, change_id, bids, asks)
        track.exchange_us, track.received_us = exchange_us, at_us
        return acts

    def _trades(self, track: Track, data: msgspec.Raw, at_us: int) -> Acts:
        return [
            TradePrint(
                venue=self.venue,
                symbol=track.symbol,
                trade_id=row.trade_id[:TEXT_CHARS_MAX],
                price=number.price(row.price),
                quantity=number.size(row.amount),
                taker=row.direction,
                exchange_at_us=instant_us(row.timestamp),
                received_at_us=at_us,
            )
            for row in _read_trades(data)
        ]

    def _ticker(self, track: Track, data: msgspec.Raw) -> Acts:
        row = _read_ticker(data)
        if row.current_funding is None:
            return NOTHING  # a dated future has no funding
        at_us = instant_us(row.timestamp)
        interval_ms = track.listing.funding_interval_ms or FUNDING_INTERVAL_MS
        interval_us = interval_ms * 1_000
        return (
            MarkReport(
                venue=self.venue,
                symbol=track.symbol,
                mark_price=number.price(row.mark_price),
                index_price=number.price(row.index_price),
                funding_rate=number.rate(row.current_funding),
                funding_interval_ms=interval_ms,
                next_funding_us=at_us - at_us % interval_us + interval_us,
                at_us=at_us,
            ),
        )

    def _refused(self, error: Any) -> Acts:
        told = f"refused: {error}"[:TEXT_CHARS_MAX]
        acts: list[Act] = []
        for track in self.tracks.values():
            track.believed = False
            acts.append(Lost(track.symbol, told))
        return acts


def _rows(levels: Levels) -> list[Row]:
    """Return levels as price and size, deleted ones with size zero; raise `Unreadable` when a number is none.

    A JSON number came through the reader's grammar; only what is no number at all has to be kept out.
    """
    rows: list[Row] = []
    for action, price, amount in levels:
        if price is True or amount is True or amount is False:
            raise Unreadable("a flag for a number")
        if action == "delete":
            rows.append(Row(price, "0"))
        elif amount == 0 or number.exact(amount) == 0:
            raise Unreadable(f"a level to {action} with nothing in it")
        else:
            rows.append(Row(price, amount))
    return rows


def _call(identity: int, method: str, parameters: dict[str, Any]) -> Say:
    return Say(msgspec.json.encode({"jsonrpc": "2.0", "id": identity, "method": method, "params": parameters}).decode())
