"""Sweeping a whole account at one venue: all its open orders whatever the market, an end to them, and what it holds.

It stands beside `VenueAccount` on purpose and needs nothing of it, nor of the library that it speaks through: no
markets are loaded, no stream is kept, nothing is paced, so that it works at once and alone while everything else is
dead. What a venue's services for conditional ("algo") orders keep apart from its books, at Binance and OKX, is not
seen: we place none.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Awaitable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, ClassVar, TypeVar

import aiohttp

from adapters.exchange.bybit import parse as bybit
from adapters.exchange.connection import loopback_session
from adapters.exchange.deribit import parse as deribit
from adapters.exchange.fields import Payload, Unreadable, decimal, identity, number, rows
from adapters.exchange.okx import fields as okx
from adapters.exchange.settings import VenueSettings
from adapters.exchange.signed import (
    SignedBybit,
    SignedCoinm,
    SignedDeribit,
    SignedOkx,
    SignedSpot,
    SignedUsdm,
    SignedVenue,
)
from domain.sweep import Counted, PositionLeft, Resting
from domain.venue import Rejected, Unknown

T = TypeVar("T")

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

    def __init__(self, settings: VenueSettings, venue: SignedVenue) -> None:
        self.settings = settings
        self.venue = venue

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
        return await _asked(self.standing())

    async def cancel_all(self, found: Sequence[Resting]) -> None:
        """Ask the venue to cancel everything, all at once; what fails is raised when the rest is done."""
        asked = (_asked(request) for request in self.cancels(found))
        for failed in await asyncio.gather(*asked, return_exceptions=True):
            if isinstance(failed, Rejected) and failed.reason == "unknown_order":
                continue
            if isinstance(failed, BaseException):
                raise failed

    async def positions(self) -> Sequence[PositionLeft]:
        """Return the positions, flat ones left out."""
        return await _asked(self.held())

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
        found = rows(await self.venue.get(self.asks))
        return [self.order(identity(row, "symbol"), row, "orderId", "clientOrderId") for row in found]

    def cancels(self, found: Sequence[Resting]) -> Iterable[Awaitable[Any]]:
        for market in sorted({order.market for order in found}):
            yield self.venue.delete(self.ends, {"symbol": market})

    async def held(self) -> Sequence[PositionLeft]:
        if self.holds is None:
            return ()
        ask, unit = self.holds
        told = [(identity(row, "symbol"), decimal(row, "positionAmt")) for row in rows(await self.venue.get(ask))]
        return [self.position(market, quantity, unit) for market, quantity in told if quantity]


class _Usdm(_Binance):
    asks, ends = "/fapi/v1/openOrders", "/fapi/v1/allOpenOrders"
    holds = ("/fapi/v3/positionRisk", "base")


class _Coinm(_Binance):
    asks, ends = "/dapi/v1/openOrders", "/dapi/v1/allOpenOrders"
    holds = ("/dapi/v1/positionRisk", "contracts")


class _Spot(_Binance):
    asks, ends = "/api/v3/openOrders", "/api/v3/openOrders"
    holds = None


class _Bybit(AccountSweep):
    """Ask part by part; conditional orders are in the same lists, and go with the rest."""

    async def standing(self) -> Sequence[Resting]:
        told = await asyncio.gather(*(self._all("/v5/order/realtime", {**part, "openOnly": 0}) for part in BYBIT_PARTS))
        return [
            self.order(f"{part['category']}:{identity(row, 'symbol')}", row, "orderId", "orderLinkId")
            for part, page in zip(BYBIT_PARTS, told, strict=True)
            for row in page
        ]

    def cancels(self, found: Sequence[Resting]) -> Iterable[Awaitable[Any]]:
        markets = {(category, symbol) for category, _, symbol in (order.market.partition(":") for order in found)}
        for part in BYBIT_PARTS:
            if part["category"] != "inverse" and any(part["category"] == category for category, _ in markets):
                yield self.venue.post("/v5/order/cancel-all", dict(part))
        # Of inverse contracts each settles in a coin of its own: they are named.
        for category, symbol in sorted(markets):
            if category == "inverse":
                yield self.venue.post("/v5/order/cancel-all", {"category": category, "symbol": symbol})

    async def held(self) -> Sequence[PositionLeft]:
        found: list[PositionLeft] = []
        for part in BYBIT_PARTS:
            if part["category"] == "spot":
                continue
            for row in await self._all("/v5/position/list", dict(part)):
                size = decimal(row, "size")
                signed = size if row.get("side") == "Buy" else -size
                market = f"{part['category']}:{identity(row, 'symbol')}"
                if size:
                    found.append(self.position(market, signed, "quote" if part["category"] == "inverse" else "base"))
        return found

    async def _all(self, path: str, request: Mapping[str, Any]) -> list[Payload]:
        found: list[Payload] = []
        asked = {**request, "limit": BYBIT_PAGE}
        for _ in range(PAGES_MAX):
            answer = bybit.result(await self.venue.get(path, asked))
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
            page = okx.data(await self.venue.get("/api/v5/trade/orders-pending", asked))
            found.extend(self.order(identity(row, "instId"), row, "ordId", "clOrdId") for row in page)
            if len(page) < OKX_PAGE:
                return found
            asked["after"] = found[-1].venue_order_id
        raise Unreadable("more pages than there can be")

    def cancels(self, found: Sequence[Resting]) -> Iterable[Awaitable[Any]]:
        for begin in range(0, len(found), OKX_BATCH):
            batch = found[begin : begin + OKX_BATCH]
            items = [{"instId": order.market, "ordId": order.venue_order_id} for order in batch]
            yield self.venue.post("/api/v5/trade/cancel-batch-orders", items)

    async def held(self) -> Sequence[PositionLeft]:
        told = okx.data(await self.venue.get("/api/v5/account/positions"))
        found = [(identity(row, "instId"), decimal(row, "pos")) for row in told]
        return [self.position(market, quantity, "contracts") for market, quantity in found if quantity]


class _Deribit(AccountSweep):
    """Cancel everything at once, whatever currency, instrument or kind."""

    async def standing(self) -> Sequence[Resting]:
        told = deribit.rows_of(deribit.result(await self.venue.get("/api/v2/private/get_open_orders")))
        return [self.order(identity(row, "instrument_name"), row, "order_id", "label") for row in told]

    def cancels(self, found: Sequence[Resting]) -> Iterable[Awaitable[Any]]:
        del found
        yield self.venue.get("/api/v2/private/cancel_all")

    async def held(self) -> Sequence[PositionLeft]:
        told = deribit.rows_of(
            deribit.result(await self.venue.get("/api/v2/private/get_positions", {"currency": "any"}))
        )
        found = [(identity(row, "instrument_name"), number(row, "size")) for row in told]
        return [self.position(market, size, _deribit_unit(market)) for market, size in found if size]


def _deribit_unit(market: str) -> Counted:
    """Say what a position is counted in: dollars on an inverse future; a linear one names its stable, `ETH_USDC-…`."""
    return "base" if "_" in market or market.endswith(("-C", "-P")) else "quote"


_SPEAKERS: Mapping[str, tuple[type[AccountSweep], type[SignedVenue]]] = {
    "binanceusdm": (_Usdm, SignedUsdm),
    "binancecoinm": (_Coinm, SignedCoinm),
    "binance": (_Spot, SignedSpot),
    "bybit": (_Bybit, SignedBybit),
    "okx": (_Okx, SignedOkx),
    "deribit": (_Deribit, SignedDeribit),
}
SWEPT = frozenset(_SPEAKERS)


@asynccontextmanager
async def open_sweep(settings: VenueSettings) -> AsyncGenerator[AccountSweep]:
    """Open a sweep of one account; the settings' symbols do not matter. ValueError for a venue that is not known."""
    speaker = _SPEAKERS.get(settings.venue)
    if speaker is None:
        raise ValueError(f"{settings.venue!r} cannot be swept: none of {', '.join(sorted(SWEPT))}")
    sweep, venue = speaker
    session = (
        aiohttp.ClientSession()
        if settings.loopback is None
        else loopback_session(settings.loopback, frozenset({venue.host}))
    )
    async with session:
        yield sweep(settings, venue(settings, session))


async def _asked(work: Awaitable[T]) -> T:
    """Await it; an answer that cannot be read leaves all unknown."""
    try:
        return await work
    except Unreadable as error:
        raise Unknown(str(error)) from None
