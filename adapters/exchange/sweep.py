"""Sweeping a whole account at one venue: all its open orders whatever the market, an end to them, and what it holds.

It stands beside `VenueAccount` on purpose and needs nothing of it: no markets are loaded, no stream is kept, nothing is
paced, so that it works in a process of its own while everything else is dead. What a venue's services for conditional
("algo") orders keep apart from its books, at Binance and OKX, is not seen: we place none.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Awaitable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, ClassVar

from adapters.exchange.bybit import parse as bybit
from adapters.exchange.client import Ccxt, make_client
from adapters.exchange.connection import loopback_session
from adapters.exchange.deribit import parse as deribit
from adapters.exchange.failures import Failures
from adapters.exchange.fields import Payload, Unreadable, decimal, identity, number, rows
from adapters.exchange.okx import fields as okx
from adapters.exchange.settings import VenueSettings
from adapters.exchange.venues import DIALECTS
from domain.sweep import Counted, PositionLeft, Resting
from domain.venue import Rejected

PAGES_MAX = 100
BYBIT_PAGE = 50
OKX_PAGE, OKX_BATCH = 100, 20
BYBIT_SETTLES = ("USDT", "USDC")
# What Bybit keeps apart, and how each part is asked for: all of a category, or of one settling coin.
BYBIT_PARTS: Sequence[Mapping[str, str]] = (
    *({"category": "linear", "settleCoin": coin} for coin in BYBIT_SETTLES),
    {"category": "inverse"},
    {"category": "spot"},
    {"category": "option"},
)


class AccountSweep(ABC):
    """Sweep one account; a subclass speaks the venue's words. Failures are those of `domain.venue`."""

    def __init__(self, settings: VenueSettings, client: Ccxt, failures: Failures) -> None:
        self.settings = settings
        self.client = client
        self._failures = failures

    @property
    def name(self) -> str:
        """Return the venue's id."""
        return self.settings.venue

    @property
    def account(self) -> str:
        """Return the account's name."""
        return self.settings.account

    async def open_orders(self) -> Sequence[Resting]:
        """Return every order that stands in the account, whoever placed it."""
        return await self._failures.asked(self.standing())

    async def cancel_all(self, found: Sequence[Resting]) -> None:
        """Ask the venue to cancel everything, all at once; what fails is raised when the rest is done."""
        asked = (self._failures.asked(request) for request in self.cancels(found))
        for failed in await asyncio.gather(*asked, return_exceptions=True):
            if isinstance(failed, Rejected) and failed.reason == "unknown_order":
                continue
            if isinstance(failed, BaseException):
                raise failed

    async def positions(self) -> Sequence[PositionLeft]:
        """Return the positions, flat ones left out."""
        return await self._failures.asked(self.held())

    @abstractmethod
    async def standing(self) -> Sequence[Resting]:
        """Ask for every open order."""

    @abstractmethod
    def cancels(self, found: Sequence[Resting]) -> Iterable[Awaitable[Any]]:
        """Return the requests that end everything."""

    @abstractmethod
    async def held(self) -> Sequence[PositionLeft]:
        """Ask for every position."""

    def order(self, market: str, row: Payload, venue_id: str, our_id: str) -> Resting:
        """Name an order by the fields in which its row does."""
        return Resting(
            venue=self.name,
            account=self.account,
            market=market,
            venue_order_id=identity(row, venue_id),
            client_order_id=str(row.get(our_id) or ""),
        )

    def position(self, market: str, quantity: Any, unit: Counted) -> PositionLeft:
        """Name a position."""
        return PositionLeft(venue=self.name, account=self.account, market=market, quantity=quantity, unit=unit)


class _Binance(AccountSweep):
    """Cancel market by market: the venue has no cancel for the account."""

    asks: ClassVar[str]
    ends: ClassVar[str]
    holds: ClassVar[tuple[str, Counted] | None]

    async def standing(self) -> Sequence[Resting]:
        found = rows(await getattr(self.client, self.asks)())
        return [self.order(identity(row, "symbol"), row, "orderId", "clientOrderId") for row in found]

    def cancels(self, found: Sequence[Resting]) -> Iterable[Awaitable[Any]]:
        for market in sorted({order.market for order in found}):
            yield getattr(self.client, self.ends)({"symbol": market})

    async def held(self) -> Sequence[PositionLeft]:
        if self.holds is None:
            return ()
        ask, unit = self.holds
        told = [
            (identity(row, "symbol"), decimal(row, "positionAmt")) for row in rows(await getattr(self.client, ask)())
        ]
        return [self.position(market, quantity, unit) for market, quantity in told if quantity]


class _Usdm(_Binance):
    asks, ends = "fapiPrivateGetOpenOrders", "fapiPrivateDeleteAllOpenOrders"
    holds = ("fapiPrivateV3GetPositionRisk", "base")


class _Coinm(_Binance):
    asks, ends = "dapiPrivateGetOpenOrders", "dapiPrivateDeleteAllOpenOrders"
    holds = ("dapiPrivateGetPositionRisk", "contracts")


class _Spot(_Binance):
    asks, ends = "privateGetOpenOrders", "privateDeleteOpenOrders"
    holds = None


