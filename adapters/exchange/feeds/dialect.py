"""How one socket of a venue is spoken on: bytes in, acts out. Pure and synchronous; every dialect is held to this.

A book is believed from its snapshot on, as long as each message follows the one before by the venue's own rule. When
one does not, `Lost` is told once, at once; the book is believed again only from a new snapshot, which whoever drives
the dialect asks for with `renew`, at its own pace. What was already told is ignored; what is older than anything ever
told is never taken for new.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, ClassVar

import msgspec

from adapters.exchange.feeds.book import Book, Rows
from adapters.exchange.feeds.number import Prices, exact
from adapters.exchange.feeds.trouble import Unreadable
from domain.venue import BookUpdate, InstrumentReport, MarkReport, TradePrint

# A venue's clock as milliseconds: from 2001 to 2286. What is outside is no time.
MS_MIN, MS_MAX = 10**12, 10**13
SEQUENCE_MAX = 1 << 62
TEXT_CHARS_MAX = 128
SKELETONS_MAX = 256
SKELETON_BYTES_MAX = 512
_NUMERIC = b'0123456789.[]",'


class Changed(msgspec.Struct, frozen=True):
    """Say that a book is believed and newer than before."""

    symbol: str


class Lost(msgspec.Struct, frozen=True):
    """Say that a book cannot be believed; `reason` begins with the word for why."""

    symbol: str
    reason: str


class Say(msgspec.Struct, frozen=True):
    """Ask to send a text message on this socket."""

    text: str


class Fetch(msgspec.Struct, frozen=True):
    """Ask for a snapshot by REST; its body goes to `fetched`."""

    symbol: str
    path: str


class HangUp(msgspec.Struct, frozen=True):
    """Ask to end this connection: the venue refuses what it was for. `reason` begins with the word for why."""

    reason: str


class Unread(msgspec.Struct, frozen=True):
    """Say that a trade or a mark could not be read. Books do not rest on it, so they go on."""

    text: str


Act = Changed | Lost | Say | Fetch | HangUp | Unread | TradePrint | MarkReport
Acts = Sequence[Act]
NOTHING: Acts = ()


class Track:
    """Follow one book: what it holds, whether it is believed, and the last sequence number that was applied.

    `last` outlives a loss: nothing older than it is ever believed again on the same socket.
    """

    __slots__ = ("believed", "book", "changed", "exchange_us", "last", "listing", "market_id", "received_us", "symbol")

    def __init__(self, listing: InstrumentReport, book: Book) -> None:
        self.listing = listing
        self.symbol = listing.symbol
        self.market_id = listing.market_id
        self.book = book
        self.believed = False
        self.last = -1
        self.exchange_us = 0
        self.received_us = 0
        self.changed: Acts = (Changed(listing.symbol),)


class Memories:
    """Hold the texts that books have in common, so that a process remembers each once."""

    def __init__(self) -> None:
        self._skeletons: set[bytes] = set()
        self._prices: dict[int, tuple[Prices, Prices]] = {}

    def prices(self, tick: Decimal) -> tuple[Prices, Prices]:
        """Return the memories for bids and asks of prices as fine as this tick."""
        exponent = tick.normalize().as_tuple().exponent
        decimals = max(0, -exponent) if isinstance(exponent, int) else 0
        return self._prices.setdefault(decimals, (Prices(decimals, -1), Prices(decimals, 1)))

    def hold(self, payload: bytes, *sides: Rows) -> None:
        """Hold every size of a message to the grammar of numbers; raise `Unreadable`.

        What is left of a message without its digits and brackets is the same for all messages of a stream. Where it is
        known, sizes have nothing but digits and dots in them, and need not be looked at one by one.
        """
        skeleton = payload.translate(None, _NUMERIC)
        if skeleton in self._skeletons:
            return
        for rows in sides:
            for row in rows:
                exact(row.size)
        if len(skeleton) <= SKELETON_BYTES_MAX:
            if len(self._skeletons) >= SKELETONS_MAX:
                self._skeletons.clear()
            self._skeletons.add(skeleton)


class Dialect(ABC):
    """Speak on one socket about some instruments of one kind. Subclasses say where and how."""

    venue: ClassVar[str]
    stream_host: ClassVar[str]
    stream_port: ClassVar[int] = 443
    rest_host: ClassVar[str]
    time_path: ClassVar[str]
    ping_every_s: ClassVar[float] = 0.0
    ping_text: ClassVar[str] = ""

    def __init__(self, listings: Iterable[InstrumentReport], memories: Memories, *, levels: int) -> None:
        self.tracks: dict[str, Track] = {}
        self.resnapshots = 0
        self._memories = memories
        for listing in listings:
            factor = self.unit(listing)
            book = Book(memories.prices(listing.tick), levels=levels, factor=factor)
            self.tracks[listing.market_id] = Track(listing, book)
        self._by_symbol = {track.symbol: track for track in self.tracks.values()}

    @property
    @abstractmethod
    def stream_path(self) -> str:
        """Return the path of the socket."""

    @property
    def books(self) -> Sequence[str]:
        """Return the symbols whose books come by this socket."""
        return tuple(self._by_symbol)

    def unit(self, listing: InstrumentReport) -> Decimal:
        """Return how many units one of the venue's sizes is: 1, unless it counts in contracts."""
        del listing
        return Decimal(1)

    @abstractmethod
    def hello(self) -> Acts:
        """Return what to say on a new socket."""

    @abstractmethod
    def receive(self, payload: bytes, at_us: int) -> Acts:
        """Read one message, received at `at_us`; raise `Unreadable` when it tells nothing that can be placed."""

    @abstractmethod
    def renew(self, symbol: str) -> Acts:
        """Return what gets a lost book a new snapshot."""

    def fetched(self, symbol: str, body: bytes, at_us: int) -> Acts:
        """Take a snapshot that was asked for by REST."""
        raise Unreadable(f"{self.venue} has no snapshots by REST: {symbol}, {len(body)} bytes at {at_us}")

    def closed(self) -> None:
        """Forget everything that belonged to the socket: the next one counts anew."""
        for track in self.tracks.values():
            track.believed = False
            track.last = -1

    def lose(self, symbol: str, reason: str) -> Acts:
        """Give a book up for a reason that its driver found."""
        return self._lost(self._by_symbol[symbol], reason)

    def is_believed(self, symbol: str) -> bool:
        """Say whether a book is believed."""
        return self._by_symbol[symbol].believed

    def book(self, symbol: str) -> BookUpdate:
        """Return a believed book as it stands."""
        track = self._by_symbol[symbol]
        if not track.believed:
            raise Unreadable(f"the book of {symbol} is not believed")
        bids, asks = track.book.ladders()
        return BookUpdate(
            venue=self.venue,
            symbol=symbol,
            bids=bids,
            asks=asks,
            sequence=track.last,
            exchange_at_us=track.exchange_us,
            received_at_us=track.received_us,
        )

    def clock(self, body: bytes) -> int:
        """Return the venue's clock in milliseconds from its answer to `time_path`; raise `Unreadable`."""
        raise NotImplementedError

    def _load(self, track: Track, sequence: int, bids: Rows, asks: Rows) -> Acts:
        """Start a book anew at a snapshot, and judge it."""
        try:
            track.book.load(bids, asks)
        except Unreadable as error:
            return self._lost(track, f"unreadable: {error}")
        self.resnapshots += 1
        track.last = sequence
        track.believed = True
        return self._judged(track)

    def _change(self, track: Track, sequence: int, bids: Rows, asks: Rows) -> Acts:
        """Apply the message that follows, and judge the book after it."""
        try:
            track.book.change(bids, asks)
        except Unreadable as error:
            return self._lost(track, f"unreadable: {error}")
        track.last = sequence
        return self._judged(track)

    def _judged(self, track: Track) -> Acts:
        fault = track.book.fault()
        if fault:
            return self._lost(track, fault)
        return track.changed

    def _lost(self, track: Track, reason: str) -> Acts:
        track.believed = False
        return (Lost(track.symbol, reason),)

    def _gap(self, track: Track, told: object) -> Acts:
        return self._lost(track, f"gap: {told} does not follow {track.last}")


def instant_us(milliseconds: Any) -> int:
    """Return a venue's milliseconds as microseconds; raise `Unreadable` when they are no time."""
    if isinstance(milliseconds, str) and milliseconds.isascii() and milliseconds.isdigit():
        milliseconds = int(milliseconds[:TEXT_CHARS_MAX])
    if not isinstance(milliseconds, int) or not MS_MIN <= milliseconds <= MS_MAX:
        raise Unreadable("not a time in milliseconds")
    return milliseconds * 1_000


def sequence(number: int) -> int:
    """Return a sequence number that can be one; raise `Unreadable`."""
    if not 0 <= number <= SEQUENCE_MAX:
        raise Unreadable("a sequence number out of range")
    return number
