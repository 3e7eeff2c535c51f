"""Sweeping an account at OKX: batch by batch what is pending, plain orders and each type of algo orders.

Documented: `orders-pending` tells no algo order; `orders-algo-pending` tells one type a request (`conditional` and
`oco` together), a hundred a page, and `cancel-algos` ends any type, ten at a time. For trailing, iceberg and TWAP
orders there used to be `cancel-advance-algos`: it went out of the documentation on 2025-04-24, others report that it
still answers, and it is asked where the documented one fails. Spreads are asked for and ended apart.
"""

from collections.abc import Awaitable, Iterable, Sequence
from typing import Any

from adapters.exchange.fields import Payload, decimal, identity
from adapters.exchange.okx import fields as okx
from adapters.exchange.parts import AccountSweep, Part, pages
from adapters.exchange.settings import VenueSettings
from adapters.exchange.signed import SignedVenue
from domain.sweep import PositionLeft, Resting
from domain.venue import VenueFailure

PAGE, BATCH, ALGO_BATCH = 100, 20, 10
ORDERS, SPREAD = "orders", "spread"
ALGO_TYPES = ("conditional,oco", "trigger", "move_order_stop", "iceberg", "twap", "chase")
ADVANCED = frozenset({"move_order_stop", "iceberg", "twap"})


class _Orders(Part):
    async def standing(self) -> Sequence[Resting]:
        async def ask(after: Payload | None) -> Sequence[Payload]:
            asked = {"limit": str(PAGE)} | ({"after": identity(after, "ordId")} if after is not None else {})
            return okx.data(await self.venue.get("/api/v5/trade/orders-pending", asked))

        return [self.order(identity(row, "instId"), row, ("ordId", "clOrdId")) for row in await pages(ask, PAGE)]

    def cancels(self, found: Sequence[Resting]) -> Iterable[Awaitable[Any]]:
        for begin in range(0, len(found), BATCH):
            items = [{"instId": each.market, "ordId": each.venue_order_id} for each in found[begin : begin + BATCH]]
            yield self.venue.post("/api/v5/trade/cancel-batch-orders", items)


class _Algo(Part):
    def __init__(self, settings: VenueSettings, venue: SignedVenue, types: str) -> None:
        super().__init__(settings, venue, f"algo {types}")
        self._types = types

    async def standing(self) -> Sequence[Resting]:
        async def ask(after: Payload | None) -> Sequence[Payload]:
            asked = {"ordType": self._types, "limit": str(PAGE)}
            asked |= {"after": identity(after, "algoId")} if after is not None else {}
            return okx.data(await self.venue.get("/api/v5/trade/orders-algo-pending", asked))

        return [
            self.order(
                identity(row, "instId"), row, ("algoId", "algoClOrdId"), "conditional", str(row.get("ordType") or "")
            )
            for row in await pages(ask, PAGE)
        ]

    def cancels(self, found: Sequence[Resting]) -> Iterable[Awaitable[Any]]:
        for begin in range(0, len(found), ALGO_BATCH):
            yield self._end(
                [{"instId": each.market, "algoId": each.venue_order_id} for each in found[begin : begin + ALGO_BATCH]]
            )

    async def _end(self, items: Sequence[dict[str, str]]) -> Any:
        try:
            return await self.venue.post("/api/v5/trade/cancel-algos", items)
        except VenueFailure:
            if self._types not in ADVANCED:
                raise
        return await self.venue.post("/api/v5/trade/cancel-advance-algos", items)


class _Spreads(Part):
    async def standing(self) -> Sequence[Resting]:
        async def ask(after: Payload | None) -> Sequence[Payload]:
            asked = {"limit": str(PAGE)} | ({"endId": identity(after, "ordId")} if after is not None else {})
            return okx.data(await self.venue.get("/api/v5/sprd/orders-pending", asked))

        return [self.order(identity(row, "sprdId"), row, ("ordId", "clOrdId")) for row in await pages(ask, PAGE)]

    def cancels(self, found: Sequence[Resting]) -> Iterable[Awaitable[Any]]:
        del found
        yield self.venue.post("/api/v5/sprd/mass-cancel", {})


class OkxSweep(AccountSweep):
    """Sweep a trading account: plain orders, each type of algo orders, and spreads."""

    def make_parts(self) -> Iterable[Part]:
        """Return them."""
        yield _Orders(self.settings, self.venue, ORDERS)
        for types in ALGO_TYPES:
            yield _Algo(self.settings, self.venue, types)
        yield _Spreads(self.settings, self.venue, SPREAD)

    async def held(self) -> Sequence[PositionLeft]:
        """Ask for every position."""
        told = okx.data(await self.venue.get("/api/v5/account/positions"))
        found = [(identity(row, "instId"), decimal(row, "pos")) for row in told]
        return [self.position(market, quantity, "contracts") for market, quantity in found if quantity]