class _Bybit(AccountSweep):
    """Ask part by part; conditional orders are in the same lists, and go with the rest."""

    async def standing(self) -> Sequence[Resting]:
        ask = self.client.privateGetV5OrderRealtime
        told = await asyncio.gather(*(self._all(ask, {**part, "openOnly": 0}) for part in BYBIT_PARTS))
        return [
            self.order(f"{part['category']}:{identity(row, 'symbol')}", row, "orderId", "orderLinkId")
            for part, page in zip(BYBIT_PARTS, told, strict=True)
            for row in page
        ]

    def cancels(self, found: Sequence[Resting]) -> Iterable[Awaitable[Any]]:
        markets = {(category, symbol) for category, _, symbol in (order.market.partition(":") for order in found)}
        for part in BYBIT_PARTS:
            if part["category"] != "inverse" and any(part["category"] == category for category, _ in markets):
                yield self.client.privatePostV5OrderCancelAll(dict(part))
        # Of inverse contracts each settles in a coin of its own: they are named.
        for category, symbol in sorted(markets):
            if category == "inverse":
                yield self.client.privatePostV5OrderCancelAll({"category": category, "symbol": symbol})

    async def held(self) -> Sequence[PositionLeft]:
        found: list[PositionLeft] = []
        for part in BYBIT_PARTS:
            if part["category"] == "spot":
                continue
            for row in await self._all(self.client.privateGetV5PositionList, dict(part)):
                size = decimal(row, "size")
                signed = size if row.get("side") == "Buy" else -size
                market = f"{part['category']}:{identity(row, 'symbol')}"
                if size:
                    found.append(self.position(market, signed, "quote" if part["category"] == "inverse" else "base"))
        return found

    async def _all(self, ask: Any, request: Mapping[str, Any]) -> list[Payload]:
        found: list[Payload] = []
        asked = {**request, "limit": BYBIT_PAGE}
        for _ in range(PAGES_MAX):
            answer = bybit.result(await ask(asked))
            page = bybit.row_list(answer, "list")
            found.extend(page)
            cursor = str(answer.get("nextPageCursor") or "")
            if not page or not cursor:
                return found
            asked = {**asked, "cursor": cursor}
        raise Unreadable("more pages than there can be")


class _Okx(AccountSweep):
    """Cancel batch by batch what is pending: the venue cancels an account's orders at once for options only."""

    async def standing(self) -> Sequence[Resting]:
        found: list[Resting] = []
        asked: dict[str, str] = {"limit": str(OKX_PAGE)}
        for _ in range(PAGES_MAX):
            page = okx.data(await self.client.privateGetTradeOrdersPending(asked))
            found.extend(self.order(identity(row, "instId"), row, "ordId", "clOrdId") for row in page)
            if len(page) < OKX_PAGE:
                return found
            asked["after"] = found[-1].venue_order_id
        raise Unreadable("more pages than there can be")

    def cancels(self, found: Sequence[Resting]) -> Iterable[Awaitable[Any]]:
        for begin in range(0, len(found), OKX_BATCH):
            batch = found[begin : begin + OKX_BATCH]
            items = [{"instId": order.market, "ordId": order.venue_order_id} for order in batch]
            yield self.client.privatePostTradeCancelBatchOrders(items)

    async def held(self) -> Sequence[PositionLeft]:
        told = okx.data(await self.client.privateGetAccountPositions())
        found = [(identity(row, "instId"), decimal(row, "pos")) for row in told]
        return [self.position(market, quantity, "contracts") for market, quantity in found if quantity]


class _Deribit(AccountSweep):
    """Cancel everything at once, whatever currency, instrument or kind."""

    async def standing(self) -> Sequence[Resting]:
        told = deribit.rows_of(deribit.result(await self.client.privateGetGetOpenOrders()))
        return [self.order(identity(row, "instrument_name"), row, "order_id", "label") for row in told]

    def cancels(self, found: Sequence[Resting]) -> Iterable[Awaitable[Any]]:
        del found
        yield self.client.privateGetCancelAll()

    async def held(self) -> Sequence[PositionLeft]:
        told = deribit.rows_of(deribit.result(await self.client.privateGetGetPositions({"currency": "any"})))
        found = [(identity(row, "instrument_name"), number(row, "size")) for row in told]
        return [self.position(market, size, _deribit_unit(market)) for market, size in found if size]


def _deribit_unit(market: str) -> Counted:
    """Say what a position is counted in: dollars on an inverse future; a linear one names its stable, `ETH_USDC-…`."""
    return "base" if "_" in market or market.endswith(("-C", "-P")) else "quote"


_SPEAKERS: Mapping[str, type[AccountSweep]] = {
    "binanceusdm": _Usdm,
    "binancecoinm": _Coinm,
    "binance": _Spot,
    "bybit": _Bybit,
    "okx": _Okx,
    "deribit": _Deribit,
}
SWEPT = frozenset(_SPEAKERS)


@asynccontextmanager
async def open_sweep(settings: VenueSettings) -> AsyncGenerator[AccountSweep]:
    """Open a sweep of one account; the settings' symbols do not matter. ValueError for a venue that is not known."""
    speaker = _SPEAKERS.get(settings.venue)
    if speaker is None:
        raise ValueError(f"{settings.venue!r} cannot be swept: none of {', '.join(sorted(SWEPT))}")
    speaks = DIALECTS[settings.venue]
    failures = Failures(speaks.code, speaks.reason, (settings.api_key, settings.api_secret, settings.passphrase))
    session = None if settings.loopback is None else loopback_session(settings.loopback, speaks.hosts)
    try:
        client = make_client(speaks.ccxt_id, settings, speaks.own_settings(settings), session, paced=False)
        try:
            yield speaker(settings, client, failures)
        finally:
            await client.close()
    finally:
        if session is not None:
            await session.close()
