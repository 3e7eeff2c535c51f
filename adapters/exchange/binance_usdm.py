"""Binance USD-M: linear perpetuals and futures that settle in stablecoins."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import ClassVar

from adapters.exchange import binance_parse as parse
from adapters.exchange.account import VenueAccount
from adapters.exchange.binance_futures import BinanceFutures
from adapters.exchange.books import Books
from adapters.exchange.fields import rows
from adapters.exchange.settings import VenueSettings
from domain.venue import BalanceReport, BookEvent, MarginTier, MarkReport, PositionReport


class BinanceUsdmDialect(BinanceFutures):
    """Speak with one Binance USD-M account."""

    ccxt_id: ClassVar[str] = "binanceusdm"
    hosts: ClassVar[frozenset[str]] = frozenset({"fapi.binance.com", "fstream.binance.com"})
    kinds: ClassVar[frozenset[str]] = frozenset({"linear"})
    prefix: ClassVar[str] = "fapi"
    listen_key: ClassVar[str] = "linear"
    orders_max: ClassVar[int] = 1_000

    async def margin_tiers(self) -> Mapping[str, tuple[MarginTier, ...]]:
        """Return the margin tiers of the listed symbols."""
        return await self.tiers(await self.queries.fapiPrivateGetLeverageBracket(), "notionalFloor")

    async def positions(self) -> Sequence[PositionReport]:
        """Return the positions, flat ones left out."""
        answer = await self.queries.fapiPrivateV3GetPositionRisk()
        found = [parse.position(row, self.of, row) for row in rows(answer)]
        return [position for position in found if position.quantity]

    async def balances(self) -> Sequence[BalanceReport]:
        """Return the assets."""
        answer = await self.queries.fapiPrivateV3GetAccount()
        return [parse.balance(row, self.of) for row in rows(answer["assets"])]

    async def mark(self, symbol: str) -> MarkReport:
        """Return mark, index and funding."""
        row = await self.queries.fapiPublicGetPremiumIndex({"symbol": self.of.named(symbol).market_id})
        return parse.mark(row, self.of, self.lines.listed[symbol].funding_interval_ms)

    def is_private(self, url: str) -> bool:
        """Say whether a socket carries the account's events."""
        return "/private/" in url


class BinanceUsdm(VenueAccount):
    """Trade on one Binance USD-M account, and show its books."""

    def __init__(self, settings: VenueSettings) -> None:
        super().__init__(settings, BinanceUsdmDialect)
        self._books: Books

    def book_events(self) -> AsyncGenerator[BookEvent, None]:
        """Stream the newest book of each symbol, and every loss of one."""
        return self._books.events()

    async def _open(self) -> None:
        await super()._open()
        settings = self._settings
        public = self._client(self._session, paced=True)
        public.set_markets_from_exchange(self._dialect.queries)
        watched = {listed.market_id: symbol for symbol, listed in self._listings.items()}
        self._books = Books(
            public, settings.venue, watched, levels=settings.book_levels, silence_ms=settings.book_silence_ms
        )
        self._tasks.append(asyncio.create_task(self._books.run(), name=f"{settings.venue} books"))
