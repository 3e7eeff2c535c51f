"""Sweeping an account at Bybit: by category, of which linear contracts are asked for by the coin they settle in.

Documented for a unified account: `order/realtime` tells all kinds by default, conditional orders and those that guard a
position among them (`Untriggered`). `order/cancel-all` ends all kinds of linear, inverse and option orders, 500 at a
time; on spot plain ones only, unless `orderFilter` names another kind: each kind is asked for. Spreads are asked for
and ended apart.
"""

from collections.abc import Awaitable, Iterable, Mapping, Sequence
from typing import Any

from adapters.exchange.bybit import parse
from adapters.exchange.fields import Payload, Unreadable, decimal, identity
from adapters.exchange.parts import PAGES_MAX, AccountSweep, Part
from adapters.exchange.settings import VenueSettings
from adapters.exchange.signed import SignedVenue
from domain.sweep import OrderKind, PositionLeft, Resting

PAGE = 50
SPREAD = "spread"
# Each part by its name, and how it is asked for: all of a category, or of one settling coin.
PARTS: Mapping[str, Mapping[str, str]] = {
    "linear USDT": {"category": "linear", "settleCoin": "USDT"},
    "linear USDC": {"category": "linear", "settleCoin": "USDC"},
    "inverse": {"category": "inverse"},
    "spot": {"category": "spot"},
    "option": {"category": "option"},
}
SPOT_CONDITIONAL = ("StopOrder", "tpslOrder", "OcoOrder", "BidirectionalTpslOrder")
WAITING = "Untriggered"
IDS = ("orderId", "orderLinkId")


class _Category(Part):
    def __init__(self, settings: VenueSettings, venue: SignedVenue, name: str, asked: Mapping[str, str]) -> None:
        super().__init__(settings, venue, name)
        self._asked = asked

    async def standing(self) -> Sequence[Resting]:
        found = await every(self.venue, "/v5/order/realtime", {**self._asked, "openOnly": 0})
        return [self._named(row) for row in found]

    def cancels(self, found: Sequence[Resting]) -> Iterable[Awaitable[Any]]:
        match self._asked["category"]:
            case "inverse":
                # Each settles in a coin of its own: they are named.
                for symbol in sorted({order.market.partition(":")[2] for order in found}):
                    yield self._cancel(symbol=symbol)
            case "spot":
                kinds = {order.kind for order in found} or {"plain", "conditional"}
                yield from (self._cancel(orderFilter="Order") for _ in kinds & {"plain"})
                yield from (self._cancel(orderFilter=each) for each in SPOT_CONDITIONAL if "conditional" in kinds)
            case _:
                yield self._cancel()

    def _cancel(self, **more: str) -> Awaitable[Any]:
        return self.venue.post("/v5/order/cancel-all", {**self._asked, **more})

    def _named(self, row: Payload) -> Resting:
        kind: OrderKind = "conditional" if row.get("orderStatus") == WAITING else "plain"
        market = f"{self._asked['category']}:{identity(row, 'symbol')}"
        return self.order(market, row, IDS, kind, str(row.get("stopOrderType") or ""))


class _Spreads(Part):
    async def standing(self) -> Sequence[Resting]:
        found = await every(self.venue, "/v5/spread/order/realtime", {})
        return [self.order(f"{SPREAD}:{identity(row, 'symbol')}", row, IDS) for row in found]

    def cancels(self, found: Sequence[Resting]) -> Iterable[Awaitable[Any]]:
        del found
        yield self.venue.post("/v5/spread/order/cancel-all", {"cancelAll": True})


class BybitSweep(AccountSweep):
    """Sweep a unified account: its categories, and spreads."""

    def make_parts(self) -> Iterable[Part]:
        """Return them."""
        for name, asked in PARTS.items():
            yield _Category(self.settings, self.venue, name, asked)
        yield _Spreads(self.settings, self.venue, SPREAD)

    async def held(self) -> Sequence[PositionLeft]:
        """Ask for every position."""
        found: list[PositionLeft] = []
        names = {part.name for part in self.parts} & PARTS.keys() - {"spot"}
        for asked in (PARTS[name] for name in PARTS if name in names):
            for row in await every(self.venue, "/v5/position/list", asked):
                size = decimal(row, "size")
                signed = size if row.get("side") == "Buy" else -size
                market = f"{asked['category']}:{identity(row, 'symbol')}"
                if size:
                    found.append(self.position(market, signed, "quote" if asked["category"] == "inverse" else "base"))
        return found


async def every(venue: SignedVenue, path: str, request: Mapping[str, Any]) -> list[Payload]:
    """Return the rows of every page."""
    found: list[Payload] = []
    asked = {**request, "limit": PAGE}
    for _ in range(PAGES_MAX):
        answer = parse.result(await venue.get(path, asked))
        page = parse.row_list(answer, "list")
        found.extend(page)
        cursor = str(answer.get("nextPageCursor") or "")
        if not page or not cursor:
            return found
        asked = {**asked, "cursor": cursor}
    raise Unreadable("more pages than there can be")
