"""Deribit in its own words: inverse perpetuals in dollars, orders that are GETs, a label for our order id.

Orders that may rest are given on a connection of their own, whose end cancels them: see `TradingSession`. A label is
not unique: every order under one is told, and only those that came over the API can be ours.
"""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar

import msgspec

from adapters.exchange.client import Ccxt
from adapters.exchange.deribit import parse
from adapters.exchange.deribit.codes import OTHER_REASONS, OTHER_REJECT, REASONS
from adapters.exchange.deribit.fields import answered_us
from adapters.exchange.deribit.history import History
from adapters.exchange.deribit.labels import ours
from adapters.exchange.deribit.margin import margin_tiers
from adapters.exchange.deribit.session import HEARTBEAT_S, TradingSession
from adapters.exchange.dialect import Dialect, Dropped, Heard, Lines, Listening, Stream, Watch, acknowledge
from adapters.exchange.failures import VenueUnsuitable
from adapters.exchange.fields import Payload, Unreadable, flag, part
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
    MarginTier,
    MarkReport,
    OrderReport,
    PositionReport,
    Rejected,
    RejectReason,
    TimeInForce,
    Unknown,
    VenueFailure,
    VenueOrder,
)

ORDERS = "user.orders.any.any.raw"
TRADES = "user.trades.any.any.raw"
CHANNELS = frozenset({ORDERS, TRADES})
# How long the venue takes a signed request after it was signed.
SIGNATURE_VALID_MS = 60_000
HISTORY_ROWS = 1_000
# A log-on is renewed when this much of its token's life is over; how often that is looked at, and how long it may take.
RENEWED_AFTER = 0.8
LOOK_S = 1.0
RENEWAL_S = 10.0
RESTING: frozenset[TimeInForce] = frozenset({"gtc", "gtx"})
# How long opening an account waits for the connection on which orders may rest.
SESSION_S = 5.0


