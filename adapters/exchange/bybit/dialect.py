"""Bybit v5 in its own words: one unified account, linear and inverse, answers that tell only ids.

Nothing that is asked for changes the account's modes: what would be misread is refused at the start.
"""

import asyncio
import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar

import msgspec

from adapters.exchange.bybit import listing, parse
from adapters.exchange.bybit.codes import REASONS
from adapters.exchange.bybit.history import History
from adapters.exchange.client import Ccxt
from adapters.exchange.dialect import Dialect, Dropped, Heard, Lines, Listening, Watch
from adapters.exchange.failures import VenueUnsuitable
from adapters.exchange.fields import Payload, Unreadable, identity
from adapters.exchange.naming import Market
from adapters.exchange.settings import OrderRate, VenueSettings
from domain.venue import (
    TERMINAL,
    BalanceReport,
    FeeRates,
    FillReport,
    FundingReport,
    InstrumentReport,
    MarginTier,
    MarkReport,
    OrderReport,
    PositionReport,
    Rejected,
    RejectReason,
    Unavailable,
    Unknown,
    VenueOrder,
)

CATEGORIES = ("linear", "inverse")
LINEAR_SETTLES = ("USDT", "USDC")
# 5 and 6 are the two grades of the unified account 2.0, whose inverse contracts are in the same wallet.
UNIFIED_STATUSES = frozenset({5, 6})
MARGIN_MODE = "REGULAR_MARGIN"
ORDERS_PAGE = 50
POSITIONS_PAGE = 200
PAGES_MAX = 100
# A cancel is taken first and done after; how often and how far apart its outcome is looked for.
CANCEL_LOOKS = 10
CANCEL_PAUSE_S = 0.1
TOPICS = 2
# The protection against lost connections: its product, the topic by which a socket takes part, our name for asking.
PRODUCT, GUARD_TOPIC, GUARD = "DERIVATIVES", "dcp.future", "guard"
GUARD_S = 5.0


