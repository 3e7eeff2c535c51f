"""Binance USD-M in its own words: endpoints, codes, topics, and a listen key that must be kept alive."""

import asyncio
import logging
import re
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from typing import Any, ClassVar

from adapters.exchange import binance_parse as parse
from adapters.exchange.account import VenueAccount
from adapters.exchange.binance_codes import FUTURES_REASONS
from adapters.exchange.binance_history import History
from adapters.exchange.books import Books
from adapters.exchange.client import Ccxt
from adapters.exchange.dialect import Dialect, Dropped, Heard, Lines, Stream, Watch
from adapters.exchange.failures import VenueUnsuitable
from adapters.exchange.fields import Unreadable, rows
from adapters.exchange.naming import Market
from adapters.exchange.settings import VenueSettings
from domain.venue import (
    Acknowledgement,
    BalanceReport,
    BookEvent,
    FeeRates,
    FillReport,
    FundingReport,
    InstrumentReport,
    MarginTier,
    MarkReport,
    OrderReport,
    PositionReport,
    RejectReason,
    VenueOrder,
)

# The venue allows 2,400 units of weight a minute.
REQUEST_WEIGHT_MS = 25
NO_SUCH_LISTEN_KEY = "-1125"
_log = logging.getLogger(__name__)


class BinanceUsdmDialect(Dialect):
    """Speak with one Binance USD-M account."""

    ccxt_id: ClassVar[str] = "binanceusdm"
    hosts: ClassVar[frozenset[str]] = frozenset({"fapi.binance.com", "fstream.binance.com"})
    kinds: ClassVar[frozenset[str]] = frozenset({"linear"})
    code: ClassVar[re.Pattern[str]] = re.compile(r'"code"\s*:\s*(-?\d+)')
    reasons: ClassVar[Mapping[str, RejectReason]] = FUTURES_REASONS
    client_order_id: ClassVar[re.Pattern[str]] = re.compile(r"[.A-Z:/a-z0-9_-]{1,36}")
    order_interval_ms: ClassVar[int] = 52
    connected_is_listening: ClassVar[bool] = True

    def __init__(self, lines: Lines) -> None:
        super().__init__(lines)
        self._history = History(self.queries, self.of)

    @classmethod
    def own_settings(cls, settings: VenueSettings) -> dict[str, Any]:
        """Return the options that the venue's traps ask for."""
        return {
            "rateLimit": REQUEST_WEIGHT_MS,
            "options": {
                "fetchCurrencies": False,
                "fetchMargins": False,
                "recvWindow": settings.recv_window_ms,
                "adjustForTimeDifference": False,
                "watchPositions": {"fetchPositionsSnapshot": False},
                "warnOnFetchOpenOrdersWithoutSymbol": False,
            },
        }

    @classmethod
    def instrument(cls, item: Mapping[str, Any], market: Market, venue: str) -> InstrumentReport:
        """Read a listing."""
        return parse.instrument(item, market, venue)

    @classmethod
    async def funding_intervals(cls, client: Ccxt, markets: Sequence[Market]) -> Mapping[str, int]:
        """Return the funding intervals: what most of the venue's perpetuals pay by."""
        _ = client
        return {market.symbol: parse.FUNDING_INTERVAL_MS for market in markets}

    async def margin_tiers(self) -> Mapping[str, tuple[MarginTier, ...]]:
        """Return the margin tiers of the listed symbols."""
        found: dict[str, tuple[MarginTier, ...]] = {}
        ids = {listed.market_id: symbol for symbol, listed in self.lines.listed.items()}
        for row in rows(await self.queries.fapiPrivateGetLeverageBracket()):
            if row["symbol"] in ids:
                found[ids[row["symbol"]]] = parse.margin_tiers(row)
        return found

    async def check(self) -> None:
        """Refuse an account in hedge mode: its positions would be two."""
        # The heaviest query of all: it would hold up the queries after it, and no order is due yet.
        mode = await self.orders.fapiPrivateGetPositionSideDual()
        if not isinstance(mode, dict) or mode.get("dualSidePosition") is not False:
            raise VenueUnsuitable(f"the account must be in one-way position mode, and says {mode!r}")

    async def create(self, order: VenueOrder) -> Acknowledgement:
        """Send an order and read what the venue wrote down of it."""
        parameters: dict[str, Any] = {"clientOrderId": order.client_order_id, "newOrderRespType": "RESULT"}
        if order.reduce_only:
            parameters["reduceOnly"] = "true"
        if order.limit_price is not None:
            parameters["timeInForce"] = parse.TIMES_IN_FORCE[order.time_in_force]
        answer = await self.orders.create_order(
            order.symbol,
            "market" if order.limit_price is None else "limit",
            order.side,
            format(order.quantity, "f"),
            None if order.limit_price is None else format(order.limit_price, "f"),
            parameters,
        )
        return parse.acknowledgement(_info(answer))

    async def cancel(self, symbol: str, client_order_id: str) -> OrderReport:
        """Cancel an order."""
        answer = await self.orders.cancel_order("", symbol, {"clientOrderId": client_order_id})
        return parse.order(_info(answer), self.of)

    async def order_state(self, symbol: str, client_order_id: str) -> OrderReport:
        """Ask for the newest order with our id."""
        answer = await self.queries.fetch_order("", symbol, {"clientOrderId": client_order_id})
        return parse.order(_info(answer), self.of)

    async def open_orders(self, symbol: str) -> Sequence[OrderReport]:
        """Return the open orders of a symbol."""
        answer = await self.queries.fapiPrivateGetOpenOrders({"symbol": self.of.named(symbol).market_id})
        return [parse.order(row, self.of) for row in rows(answer)]

    async def fills_since(self, symbol: str, since_us: int) -> Sequence[FillReport]:
        """Return every fill in a symbol at or after an instant, oldest first."""
        return await self._history.fills_since(self.of.named(symbol).market_id, since_us)

    async def fundings_since(self, since_us: int) -> Sequence[FundingReport]:
        """Return every funding payment at or after an instant, oldest first."""
        return await self._history.fundings_since(since_us)

    async def positions(self) -> Sequence[PositionReport]:
        """Return the positions, flat ones left out."""
        answer = await self.queries.fapiPrivateV3GetPositionRisk()
        found = [parse.position(row, self.of) for row in rows(answer)]
        return [position for position in found if position.quantity]

    async def balances(self) -> Sequence[BalanceReport]:
        """Return the assets; the venue leaves `updateTime` 0 on those never touched."""
        answer = await self.queries.fapiPrivateV3GetAccount()
        return [parse.balance(row, self.of) for row in rows(answer["assets"])]

    async def mark(self, symbol: str) -> MarkReport:
        """Return mark, index and funding."""
        row = await self.queries.fapiPublicGetPremiumIndex({"symbol": self.of.named(symbol).market_id})
        return parse.mark(row, self.of, self.lines.listed[symbol].funding_interval_ms)

    async def fee_rates(self, symbol: str) -> FeeRates:
        """Return what the account pays: ccxt's own `fetch_trading_fees` is static here."""
        row = await self.queries.fapiPrivateGetCommissionRate({"symbol": self.of.named(symbol).market_id})
        return parse.fee_rates(row, self.of)

    def is_private(self, url: str) -> bool:
        """Say whether a socket carries the account's events."""
        return "/private/" in url

    def watches(self) -> Sequence[Watch]:
        """Return the one watch that makes ccxt ask for a listen key and connect."""
        return [self.private.watch_orders]

    def hear(self, message: Mapping[str, Any]) -> Iterable[Heard]:
        """Read an event of the account."""
        match message.get("e"):
            case "ORDER_TRADE_UPDATE":
                fill = parse.fill_event(message, self.of)
                state = parse.order_event(message, self.of)
                return (state,) if fill is None else (fill, state)
            case "listenKeyExpired":
                return (Dropped("the listen key expired"),)
            case _:
                return ()

    def forget(self) -> None:
        """Have a listen key asked for anew: the old one may be why the socket was lost."""
        self.private.options["linear"] = {}

    async def tend(self, stream: Stream) -> None:
        """Renew the listen key by ourselves: ccxt does so once and then never again."""
        while True:
            await asyncio.sleep(self.settings.listen_key_renewal_ms / 1_000)
            if not stream.is_up:
                continue
            try:
                await self.private.fapiPrivatePutListenKey()
            except Exception as error:  # noqa: BLE001 - ccxt throws anything; the next round tries again
                _log.warning("listen key not renewed: %s", self.lines.failures.text(error))
                if self.lines.failures.code(error) == NO_SUCH_LISTEN_KEY:
                    stream.reconnect("the listen key is gone")
                continue
            # ccxt asks for a new key when it believes the old one aged; it has just been renewed.
            held = self.private.options.get("linear", {})
            self.private.options["linear"] = {**held, "lastAuthenticatedTime": self.private.milliseconds()}


def _info(answer: Any) -> Mapping[str, Any]:
    """Return the raw order in ccxt's answer; a page in its place leaves the id out."""
    info = answer.get("info") if isinstance(answer, dict) else None
    if not isinstance(info, dict) or answer.get("id") is None:
        raise Unreadable("an answer without an order in it")
    return info


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
