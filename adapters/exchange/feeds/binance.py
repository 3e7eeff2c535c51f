"""Binance's public streams: USD-M, COIN-M and spot.

A diff stream never starts with a snapshot: diffs wait until one comes by REST and are joined to it by their ids. From
then on a futures diff names in `pu` the one before it; a spot diff begins at the id after it.
Source: the venue's "How to manage a local order book correctly", for each of the three.
"""

from collections import deque
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, ClassVar

import msgspec

from adapters.exchange.feeds import number
from adapters.exchange.feeds.book import Row
from adapters.exchange.feeds.dialect import (
    NOTHING,
    SEQUENCE_MAX,
    TEXT_CHARS_MAX,
    Acts,
    Dialect,
    Fetch,
    HangUp,
    Memories,
    Say,
    Track,
    Unread,
    instant_us,
    sequence,
)
from adapters.exchange.feeds.trouble import Unreadable
from domain.venue import InstrumentReport, MarkReport, TradePrint

# Diffs kept while a snapshot is on its way: ten a second and socket, and nobody waits a minute for a snapshot.
EARLY_MAX = 600
# What the venue pays by unless its fundingInfo names another interval.
FUNDING_INTERVAL_MS = 8 * 3_600_000
SNAPSHOT_LEVELS = 1_000
_SUBSCRIBE_ID = 1
_SIDE_EVENTS = frozenset({"trade", "markPriceUpdate"})


class _Message(msgspec.Struct, gc=False):
    """Hold what any of the streams sends. `b` and `a` are levels in diffs and other things in other messages."""

    e: str = ""
    E: int = 0
    s: str = ""
    U: int = -1
    u: int = -1
    pu: int = -1
    b: list[Row] = []
    a: list[Row] = []
    T: int = 0
    p: str = ""
    q: str = ""
    t: int = -1
    m: bool = False
    i: str = ""
    r: str = ""
    id: int | None = None
    error: Any = None


class _Snapshot(msgspec.Struct):
    lastUpdateId: int  # noqa: N815 - the venue's name
    bids: list[Row]
    asks: list[Row]
    E: int = 0


class _Time(msgspec.Struct):
    serverTime: int  # noqa: N815 - the venue's name


_read_message = msgspec.json.Decoder(_Message).decode
_read_snapshot = msgspec.json.Decoder(_Snapshot).decode
_read_time = msgspec.json.Decoder(_Time).decode