class BybitDialect(Dialect):
    """Speak with one unified account in one-way mode and cross margin."""

    ccxt_id: ClassVar[str] = "bybit"
    hosts: ClassVar[frozenset[str]] = frozenset({"api.bybit.com", "stream.bybit.com"})
    kinds: ClassVar[frozenset[str]] = frozenset(CATEGORIES)
    code: ClassVar[re.Pattern[str]] = re.compile(r'"retCode"\s*:\s*(\d+)')
    reasons: ClassVar[Mapping[str, RejectReason]] = REASONS
    client_order_id: ClassVar[re.Pattern[str]] = re.compile(r"[A-Za-z0-9_-]{1,36}")
    # The venue takes 10 orders a second of an account.
    order_rate: ClassVar[OrderRate] = OrderRate(per_s=8, burst=2)

    def __init__(self, lines: Lines) -> None:
        super().__init__(lines)
        self._history = History(self.queries, self.of)
        self._confirmed: set[str] = set()
        self._guarded = asyncio.Event()

    @classmethod
    def own_settings(cls, settings: VenueSettings) -> dict[str, Any]:
        """Return the options that spare ccxt its probing of the account, which `check` does once instead."""
        return {
            "has": {"fetchCurrencies": False},
            "options": {
                "enableUnifiedMargin": False,
                "enableUnifiedAccount": True,
                "unifiedMarginStatus": 6,
                "fetchMarkets": {"types": list(CATEGORIES)},
                "recvWindow": settings.recv_window_ms,
                "adjustForTimeDifference": False,
            },
        }

    @classmethod
    def market(cls, item: Mapping[str, Any]) -> Market | None:
        """Name a market by category and id; ccxt takes the least order of an inverse contract for its size."""
        found = super().market(item)
        if found is None:
            return None
        return msgspec.structs.replace(
            found, key=f"{found.kind}:{found.market_id}", contract_size=listing.CONTRACT_SIZE
        )

    @classmethod
    def instrument(cls, item: Mapping[str, Any], market: Market, venue: str) -> InstrumentReport:
        """Read a listing."""
        return listing.instrument(item, market, venue)

    @classmethod
    async def funding_intervals(cls, client: Ccxt, markets: Sequence[Market]) -> Mapping[str, int]:
        """Return the funding intervals, which the listings tell."""
        return {market.symbol: listing.funding_interval_ms(client.markets[market.symbol]) for market in markets}

    async def margin_tiers(self) -> Mapping[str, tuple[MarginTier, ...]]:
        """Return the risk limits of the listed symbols."""
        found: dict[str, tuple[MarginTier, ...]] = {}
        for symbol in self.lines.listed:
            answer = await self.queries.publicGetV5MarketRiskLimit(self._naming(symbol))
            found[symbol] = listing.margin_tiers(parse.rows(answer))
        return found

    async def check(self) -> None:
        """Refuse an account that is not unified 2.0, not in cross margin, or in hedge mode for a listed symbol."""
        told = parse.result(await self.orders.privateGetV5AccountInfo())
        if told.get("unifiedMarginStatus") not in UNIFIED_STATUSES:
            raise VenueUnsuitable(
                f"the account must be a unified one, 2.0, and says {told.get('unifiedMarginStatus')!r}"
            )
        if told.get("marginMode") != MARGIN_MODE:
            raise VenueUnsuitable(f"the account must be in cross margin, and says {told.get('marginMode')!r}")
        for symbol in self.lines.listed:
            for row in parse.rows(await self.orders.privateGetV5PositionList(self._naming(symbol))):
                if row.get("positionIdx") != 0:
                    raise VenueUnsuitable(f"{symbol} must be in one-way position mode")

    async def create(self, order: VenueOrder) -> None:
        """Send an order. The answer tells ids and nothing else, so what became of the order is read back."""
        request: dict[str, Any] = {
            **self._naming(order.symbol),
            "side": order.side.capitalize(),
            "orderType": "Market" if order.limit_price is None else "Limit",
            "qty": format(order.quantity, "f"),
            "timeInForce": parse.TIMES_IN_FORCE[order.time_in_force],
            "orderLinkId": order.client_order_id,
            "reduceOnly": order.reduce_only,
            "positionIdx": 0,
        }
        if order.limit_price is not None:
            request["price"] = format(order.limit_price, "f")
        told = parse.result(await self.orders.privatePostV5OrderCreate(request))
        if identity(told, "orderLinkId") != order.client_order_id or not identity(told, "orderId"):
            raise Unreadable("the answer is about another order")

    async def read_back(self, order: VenueOrder) -> OrderReport | Rejected | None:
        """Find an order that was answered with its id; post-only refusals show only here."""
        row = await self._order_row(self.orders, order.symbol, order.client_order_id)
        if row is None:
            return None
        return parse.refusal(row) or parse.order(row, self.of.named(order.symbol).kind, self.of)

    async def cancel(self, symbol: str, client_order_id: str) -> OrderReport:
        """Cancel an order and wait until it is over: the answer only says that the wish was heard."""
        request = {**self._naming(symbol), "orderLinkId": client_order_id}
        parse.result(await self.orders.privatePostV5OrderCancel(request))
        for _ in range(CANCEL_LOOKS):
            row = await self._order_row(self.orders, symbol, client_order_id)
            found = None if row is None else parse.order(row, request["category"], self.of)
            if found is not None and found.status in TERMINAL:
                return found
            await asyncio.sleep(CANCEL_PAUSE_S)
        raise Unreadable("a cancel was heard, and the order is not over")

    @classmethod
    def switch_s(cls, settings: VenueSettings) -> int | None:
        """Return how long the private stream may be lost before the venue cancels our orders."""
        return settings.switch_s

    async def arm(self) -> None:
        """Let the loss of the private stream cancel our orders: the account's window, and the stream's taking part.

        The venue must have set the account up for it; of one that it has not, it tells nothing.
        """
        await self._guard()
        if not await self._is_protected():
            window = {"product": PRODUCT, "timeWindow": self.settings.switch_s}
            parse.result(await self.orders.privatePostV5OrderDisconnectedCancelAll(window))
            if not await self._is_protected():
                raise Rejected("venue_rule", "the account is not set up for protection against lost connections (DCP)")

    async def _is_protected(self) -> bool:
        told = parse.row_list(parse.result(await self.orders.privateGetV5AccountQueryDcpInfo()), "dcpInfos")
        wanted = ("ON", str(self.settings.switch_s))
        return any(
            row.get("product") == PRODUCT and (row.get("dcpStatus"), str(row.get("timeWindow"))) == wanted
            for row in told
        )

    async def _guard(self) -> None:
        """Let the private stream take part, once it is up."""
        if self._guarded.is_set():
            return
        sockets = [socket for url, socket in self.private.clients.items() if self.is_private(url)]
        if not sockets or len(self._confirmed) < TOPICS:
            raise Unavailable("the private stream is not up")
        await sockets[0].send({"op": "subscribe", "req_id": GUARD, "args": [GUARD_TOPIC]})
        try:
            async with asyncio.timeout(GUARD_S):
                await self._guarded.wait()
        except TimeoutError:
            raise Unknown("the venue did not confirm that the stream is protected") from None

    async def order_state(self, symbol: str, client_order_id: str) -> OrderReport | None:
        """Ask for the newest order with our id."""
        row = await self._order_row(self.queries, symbol, client_order_id)
        return None if row is None else parse.order(row, self.of.named(symbol).kind, self.of)

    async def open_orders(self, symbol: str) -> Sequence[OrderReport]:
        """Return the open orders of a symbol, conditional ones that wait left out."""
        request = {**self._naming(symbol), "openOnly": 0, "orderFilter": "Order", "limit": ORDERS_PAGE}
        found = await self._all(self.queries.privateGetV5OrderRealtime, request)
        kind = self.of.named(symbol).kind
        return [parse.order(row, kind, self.of) for row in found if row.get("orderStatus") not in parse.WAITING]

    async def fills_since(self, symbol: str, since_us: int) -> Sequence[FillReport]:
        """Return every fill in a symbol at or after an instant, oldest first."""
        return await self._history.fills_since(self.of.named(symbol), since_us)

    async def fundings_since(self, since_us: int) -> Sequence[FundingReport]:
        """Return every funding payment at or after an instant, oldest first; the stream's are no source."""
        return await self._history.fundings_since(CATEGORIES, since_us)

    async def positions(self) -> Sequence[PositionReport]:
        """Return the positions of both categories: without asking, ccxt would leave inverse and USDC out."""
        wanted = [{"category": "linear", "settleCoin": coin} for coin in LINEAR_SETTLES] + [{"category": "inverse"}]
        found: list[PositionReport] = []
        for request in wanted:
            for row in await self._all(self.queries.privateGetV5PositionList, {**request, "limit": POSITIONS_PAGE}):
                position = parse.position(row, request["category"], self.of)
                if position is not None:
                    found.append(position)
        return found

    async def balances(self) -> Sequence[BalanceReport]:
        """Return the coins of the unified account."""
        answer = await self.queries.privateGetV5AccountWalletBalance({"accountType": "UNIFIED"})
        coins = [coin for row in parse.rows(answer) for coin in parse.row_list(row, "coin")]
        return [parse.balance(coin, self.of, parse.answered_us(answer)) for coin in coins]

    async def mark(self, symbol: str) -> MarkReport:
        """Return mark, index and funding."""
        answer = await self.queries.publicGetV5MarketTickers(self._naming(symbol))
        return parse.mark(_only(answer), self.of.named(symbol).kind, self.of, parse.answered_us(answer))

    async def open_interest(self, symbol: str) -> Decimal:
        """Return the open interest, which its ticker tells."""
        return parse.open_interest(_only(await self.queries.publicGetV5MarketTickers(self._naming(symbol))))

    async def fee_rates(self, symbol: str) -> FeeRates:
        """Return what the account pays."""
        answer = await self.queries.privateGetV5AccountFeeRate(self._naming(symbol))
        return parse.fee_rates(_only(answer), self.of.named(symbol).kind, self.of)

    def is_private(self, url: str) -> bool:
        """Say whether a socket carries the account's events."""
        return url.endswith("/v5/private")

    def watches(self) -> Sequence[Watch]:
        """Return the watches that log on and subscribe to the two topics."""
        return [self.private.watch_orders, self.private.watch_my_trades]

    def hear(self, message: Mapping[str, Any]) -> Iterable[Heard]:
        """Read executions, orders, and what the venue says of log-on and subscriptions.

        A refused log-on names no request, on which ccxt would wait for ever: the socket is dropped.
        """
        match message.get("topic"), message.get("op"):
            case "execution", _:
                return self._fills(message)
            case "order", _:
                return self._orders_told(message)
            case _, "auth" if message.get("success") is not True:
                return (Dropped("the log-on was refused"),)
            case _, "subscribe" if message.get("req_id") == GUARD:
                if message.get("success") is True:
                    self._guarded.set()
                return ()
            case _, "subscribe" if message.get("success") is True:
                self._confirmed.add(identity(message, "req_id"))
                return (Listening(),) if len(self._confirmed) >= TOPICS else ()
            case _:
                return ()

    def forget(self) -> None:
        """Forget the confirmed subscriptions: a new socket has none."""
        self._confirmed.clear()
        self._guarded.clear()

    def _fills(self, message: Mapping[str, Any]) -> list[Heard]:
        """Read the executions of our categories; funding is not a fill and is asked for instead."""
        return [
            parse.fill(row, row["category"], self.of, "stream")
            for row in parse.row_list(message, "data")
            if row["category"] in CATEGORIES and parse.is_fill(row, row["category"], self.of)
        ]

    def _orders_told(self, message: Mapping[str, Any]) -> list[Heard]:
        return [
            parse.order(row, row["category"], self.of)
            for row in parse.row_list(message, "data")
            if row["category"] in CATEGORIES and row.get("orderStatus") not in parse.WAITING
        ]

    def _naming(self, symbol: str) -> dict[str, str]:
        market = self.of.named(symbol)
        return {"category": market.kind, "symbol": market.market_id}

    async def _order_row(self, client: Ccxt, symbol: str, client_order_id: str) -> Payload | None:
        """Ask for an order by our id: the last five hundred are in one list, the older ones in another.

        ccxt's own look-up drops our id and asks for an order called None.
        """
        request = {**self._naming(symbol), "orderLinkId": client_order_id}
        for ask in (client.privateGetV5OrderRealtime, client.privateGetV5OrderHistory):
            for row in parse.rows(await ask(request)):
                if row.get("orderLinkId") == client_order_id:
                    return row
        return None

    async def _all(self, ask: Any, request: Mapping[str, Any]) -> list[Payload]:
        """Return the rows of every page."""
        found: list[Payload] = []
        cursor = ""
        for _ in range(PAGES_MAX):
            answer = parse.result(await ask({**request, "cursor": cursor} if cursor else dict(request)))
            page = parse.row_list(answer, "list")
            found.extend(page)
            told = str(answer.get("nextPageCursor") or "")
            if not page or not told or told == cursor:
                return found
            cursor = told
        raise Unreadable("more pages than there can be")


def _only(answer: Any) -> Payload:
    """Return the one row of an answer about one symbol."""
    found = parse.rows(answer)
    if len(found) != 1:
        raise Unreadable(f"{len(found)} rows instead of one")
    return found[0]
