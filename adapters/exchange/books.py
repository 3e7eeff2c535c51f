"""Public books through ccxt: copied out, latest first, and given up aloud when they cannot be believed.

ccxt's books are live objects that change under their reader; each update here is a copy. A reader that is slow gets the
newest book, never a backlog. A gap (ccxt's ChecksumError), a lost socket or silence gives `BookLost`; ccxt then takes a
new snapshot.
"""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Mapping
from decimal import Decimal
from typing import Any

from ccxt.base.errors import BaseError, ChecksumError, RequestTimeout

from adapters.exchange.client import Ccxt
from domain.venue import BookEvent, BookLevel, BookLost, BookUpdate

SNAPSHOT_S = 10.0
PAUSE_S = 0.2
PAUSE_S_MAX = 5.0
_PUBLIC = "/public/"
_log = logging.getLogger(__name__)


class Books:
    """Follow the books of a few symbols. `run` is its task; `events` hands out the newest of each, to one reader."""

    def __init__(self, client: Ccxt, venue: str, symbols: Mapping[str, str], *, levels: int, silence_ms: int) -> None:
        self._client = client
        self._venue = venue
        self._ids = {symbol: market_id for market_id, symbol in symbols.items()}
        self._symbols = symbols
        self._levels = levels
        self._silence_s = silence_ms / 1_000
        self._latest: dict[str, BookEvent] = {}
        self._received_us: dict[str, int] = {}
        self._believed: set[str] = set()
        self._heard = asyncio.Event()
        client.tap = self

    async def run(self) -> None:
        """Follow every symbol until cancelled."""
        async with asyncio.TaskGroup() as group:
            for symbol in self._ids:
                group.create_task(self._follow(symbol))

    async def events(self) -> AsyncGenerator[BookEvent, None]:
        """Yield the newest event of each symbol."""
        while True:
            while self._latest:
                yield self._latest.pop(next(iter(self._latest)))
            self._heard.clear()
            await self._heard.wait()

    def connected(self, socket: Ccxt) -> None:
        """Expect new snapshots: what ccxt still holds of this socket's books is from before."""
        for symbol in self._told_by(socket):
            self._client.orderbooks.pop(symbol, None)

    def lost(self, socket: Ccxt, reason: str) -> None:
        """Give this socket's books up."""
        for symbol in self._told_by(socket):
            self._give_up(symbol, reason)

    def message(self, socket: Ccxt, message: Any) -> None:
        """Note when a book was last told of."""
        if _PUBLIC in socket.url and isinstance(message, dict) and message.get("e") == "depthUpdate":
            symbol = self._symbols.get(str(message.get("s")))
            if symbol is not None:
                self._received_us[symbol] = time.time_ns() // 1_000

    def _told_by(self, socket: Ccxt) -> list[str]:
        """Return the symbols whose books come by a socket: ccxt may give each its own."""
        return [symbol for symbol in self._ids if f"orderbook::{symbol}" in socket.subscriptions]

    async def _follow(self, symbol: str) -> None:
        pause = PAUSE_S
        while True:
            try:
                # A book not yet there is waited for longer: its snapshot queues behind others.
                patience_s = self._silence_s if symbol in self._believed else max(self._silence_s, SNAPSHOT_S)
                async with asyncio.timeout(patience_s):
                    book = await self._client.watch_order_book(symbol)
                self._tell(symbol, book)
                pause = PAUSE_S
            except TimeoutError:
                self._give_up(symbol, f"silent for {self._silence_s:g} s")
                self._drop_socket(symbol)
                await asyncio.sleep(pause)
                pause = min(PAUSE_S_MAX, pause * 2)
            except ChecksumError:
                # ccxt has dropped the book; the next watch subscribes again and takes a new snapshot.
                self._give_up(symbol, "a gap in the updates")
            except (BaseError, OSError, TypeError, KeyError, AttributeError) as error:
                self._give_up(symbol, f"{type(error).__name__}: {error}")
                await asyncio.sleep(pause)
                pause = min(PAUSE_S_MAX, pause * 2)

    def _tell(self, symbol: str, book: Mapping[str, Any]) -> None:
        if symbol not in self._believed:
            self._received_us[symbol] = time.time_ns() // 1_000  # it is as new as its snapshot
        received_us = self._received_us[symbol]
        update = copy_of(book, self._venue, symbol, levels=self._levels, received_at_us=received_us)
        top = update.top
        if top is not None and top.bid_price >= top.ask_price:
            self._give_up(symbol, "a crossed book")
            self._drop_socket(symbol)
            return
        self._believed.add(symbol)
        self._latest[symbol] = update
        self._heard.set()

    def _give_up(self, symbol: str, reason: str) -> None:
        if symbol in self._believed:
            _log.info("book of %s lost: %s", symbol, reason)
            self._believed.discard(symbol)
            self._latest[symbol] = BookLost(
                venue=self._venue, symbol=symbol, reason=reason, at_us=time.time_ns() // 1_000
            )
            self._heard.set()

    def _drop_socket(self, symbol: str) -> None:
        for socket in list(self._client.clients.values()):
            if symbol in self._told_by(socket):
                socket.on_error(RequestTimeout("its books cannot be believed"))


def copy_of(ccxt_book: Mapping[str, Any], venue: str, symbol: str, *, levels: int, received_at_us: int) -> BookUpdate:
    """Copy a live book of ccxt. Its levels are floats: their shortest spelling is the number that the venue sent."""
    return BookUpdate(
        venue=venue,
        symbol=symbol,
        bids=_levels(ccxt_book["bids"], levels),
        asks=_levels(ccxt_book["asks"], levels),
        sequence=int(ccxt_book.get("nonce") or 0),
        exchange_at_us=int(ccxt_book.get("timestamp") or 0) * 1_000,
        received_at_us=received_at_us,
    )


def _levels(rows: Any, levels: int) -> tuple[BookLevel, ...]:
    return tuple((Decimal(str(row[0])), Decimal(str(row[1]))) for row in rows[:levels])
