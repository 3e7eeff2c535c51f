"""One Binance USD-M account, through unmodified ccxt.

Three ccxt instances, because each has one queue for all its calls: orders never wait behind queries or snapshots. New
orders are kept apart by us, so that the time until which an order may be sent is checked when it is sent.
Quantities and prices are checked against the filters before sending, since ccxt would silently round them.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Sequence
from typing import Any, Self

import aiohttp

from adapters.exchange import parse
from adapters.exchange.account_stream import AccountStream
from adapters.exchange.asking import asked, read, rows
from adapters.exchange.books import Books
from adapters.exchange.client import Ccxt, make_client
from adapters.exchange.connection import loopback_session
from adapters.exchange.history import History
from adapters.exchange.pace import Pace
from adapters.exchange.parse import TIMES_IN_FORCE, Account
from adapters.exchange.settings import VenueSettings
from adapters.exchange.suitability import check_clock, check_order, check_position_mode, listings
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
    VenueOrder,
)


class BinanceUsdm:
    """Trade on one account. Use as `async with`, or `open` and `close`; streams reconnect by themselves.

    Failures of every call are those of `domain.venue`: `Rejected`, `Unavailable`, `Unknown`.
    """

    def __init__(self, settings: VenueSettings) -> None:
        self._settings = settings
        self._resources = contextlib.AsyncExitStack()
        self._tasks: list[asyncio.Task[None]] = []
        self._clients: list[Ccxt] = []
        self._pace = Pace(settings.order_interval_ms / 1_000)
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
        if order.venue != self.name or order.account != self.account:
            raise Rejected("malformed", f"an order for {order.venue}/{order.account}, not {self.name}/{self.account}")
        check_order(order, self._listed(order.symbol))
        await self._pace.wait()
        if time.time_ns() // 1_000 >= approved.send_before_us:
            raise Unavailable("not sent: the time until which it might be sent has passed")
        parameters: dict[str, Any] = {"clientOrderId": order.client_order_id, "newOrderRespType": "RESULT"}
        if order.reduce_only:
            parameters["reduceOnly"] = "true"
        if order.limit_price is not None:
            parameters["timeInForce"] = TIMES_IN_FORCE[order.time_in_force]
        answer = await asked(
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
        acknowledged = read(parse.acknowledgement, info)
        if acknowledged.client_order_id != order.client_order_id:
            raise Unknown(f"the answer is about another order: {acknowledged.client_order_id}")
        return acknowledged

    async def cancel(self, symbol: str, client_order_id: str) -> OrderReport:
        """Cancel an order; `Rejected` with `unknown_order` when it is over or was never there."""
        self._listed(symbol)
        answer = await asked(self._orders.cancel_order("", symbol, {"clientOrderId": client_order_id}))
        return self._read_order(answer)

    async def order_state(self, symbol: str, client_order_id: str) -> OrderReport | None:
        """Ask for the newest order with our id; None when the venue knows none now (see `absence_after_ms`)."""
        self._listed(symbol)
        try:
            answer = await asked(self._queries.fetch_order("", symbol, {"clientOrderId": client_order_id}))
        except Rejected as rejected:
            if rejected.reason == "unknown_order":
                return None
            raise
        return self._read_order(answer)

    async def open_orders(self, symbol: str) -> Sequence[OrderReport]:
        """Return the open orders of a symbol, ours and anybody's on the account."""
        answer = await asked(self._queries.fapiPrivateGetOpenOrders({"symbol": self._market_id(symbol)}))
        return [read(parse.order, row, self._of) for row in rows(answer)]

    async def fills_since(self, symbol: str, since_us: int) -> Sequence[FillReport]:
        """Return every fill of the account in a symbol at or after an instant, oldest first."""
        return await asked(self._history.fills_since(self._market_id(symbol), since_us))

    async def fills_from(self, symbol: str, trade_id: int) -> Sequence[FillReport]:
        """Return every fill of the account in a symbol from a trade id on, oldest first."""
        return await asked(self._history.fills_from(self._market_id(symbol), trade_id))

    async def fundings_since(self, since_us: int) -> Sequence[FundingReport]:
        """Return every funding payment at or after an instant, oldest first."""
        return await asked(self._history.fundings_since(since_us))

    async def positions(self) -> Sequence[PositionReport]:
        """Return the positions; a symbol that is not among them is flat."""
        answer = await asked(self._queries.fapiPrivateV3GetPositionRisk())
        return [read(parse.position, row, self._of) for row in rows(answer)]

    async def balances(self) -> Sequence[BalanceReport]:
        """Return the account's assets."""
        answer = await asked(self._queries.fapiPrivateV3GetAccount())
        assets = rows(answer.get("assets") if isinstance(answer, dict) else None)
        return [read(parse.balance, row, self._of) for row in assets]

    async def mark(self, symbol: str) -> MarkReport:
        """Return mark, index and funding of a symbol."""
        answer = await asked(self._queries.fapiPublicGetPremiumIndex({"symbol": self._market_id(symbol)}))
        return read(parse.mark, answer, self._of)

    async def fee_rates(self, symbol: str) -> FeeRates:
        """Return what the account pays for trades in a symbol."""
        answer = await asked(self._queries.fapiPrivateGetCommissionRate({"symbol": self._market_id(symbol)}))
        return read(parse.fee_rates, answer, self._of)

    def account_events(self) -> AsyncGenerator[AccountEvent, None]:
        """Stream fills, order states, and every connect and disconnect."""
        return self._account_stream.events()

    def book_events(self) -> AsyncGenerator[BookEvent, None]:
        """Stream the newest book of each symbol, and every loss of one."""
        return self._books.events()

    async def failed(self) -> None:
        """Wait until a stream's task breaks, and raise its error; cancelling this only stops the waiting."""
        done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()

    async def _open(self) -> None:
        settings = self._settings
        session: aiohttp.ClientSession | None = None
        if settings.loopback is not None:
            session = await self._resources.enter_async_context(loopback_session(settings.loopback))
        self._resources.push_async_callback(self._close_clients)
        self._orders = self._client(session, paced=False)
        self._queries = self._client(session)
        public = self._client(session)
        for client in (self._queries, self._orders, public):
            await asked(client.load_markets())
        markets = self._queries.markets
        self._instruments = listings(markets, settings.symbols, self.name)
        symbols = {str(item["id"]): str(item["symbol"]) for item in markets.values() if item["type"] == "swap"}
        self._of = Account(settings.venue, settings.account, symbols)
        # The heaviest query of all: it would hold up the queries after it, and no order is due yet.
        await check_position_mode(self._orders)
        await check_clock(self._queries, settings.clock_skew_ms_max)
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

    def _client(self, session: aiohttp.ClientSession | None, *, paced: bool = True) -> Ccxt:
        client = make_client(self._settings, session, paced=paced)
        self._clients.append(client)
        return client

    async def _close_clients(self) -> None:
        await asyncio.gather(*(client.close() for client in self._clients))
        self._clients.clear()

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
        return read(parse.order, info if isinstance(info, dict) else {}, self._of)
