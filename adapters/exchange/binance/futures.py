"""Binance's futures in their own words: codes, topics, and a listen key that must be kept alive.

USD-M and COIN-M speak alike; their endpoints' names differ by a prefix, and COIN-M counts contracts.
"""

import asyncio
import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from adapters.exchange.binance import parse
from adapters.exchange.binance.codes import FUTURES_REASONS
from adapters.exchange.binance.history import History, Past, fundings_since
from adapters.exchange.client import Ccxt
from adapters.exchange.dialect import Dialect, Dropped, Heard, Lines, Stream, Watch, acknowledge
from adapters.exchange.failures import VenueUnsuitable
from adapters.exchange.fields import Unreadable, rows
from adapters.exchange.naming import Market
from adapters.exchange.sending import SendingOnce
from adapters.exchange.settings import OrderRate, VenueSettings
from domain.venue import (
    Acknowledgement,
    FeeRates,
    FillReport,
    FundingReport,
    InstrumentReport,
    MarginTier,
    OrderReport,
    RejectReason,
    VenueOrder,
)

# Both venues allow 2,400 units of weight a minute.
REQUEST_WEIGHT_MS = 25
WINDOW_MS = 7 * 24 * 3_600_000 - 1
NO_SUCH_LISTEN_KEY = "-1125"
_log = logging.getLogger(__name__)


