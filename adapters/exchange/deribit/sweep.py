"""Sweeping an account at Deribit: everything at once, whatever currency, instrument or kind.

Documented: `get_open_orders` tells all types by default, trigger orders (`untriggered`) among them, and `cancel_all`
ends "all open orders and trigger orders", of every currency and kind.
"""

from collections.abc import Awaitable, Iterable, Sequence
from typing import Any

from adapters.exchange.deribit import parse
from adapters.exchange.fields import Payload, identity, number
from adapters.exchange.parts import AccountSweep, Part
from domain.sweep import Counted, PositionLeft, Resting

ORDERS = "orders"
WAITING = "untriggered"


class _Orders(Part):
    async def standing(self) -> Sequence[Resting]:
        told = parse.rows_of(parse.result(await self.venue.get("/api/v2/private/get_open_orders")))
        return [self._named(row) for row in told]

    def cancels(self, found: Sequence[Resting]) -> Iterable[Awaitable[Any]]:
        del found
        yield self.venue.get("/api/v2/private/cancel_all")

    def _named(self, row: Payload) -> Resting:
        market, ids = identity(row, "instrument_name"), ("order_id", "label")
        if row.get("order_state") != WAITING:
            return self.order(market, row, ids)
        return self.order(market, row, ids, "conditional", str(row.get("order_type") or ""))


class DeribitSweep(AccountSweep):
    """Sweep an account: it has one part."""

    def make_parts(self) -> Iterable[Part]:
        """Return them."""
        yield _Orders(self.settings, self.venue, ORDERS)

    async def held(self) -> Sequence[PositionLeft]:
        """Ask for every position."""
        told = parse.rows_of(parse.result(await self.venue.get("/api/v2/private/get_positions", {"currency": "any"})))
        found = [(identity(row, "instrument_name"), number(row, "size")) for row in told]
        return [self.position(market, size, _unit(market)) for market, size in found if size]


def _unit(market: str) -> Counted:
    """Say what a position is counted in: dollars on an inverse future; a linear one names its stable, `ETH_USDC-…`."""
    return "base" if "_" in market or market.endswith(("-C", "-P")) else "quote"
