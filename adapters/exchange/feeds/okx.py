"""OKX's v5 public stream: swaps and spot on one socket.

A book begins with a snapshot (`prevSeqId` -1); each update names in `prevSeqId` the `seqId` before it. Both the same is
a heartbeat of a quiet book; a `seqId` below its `prevSeqId` is the venue starting its count anew, and chains as any
other. The checksum of old is gone. Sizes of swaps are contracts. Source: docs-v5, order book channel.
"""

from collections import deque
from collections.abc import Iterable
from decimal import Decimal
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

# Steps of a chain remembered, to tell a message that came twice from one that does not follow. Numbers alone cannot
# tell them apart here: the venue may start its count anew.
RECENT_MAX = 256
_MARK_CHANNELS = ("mark-price", "index-tickers", "funding-rate")


class _Argument(msgspec.Struct, frozen=True, gc=False):
    channel: str = ""
    instId: str = ""  # noqa: N815 - the venue's name


class _Envelope(msgspec.Struct, gc=False):
    arg: _Argument = _Argument()
    action: str = ""
    data: msgspec.Raw = msgspec.Raw(b"")
    event: str = ""
    code: str = ""
    msg: str = ""


class _Book(msgspec.Struct, gc=False):
    asks: list[Row]
    bids: list[Row]
    ts: str
    seqId: int  # noqa: N815 - the venue's name
    prevSeqId: int  # noqa: N815 - same


class _Trade(msgspec.Struct, gc=False):
    tradeId: str  # noqa: N815 - the venue's name
    px: str
    sz: str
    side: Literal["buy", "sell"]
    ts: str


class _Time(msgspec.Struct):
    ts: str


class _TimeAnswer(msgspec.Struct):
    data: tuple[_Time]


_read_envelope = msgspec.json.Decoder(_Envelope).decode
_read_book = msgspec.json.Decoder(tuple[_Book]).decode
_read_trades = msgspec.json.Decoder(list[_Trade]).decode
_read_rows = msgspec.json.Decoder(list[dict[str, Any]]).decode
_read_time = msgspec.json.Decoder(_TimeAnswer).decode
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError)


