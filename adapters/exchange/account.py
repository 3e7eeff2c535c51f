"""One account of one venue, through unmodified ccxt: what is the same at every venue.

Three ccxt instances, because each has one queue for all its calls: orders never wait behind queries or log-ons. How
often orders and cancels are sent is bounded by us, so that an order's validity is checked when its turn has come.
Quantities and prices are checked against the filters before sending, since ccxt would silently round them.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Awaitable, Sequence
from decimal import Decimal
from typing import Self, TypeVar

import aiohttp
import msgspec

from adapters.exchange.account_stream import AccountStream
from adapters.exchange.budget import OrderBudget
from adapters.exchange.client import Ccxt, make_client
from adapters.exchange.connection import loopback_session
from adapters.exchange.dialect import Dialect, Lines
from adapters.exchange.failures import Failures
from adapters.exchange.listing import listed, named_markets
from adapters.exchange.naming import Account
from adapters.exchange.reading_back import read_back
from adapters.exchange.settings import VenueSettings
from adapters.exchange.suitability import check_clock, check_order
from domain.approval import Approved
from domain.venue import (
    AccountEvent,
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
    Unavailable,
    Unknown,
    VenueOrder,
)

T = TypeVar("T")


def _now_us() -> int:
    return time.time_ns() // 1_000


class VenueAccount:
    """Trade on one account. Use as `async with`, or `open` and `close`; the stream reconnects by itself.

    Failures of every call are those of `domain.venue`: `Rejected`, `Unavailable`, `Unknown`.
    """

    def __init__(self, settings: VenueSettings, dialect: type[Dialect]) -> None:
        self._settings = settings
        self._speaks = dialect
        self._failures = Failures(
            dialect.code, dialect.reason, (settings.api_key, settings.api_secret, settings.passphrase)
        )
        self._resources = contextlib.AsyncExitStack()
        self._tasks: list[asyncio.Task[None]] = []
        self._clients: list[Ccxt] = []
        self.order_budget = OrderBudget(settings.order_rate or dialect.order_rate)
        self._listings: dict[str, InstrumentReport] = {}
        self._dialect: Dialect
        self._stream: AccountStream

    @property
    def name(self) -> str:
        """Return the venue's id."""
        return self._settings.venue

    @property
    def account(self) -> str:
        """Return the account's name."""
        return self._settings.account

    @property
    def proven(self) -> bool:
        """Say whether this venue's dialect passes the contract tests, and so may trade."""
        return self._speaks.proven

    @property
    def absence_after_ms(self) -> int:
        """Return how long after sending the venue's "no such order" may be believed."""
        return self._speaks.absence_after_ms(self._settings)

    @property
    def switch_s(self) -> int | None:
        """Return how long after its last arming the venue's dead-man's switch goes off; None where it has none."""
        return self._speaks.switch_s(self._settings)

    @property
    def instruments(self) -> Sequence[InstrumentReport]:
        """Return the listings of the symbols in the settings, as they were at `open`."""
        return tuple(self._listings.values())

    @property
    def is_listening(self) -> bool:
        """Say whether the account's stream is up."""
        return self._stream.is_up

    async def __aenter__(self) -> Self:
        """Open."""
        await self.open()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        """Close."""
        await self.close()

    async def open(self) -> None:
        """Connect, check the account and its markets, start the stream. Raise `VenueUnsuitable` or a failure."""
        try:
            await self._open()
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Stop the stream and close every connection; idempotent."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        await self._resources.aclose()

    async def submit(self, approved: Approved[VenueOrder]) -> Acknowledgement:
        """Send an order once, unless its time to be sent has passed or passes before its turn."""
        order = approved.value
        if order.venue != self.name or order.account != self.account:
            raise Rejected("malformed", f"an order for {order.venue}/{order.account}, not {self.name}/{self.account}")
        if not self.proven:
            raise Rejected(
                "venue_rule", f"{self.name} is unproven for hedging until it passes the venue contract tests"
            )
        check_order(order, self._listed(order.symbol), self._speaks.client_order_id)
        self._check_time(approved)
        await self.order_budget.order((approved.send_before_us - _now_us()) / 1_000_000)
        self._check_time(approved)
        acknowledged = await self._asked(self._dialect.create(order))
        if acknowledged is None:
            acknowledged = await read_back(self._dialect, self._failures, order)
        if acknowledged.client_order_id != order.client_order_id:
            raise Unknown(f"the answer is about another order: {acknowledged.client_order_id}")
        return acknowledged

    async def cancel(self, symbol: str, client_order_id: str) -> OrderReport:
        """Cancel an order, before any that waits to be sent; `Rejected` with `unknown_order` when none is open."""
        self._listed(symbol)
        await self.order_budget.cancel()
        cancelled = await self._asked(self._dialect.cancel(symbol, client_order_id))
        if cancelled is None:
            cancelled = await self.order_state(symbol, client_order_id)
        if cancelled is None:
            raise Unknown("cancelled, but not to be found")
        return cancelled

    async def arm(self) -> None:
        """Arm the venue's dead-man's switch, or give it more time: without another call it cancels our orders.

        Beside the order budget: venues count it apart, and it must not wait for orders, nor they for it.
        """
        await self._asked(self._dialect.arm())

    async def disarm(self) -> None:
        """Stop the venue's dead-man's switch: for when nothing is open any more."""
        await self._asked(self._dialect.disarm())

    async def order_state(self, symbol: str, client_order_id: str) -> OrderReport | None:
        """Ask for the newest order with our id; None when the venue knows none now (see `absence_after_ms`)."""
        self._listed(symbol)
        try:
            return await self._asked(self._dialect.order_state(symbol, client_order_id))
        except Rejected as rejected:
            if rejected.reason == "unknown_order":
                return None
            raise

    async def open_orders(self, symbol: str) -> Sequence[OrderReport]:
        """Return the open orders of a symbol, ours and anybody's on the account."""
        self._listed(symbol)
        return await self._asked(self._dialect.open_orders(symbol))

    async def fills_since(self, symbol: str, since_us: int) -> Sequence[FillReport]:
        """Return every fill of the account in a symbol at or after an instant, oldest first."""
        self._listed(symbol)
        return await self._asked(self._dialect.fills_since(symbol, since_us))

    async def fundings_since(self, since_us: int) -> Sequence[FundingReport]:
        """Return every funding payment of the account at or after an instant, oldest first."""
        return await self._asked(self._dialect.fundings_since(since_us))

    async def positions(self) -> Sequence[PositionReport]:
        """Return the account's positions, flat ones left out."""
        return await self._asked(self._dialect.positions())

    async def balances(self) -> Sequence[BalanceReport]:
        """Return the account's assets."""
        return await self._asked(self._dialect.balances())

    async def mark(self, symbol: str) -> MarkReport:
        """Return mark, index and funding of a symbol."""
        self._listed(symbol)
        return await self._asked(self._dialect.mark(symbol))

    async def open_interest(self, symbol: str) -> Decimal | None:
        """Return what all traders hold of a contract, in units (base; quote on inverse); None where nothing is held."""
        self._listed(symbol)
        return await self._asked(self._dialect.open_interest(symbol))

    async def fee_rates(self, symbol: str) -> FeeRates:
        """Return what the account pays for trades in a symbol."""
        self._listed(symbol)
        return await self._asked(self._dialect.fee_rates(symbol))

    async def relist(self) -> Sequence[InstrumentReport]:
        """Ask for the listings anew and go by them from here on. Raise `VenueUnsuitable` when a symbol is gone."""
        dialect = self._dialect
        found = await self._listed_now(dialect.queries, (dialect.orders, dialect.private), reload=True)
        dialect.of.learn(named_markets(self._speaks, dialect.queries.markets))
        tiers = {symbol: report.margin_tiers for symbol, report in self._listings.items()}
        for symbol, report in found.items():
            self._listings[symbol] = msgspec.structs.replace(report, margin_tiers=tiers.get(symbol, ()))
        await self._fill_in_margin_tiers()
        return self.instruments

    def account_events(self) -> AsyncGenerator[AccountEvent, None]:
        """Stream fills, order states, and every connect and disconnect."""
        return self._stream.events()

    async def failed(self) -> None:
        """Wait until a stream's task breaks, and raise its error; cancelling this only stops the waiting."""
        done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()

    async def _open(self) -> None:
        settings, speaks = self._settings, self._speaks
        session = None
        if settings.loopback is not None:
            session = await self._resources.enter_async_context(loopback_session(settings.loopback, speaks.hosts))
        self._resources.push_async_callback(self._close_clients)
        queries, orders, private = (self._client(session, paced=paced) for paced in (True, False, True))
        self._listings.update(await self._listed_now(queries, (orders, private), reload=False))
        self._dialect = speaks(
            Lines(
                orders=orders,
                queries=queries,
                private=private,
                of=Account(self.name, self.account, named_markets(speaks, queries.markets)),
                listed=self._listings,
                settings=settings,
                failures=self._failures,
            )
        )
        # The clock comes first: what is signed with a wrong one is refused in words that hide it.
        await check_clock(lambda: self._asked(self._dialect.time_ms()), settings.clock_skew_ms_max)
        await self._asked(self._dialect.check())
        await self._fill_in_margin_tiers()
        self._stream = AccountStream(self._dialect, self._failures)
        self._tasks.append(asyncio.create_task(self._stream.run(), name=f"{self.name} account stream"))
        await self._dialect.settle()

    async def _listed_now(self, queries: Ccxt, others: Sequence[Ccxt], *, reload: bool) -> dict[str, InstrumentReport]:
        """Load the markets once, for every client."""
        await self._asked(queries.load_markets(reload))
        for client in others:
            client.set_markets_from_exchange(queries)
        return await listed(self._speaks, queries, self._failures, self._settings.symbols, self.name)

    async def _fill_in_margin_tiers(self) -> None:
        """Fill in what venues tell of their listings to accounts only."""
        for symbol, tiers in (await self._asked(self._dialect.margin_tiers())).items():
            self._listings[symbol] = msgspec.structs.replace(self._listings[symbol], margin_tiers=tiers)

    def _client(self, session: aiohttp.ClientSession | None, *, paced: bool) -> Ccxt:
        own = self._speaks.own_settings(self._settings)
        client = make_client(self._speaks.ccxt_id, self._settings, own, session, paced=paced)
        self._clients.append(client)
        return client

    async def _close_clients(self) -> None:
        await asyncio.gather(*(client.close() for client in self._clients))
        self._clients.clear()

    def _check_time(self, approved: Approved[VenueOrder]) -> None:
        if _now_us() >= approved.send_before_us:
            raise Unavailable("not sent: the time until which it might be sent has passed")

    def _listed(self, symbol: str) -> InstrumentReport:
        listed = self._listings.get(symbol)
        if listed is None:
            raise Rejected("unknown_symbol", f"{symbol} is not among the symbols of {self.name}")
        return listed

    async def _asked(self, work: Awaitable[T]) -> T:
        return await self._failures.asked(work)
