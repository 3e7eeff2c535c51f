"""One Binance USD-M account, through unmodified ccxt.

Three ccxt instances, because each has one queue for all its calls: orders never wait behind queries or snapshots.
Quantities and prices are checked against the filters before sending, since ccxt would silently round them.
"""

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncGenerator, Awaitable, Sequence
from decimal import Decimal
from typing import Any, Self, TypeVar

import aiohttp

from adapters.exchange import parse
from adapters.exchange.account_stream import AccountStream
from adapters.exchange.books import Books
from adapters.exchange.client import Ccxt, make_client
from adapters.exchange.connection import loopback_session
from adapters.exchange.failures import classify
from adapters.exchange.history import History
from adapters.exchange.parse import TIMES_IN_FORCE, Account, Unreadable
from adapters.exchange.settings import VenueSettings
from domain.approval import Approved
from domain.venue import (
    AccountEvent,
    Acknowledgement,
    BalanceReport,
    BookEvent,
    FeeRates,
    FillReport,
    FundingReport,
    InstrumentReport,
    MarkReport,
    OrderReport,
    PositionReport,
    Rejected,
    Unavailable,
    Unknown,
    VenueFailure,
    VenueOrder,
)

CLIENT_ORDER_ID = re.compile(r"^[.A-Z:/a-z0-9_-]{1,36}$")
NEW_ORDER_WEIGHT = 4
QUERY_RATE_LIMIT_MS = 25
CLOCK_SAMPLES = 3

T = TypeVar("T")


class VenueUnsuitable(Exception):
    """Say why this account must not be traded as it is set up."""