class BinanceFutures(Dialect):
    """Speak with one futures account; a subclass says which."""

    prefix: ClassVar[str]
    """What the names of ccxt's raw calls begin with: fapi or dapi."""
    listen_key: ClassVar[str]
    """Where in its options ccxt keeps the listen key."""
    orders_max: ClassVar[int]
    """How many orders the venue tells at once."""
    code: ClassVar[re.Pattern[str]] = re.compile(r'"code"\s*:\s*(-?\d+)')
    reasons: ClassVar[Mapping[str, RejectReason]] = FUTURES_REASONS
    client_order_id: ClassVar[re.Pattern[str]] = re.compile(r"[.A-Z:/a-z0-9_-]{1,36}")
    # The venue takes 300 orders in 10 s and 1,200 a minute.
    order_rate: ClassVar[OrderRate] = OrderRate(per_s=15, burst=50)
    connected_is_listening: ClassVar[bool] = True

    def __init__(self, lines: Lines) -> None:
        super().__init__(lines)
        self.orders.open()
        self.orders.session = SendingOnce(self.orders.session)
        past = Past(
            trades=self.ask("PrivateGetUserTrades"),
            orders=self.ask("PrivateGetAllOrders"),
            orders_max=self.orders_max,
            window_ms=WINDOW_MS,
            read=parse.fill,
        )
        self._history = History(past, self.of)

    def ask(self, name: str, client: Ccxt | None = None) -> Ccxt:
        """Return ccxt's raw call of that name, of the queries' client unless another is given."""
        return getattr(self.queries if client is None else client, self.prefix + name)

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
        """Return the funding intervals: most perpetuals pay alike, and the venue tells the others."""
        told = parse.funding_intervals(rows(await getattr(client, f"{cls.prefix}PublicGetFundingInfo")()))
        return {
            market.symbol: told.get(market.market_id, parse.FUNDING_INTERVAL_MS)
            for market in markets
            if not market.expiry_us
        }

    async def tiers(self, brackets: object, floor: str) -> Mapping[str, tuple[MarginTier, ...]]:
        """Read the margin tiers of the listed symbols."""
        ids = {listed.market_id: symbol for symbol, listed in self.lines.listed.items()}
        told = [row for row in rows(brackets) if row["symbol"] in ids]
        return {ids[row["symbol"]]: parse.margin_tiers(row, floor) for row in told}

    async def check(self) -> None:
        """Refuse an account in hedge mode: its positions would be two."""
        # The heaviest query of all: it would hold up the queries after it, and no order is due yet.
        mode = await self.ask("PrivateGetPositionSideDual", self.orders)()
        if not isinstance(mode, dict) or mode.get("dualSidePosition") is not False:
            raise VenueUnsuitable(f"the account must be in one-way position mode, and says {mode!r}")

    async def create(self, order: VenueOrder) -> Acknowledgement:
        """Send an order and read what the venue wrote down of it."""
        parameters: dict[str, Any] = {"clientOrderId": order.client_order_id, "newOrderRespType": "RESULT"}
        if order.reduce_only:
            parameters["reduceOnly"] = "true"
        if order.limit_price is not None:
            parameters["timeInForce"] = parse.TIMES_IN_FORCE[order.time_in_force]
        contracts = order.quantity / self.of.named(order.symbol).contract_size
        answer = await self.orders.create_order(
            order.symbol,
            "market" if order.limit_price is None else "limit",
            order.side,
            format(contracts, "f"),
            None if order.limit_price is None else format(order.limit_price, "f"),
            parameters,
        )
        return acknowledge(parse.order(raw(answer), self.of))

    async def cancel(self, symbol: str, client_order_id: str) -> OrderReport:
        """Cancel an order."""
        answer = await self.orders.cancel_order("", symbol, {"clientOrderId": client_order_id})
        return parse.order(raw(answer), self.of)

    @classmethod
    def switch_s(cls, settings: VenueSettings) -> int | None:
        """Return what the countdowns are set to."""
        return settings.switch_s

    async def arm(self) -> None:
        """Set every listed symbol's countdown: each has its own."""
        await self._count_down(self.settings.switch_s * 1_000)

    async def disarm(self) -> None:
        """Stop the countdowns."""
        await self._count_down(0)

    async def _count_down(self, for_ms: int) -> None:
        for symbol in self.lines.listed:
            market_id = self.of.named(symbol).market_id
            ask = self.ask("PrivatePostCountdownCancelAll", self.orders)
            parse.check_countdown(await ask({"symbol": market_id, "countdownTime": for_ms}), market_id, for_ms)

    async def order_state(self, symbol: str, client_order_id: str) -> OrderReport:
        """Ask for the newest order with our id."""
        answer = await self.queries.fetch_order("", symbol, {"clientOrderId": client_order_id})
        return parse.order(raw(answer), self.of)

    async def open_orders(self, symbol: str) -> Sequence[OrderReport]:
        """Return the open orders of a symbol."""
        answer = await self.ask("PrivateGetOpenOrders")({"symbol": self.of.named(symbol).market_id})
        return [parse.order(row, self.of) for row in rows(answer)]

    async def fills_since(self, symbol: str, since_us: int) -> Sequence[FillReport]:
        """Return every fill in a symbol at or after an instant, oldest first."""
        return await self._history.fills_since(self.of.named(symbol).market_id, since_us)

    async def fundings_since(self, since_us: int) -> Sequence[FundingReport]:
        """Return every funding payment at or after an instant, oldest first."""
        return await fundings_since(self.ask("PrivateGetIncome"), self.of, since_us)

    async def fee_rates(self, symbol: str) -> FeeRates:
        """Return what the account pays: ccxt's own `fetch_trading_fees` is static here."""
        row = await self.ask("PrivateGetCommissionRate")({"symbol": self.of.named(symbol).market_id})
        return parse.fee_rates(row, self.of)

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
        self.private.options[self.listen_key] = {}

    async def tend(self, stream: Stream) -> None:
        """Renew the listen key by ourselves: ccxt does so once and then never again."""
        while True:
            await asyncio.sleep(self.settings.listen_key_renewal_ms / 1_000)
            if not stream.is_up:
                continue
            try:
                await self.ask("PrivatePutListenKey", self.private)()
            except Exception as error:  # noqa: BLE001 - ccxt throws anything; the next round tries again
                _log.warning("listen key not renewed: %s", self.lines.failures.text(error))
                if self.lines.failures.code(error) == NO_SUCH_LISTEN_KEY:
                    stream.reconnect("the listen key is gone")
                continue
            # ccxt asks for a new key when it believes the old one aged; it has just been renewed.
            held = self.private.options.get(self.listen_key, {})
            self.private.options[self.listen_key] = {**held, "lastAuthenticatedTime": self.private.milliseconds()}


def raw(answer: Any) -> Mapping[str, Any]:
    """Return the raw order in ccxt's answer; ccxt makes an order without an id even of a web page."""
    info = answer.get("info") if isinstance(answer, dict) else None
    if not isinstance(info, dict):
        raise Unreadable("an answer without an order in it")
    return info
