"""OKX v5 in its own words: perpetual swaps in contracts, net mode, cross margin, one log-on by WebSocket.

A new order is answered with its id only, whatever became of it, and a post-only order that would take is accepted and
then cancelled: both are read back. Orders carry `expTime`, so that one that is held up on its way is never taken later
than `recv_window_ms`: OKX would take a signed request for 30 s.
"""

import asyncio
import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar

import msgspec

from adapters.exchange.client import Ccxt
from adapters.exchange.dialect import Dialect, Dropped, Heard, Lines, Listening, Watch
from adapters.exchange.failures import VenueUnsuitable
from adapters.exchange.fields import Payload, Unreadable
from adapters.exchange.naming import Market
from adapters.exchange.okx import listing, parse
from adapters.exchange.okx.codes import REASONS
from adapters.exchange.okx.fields import data, only, rows
from adapters.exchange.okx.history import PAGE, PAGES_MAX, History
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
    VenueOrder,
)

SUFFIX = "-SWAP"
# Account level 2: contracts are margined by currency. 1 trades no contracts; 3 and 4 pool currencies, so that the
# margin of one currency says nothing.
ACCOUNT_LEVEL = "2"
CANCEL_TRIES = 5
CANCEL_PAUSE_S = 0.1
# The venue takes a countdown once a second.
COUNTDOWN_EVERY_S = 1.1