class Binance(Dialect):
    """Speak one socket of one of the three markets: `books` with trades, `marks`, or both."""

    depth_path: ClassVar[str]

    def __init__(
        self, listings: Iterable[InstrumentReport], memories: Memories, *, levels: int, streams: tuple[str, ...]
    ) -> None:
        super().__init__(listings, memories, levels=levels)
        self._streams = streams
        self._follows = "books" in streams
        self._early: dict[str, deque[_Message]] = {id_: deque() for id_ in self.tracks}
        self._joining: set[str] = set()

    @property
    def books(self) -> tuple[str, ...]:
        """Return the symbols whose books come by this socket: none where it carries marks only."""
        return tuple(super().books) if self._follows else ()

    def hello(self) -> Acts:
        """Subscribe to every stream at once. Snapshots are asked for after the answer."""
        names = {"books": "depth@100ms", "trades": "trade", "marks": "markPrice@1s"}
        wanted = [f"{id_.lower()}@{names[stream]}" for stream in self._streams for id_ in self.tracks]
        asked = {"method": "SUBSCRIBE", "params": wanted, "id": _SUBSCRIBE_ID}
        return (Say(msgspec.json.encode(asked).decode()),)

    def receive(self, payload: bytes, at_us: int) -> Acts:
        """Read a diff, a trade, a mark or an answer."""
        try:
            message = _read_message(payload)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Unreadable(str(error)) from error
        track = self.tracks.get(message.s)
        if message.e == "depthUpdate" and track is not None:
            try:
                self._memories.hold(payload, message.b, message.a)
            except Unreadable as error:
                return self._lost(track, f"unreadable: {error}")
            return self._diff(track, message, at_us)
        if message.e in _SIDE_EVENTS and track is not None:
            try:
                return self._trade(track, message, at_us) if message.e == "trade" else self._mark(track, message)
            except Unreadable as error:
                return (Unread(f"{message.e}: {error}"),)
        if message.error is not None:
            return (HangUp(f"refused: {message.error}"[:TEXT_CHARS_MAX]),)
        if message.id == _SUBSCRIBE_ID and self._follows:
            return [act for track in self.tracks.values() for act in self.renew(track.symbol)]
        return NOTHING

    def renew(self, symbol: str) -> Acts:
        """Ask for a snapshot; diffs wait for it."""
        market_id = self._by_symbol[symbol].market_id
        return (Fetch(symbol, f"{self.depth_path}?symbol={market_id}&limit={SNAPSHOT_LEVELS}"),)

    def fetched(self, symbol: str, body: bytes, at_us: int) -> Acts:
        """Start from a snapshot and join the diffs that waited for it."""
        track = self._by_symbol[symbol]
        try:
            snapshot = _read_snapshot(body)
            exchange_us = instant_us(snapshot.E) if snapshot.E else 0
            last = sequence(snapshot.lastUpdateId)
            self._memories.hold(body, snapshot.bids, snapshot.asks)
        except (msgspec.DecodeError, UnicodeDecodeError, Unreadable) as error:
            return self._lost(track, f"unreadable: snapshot: {error}")
        early = self._early[track.market_id]
        newest = max(track.last, early[-1].u if early else -1)
        if early and not self._joins(early[0], last) and last < early[0].u:
            return self._lost(track, f"gap: a snapshot at {last} is older than the first diff, {early[0].U}")
        if not early and last < track.last:
            return self._lost(track, f"gap: a snapshot at {last} is older than {newest}")
        acts = self._load(track, last, snapshot.bids, snapshot.asks)
        track.exchange_us = exchange_us or at_us
        track.received_us = at_us
        self._joining.add(track.market_id)
        while early and track.believed:
            acts = self._follow(track, early.popleft()) or acts
        return acts

    def closed(self) -> None:
        """Forget the diffs that wait, too."""
        super().closed()
        for early in self._early.values():
            early.clear()
        self._joining.clear()

    def clock(self, body: bytes) -> int:
        """Return the venue's clock."""
        try:
            return instant_us(_read_time(body).serverTime) // 1_000
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Unreadable(str(error)) from error

    def _diff(self, track: Track, message: _Message, at_us: int) -> Acts:
        if not 0 <= message.U <= message.u <= SEQUENCE_MAX:
            return self._lost(track, f"unreadable: a diff from {message.U} to {message.u}")
        if track.believed:
            acts = self._follow(track, message)
            if acts and track.believed:
                track.exchange_us = message.E * 1_000
                track.received_us = at_us
            return acts
        early = self._early[track.market_id]
        if early and message.u <= early[-1].u:
            return NOTHING
        early.append(message)
        if len(early) > EARLY_MAX:
            early.clear()
            return self._lost(track, f"gap: {EARLY_MAX} diffs and no snapshot")
        return NOTHING

    def _joins(self, message: _Message, last: int) -> bool:
        """Say whether a diff is the first to apply after a snapshot."""
        return message.U <= last <= message.u or message.pu == last

    def _follows_on(self, message: _Message, last: int) -> bool:
        """Say whether a diff follows the last one."""
        return message.pu == last

    def _follow(self, track: Track, message: _Message) -> Acts:
        last = track.last
        if track.market_id in self._joining:
            if message.u < last:
                return NOTHING
            if not self._joins(message, last):
                return self._broken(track, message)
            self._joining.discard(track.market_id)
        elif message.u <= last:
            return NOTHING
        elif not self._follows_on(message, last):
            return self._broken(track, message)
        return self._change(track, message.u, message.b, message.a)

    def _broken(self, track: Track, message: _Message) -> Acts:
        """Give the book up, and keep the diff that did not follow: the next snapshot may be older than it."""
        early = self._early[track.market_id]
        if not early:
            early.append(message)
        return self._gap(track, f"{message.U} to {message.u} after {message.pu}")

    def _trade(self, track: Track, message: _Message, at_us: int) -> Acts:
        return (
            TradePrint(
                venue=self.venue,
                symbol=track.symbol,
                trade_id=str(sequence(message.t)),
                price=number.price(message.p),
                quantity=number.size(message.q) * self.unit(track.listing),
                taker="sell" if message.m else "buy",
                exchange_at_us=instant_us(message.T),
                received_at_us=at_us,
            ),
        )

    def _mark(self, track: Track, message: _Message) -> Acts:
        return (
            MarkReport(
                venue=self.venue,
                symbol=track.symbol,
                mark_price=number.price(message.p),
                index_price=number.price(message.i),
                funding_rate=number.rate(message.r),
                funding_interval_ms=track.listing.funding_interval_ms or FUNDING_INTERVAL_MS,
                next_funding_us=instant_us(message.T),
                at_us=instant_us(message.E),
            ),
        )


class BinanceUsdm(Binance):
    """Speak USD-M: books and trades on the public route, marks on the market route."""

    venue = "binanceusdm"
    stream_host = "fstream.binance.com"
    rest_host = "fapi.binance.com"
    time_path = "/fapi/v1/time"
    depth_path = "/fapi/v1/depth"

    @property
    def stream_path(self) -> str:
        """Return the route that carries these streams."""
        return "/public/ws" if self._follows else "/market/ws"


class BinanceCoinm(Binance):
    """Speak COIN-M: sizes are contracts of a fixed number of dollars."""

    venue = "binancecoinm"
    stream_host = "dstream.binance.com"
    rest_host = "dapi.binance.com"
    time_path = "/dapi/v1/time"
    depth_path = "/dapi/v1/depth"

    @property
    def stream_path(self) -> str:
        """Return the one route."""
        return "/ws"

    def unit(self, listing: InstrumentReport) -> Decimal:
        """Return the dollars of one contract."""
        return listing.contract_size


class BinanceSpot(Binance):
    """Speak spot: no `pu`; a diff begins at the id after the last one's."""

    venue = "binance"
    stream_host = "stream.binance.com"
    stream_port = 9443
    rest_host = "api.binance.com"
    time_path = "/api/v3/time"
    depth_path = "/api/v3/depth"

    @property
    def stream_path(self) -> str:
        """Return the one route."""
        return "/ws"

    def _joins(self, message: _Message, last: int) -> bool:
        """Accept a diff that spans the id after the snapshot's; one that ends at it has nothing new."""
        return last + 1 >= message.U and message.u >= last

    def _follows_on(self, message: _Message, last: int) -> bool:
        """Accept a diff that begins at the next id."""
        return last + 1 == message.U
