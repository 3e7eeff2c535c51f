"""The market worker: hears every venue and oracle, publishes what they say, and what each size would cost.

Books are conflated where they are read: a venue's feed keeps its newest, and is asked again after a pause, so that a
burst costs one publication and nothing waits behind it. Losses are never conflated away.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Protocol

from api.market.markets import BOOK, PRICE, Markets, book_message, price_message
from api.market.marks import MARK
from domain.codec import encode
from domain.oracle import OracleEvent
from domain.venue import BookLost, BookUpdate, ClockDrift, FeedEvent, InstrumentReport, MarkReport, TradePrint

# After a book is published, its venue's next one is asked for this much later.
BOOK_PAUSE_S = 0.002


class VenueSource(Protocol):
    """Hear one venue's public market data."""

    @property
    def venue(self) -> str:
        """Return the venue's id."""
        ...

    def events(self) -> AsyncGenerator[FeedEvent, None]:
        """Stream the newest books and marks, every loss, trades; it reconnects by itself."""
        ...


class OracleSource(Protocol):
    """Hear one oracle's verified prices."""

    def events(self) -> AsyncGenerator[OracleEvent, None]:
        """Stream the newest price of each feed, and every loss; it reconnects by itself."""
        ...


class Signals(Protocol):
    """Publish for whoever listens now; never waits."""

    def publish_market(self, venue: str, symbol: str, kind: str, body: bytes) -> None:
        """Publish normalised market data."""
        ...


Take = Callable[[FeedEvent | OracleEvent], None]
"""Take what was heard for a purpose of its own; never wait and never raise."""


class Feeding:
    """Feed the view and the bus from every source."""

    def __init__(self, markets: Markets, signals: Signals, *takers: Take) -> None:
        self.published = 0
        self._markets = markets
        self._signals = signals
        self._takers = takers
        self._instruments: dict[str, dict[str, InstrumentReport]] = {}
        self._drift_ms: dict[str, int] = {}

    async def hear_venue(self, venue: VenueSource, instruments: Sequence[InstrumentReport]) -> None:
        """Feed from a venue's instruments until cancelled."""
        self._instruments[venue.venue] = {instrument.symbol: instrument for instrument in instruments}
        async with aclosing(venue.events()) as events:
            async for event in events:
                self._take(event)
                if isinstance(event, BookUpdate):
                    await asyncio.sleep(BOOK_PAUSE_S)

    def lose_venue(self, venue: str, symbols: Sequence[str], reason: str, at_us: int) -> None:
        """Give up every book of a venue that went away."""
        for symbol in symbols:
            if symbol in self._instruments.get(venue, {}):
                self._take(BookLost(venue=venue, symbol=symbol, reason=f"disconnected: {reason}", at_us=at_us))

    def _take(self, event: FeedEvent) -> None:
        match event:
            case BookUpdate() | BookLost():
                drift_ms = self._drift_ms.get(event.venue, 0)
                raw = self._markets.put_book(
                    book_message(event, self._instruments[event.venue][event.symbol], drift_ms)
                )
                self._publish(event.venue, event.symbol, BOOK, raw)
            case TradePrint():
                self._publish(event.venue, event.symbol, "trade", encode(event))
            case MarkReport():
                raw = encode(event)
                self._markets.put_mark(event.venue, event.symbol, raw)
                self._publish(event.venue, event.symbol, MARK, raw)
            case ClockDrift():
                self._drift_ms[event.venue] = event.drift_ms
                self._publish(event.venue, "clock", "drift", encode(event))
        for take in self._takers:
            take(event)

    async def hear_oracle(self, oracle: OracleSource) -> None:
        """Feed from an oracle until cancelled."""
        async with aclosing(oracle.events()) as events:
            async for event in events:
                message = price_message(event)
                self._markets.put_price(message)
                self._publish(message.oracle, message.feed, PRICE, encode(message))
                for take in self._takers:
                    take(event)

    def _publish(self, source: str, symbol: str, kind: str, raw: bytes) -> None:
        self._signals.publish_market(source, symbol, kind, raw)
        self.published += 1