class DeribitDialect(Dialect):
    """Speak with one account; there is no hedge mode and no leverage to set."""

    ccxt_id: ClassVar[str] = "deribit"
    hosts: ClassVar[frozenset[str]] = frozenset({"www.deribit.com"})
    kinds: ClassVar[frozenset[str]] = frozenset({"linear", "inverse"})
    code: ClassVar[re.Pattern[str]] = re.compile(r'"code"\s*:\s*(-?\d+)')
    reasons: ClassVar[Mapping[str, RejectReason]] = REASONS
    client_order_id: ClassVar[re.Pattern[str]] = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
    # The venue takes 5 a second, and 20 at once.
    order_rate: ClassVar[OrderRate] = OrderRate(per_s=4, burst=15)

    def __init__(self, lines: Lines) -> None:
        super().__init__(lines)
        self._history = History(self.queries, self.of)
        self._confirmed: set[str] = set()
        self._door = asyncio.Lock()
        self._renew_at: float | None = None
        # Without this, an order whose answer is lost would be sent again.
        self.orders.open()
        self.orders.session = SendingOnce(self.orders.session)
        self._session = TradingSession(self.orders.session, lines.settings, lines.failures)

    @classmethod
    def own_settings(cls, settings: VenueSettings) -> dict[str, Any]:
        """Return nothing: ccxt's class is fine as it is."""
        del settings
        return {}

    @classmethod
    def absence_after_ms(cls, settings: VenueSettings) -> int:
        """Return how long after sending "no such order" may be believed."""
        return SIGNATURE_VALID_MS + settings.settling_ms

    @classmethod
    def reason(cls, code: str, text: str) -> RejectReason | None:
        """Say what a code means; one is for every other reason, and says it in words."""
        if code == OTHER_REJECT:
            for word, reason in OTHER_REASONS.items():
                if word in text:
                    return reason
        return cls.reasons.get(code)

    @classmethod
    def market(cls, item: Mapping[str, Any]) -> Market | None:
        """Name a market; a perpetual is listed as if it ended in the year 3000."""
        found = super().market(item)
        if found is None or item["type"] != "swap":
            return found
        return msgspec.structs.replace(found, expiry_us=0)

    @classmethod
    def instrument(cls, item: Mapping[str, Any], market: Market, venue: str) -> InstrumentReport:
        """Read a listing."""
        return parse.instrument(item, market, venue)

    @classmethod
    async def funding_intervals(cls, client: Ccxt, markets: Sequence[Market]) -> Mapping[str, int]:
        """Return what the rates are told for: eight hours on every perpetual."""
        del client
        return {market.symbol: 0 if market.expiry_us else parse.FUNDING_INTERVAL_MS for market in markets}

    async def margin_tiers(self) -> Mapping[str, tuple[MarginTier, ...]]:
        """Return the documented margin; of linear contracts, in dollars at today's mark."""
        found: dict[str, tuple[MarginTier, ...]] = {}
        for symbol, listed in self.lines.listed.items():
            price = Decimal(1) if listed.kind == "inverse" else (await self.mark(symbol)).mark_price
            found[symbol] = margin_tiers(listed.base, price)
        return found

    async def check(self) -> None:
        """Refuse an account whose currencies are one pool: each would tell the whole pool's margin as its own."""
        told = parse.row_of(parse.result(await self.orders.privateGetGetAccountSummaries()))
        for row in parse.rows_of(told.get("summaries")):
            if "cross_collateral_enabled" in row and flag(row, "cross_collateral_enabled"):
                raise VenueUnsuitable("the account must be segregated, and is in cross collateral")

    async def create(self, order: VenueOrder) -> Acknowledgement:
        """Send an order. A post-only order says that it would rather be refused than moved behind the spread."""
        request: dict[str, Any] = {
            "instrument_name": self.of.named(order.symbol).market_id,
            "amount": order.quantity,
            "type": "market" if order.limit_price is None else "limit",
            "time_in_force": parse.TIMES_IN_FORCE[order.time_in_force],
            "label": order.client_order_id,
            "reduce_only": order.reduce_only,
        }
        if order.limit_price is not None:
            request["price"] = order.limit_price
        if order.time_in_force == "gtx":
            request |= {"post_only": True, "reject_post_only": True}
        told = parse.row_of(await self._send(order, request))
        report = parse.order(part(told, "order"), self.of)
        if report.symbol != order.symbol:
            raise Unreadable("the answer is about another order")
        return acknowledge(report)

    async def _send(self, order: VenueOrder, request: Mapping[str, Any]) -> Any:
        """Send what may rest where the end of the connection cancels it; the rest over REST, at once or never."""
        if order.time_in_force in RESTING:
            exact = {name: Decimal(value) if isinstance(value, Decimal) else value for name, value in request.items()}
            return await self._session.call(f"private/{order.side}", exact)
        send = self.orders.privateGetBuy if order.side == "buy" else self.orders.privateGetSell
        words = {name: format(value, "f") if isinstance(value, Decimal) else value for name, value in request.items()}
        return parse.result(await send(words))

    @classmethod
    def switch_s(cls, settings: VenueSettings) -> int | None:
        """Return how long the venue takes to notice that nobody is there: heartbeat, question, and no answer."""
        del settings
        return 3 * HEARTBEAT_S

    async def arm(self) -> None:
        """Make sure that the connection is up on which our orders are made, and that its end cancels them."""
        told = parse.row_of(await self._session.call("private/get_cancel_on_disconnect", {"scope": "connection"}))
        if told.get("enabled") is not True:
            raise Unknown("cancel-on-disconnect is not on")

    async def settle(self) -> None:
        """Wait for the connection on which orders may rest; without it, those are refused, and `arm` tells so."""
        await self._session.wait(SESSION_S)

    async def cancel(self, symbol: str, client_order_id: str) -> OrderReport:
        """Cancel every open order under our id and tell of the newest: nothing of it may be left standing."""
        found = [parse.order(row, self.of) for row in await self._ours(self.orders, symbol, client_order_id)]
        standing = [report for report in found if report.status in {"new", "partially_filled"}]
        if not standing:
            raise Rejected("unknown_order", f"{len(found)} orders under {client_order_id}, none of them open")
        told: list[OrderReport] = []
        for report in standing:
            answer = await self.orders.privateGetCancel({"order_id": report.venue_order_id})
            told.append(parse.order(parse.row_of(parse.result(answer)), self.of))
        return told[-1]

    async def order_state(self, symbol: str, client_order_id: str) -> OrderReport | None:
        """Ask for the newest order with our id; the venue tells closed ones for half an hour, older ones as history."""
        found = await self._ours(self.queries, symbol, client_order_id)
        if not found:
            found = await self._ours_of_old(symbol, client_order_id)
        return parse.order(found[-1], self.of) if found else None

    async def open_orders(self, symbol: str) -> Sequence[OrderReport]:
        """Return the open orders of a symbol, those that wait for a trigger left out."""
        asked = {"instrument_name": self.of.named(symbol).market_id}
        found = parse.rows_of(parse.result(await self.queries.privateGetGetOpenOrdersByInstrument(asked)))
        return [parse.order(row, self.of) for row in found if not parse.is_waiting(row)]

    async def fills_since(self, symbol: str, since_us: int) -> Sequence[FillReport]:
        """Return every fill in a symbol at or after an instant, oldest first."""
        return await self._history.fills_since(self.of.named(symbol), since_us)

    async def fundings_since(self, since_us: int) -> Sequence[FundingReport]:
        """Return every funding payment at or after an instant, oldest first."""
        settles = sorted({listed.settle for listed in self.lines.listed.values()})
        return await self._history.fundings_since(settles, since_us)

    async def positions(self) -> Sequence[PositionReport]:
        """Return the positions in futures and perpetuals of every currency."""
        answer = await self.queries.privateGetGetPositions({"currency": "any", "kind": "future"})
        found = [parse.position(row, self.of, answered_us(answer)) for row in parse.rows_of(parse.result(answer))]
        return [position for position in found if position is not None]

    async def balances(self) -> Sequence[BalanceReport]:
        """Return the currencies."""
        answer = await self.queries.privateGetGetAccountSummaries()
        told = parse.row_of(parse.result(answer))
        return [parse.balance(row, self.of, answered_us(answer)) for row in parse.rows_of(told.get("summaries"))]

    async def mark(self, symbol: str) -> MarkReport:
        """Return mark, index and funding."""
        answer = await self.queries.publicGetTicker({"instrument_name": self.of.named(symbol).market_id})
        return parse.mark(parse.row_of(parse.result(answer)), self.of)

    async def open_interest(self, symbol: str) -> Decimal:
        """Return the open interest, which its ticker tells."""
        answer = await self.queries.publicGetTicker({"instrument_name": self.of.named(symbol).market_id})
        return parse.open_interest(parse.row_of(parse.result(answer)))

    async def fee_rates(self, symbol: str) -> FeeRates:
        """Return what the account pays."""
        market = self.of.named(symbol)
        answer = await self.queries.privateGetGetAccountSummary({"currency": market.settle, "extended": True})
        listing = part(self.queries.markets[symbol], "info")
        return parse.fee_rates(parse.row_of(parse.result(answer)), market, listing, self.of.venue)

    def is_private(self, url: str) -> bool:
        """Say whether a socket carries the account's events: there is one kind."""
        return url.endswith("/ws/api/v2")

    def watches(self) -> Sequence[Watch]:
        """Return the two watches, each behind the log-on."""
        return [self._behind_the_door(self.private.watch_orders), self._behind_the_door(self.private.watch_my_trades)]

    def hear(self, message: Mapping[str, Any]) -> Iterable[Heard]:
        """Read orders, fills, and which channels were subscribed to.

        What the venue cannot or will not subscribe to it leaves out of its answer, without a word. An error frame needs
        nothing here: ccxt cannot handle it, and the connection is given up for that.
        """
        params, result = message.get("params"), message.get("result")
        if isinstance(result, list):
            told = {each for each in result if isinstance(each, str)}  # pyright: ignore[reportUnknownVariableType] - JSON
            self._confirmed |= CHANNELS & told
            if not CHANNELS & told:
                return (Dropped("a subscription was left out"),)
            return (Listening(),) if self._confirmed >= CHANNELS else ()
        if isinstance(result, dict) and isinstance(lives_s := result.get("expires_in"), int):  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - JSON
            self._renew_at = time.monotonic() + lives_s * RENEWED_AFTER
        if not isinstance(params, dict):
            return ()
        match params.get("channel"):  # pyright: ignore[reportUnknownMemberType] - JSON
            case "user.trades.any.any.raw":
                return [parse.fill(row, self.of, "stream") for row in parse.rows_of(params.get("data"))]  # pyright: ignore[reportUnknownMemberType] - JSON
            case "user.orders.any.any.raw":
                data = params.get("data")  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - JSON
                told = parse.rows_of(data if isinstance(data, list) else [data])  # pyright: ignore[reportUnknownArgumentType] - JSON
                return [parse.order(row, self.of) for row in told if not parse.is_waiting(row)]
            case _:
                return ()

    def forget(self) -> None:
        """Forget the confirmed subscriptions, and the books that ccxt would merge the next ones into."""
        self._confirmed.clear()
        self._renew_at = None
        self.private.orderbooks.clear()

    async def tend(self, stream: Stream) -> None:
        """Keep the trading connection, and the stream's log-on."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._session.run())
            tasks.create_task(self._renew(stream))

    async def _renew(self, stream: Stream) -> None:
        """Renew the log-on before its token ends: what happens to a stream after that, the venue does not say."""
        while True:
            await asyncio.sleep(LOOK_S)
            if self._renew_at is None or time.monotonic() < self._renew_at:
                continue
            self._renew_at = None
            try:
                await self.lines.failures.asked(self._log_on_again())
            except VenueFailure as failed:
                stream.reconnect(f"the log-on could not be renewed: {failed}")

    def _behind_the_door(self, watch: Callable[[], Awaitable[Any]]) -> Watch:
        """Return a watch that logs on first, one at a time: two log-ons at once would each spoil the other's."""

        async def run() -> Any:
            async with self._door:
                await self.private.authenticate()
            return await watch()

        return run

    async def _log_on_again(self) -> None:
        async with asyncio.timeout(RENEWAL_S), self._door:
            for socket in self.private.clients.values():
                socket.subscriptions.pop("authenticated", None)
            await self.private.authenticate()

    async def _ours(self, client: Ccxt, symbol: str, client_order_id: str) -> Sequence[Payload]:
        """Return the recent orders under our id, oldest first."""
        market = self.of.named(symbol)
        asked = {"currency": market.settle, "label": client_order_id}
        found = parse.rows_of(parse.result(await client.privateGetGetOrderStateByLabel(asked)))
        return ours(found, market, client_order_id)

    async def _ours_of_old(self, symbol: str, client_order_id: str) -> Sequence[Payload]:
        market = self.of.named(symbol)
        asked = {"instrument_name": market.market_id, "count": HISTORY_ROWS, "historical": True}
        asked |= {"include_old": True, "include_unfilled": True}
        found = parse.rows_of(parse.result(await self.queries.privateGetGetOrderHistoryByInstrument(asked)))
        return ours(found, market, client_order_id)
