"""Binance COIN-M: inverse perpetuals and futures, counted in contracts of so many USD and settled in their base asset.

Quantities here are USD. ccxt takes most of the venue's ordinary refusals for plain `ExchangeError`, which would make
them Unknown: they are told by their codes.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import ClassVar

from adapters.exchange.binance import parse
from adapters.exchange.binance.futures import BinanceFutures
from adapters.exchange.fields import Unreadable, rows
from domain.venue import BalanceReport, MarginTier, MarkReport, PositionReport


class BinanceCoinmDialect(BinanceFutures):
    """Speak with one Binance COIN-M account."""

    ccxt_id: ClassVar[str] = "binancecoinm"
    hosts: ClassVar[frozenset[str]] = frozenset({"dapi.binance.com", "dstream.binance.com"})
    kinds: ClassVar[frozenset[str]] = frozenset({"inverse"})
    prefix: ClassVar[str] = "dapi"
    listen_key: ClassVar[str] = "inverse"
    orders_max: ClassVar[int] = 100

    async def margin_tiers(self) -> Mapping[str, tuple[MarginTier, ...]]:
        """Return the margin tiers of the listed symbols: here they are told in the base asset."""
        return await self.tiers(await self.queries.dapiPrivateV2GetLeverageBracket(), "qtyFloor")

    async def positions(self) -> Sequence[PositionReport]:
        """Return the positions, flat ones left out; their margins are told by the account only."""
        account = await self.queries.dapiPrivateGetAccount()
        margins = {row["symbol"]: row for row in rows(account["positions"])}
        answer = rows(await self.queries.dapiPrivateGetPositionRisk())
        found = [parse.position(row, self.of, margins[row["symbol"]]) for row in answer]
        return [position for position in found if position.quantity]

    async def balances(self) -> Sequence[BalanceReport]:
        """Return the assets."""
        answer = await self.queries.dapiPrivateGetAccount()
        return [parse.balance(row, self.of) for row in rows(answer["assets"])]

    async def mark(self, symbol: str) -> MarkReport:
        """Return mark, index and funding: the venue answers with rows, even for one symbol."""
        market_id = self.of.named(symbol).market_id
        for row in rows(await self.queries.dapiPublicGetPremiumIndex({"symbol": market_id})):
            if row["symbol"] == market_id:
                return parse.mark(row, self.of, self.lines.listed[symbol].funding_interval_ms)
        raise Unreadable(f"no mark of {market_id} in the answer")

    async def open_interest(self, symbol: str) -> Decimal:
        """Return the open interest, which is told in contracts."""
        row = await self.queries.dapiPublicGetOpenInterest({"symbol": self.of.named(symbol).market_id})
        return parse.open_interest(row, self.of, symbol)

    def is_private(self, url: str) -> bool:
        """Say whether a socket carries the account's events: public ones are numbered, this one is named by its key."""
        path, _, name = url.rpartition("/")
        return path.endswith("/ws") and len(name) >= LISTEN_KEY_MIN


LISTEN_KEY_MIN = 16