class OkxDialect(Dialect):
    """Speak with one OKX account about its perpetual swaps."""

    ccxt_id: ClassVar[str] = "okx"
    hosts: ClassVar[frozenset[str]] = frozenset({"www.okx.com", "ws.okx.com"})
    kinds: ClassVar[frozenset[str]] = frozenset({"linear", "inverse"})
    # The envelope's code is a mere "1" where an item failed: the item's own has five digits, and perhaps a sub-code.
    code: ClassVar[re.Pattern[str]] = re.compile(r'"(?:sCode|code)"\s*:\s*"(\d{4,5})(?:_\d+)?"')
    reasons: ClassVar[Mapping[str, RejectReason]] = REASONS
    client_order_id: ClassVar[re.Pattern[str]] = re.compile(r"[A-Za-z0-9]{1,32}")
    # The venue takes 60 orders in 2 s for an instrument.
    order_rate: ClassVar[OrderRate] = OrderRate(per_s=25, burst=10)

    def __init__(self, lines: Lines) -> None:
        super().__init__(lines)
        self._history = History(self.queries, self.of)
        self._references: dict[str, Decimal] = {}
        self._counted_s = 0.0

    @classmethod
    def own_settings(cls, settings: VenueSettings) -> dict[str, Any]:
        """Load the swaps only: every market asked for is a request, and currencies need a key."""
        del settings
        return {
            "has": {"fetchCurrencies": False},
            "options": {"fetchMarkets": {"types": ["swap"]}, "adjustForTimeDifference": False},
        }

    @classmethod
    def market(cls, item: Mapping[str, Any]) -> Market | None:
        """Name a swap; ccxt leaves the contract's multiplier out."""
        if item["type"] != "swap" or not str(item["id"]).endswith(SUFFIX):
            return None
        try:
            size = listing.contract_size(item["info"])
        except Unreadable:  # what is not open yet is listed with hardly a field
            return None
        named = super().market(item)
        return named and msgspec.structs.replace(named, contract_size=size)

    @classmethod
    def instrument(cls, item: Mapping[str, Any], market: Market, venue: str) -> InstrumentReport:
        """Read a listing."""
        return listing.instrument(item, market, venue)

    @classmethod
    async def funding_intervals(cls, client: Ccxt, markets: Sequence[Market]) -> Mapping[str, int]:
        """Ask for each swap's next two payments."""
        found: dict[str, int] = {}
        for market in markets:
            answer = await client.publicGetPublicFundingRate({"instId": market.market_id})
            found[market.symbol] = parse.funding_interval_ms(only(data(answer)))
        return found

    async def margin_tiers(self) -> Mapping[str, tuple[MarginTier, ...]]:
        """Return the margin tiers of the listed symbols, turned from contracts into money at about their marks.

        The first mark counts for as long as the account is open: a price that moves is no change of a listing.
        """
        found: dict[str, tuple[MarginTier, ...]] = {}
        for symbol in self.lines.listed:
            market = self.of.named(symbol)
            asked = {"instType": "SWAP", "tdMode": "cross", "instFamily": _family(market)}
            tiers = data(await self.queries.publicGetPublicPositionTiers(asked))
            if symbol not in self._references:
                mark = parse.mark_price(await self._mark_row(market))
                self._references[symbol] = listing.reference_price(mark, market)
            found[symbol] = listing.margin_tiers(tiers, market, self._references[symbol])
        return found

    async def check(self) -> None:
        """Refuse hedge mode and account levels whose margins we would misread."""
        row = only(data(await self.queries.privateGetAccountConfig()))
        if row.get("posMode") != "net_mode":
            raise VenueUnsuitable(f"the account must be in net position mode, and says {row.get('posMode')!r}")
        if row.get("acctLv") != ACCOUNT_LEVEL:
            raise VenueUnsuitable(f"the account must be in futures mode (level 2), and says {row.get('acctLv')!r}")

    async def create(self, order: VenueOrder) -> None:
        """Send an order. What the venue wrote down is read back: the answer has nothing but its id."""
        market = self.of.named(order.symbol)
        size = listing.contracts(order.quantity, market)
        if size is None:
            raise Rejected("size_or_price_step", f"{order.quantity} is no whole number of lots of {market.market_id}")
        request: dict[str, Any] = {
            "instId": market.market_id,
            "tdMode": "cross",
            "side": order.side,
            "ordType": parse.MARKET_ORDER,
            "sz": _plain(size),
            "clOrdId": order.client_order_id,
            "reduceOnly": order.reduce_only,
        }
        if order.limit_price is not None:
            request |= {"ordType": parse.ORDER_TYPES[order.time_in_force], "px": _plain(order.limit_price)}
        # ccxt reads its headers when a call begins, before anything else can run.
        until_ms = self.orders.milliseconds() + self.settings.recv_window_ms
        self.orders.headers = {"expTime": str(until_ms)}
        answer = await self.orders.privatePostTradeBatchOrders([request])
        parse.check_item(answer, order.client_order_id, self.reason)

    async def read_back(self, order: VenueOrder) -> OrderReport | Rejected | None:
        """Find an order; a post-only order that would have taken was cancelled, and that was its refusal."""
        row = await self._order_row(self.orders, order.symbol, order.client_order_id)
        found = parse.order(row, self.of)
        if found.status == "canceled" and not found.filled and row.get("cancelSource") == parse.POST_ONLY_TOOK:
            return Rejected("post_only_would_take", "accepted, and cancelled because it would have taken")
        return found

    async def cancel(self, symbol: str, client_order_id: str) -> OrderReport:
        """Cancel an order, and look until it is: the venue says yes before it has done so."""
        request = {"instId": self.of.named(symbol).market_id, "clOrdId": client_order_id}
        self.orders.headers = {}
        answer = await self.orders.privatePostTradeCancelOrder(request)
        parse.check_item(answer, client_order_id, self.reason)
        for _ in range(CANCEL_TRIES):
            found = parse.order(await self._order_row(self.orders, symbol, client_order_id), self.of)
            if found.status in TERMINAL:
                return found
            await asyncio.sleep(CANCEL_PAUSE_S)
        raise Unreadable("said to be cancelled, and still open")

    @classmethod
    def switch_s(cls, settings: VenueSettings) -> int | None:
        """Return what the countdown is set to."""
        return settings.switch_s

    async def arm(self) -> None:
        """Set the account's countdown."""
        await self._count_down(self.settings.switch_s)

    async def disarm(self) -> None:
        """Stop the countdown."""
        await self._count_down(0)

    async def _count_down(self, for_s: int) -> None:
        """Ask for it at most once a second, as the venue wants it."""
        loop = asyncio.get_running_loop()
        await asyncio.sleep(max(0.0, self._counted_s + COUNTDOWN_EVERY_S - loop.time()))
        self.orders.headers = {}
        try:
            answer = await self.orders.privatePostTradeCancelAllAfter({"timeOut": str(for_s)})
        finally:
            self._counted_s = loop.time()
        if (only(data(answer)).get("triggerTime") in {"0", "", None}) == (for_s > 0):
            raise Unreadable("a countdown that was not confirmed")

    async def order_state(self, symbol: str, client_order_id: str) -> OrderReport:
        """Ask for the newest order with our id."""
        return parse.order(await self._order_row(self.queries, symbol, client_order_id), self.of)

    async def open_orders(self, symbol: str) -> Sequence[OrderReport]:
        """Return the open orders of a symbol, all pages."""
        request = {"instType": "SWAP", "instId": self.of.named(symbol).market_id, "limit": str(PAGE)}
        found: dict[str, OrderReport] = {}
        for _ in range(PAGES_MAX):
            page = data(await self.queries.privateGetTradeOrdersPending(request))
            reports = [parse.order(row, self.of) for row in page]
            found.update((report.venue_order_id, report) for report in reports)
            if len(page) < PAGE:
                return list(found.values())
            request = {**request, "after": reports[-1].venue_order_id}
        raise Unreadable("more pages of orders than there can be")

    async def fills_since(self, symbol: str, since_us: int) -> Sequence[FillReport]:
        """Return every fill in a symbol at or after an instant, oldest first."""
        return await self._history.fills_since(self.of.named(symbol).market_id, since_us)

    async def fundings_since(self, since_us: int) -> Sequence[FundingReport]:
        """Return every funding payment at or after an instant, oldest first."""
        return await self._history.fundings_since(since_us)

    async def positions(self) -> Sequence[PositionReport]:
        """Return the positions, flat ones left out."""
        found = data(await self.queries.privateGetAccountPositions({"instType": "SWAP"}))
        reports = [parse.position(row, self.of) for row in found]
        return [report for report in reports if report.quantity]

    async def balances(self) -> Sequence[BalanceReport]:
        """Return the assets of the trading account."""
        account = only(data(await self.queries.privateGetAccountBalance()))
        return [parse.balance(row, self.of) for row in rows(account.get("details"))]

    async def mark(self, symbol: str) -> MarkReport:
        """Return mark, index and funding: three questions, since no endpoint has them all."""
        market = self.of.named(symbol)
        marked = await self._mark_row(market)
        indexed = await self.queries.publicGetMarketIndexTickers({"instId": _family(market)})
        funded = await self.queries.publicGetPublicFundingRate({"instId": market.market_id})
        return parse.mark(marked, only(data(indexed)), only(data(funded)), self.of)

    async def open_interest(self, symbol: str) -> Decimal:
        """Return the open interest."""
        asked = {"instType": "SWAP", "instId": self.of.named(symbol).market_id}
        return parse.open_interest(only(data(await self.queries.publicGetPublicOpenInterest(asked))), self.of, symbol)

    async def fee_rates(self, symbol: str) -> FeeRates:
        """Return what the account pays in a swap."""
        market = self.of.named(symbol)
        asked = {"instType": "SWAP", "instFamily": _family(market)}
        row = only(data(await self.queries.privateGetAccountTradeFee(asked)))
        group = self.queries.markets[symbol]["info"].get("groupId")
        return listing.fee_rates(row, self.of, symbol, str(group or ""))

    def is_private(self, url: str) -> bool:
        """Say whether a socket carries the account's events."""
        return "/private" in url

    def watches(self) -> Sequence[Watch]:
        """Return the one watch that logs on and subscribes to the orders, whose events hold the fills."""
        return [self.private.watch_orders]

    def hear(self, message: Mapping[str, Any]) -> Iterable[Heard]:
        """Read a message of the private socket."""
        channel = message["arg"].get("channel") if isinstance(message.get("arg"), Mapping) else None
        match message.get("event"):
            case "subscribe" if channel == "orders":
                return (Listening(),)
            case "error" | "notice":  # a notice says that the socket will be closed soon
                return (Dropped(f"the venue says {message.get('code')}: {message.get('msg')}"),)
            case None if channel == "orders":
                return [heard for row in rows(message.get("data")) for heard in self._heard(row)]
            case _:
                return ()

    def _heard(self, row: Payload) -> Iterable[Heard]:
        if row.get("instType") != "SWAP":  # what else the account trades is not ours to tell
            return ()
        fill, state = parse.fill_event(row, self.of), parse.order(row, self.of)
        return (state,) if fill is None else (fill, state)

    async def _order_row(self, client: Ccxt, symbol: str, client_order_id: str) -> Payload:
        request = {"instId": self.of.named(symbol).market_id, "clOrdId": client_order_id}
        client.headers = {}
        return only(data(await client.privateGetTradeOrder(request)))

    async def _mark_row(self, market: Market) -> Payload:
        asked = {"instType": "SWAP", "instId": market.market_id}
        return only(data(await self.queries.publicGetPublicMarkPrice(asked)))


def _family(market: Market) -> str:
    return market.market_id.removesuffix(SUFFIX)


def _plain(value: Decimal) -> str:
    return format(value.normalize(), "f")