class Okx(Dialect):
    """Speak the public socket about swaps and spot pairs."""

    venue = "okx"
    stream_host = "ws.okx.com"
    stream_port = 8443
    rest_host = "www.okx.com"
    time_path = "/api/v5/public/time"
    ping_every_s = 18.0
    ping_text = "ping"

    def __init__(
        self, listings: Iterable[InstrumentReport], memories: Memories, *, levels: int, streams: tuple[str, ...]
    ) -> None:
        super().__init__(listings, memories, levels=levels)
        self._streams = streams
        self._recent: dict[str, deque[tuple[int, int]]] = {id_: deque(maxlen=RECENT_MAX) for id_ in self.tracks}
        self._marks: dict[str, dict[str, Any]] = {id_: {} for id_ in self.tracks}
        swaps = [track for track in self.tracks.values() if track.listing.kind != "spot"]
        self._indexes: dict[str, list[Track]] = {}
        for track in swaps:
            self._indexes.setdefault(_index_of(track.listing), []).append(track)

    @property
    def stream_path(self) -> str:
        """Return the public path."""
        return "/ws/v5/public"

    def unit(self, listing: InstrumentReport) -> Decimal:
        """Return the units of one contract."""
        return listing.contract_size

    def hello(self) -> Acts:
        """Subscribe to every channel; an index is one for all instruments that follow it."""
        wanted: list[tuple[str, str]] = []
        for channel, stream in (("books", "books"), ("trades", "trades")):
            wanted += [(channel, id_) for id_ in self.tracks if stream in self._streams]
        if "marks" in self._streams:
            swaps = [track.market_id for track in self.tracks.values() if track.listing.kind != "spot"]
            wanted += [(channel, id_) for channel in ("mark-price", "funding-rate") for id_ in swaps]
            wanted += [("index-tickers", index) for index in self._indexes]
        return (_say("subscribe", wanted),)

    def renew(self, symbol: str) -> Acts:
        """Subscribe anew: the answer to a subscription is a snapshot."""
        channel = [("books", self._by_symbol[symbol].market_id)]
        return _say("unsubscribe", channel), _say("subscribe", channel)

    def receive(self, payload: bytes, at_us: int) -> Acts:
        """Read a book, trades, a part of a mark, or an answer."""
        if payload == b"pong":
            return NOTHING
        try:
            message = _read_envelope(payload)
        except _UNREADABLE as error:
            raise Unreadable(str(error)) from error
        channel, market_id = message.arg.channel, message.arg.instId
        if message.event:
            return self._answered(message) if message.event == "error" else NOTHING
        track = self.tracks.get(market_id)
        if channel == "books":
            return NOTHING if track is None else self._book(track, message, payload, at_us)
        try:
            if channel == "trades" and track is not None:
                return self._trades(track, message, at_us)
            if channel in _MARK_CHANNELS:
                return self._mark(channel, market_id, message)
        except (*_UNREADABLE, Unreadable) as error:
            return (Unread(f"{channel}: {error}"),)
        return NOTHING

    def closed(self) -> None:
        """Forget the chains and the marks, too."""
        super().closed()
        for market_id in self.tracks:
            self._recent[market_id].clear()
            self._marks[market_id].clear()

    def clock(self, body: bytes) -> int:
        """Return the venue's clock."""
        try:
            return instant_us(_read_time(body).data[0].ts) // 1_000
        except _UNREADABLE as error:
            raise Unreadable(str(error)) from error

    def _book(self, track: Track, message: _Envelope, payload: bytes, at_us: int) -> Acts:
        try:
            (told,) = _read_book(message.data)
            last, previous = sequence(told.seqId), told.prevSeqId
            exchange_us = instant_us(told.ts)
            self._memories.hold(payload, told.bids, told.asks)
        except (*_UNREADABLE, Unreadable) as error:
            return self._lost(track, f"unreadable: {error}")
        recent = self._recent[track.market_id]
        step, before = (previous, last), track.last
        if message.action == "snapshot":
            if step in recent and (track.believed or last < track.last):
                return NOTHING
            acts = self._load(track, last, told.bids, told.asks)
        elif not track.believed:
            return NOTHING
        elif previous == track.last and message.action == "update":
            acts = self._change(track, last, told.bids, told.asks)
        elif step in recent:
            return NOTHING
        else:
            return self._gap(track, f"{last} after {previous}")
        # A count begun anew makes numbers of before mean something else.
        if last < previous or last < before:
            recent.clear()
        if previous != last:
            recent.append(step)
        track.exchange_us, track.received_us = exchange_us, at_us
        return acts

    def _trades(self, track: Track, message: _Envelope, at_us: int) -> Acts:
        unit = self.unit(track.listing)
        return [
            TradePrint(
                venue=self.venue,
                symbol=track.symbol,
                trade_id=row.tradeId[:TEXT_CHARS_MAX],
                price=number.price(row.px),
                quantity=number.size(row.sz) * unit,
                taker=row.side,
                exchange_at_us=instant_us(row.ts),
                received_at_us=at_us,
            )
            for row in _read_trades(message.data)
        ]

    def _mark(self, channel: str, market_id: str, message: _Envelope) -> Acts:
        """Keep what a channel tells; a mark is told when all three have."""
        acts: list[Act] = []
        if channel == "index-tickers":
            tracks = self._indexes.get(market_id, [])
        else:
            tracks = [self.tracks[market_id]] if market_id in self.tracks else []
        for row in _read_rows(message.data):
            for track in tracks:
                self._marks[track.market_id].update(_part(channel, row))
                acts += self._whole_mark(track)
        return acts

    def _whole_mark(self, track: Track) -> Acts:
        known = self._marks[track.market_id]
        if not {"mark", "index", "rate"} <= known.keys():
            return NOTHING
        return (
            MarkReport(
                venue=self.venue,
                symbol=track.symbol,
                mark_price=known["mark"],
                index_price=known["index"],
                funding_rate=known["rate"],
                funding_interval_ms=known["interval_ms"],
                next_funding_us=known["next_us"],
                at_us=known["mark_us"],
            ),
        )

    def _answered(self, message: _Envelope) -> Acts:
        """Take a refusal for all that it may be about: the venue names the channel in its text only."""
        told = f"refused: {message.code} {message.msg}"[:TEXT_CHARS_MAX]
        named = [track for track in self.tracks.values() if track.market_id in message.msg]
        acts: list[Act] = []
        for track in named or self.tracks.values():
            track.believed = False
            acts.append(Lost(track.symbol, told))
        return acts


def _part(channel: str, row: dict[str, Any]) -> dict[str, Any]:
    """Return what one channel tells of a mark; the interval is from this funding to the next."""
    if channel == "mark-price":
        return {"mark": number.price(row.get("markPx")), "mark_us": instant_us(row.get("ts"))}
    if channel == "index-tickers":
        return {"index": number.price(row.get("idxPx"))}
    due_us, after_us = instant_us(row.get("fundingTime")), instant_us(row.get("nextFundingTime"))
    if after_us <= due_us:
        raise Unreadable("a funding after the next")
    return {
        "rate": number.rate(row.get("fundingRate")),
        "interval_ms": (after_us - due_us) // 1_000,
        "next_us": due_us,
    }


def _index_of(listing: InstrumentReport) -> str:
    """Return the id of the index that an instrument follows: ETH-USDT for ETH-USDT-SWAP."""
    return "-".join(listing.market_id.split("-")[:2])


def _say(operation: str, channels: Iterable[tuple[str, str]]) -> Say:
    arguments = [{"channel": channel, "instId": market_id} for channel, market_id in channels]
    return Say(msgspec.json.encode({"op": operation, "args": arguments}).decode())
