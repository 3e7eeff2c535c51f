"""Binance USD-M: linear perpetuals and futures that settle in stablecoins."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import ClassVar

from adapters.exchange.binance import parse
from adapters.exchange.binance.futures import BinanceFutures
from adapters.exchange.fields import rows
from domain.venue import BalanceReport, MarginTier, MarkReport, PositionReport


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

    async def open_interest(self, symbol: str) -> Decimal:
        """Return the open interest."""
        row = await self.queries.fapiPublicGetOpenInterest({"symbol": self.of.named(symbol).market_id})
        return parse.open_interest(row, self.of, symbol)

    def is_private(self, url: str) -> bool:
        """Say whether a socket carries the account's events."""
        return "/private/" in url
