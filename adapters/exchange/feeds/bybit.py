"""Bybit's v5 public streams, one socket per category: linear, inverse, spot.

A book begins with a snapshot on the socket; each delta's `u` is one more than the last. `seq` is the matching engine's
own and tells what is older: after a restart of the service a snapshot comes with `u` 1 and a higher `seq`. The tickers
stream sends what changed only, so the last word on each field is kept. Source: docs v5/websocket/public.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any, ClassVar, Literal

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
from domain.venue import InstrumentKind, InstrumentReport, MarkReport, TradePrint

DEPTH = 50
HOUR_MS = 3_600_000
FUNDING_HOURS_MAX = 24 * 7
_TICKER_FIELDS = ("markPrice", "indexPrice", "fundingRate", "nextFundingTime", "fundingIntervalHour")


class _Envelope(msgspec.Struct, gc=False):
    topic: str = ""
    type: str = ""
    ts: int = 0
    data: msgspec.Raw = msgspec.Raw(b"")
    op: str = ""
    success: bool | None = None
    ret_msg: str = ""
    req_id: str = ""


class _Book(msgspec.Struct, gc=False):
    u: int
    seq: int
    b: list[Row]
    a: list[Row]
    s: str = ""


class _Trade(msgspec.Struct, gc=False):
    T: int
    S: Literal["Buy", "Sell"]
    v: str
    p: str
    i: str


class _Time(msgspec.Struct):
    time: int


_read_envelope = msgspec.json.Decoder(_Envelope).decode
_read_book = msgspec.json.Decoder(_Book).decode
_read_trades = msgspec.json.Decoder(list[_Trade]).decode
_read_ticker = msgspec.json.Decoder(dict[str, Any]).decode
_read_time = msgspec.json.Decoder(_Time).decode
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError)


class Bybit(Dialect):
    """Speak one category. Sizes are base units on linear and spot, dollars on inverse: no contracts."""

    venue = "bybit"
    stream_host = "stream.bybit.com"
    rest_host = "api.bybit.com"
    time_path = "/v5/market/time"
    ping_every_s = 18.0
    ping_text = '{"op":"ping"}'
    topics: ClassVar[dict[str, str]] = {
        "books": f"orderbook.{DEPTH}.",
        "trades": "publicTrade.",
        "marks": "tickers.",
    }

    def __init__(
        self,
        listings: Iterable[InstrumentReport],
        memories: Memories,
        *,
        levels: int,
        streams: tuple[str, ...],
        category: InstrumentKind,
    ) -> None:
        super().__init__(listings, memories, levels=levels)
        # Spot has no mark.
        self._topics = [self.topics[name] for name in streams if name != "marks" or category != "spot"]
        self._category = category
        self._seq: dict[str, int] = dict.fromkeys(self.tracks, -1)
        self._tickers: dict[str, dict[str, str]] = {id_: {} for id_ in self.tracks}

    @property
    def stream_path(self) -> str:
        """Return the category's path."""
        return f"/v5/public/{self._category}"

    def hello(self) -> Acts:
        """Subscribe to every topic. The id of a request names what it is about."""
        wanted = [topic + id_ for topic in self._topics for id_ in self.tracks]
        return (_say("subscribe", wanted, "all"),)

    def renew(self, symbol: str) -> Acts:
        """Subscribe anew: the answer to a subscription is a snapshot."""
        track = self._by_symbol[symbol]
        topic = self.topics["books"] + track.market_id
        return _say("unsubscribe", [topic], track.market_id), _say("subscribe", [topic], track.market_id)

    def receive(self, payload: bytes, at_us: int) -> Acts:
        """Read a book, trades, a ticker or an answer."""
        try:
            message = _read_envelope(payload)
        except _UNREADABLE as error:
            raise Unreadable(str(error)) from error
        kind, _, market_id = message.topic.rpartition(".")
        if not kind:
            return self._answered(message)
        track = self.tracks.get(market_id)
        if track is None:
            return NOTHING
        if kind.startswith("orderbook"):
            return self._book(track, message, payload, at_us)
        try:
            if kind == "publicTrade":
                return self._trades(track, message, at_us)
            return self._ticker(track, message) if kind == "tickers" else NOTHING
        except (*_UNREADABLE, Unreadable) as error:
            return (Unread(f"{kind}: {error}"),)

    def closed(self) -> None:
        """Forget the engine's numbers and the tickers, too."""
        super().closed()
        for market_id in self.tracks:
            self._seq[market_id] = -1
            self._tickers[market_id].clear()

    def clock(self, body: bytes) -> int:
        """Return the venue's clock."""
        try:
            return instant_us(_read_time(body).time) // 1_000
        except _UNREADABLE as error:
            raise Unreadable(str(error)) from error

    def _book(self, track: Track, message: _Envelope, payload: bytes, at_us: int) -> Acts:
        try:
            told = _read_book(message.data)
            update_id, seq = sequence(told.u), sequence(told.seq)
            exchange_us = instant_us(message.ts)
            self._memories.hold(payload, told.b, told.a)
        except (*_UNREADABLE, Unreadable) as error:
            return self._lost(track, f"unreadable: {error}")
        seen = self._seq[track.market_id]
        if message.type == "snapshot":
            if seq < seen or (track.believed and seq == seen):
                return NOTHING
            acts = self._load(track, update_id, told.b, told.a)
        elif not track.believed or (update_id <= track.last and seq <= seen):
            return NOTHING
        elif message.type != "delta" or update_id != track.last + 1 or seq < seen:
            return self._gap(track, update_id)
        else:
            acts = self._change(track, update_id, told.b, told.a)
        self._seq[track.market_id] = seq
        track.exchange_us, track.received_us = exchange_us, at_us
        return acts

    def _trades(self, track: Track, message: _Envelope, at_us: int) -> Acts:
        return [
            TradePrint(
                venue=self.venue,
                symbol=track.symbol,
                trade_id=row.i[:TEXT_CHARS_MAX],
                price=number.price(row.p),
                quantity=number.size(row.v),
                taker="buy" if row.S == "Buy" else "sell",
                exchange_at_us=instant_us(row.T),
                received_at_us=at_us,
            )
            for row in _read_trades(message.data)
        ]

    def _ticker(self, track: Track, message: _Envelope) -> Acts:
        at_us = instant_us(message.ts)
        told = _read_ticker(message.data)
        known = self._tickers[track.market_id]
        if message.type == "snapshot":
            known.clear()
        changed = {name: str(told[name]) for name in _TICKER_FIELDS if told.get(name)}
        known.update(changed)
        hours = known.get("fundingIntervalHour", "")
        interval_ms = _hours_ms(hours) if hours else track.listing.funding_interval_ms
        if not changed or interval_ms == 0 or any(name not in known for name in _TICKER_FIELDS[:4]):
            return NOTHING
        return (
            MarkReport(
                venue=self.venue,
                symbol=track.symbol,
                mark_price=number.price(known["markPrice"]),
                index_price=number.price(known["indexPrice"]),
                funding_rate=number.rate(known["fundingRate"]),
                funding_interval_ms=interval_ms,
                next_funding_us=instant_us(known["nextFundingTime"]),
                at_us=at_us,
            ),
        )

    def _answered(self, message: _Envelope) -> Acts:
        """Take a refusal for what it is about: one book, or all of them."""
        if message.op != "subscribe" or message.success is not False:
            return NOTHING
        acts: list[Act] = []
        for track in self.tracks.values():
            if message.req_id in {"all", "", track.market_id}:
                track.believed = False
                acts.append(Lost(track.symbol, f"refused: {message.ret_msg[:TEXT_CHARS_MAX]}"))
        return acts

    def unit(self, listing: InstrumentReport) -> Decimal:
        """Return 1: no category counts in contracts."""
        del listing
        return Decimal(1)


def _hours_ms(hours: str) -> int:
    told = number.price(hours)
    if told > FUNDING_HOURS_MAX:
        raise Unreadable(f"funding every {told} hours")
    return int(told * HOUR_MS)


def _say(operation: str, topics: list[str], about: str) -> Say:
    return Say(msgspec.json.encode({"op": operation, "req_id": about, "args": topics}).decode())