class BinanceUsdm:
    """Trade on one account. Use as `async with`, or `open` and `close`; streams reconnect by themselves.

    Failures of every call are those of `domain.venue`: `Rejected`, `Unavailable`, `Unknown`.
    """

    def __init__(self, settings: VenueSettings) -> None:
        self._settings = settings
        self._resources = contextlib.AsyncExitStack()
        self._tasks: list[asyncio.Task[None]] = []
        self._clients: list[Ccxt] = []
        self._instruments: dict[str, InstrumentReport] = {}
        self._orders: Ccxt
        self._queries: Ccxt
        self._of: Account
        self._account_stream: AccountStream
        self._books: Books
        self._history: History

    @property
    def name(self) -> str:
        """Return the venue's id."""
        return self._settings.venue

    @property
    def account(self) -> str:
        """Return the account's name."""
        return self._settings.account

    @property
    def absence_after_ms(self) -> int:
        """Return how long after sending the venue's "no such order" may be believed."""
        return self._settings.recv_window_ms + self._settings.settling_ms

    @property
    def instruments(self) -> Sequence[InstrumentReport]:
        """Return the listings of the symbols in the settings, as they were at `open`."""
        return tuple(self._instruments.values())

    @property
    def is_listening(self) -> bool:
        """Say whether the account's stream is up."""
        return self._account_stream.is_up

    async def __aenter__(self) -> Self:
        """Open."""
        await self.open()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        """Close."""
        await self.close()

    async def open(self) -> None:
        """Connect, check the account and its markets, start the streams. Raise `VenueUnsuitable` or a failure."""
        try:
            await self._open()
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Stop the streams and close every connection; idempotent."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        await self._resources.aclose()

    async def submit(self, approved: Approved[VenueOrder]) -> Acknowledgement:
        """Send an order once, unless its time to be sent has passed."""
        order = approved.value
        self._check(order)
        if time.time_ns() // 1_000 >= approved.send_before_us:
            raise Unavailable("not sent: the time until which it might be sent has passed")
        parameters: dict[str, Any] = {"clientOrderId": order.client_order_id, "newOrderRespType": "RESULT"}
        if order.reduce_only:
            parameters["reduceOnly"] = "true"
        if order.limit_price is not None:
            parameters["timeInForce"] = TIMES_IN_FORCE[order.time_in_force]
        answer = await _asked(
            self._orders.create_order(
                order.symbol,
                "market" if order.limit_price is None else "limit",
                order.side,
                format(order.quantity, "f"),
                None if order.limit_price is None else format(order.limit_price, "f"),
                parameters,
            )
        )
        info = answer.get("info") if isinstance(answer, dict) else None
        if not isinstance(info, dict) or answer.get("id") is None:
            raise Unknown("an answer without an order in it")
        acknowledged = _read(parse.acknowledgement, info)
        if acknowledged.client_order_id != order.client_order_id:
            raise Unknown(f"the answer is about another order: {acknowledged.client_order_id}")
        return acknowledged

    async def cancel(self, symbol: str, client_order_id: str) -> OrderReport:
        """Cancel an order; `Rejected` with `unknown_order` when it is over or was never there."""
        self._listed(symbol)
        answer = await _asked(self._orders.cancel_order("", symbol, {"clientOrderId": client_order_id}))
        return self._read_order(answer)

    async def order_state(self, symbol: str, client_order_id: str) -> OrderReport | None:
        """Ask for the newest order with our id; None when the venue knows none now (see `absence_after_ms`)."""
        self._listed(symbol)
        try:
            answer = await _asked(self._queries.fetch_order("", symbol, {"clientOrderId": client_order_id}))
        except Rejected as rejected:
            if rejected.reason == "unknown_order":
                return None
            raise
        return self._read_order(answer)

    async def open_orders(self, symbol: str) -> Sequence[OrderReport]:
        """Return the open orders of a symbol, ours and anybody's on the account."""
        rows = await _asked(self._queries.fapiPrivateGetOpenOrders({"symbol": self._market_id(symbol)}))
        return [_read(parse.order, row, self._of) for row in _rows(rows)]

    async def fills_since(self, symbol: str, since_us: int) -> Sequence[FillReport]:
        """Return every fill of the account in a symbol at or after an instant, oldest first."""
        return await self._guarded(self._history.fills_since(self._market_id(symbol), since_us))

    async def fills_from(self, symbol: str, trade_id: int) -> Sequence[FillReport]:
        """Return every fill of the account in a symbol from a trade id on, oldest first."""
        return await self._guarded(self._history.fills_from(self._market_id(symbol), trade_id))

    async def fundings_since(self, since_us: int) -> Sequence[FundingReport]:
        """Return every funding payment at or after an instant, oldest first."""
        return await self._guarded(self._history.fundings_since(since_us))

    async def positions(self) -> Sequence[PositionReport]:
        """Return the positions; a symbol that is not among them is flat."""
        rows = _rows(await _asked(self._queries.fapiPrivateV3GetPositionRisk()))
        return [_read(parse.position, row, self._of) for row in rows]

    async def balances(self) -> Sequence[BalanceReport]:
        """Return the account's assets."""
        answer = await _asked(self._queries.fapiPrivateV3GetAccount())
        rows = _rows(answer.get("assets") if isinstance(answer, dict) else None)
        return [_read(parse.balance, row, self._of) for row in rows]

    async def mark(self, symbol: str) -> MarkReport:
        """Return mark, index and funding of a symbol."""
        answer = await _asked(self._queries.fapiPublicGetPremiumIndex({"symbol": self._market_id(symbol)}))
        return _read(parse.mark, answer, self._of)

    async def fee_rates(self, symbol: str) -> FeeRates:
        """Return what the account pays for trades in a symbol."""
        answer = await _asked(self._queries.fapiPrivateGetCommissionRate({"symbol": self._market_id(symbol)}))
        return _read(parse.fee_rates, answer, self._of)

    def account_events(self) -> AsyncGenerator[AccountEvent, None]:
        """Stream fills, order states, and every connect and disconnect."""
        return self._account_stream.events()

    def book_events(self) -> AsyncGenerator[BookEvent, None]:
        """Stream the newest book of each symbol, and every loss of one."""
        return self._books.events()

    async def failed(self) -> None:
        """Wait until a stream's task breaks, and raise its error; cancel this to stop waiting."""
        await asyncio.gather(*self._tasks)

    async def _open(self) -> None:
        settings = self._settings
        session: aiohttp.ClientSession | None = None
        if settings.loopback is not None:
            session = await self._resources.enter_async_context(loopback_session(settings.loopback))
        self._resources.push_async_callback(self._close_clients)
        self._orders = self._client(session, settings.order_interval_ms / NEW_ORDER_WEIGHT)
        self._queries = self._client(session, QUERY_RATE_LIMIT_MS)
        public = self._client(session, QUERY_RATE_LIMIT_MS)
        for client in (self._queries, self._orders, public):
            await _asked(client.load_markets())
        symbols = self._check_markets()
        self._of = Account(settings.venue, settings.account, symbols)
        await self._check_account()
        await self._check_clock()
        self._history = History(self._queries, self._of)
        self._account_stream = AccountStream(
            self._queries, self._of, listen_key_renewal_ms=settings.listen_key_renewal_ms
        )
        watched = {market_id: symbol for market_id, symbol in symbols.items() if symbol in self._instruments}
        self._books = Books(
            public, settings.venue, watched, levels=settings.book_levels, silence_ms=settings.book_silence_ms
        )
        self._tasks.append(asyncio.create_task(self._account_stream.run(), name=f"{settings.venue} account stream"))
        self._tasks.append(asyncio.create_task(self._books.run(), name=f"{settings.venue} books"))

    def _client(self, session: aiohttp.ClientSession | None, rate_limit_ms: float) -> Ccxt:
        client = make_client(self._settings, session, rate_limit_ms=rate_limit_ms)
        self._clients.append(client)
        return client

    async def _close_clients(self) -> None:
        await asyncio.gather(*(client.close() for client in self._clients))
        self._clients.clear()

    def _check_markets(self) -> dict[str, str]:
        """Refuse symbols that are not plain linear perpetuals; return the unified symbol of every market id."""
        markets = self._queries.markets or {}
        for symbol in self._settings.symbols:
            market = markets.get(symbol)
            if market is None or symbol != market["symbol"]:
                raise VenueUnsuitable(f"{symbol} is not listed at {self.name} under that very name")
            if market["type"] != "swap" or market["linear"] is not True or Decimal(str(market["contractSize"])) != 1:
                raise VenueUnsuitable(f"{symbol} is not a linear perpetual of contract size 1")
            self._instruments[symbol] = parse.instrument(market, self.name)
        return {str(market["id"]): str(market["symbol"]) for market in markets.values() if market["type"] == "swap"}

    async def _check_account(self) -> None:
        # The heaviest query of all: it would hold up the queries after it, and no order is due yet.
        mode = await _asked(self._orders.fapiPrivateGetPositionSideDual())
        if not isinstance(mode, dict) or mode.get("dualSidePosition") is not False:
            raise VenueUnsuitable(f"the account must be in one-way position mode, and says {mode!r}")

    async def _check_clock(self) -> None:
        """Refuse to trade with a clock that the venue would refuse: its recvWindow counts in its own time."""
        skews: list[int] = []
        for _ in range(CLOCK_SAMPLES):
            asked_ms = time.time_ns() // 1_000_000
            answer = await _asked(self._queries.fetch_time())
            answered_ms = time.time_ns() // 1_000_000
            if answer is None:
                raise VenueUnsuitable("the venue does not tell its time")
            skews.append(abs(int(answer) - (asked_ms + answered_ms) // 2))
        if min(skews) > self._settings.clock_skew_ms_max:
            raise VenueUnsuitable(f"this machine's clock is {min(skews)} ms off the venue's")

    def _check(self, order: VenueOrder) -> None:
        """Refuse what ccxt would round or the venue would misread."""
        listed = self._listed(order.symbol)
        if order.venue != self.name or order.account != self.account:
            raise Rejected("malformed", f"an order for {order.venue}/{order.account}, not {self.name}/{self.account}")
        if not CLIENT_ORDER_ID.match(order.client_order_id):
            raise Rejected("malformed", f"client order id {order.client_order_id!r}")
        if order.limit_price is None and order.time_in_force != "ioc":
            raise Rejected("malformed", "a market order takes only ioc")
        if not order.quantity.is_finite() or order.quantity <= 0 or order.quantity % listed.step:
            raise Rejected("size_or_price_step", f"quantity {order.quantity} is not a multiple of {listed.step}")
        price = order.limit_price
        if price is not None and (not price.is_finite() or price <= 0 or price % listed.tick):
            raise Rejected("size_or_price_step", f"price {price} is not a multiple of {listed.tick}")

    def _listed(self, symbol: str) -> InstrumentReport:
        listed = self._instruments.get(symbol)
        if listed is None:
            raise Rejected("unknown_symbol", f"{symbol} is not among the symbols of {self.name}")
        return listed

    def _market_id(self, symbol: str) -> str:
        self._listed(symbol)
        return str(self._queries.market(symbol)["id"])

    def _read_order(self, answer: Any) -> OrderReport:
        info = answer.get("info") if isinstance(answer, dict) else None
        return _read(parse.order, info if isinstance(info, dict) else {}, self._of)

    @staticmethod
    async def _guarded(work: Awaitable[T]) -> T:
        return await _asked(work)


async def _asked(work: Awaitable[T]) -> T:
    """Await a ccxt call and raise what its failure means."""
    try:
        return await work
    except VenueFailure:
        raise
    except Unreadable as error:
        raise Unknown(f"an unreadable answer: {error}") from error
    except Exception as error:
        raise classify(error) from error


def _read(parser: Any, *arguments: Any) -> Any:
    try:
        return parser(*arguments)
    except (Unreadable, KeyError, TypeError, AttributeError) as error:
        raise Unknown(f"an unreadable answer: {error}") from error


def _rows(answer: Any) -> list[Any]:
    if not isinstance(answer, list):
        raise Unknown(f"an unreadable answer: {type(answer).__name__} instead of rows")
    return answer
