"""Markets as the core and the pricing see them: the last book of every instrument, with its age."""

from decimal import Decimal

import msgspec

from domain.depth import DEPTH_LEVELS_MAX, BookEvidence, Level
from domain.market import Witness
from domain.quantity import Num, num
from domain.venue import BookLevel, BookLost, BookUpdate

INSTRUMENTS_MAX = 256


class BookMessage(msgspec.Struct, frozen=True, kw_only=True):
    """Carry one book over the bus; no levels say that it can no longer be believed."""

    venue: str
    symbol: str
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    sequence: int
    exchange_at_us: int
    received_at_us: int


def _levels(levels: tuple[BookLevel, ...]) -> tuple[Level, ...]:
    return tuple(Level(num(price), num(quantity)) for price, quantity in levels[:DEPTH_LEVELS_MAX])


def book_message(event: BookUpdate | BookLost) -> BookMessage:
    """Return what the bus carries of a venue's book."""
    if isinstance(event, BookLost):
        return BookMessage(
            venue=event.venue,
            symbol=event.symbol,
            bids=(),
            asks=(),
            sequence=0,
            exchange_at_us=event.at_us,
            received_at_us=event.at_us,
        )
    return BookMessage(
        venue=event.venue,
        symbol=event.symbol,
        bids=_levels(event.bids),
        asks=_levels(event.asks),
        sequence=event.sequence,
        exchange_at_us=event.exchange_at_us,
        received_at_us=event.received_at_us,
    )


class Markets:
    """Keep the last book of each instrument; an older message never replaces a newer one."""

    def __init__(self) -> None:
        self._books: dict[tuple[str, str], BookMessage] = {}
        self.overlooked = 0

    def put(self, message: BookMessage) -> None:
        """Take a book; beyond the bound of instruments a new one is left out and counted."""
        key = (message.venue, message.symbol)
        before = self._books.get(key)
        if before is None and len(self._books) >= INSTRUMENTS_MAX:
            self.overlooked += 1
        elif before is None or message.received_at_us >= before.received_at_us:
            self._books[key] = message

    def look(self, now_us: int) -> tuple[BookEvidence, ...]:
        """Return every believed book with its age, in a fixed order."""
        return tuple(
            BookEvidence(
                venue=book.venue,
                symbol=book.symbol,
                bids=book.bids,
                asks=book.asks,
                sequence=book.sequence,
                received_at_us=book.received_at_us,
                age_ms=max(now_us - book.received_at_us, 0) // 1_000,
            )
            for _, book in sorted(self._books.items())
            if book.bids and book.asks
        )

    def witnesses(self, now_us: int) -> tuple[Witness, ...]:
        """Return what every source says, in a fixed order."""
        del now_us
        return ()

    def mid(self, venue: str, symbol: str) -> Num | None:
        """Return the last midpoint of an instrument."""
        book = self._books.get((venue, symbol))
        if book is None or not book.bids or not book.asks:
            return None
        return num((book.bids[0].price + book.asks[0].price) / Decimal(2))
