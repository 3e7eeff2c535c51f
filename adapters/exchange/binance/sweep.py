"""Sweeping an account at Binance: market by market, as the venue has no cancel for an account.

Documented: conditional orders of USD-M stand in the Algo Service since 2025-12-09, and in no other list
(`/fapi/v1/openAlgoOrders`, ended by `algoOpenOrders`); those of COIN-M since its move into USD-M's architecture on
2026-06-30 (`/dapi/v1/openAlgoOrders`; `algoOpenOrders` is missing from that page, and ccxt says it was verified live).
On spot, stops and order lists stand among the open orders, and the cancel of a symbol's orders includes them. TWAP and
VP orders are another service's, at spot's host (`/sapi/v1/algo/futures`, for USD-M only, and `/sapi/v1/algo/spot`).
"""

from collections.abc import Awaitable, Iterable, Sequence
from typing import Any, ClassVar

from adapters.exchange.fields import decimal, identity, part, rows
from adapters.exchange.parts import AccountSweep, Part
from adapters.exchange.settings import VenueSettings
from adapters.exchange.signed import SignedSpot, SignedVenue
from domain.sweep import Counted, OrderKind, PositionLeft, Resting

ORDERS, ALGO, TWAP = "orders", "algo orders", "twap"


class _Listed(Part):
    """Ask one list of a whole market's orders, and cancel symbol by symbol."""

    ids: ClassVar[tuple[str, str]] = ("orderId", "clientOrderId")
    said: ClassVar[str] = "type"

    def __init__(self, settings: VenueSettings, venue: SignedVenue, name: str, asks: str, ends: str) -> None:
        super().__init__(settings, venue, name)
        self._asks = asks
        self._ends = ends

    async def standing(self) -> Sequence[Resting]:
        found = rows(await self.venue.get(self._asks))
        types = [str(row.get(self.said) or "") for row in found]
        return [
            self.order(identity(row, "symbol"), row, self.ids, self.kind_of(type_), type_)
            for row, type_ in zip(found, types, strict=True)
        ]

    def cancels(self, found: Sequence[Resting]) -> Iterable[Awaitable[Any]]:
        for market in sorted({order.market for order in found}):
            yield self.venue.delete(self._ends, {"symbol": market})

    def kind_of(self, type_: str) -> OrderKind:
        """Say of which kind an order is by its type: a stop of spot waits in the same list."""
        return "conditional" if type_.startswith(("STOP", "TAKE_PROFIT", "TRAILING")) else "plain"


class _Algo(_Listed):
    """Ask the Algo Service: whatever its type, what stands there is not in the book."""

    ids = ("algoId", "clientAlgoId")
    said = "orderType"

    def kind_of(self, type_: str) -> OrderKind:
        del type_
        return "conditional"


class _Twap(Part):
    """Ask for what works through time, and end it one by one."""

    def __init__(self, settings: VenueSettings, venue: SignedVenue, market: str) -> None:
        super().__init__(settings, venue, TWAP)
        self._root = f"/sapi/v1/algo/{market}"

    async def standing(self) -> Sequence[Resting]:
        found = rows(part({"told": await self.venue.get(f"{self._root}/openOrders")}, "told").get("orders"))
        return [
            self.order(
                identity(row, "symbol"), row, ("algoId", "clientAlgoId"), "conditional", str(row.get("algoType") or "")
            )
            for row in found
        ]

    def cancels(self, found: Sequence[Resting]) -> Iterable[Awaitable[Any]]:
        for order in found:
            yield self.venue.delete(f"{self._root}/order", {"algoId": order.venue_order_id})


class _Futures(AccountSweep):
    holds: ClassVar[tuple[str, Counted]]

    async def held(self) -> Sequence[PositionLeft]:
        """Ask for every position."""
        ask, unit = self.holds
        told = [(identity(row, "symbol"), decimal(row, "positionAmt")) for row in rows(await self.venue.get(ask))]
        return [self.position(market, quantity, unit) for market, quantity in told if quantity]

    def futures(self, root: str) -> Iterable[Part]:
        """Return what both markets have."""
        yield _Listed(self.settings, self.venue, ORDERS, f"{root}/openOrders", f"{root}/allOpenOrders")
        yield _Algo(self.settings, self.venue, ALGO, f"{root}/openAlgoOrders", f"{root}/algoOpenOrders")


class UsdmSweep(_Futures):
    """Sweep USD-M: plain orders, the Algo Service, and TWAP at spot's host."""

    holds = ("/fapi/v3/positionRisk", "base")

    def make_parts(self) -> Iterable[Part]:
        """Return them."""
        yield from self.futures("/fapi/v1")
        yield _Twap(self.settings, self.venue.beside(SignedSpot), "futures")


class CoinmSweep(_Futures):
    """Sweep COIN-M: plain orders and the Algo Service."""

    holds = ("/dapi/v1/positionRisk", "contracts")

    def make_parts(self) -> Iterable[Part]:
        """Return them."""
        yield from self.futures("/dapi/v1")


class SpotSweep(AccountSweep):
    """Sweep spot: its orders, stops among them, and TWAP."""

    def make_parts(self) -> Iterable[Part]:
        """Return them."""
        yield _Listed(self.settings, self.venue, ORDERS, "/api/v3/openOrders", "/api/v3/openOrders")
        yield _Twap(self.settings, self.venue, "spot")

    async def held(self) -> Sequence[PositionLeft]:
        """Ask for every position."""
        return ()
