"""The consolidated view of the markets: what every venue and oracle last said, one a process, bounded.

It is fed messages as they came over the bus and reads one only when a decision asks for it, once: what is overtaken
unread costs nothing. Readers share what was read; nothing is copied.
"""

from collections.abc import Iterator
from decimal import Decimal

import msgspec

from api.market.marks import MARK, Marks
from domain.carry import MarkEvidence
from domain.codec import decoder, encode
from domain.depth import DEPTH_LEVELS_MAX, BookEvidence, Level
from domain.market import SourceKind, Witness
from domain.oracle import OracleLost, OraclePrice
from domain.quantity import ZERO, Num, add, num, subtract
from domain.venue import BookLevel, BookLost, BookUpdate, InstrumentReport

# Instruments and oracle feeds beyond these are left out and counted.
INSTRUMENTS_MAX = 256
FEEDS_MAX = 256
BOOK, PRICE = "book", "price"
ALL = "*"
_MS_US = 1_000


class BookMessage(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Carry one book over the bus: levels are (price, quantity), best first; `lost` says why there are none.

    `drift_ms` is how far the venue's clock was ahead of ours when it was last measured.
    """

    venue: str
    symbol: str
    kind: SourceKind
    base: str
    quote: str
    bids: tuple[tuple[str, str], ...]
    asks: tuple[tuple[str, str], ...]
    sequence: int
    exchange_at_us: int
    received_at_us: int
    drift_ms: int = 0
    lost: str = ""


class PriceMessage(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Carry one oracle's verified price over the bus; `lost` says why there is none. Feed `*` is all of an oracle's."""

    oracle: str
    feed: str
    base: str = ""
    quote: str = ""
    price: Num = ZERO
    confidence: Num = ZERO
    published_at_us: int = 0
    received_at_us: int = 0
    sequence: int = 0
    signers: tuple[str, ...] = ()
    lost: str = ""


def _levels(levels: tuple[BookLevel, ...]) -> tuple[tuple[str, str], ...]:
    return tuple((_plain(price), _plain(quantity)) for price, quantity in levels[:DEPTH_LEVELS_MAX])


def _plain(value: Decimal) -> str:
    """Return a decimal without an exponent; most have none, and `str` is five times faster than `format`."""
    text = str(value)
    return format(value, "f") if "E" in text else text


def book_message(event: BookUpdate | BookLost, instrument: InstrumentReport, drift_ms: int = 0) -> BookMessage:
    """Return what the bus carries of a venue's book, or of its loss."""
    lost = isinstance(event, BookLost)
    return BookMessage(
        venue=event.venue,
        symbol=event.symbol,
        kind=SourceKind(instrument.kind),
        base=instrument.base,
        quote=instrument.quote,
        bids=() if lost else _levels(event.bids),
        asks=() if lost else _levels(event.asks),
        sequence=0 if lost else event.sequence,
        exchange_at_us=event.at_us if lost else event.exchange_at_us,
        received_at_us=event.at_us if lost else event.received_at_us,
        drift_ms=drift_ms,
        lost=(event.reason or "lost") if lost else "",
    )


def price_message(event: OraclePrice | OracleLost) -> PriceMessage:
    """Return what the bus carries of an oracle's price, or of its loss."""
    if isinstance(event, OracleLost):
        lost = event.reason or "lost"
        return PriceMessage(oracle=event.oracle, feed=event.feed or ALL, received_at_us=event.at_us, lost=lost)
    return PriceMessage(
        oracle=event.oracle,
        feed=event.feed,
        base=event.base,
        quote=event.quote,
        price=num(event.price),
        confidence=num(event.confidence),
        published_at_us=event.published_at_us,
        received_at_us=event.received_at_us,
        sequence=event.sequence,
        signers=event.signers,
    )


_READ_BOOK, _READ_PRICE = decoder(BookMessage).decode, decoder(PriceMessage).decode


class _HeardBook:
    """Hold the newest word on one instrument: as it came, and as it is read when somebody asks."""

    __slots__ = ("_evidence", "_message", "_witness", "raw")

    def __init__(self) -> None:
        self.raw = b""
        self._message: BookMessage | None = None
        self._evidence: BookEvidence | None = None
        self._witness: Witness | None = None

    def put(self, raw: bytes) -> None:
        self.raw, self._message, self._evidence, self._witness = raw, None, None, None

    @property
    def message(self) -> BookMessage:
        if self._message is None:
            self._message = _READ_BOOK(self.raw)
        return self._message

    def evidence(self, now_us: int) -> BookEvidence | None:
        message = self.message
        if not message.bids or not message.asks:
            return None
        age_ms = max(now_us - message.received_at_us, 0) // _MS_US
        if self._evidence is None:
            self._evidence = BookEvidence(
                venue=message.venue,
                symbol=message.symbol,
                bids=tuple(Level(Num(price), Num(size)) for price, size in message.bids),
                asks=tuple(Level(Num(price), Num(size)) for price, size in message.asks),
                sequence=message.sequence,
                received_at_us=message.received_at_us,
                age_ms=age_ms,
            )
        if self._evidence.age_ms != age_ms:
            self._evidence = msgspec.structs.replace(self._evidence, age_ms=age_ms)
        return self._evidence

    def witness(self, now_us: int) -> Witness:
        message = self.message
        age_ms = max(now_us - message.received_at_us, 0) // _MS_US
        if self._witness is None:
            there = not message.lost
            self._witness = Witness(
                source=message.venue,
                kind=message.kind,
                symbol=message.symbol,
                base=message.base,
                quote=message.quote,
                bid=Num(message.bids[0][0]) if message.bids and there else ZERO,
                ask=Num(message.asks[0][0]) if message.asks and there else ZERO,
                sequence=message.sequence,
                age_ms=age_ms,
                drift_ms=message.drift_ms,
                lost=message.lost,
            )
        elif self._witness.age_ms != age_ms:
            self._witness = msgspec.structs.replace(self._witness, age_ms=age_ms)
        return self._witness


class Markets:
    """Keep the newest word of each instrument and each oracle feed."""

    def __init__(self) -> None:
        self.overlooked = 0
        self._marks = Marks()
        self._books: dict[tuple[str, str], _HeardBook] = {}
        self._prices: dict[tuple[str, str], PriceMessage] = {}

    def receive(self, source: str, symbol: str, kind: str, raw: bytes) -> None:
        """Take one message as the bus brought it; kinds that no decision rests on are left alone."""
        if kind == BOOK:
            self._put_book(source, symbol, raw)
        elif kind == PRICE:
            self.put_price(_READ_PRICE(raw))
        elif kind == MARK:
            self.put_mark(source, symbol, raw)

    def put_book(self, message: BookMessage) -> bytes:
        """Take a book and return it as it is published."""
        raw = encode(message)
        self._put_book(message.venue, message.symbol, raw)
        return raw

    def put_price(self, message: PriceMessage) -> None:
        """Take an oracle's price; its loss keeps what was said before, marked as lost."""
        if message.feed == ALL:
            for key, before in self._prices.items():
                if key[0] == message.oracle:
                    self._prices[key] = msgspec.structs.replace(before, lost=message.lost)
            return
        key = (message.oracle, message.feed)
        before = self._prices.get(key)
        if message.lost:
            if before is not None:
                self._prices[key] = msgspec.structs.replace(before, lost=message.lost)
        elif before is None and len(self._prices) >= FEEDS_MAX:
            self.overlooked += 1
        elif before is None:
            self._prices = dict(sorted({**self._prices, key: message}.items(), key=_by_key))
        else:
            self._prices[key] = message

    def put_mark(self, venue: str, symbol: str, raw: bytes) -> None:
        """Take a perpetual's mark as it is published: an encoded `MarkReport`."""
        self._marks.put(venue, symbol, raw)

    def marks(self, now_us: int) -> tuple[MarkEvidence, ...]:
        """Return the newest mark of every perpetual with its age, in a fixed order."""
        return self._marks.look(now_us)

    def look(self, now_us: int) -> tuple[BookEvidence, ...]:
        """Return every believed book with its age, in a fixed order."""
        found = (heard.evidence(now_us) for heard in self._books.values())
        return tuple(evidence for evidence in found if evidence is not None)

    def witnesses(self, now_us: int) -> tuple[Witness, ...]:
        """Return what every source says, those included that cannot be believed, in a fixed order."""
        return tuple(self._witnesses(now_us))

    def _witnesses(self, now_us: int) -> Iterator[Witness]:
        for heard in self._books.values():
            yield heard.witness(now_us)
        for message in self._prices.values():
            yield _oracle_witness(message, now_us)

    def mid(self, venue: str, symbol: str) -> Num | None:
        """Return the last midpoint of an instrument."""
        heard = self._books.get((venue, symbol))
        if heard is None or not heard.message.bids or not heard.message.asks:
            return None
        return num((Decimal(heard.message.bids[0][0]) + Decimal(heard.message.asks[0][0])) / Decimal(2))

    def _put_book(self, venue: str, symbol: str, raw: bytes) -> None:
        heard = self._books.get((venue, symbol))
        if heard is None:
            if len(self._books) >= INSTRUMENTS_MAX:
                self.overlooked += 1
                return
            heard = _HeardBook()
            self._books = dict(sorted({**self._books, (venue, symbol): heard}.items(), key=_by_key))
        heard.put(raw)


def _by_key(item: tuple[tuple[str, str], object]) -> tuple[str, str]:
    return item[0]


def _oracle_witness(message: PriceMessage, now_us: int) -> Witness:
    there = not message.lost
    return Witness(
        source=message.oracle,
        kind=SourceKind.ORACLE,
        symbol=message.feed,
        base=message.base,
        quote=message.quote,
        bid=subtract(message.price, message.confidence) if there else ZERO,
        ask=add(message.price, message.confidence) if there else ZERO,
        sequence=message.sequence,
        age_ms=max(now_us - message.published_at_us, 0) // _MS_US,
        lost=message.lost,
    )
