"""Binance spot: no positions, no margin, no funding; fees are taken out of what is received.

The account's events come over the WebSocket API after a signed subscription. A refused one makes ccxt raise
`KeyError('spot')` and wait for ever after: the socket is dropped instead, and so is one whose stream the venue ended.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from adapters.exchange.binance import spot_parse as parse
from adapters.exchange.binance.codes import SPOT_REASONS, spot_order_reason
from adapters.exchange.binance.futures import raw
from adapters.exchange.binance.history import PAGE, History, Past
from adapters.exchange.binance.parse import TIMES_IN_FORCE
from adapters.exchange.dialect import Dialect, Dropped, Heard, Lines, Listening, Watch, acknowledge
from adapters.exchange.failures import VenueUnsuitable
from adapters.exchange.fields import rows
from adapters.exchange.naming import Market
from adapters.exchange.sending import SendingOnce
from adapters.exchange.settings import OrderRate, VenueSettings
from domain.venue import (
    Acknowledgement,
    BalanceReport,
    FeeRates,
    FillReport,
    FundingReport,
    InstrumentReport,
    MarkReport,
    OrderReport,
    PositionReport,
    Rejected,
    RejectReason,
    VenueOrder,
)

# The venue allows 6,000 units of weight a minute; ccxt counts most calls here in fifths of one.
REQUEST_WEIGHT_MS = 50
OK = 200
WINDOW_MS = 24 * 3_600_000 - 1


class BinanceSpotDialect(Dialect):
    """Speak with one Binance spot account."""

    ccxt_id: ClassVar[str] = "binance"
    hosts: ClassVar[frozenset[str]] = frozenset({"api.binance.com", "ws-api.binance.com", "stream.binance.com"})
    kinds: ClassVar[frozenset[str]] = frozenset({"spot"})
    code: ClassVar[re.Pattern[str]] = re.compile(r'"code"\s*:\s*(-?\d+)')
    reasons: ClassVar[Mapping[str, RejectReason]] = SPOT_REASONS
    client_order_id: ClassVar[re.Pattern[str]] = re.compile(r"[.A-Z:/a-z0-9_-]{1,36}")
    # The venue has taken 50 orders in 10 s, now 100, and 200,000 a day.
    order_rate: ClassVar[OrderRate] = OrderRate(per_s=4, burst=10)

    def __init__(self, lines: Lines) -> None:
        super().__init__(lines)
        self.orders.open()
        self.orders.session = SendingOnce(self.orders.session)
        past = Past(
            trades=self.queries.privateGetMyTrades,
            orders=self.queries.privateGetAllOrders,
            orders_max=PAGE,
            window_ms=WINDOW_MS,
            read=parse.fill,
        )
        self._history = History(past, self.of)

    @classmethod
    def own_settings(cls, settings: VenueSettings) -> dict[str, Any]:
        """Return the options that the venue's traps ask for: spot markets alone, and no wallet calls."""
        return {
            "rateLimit": REQUEST_WEIGHT_MS,
            "options": {
                "defaultType": "spot",
                "fetchMarkets": {"types": ["spot"]},
                "fetchCurrencies": False,
                "fetchMargins": False,
                "recvWindow": settings.recv_window_ms,
                "adjustForTimeDifference": False,
                "warnOnFetchOpenOrdersWithoutSymbol": False,
            },
        }

    @classmethod
    def reason(cls, code: str, text: str) -> RejectReason | None:
        """Say what a code means; two of them are told by their text."""
        return spot_order_reason(code, text) or cls.reasons.get(code)

    @classmethod
    def instrument(cls, item: Mapping[str, Any], market: Market, venue: str) -> InstrumentReport:
        """Read a listing."""
        return parse.instrument(item, market, venue)

    async def check(self) -> None:
        """Refuse an account that may not trade."""
        answer = await self.queries.privateGetAccount()
        if answer.get("canTrade") is False:
            raise VenueUnsuitable("the account may not trade")

    async def create(self, order: VenueOrder) -> Acknowledgement:
        """Send an order; post-only is a type of order here."""
        parameters: dict[str, Any] = {"clientOrderId": order.client_order_id, "newOrderRespType": "RESULT"}
        if order.time_in_force == "gtx":
            parameters["postOnly"] = True
        elif order.limit_price is not None:
            parameters["timeInForce"] = TIMES_IN_FORCE[order.time_in_force]
        answer = await self.orders.create_order(
            order.symbol,
            "market" if order.limit_price is None else "limit",
            order.side,
            format(order.quantity, "f"),
            None if order.limit_price is None else format(order.limit_price, "f"),
            parameters,
        )
        return acknowledge(parse.order(raw(answer), self.of))

    async def cancel(self, symbol: str, client_order_id: str) -> OrderReport:
        """Cancel an order: the answer's `clientOrderId` is the cancel's own, the order's is `origClientOrderId`."""
        answer = await self.orders.cancel_order("", symbol, {"clientOrderId": client_order_id})
        return parse.order(raw(answer), self.of)

    async def order_state(self, symbol: str, client_order_id: str) -> OrderReport:
        """Ask for the newest order with our id."""
        answer = await self.queries.fetch_order("", symbol, {"clientOrderId": client_order_id})
        return parse.order(raw(answer), self.of)

    async def open_orders(self, symbol: str) -> Sequence[OrderReport]:
        """Return the open orders of a symbol."""
        answer = await self.queries.privateGetOpenOrders({"symbol": self.of.named(symbol).market_id})
        return [parse.order(row, self.of) for row in rows(answer)]

    async def fills_since(self, symbol: str, since_us: int) -> Sequence[FillReport]:
        """Return every fill in a symbol at or after an instant, oldest first."""
        return await self._history.fills_since(self.of.named(symbol).market_id, since_us)

    async def fundings_since(self, since_us: int) -> Sequence[FundingReport]:
        """Return nothing: spot pays no funding."""
        _ = since_us
        return []

    async def positions(self) -> Sequence[PositionReport]:
        """Return nothing: what is held on spot is a balance."""
        return []

    async def balances(self) -> Sequence[BalanceReport]:
        """Return the assets that there is something of."""
        answer = await self.queries.privateGetAccount()
        found = [parse.balance(row, self.of, answer) for row in rows(answer["balances"])]
        return [balance for balance in found if balance.wallet]

    async def mark(self, symbol: str) -> MarkReport:
        """Refuse: nothing on spot is marked."""
        raise Rejected("venue_rule", f"{symbol} is spot and has no mark")

    async def fee_rates(self, symbol: str) -> FeeRates:
        """Return what the account pays for trades in a symbol."""
        market_id = self.of.named(symbol).market_id
        (row,) = rows(await self.queries.sapiGetAssetTradeFee({"symbol": market_id}))
        return parse.fee_rates(row, self.of)

    def is_private(self, url: str) -> bool:
        """Say whether a socket carries the account's events."""
        return "/ws-api/" in url

    def watches(self) -> Sequence[Watch]:
        """Return the one watch that makes ccxt subscribe to the account."""
        return [self.private.watch_orders]

    def hear(self, message: Mapping[str, Any]) -> Iterable[Heard]:
        """Read an event of the account, or the answer to its subscription."""
        event = message.get("event")
        if not isinstance(event, Mapping):
            return (_subscribed(message),) if "status" in message else ()
        match event.get("e"):
            case "executionReport":
                fill = parse.fill_event(event, self.of)
                state = parse.order_event(event, self.of)
                return (state,) if fill is None else (fill, state)
            case "eventStreamTerminated":
                return (Dropped("the venue ended the stream"),)
            case _:
                return ()


def _subscribed(message: Mapping[str, Any]) -> Heard:
    """Read the answer to the subscription: the only request that goes over this socket."""
    result = message.get("result")
    if message["status"] == OK and isinstance(result, Mapping) and "subscriptionId" in result:
        return Listening()
    error = message.get("error")
    return Dropped(f"the subscription was refused: {error.get('code') if isinstance(error, Mapping) else error}")
