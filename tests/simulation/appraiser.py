"""The appraiser: knows what the market truly was, and lets no decision rest on a price far from it."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from api.replica import recorded_us
from domain.event import Event
from domain.hedge import HedgePlanned
from domain.log import StoredEvent
from domain.market import distance_bps
from domain.order import OrderSubmissionRequested
from domain.quantity import num
from domain.quote import QuoteIssued
from tests.simulation.market import Market
from tests.simulation.ports import START_US

OFF_BPS_MAX = Decimal(150)
"""Less than any venue lies; more than clocks, books and hedges' slippage (50 bps) are off."""

Rule = Callable[[Any, StoredEvent], None]


class Appraiser:
    """Compare every promised price and every hedge with the market at its moment."""

    def __init__(self, markets: Mapping[str, Market], check: Callable[..., None]) -> None:
        self._markets = markets
        self._market = next(iter(markets.values()))
        self._check = check
        self.rules: dict[type[Event], Rule] = {
            QuoteIssued: self._quoted,
            HedgePlanned: self._planned,
            OrderSubmissionRequested: self._ordered,
        }

    def _quoted(self, event: QuoteIssued, stored: StoredEvent) -> None:
        if event.collateral.asset == "WETH":
            self._near(event.decomposition.reference, stored, "a quote")

    def _planned(self, event: HedgePlanned, stored: StoredEvent) -> None:
        self._near(event.reference, stored, "a hedge")
        for leg in event.legs:
            self._near(leg.limit_price, stored, "a leg", leg.venue)

    def _ordered(self, event: OrderSubmissionRequested, stored: StoredEvent) -> None:
        self._near(event.order.limit_price, stored, "an order", event.order.venue)

    def _near(self, price: Decimal, stored: StoredEvent, what: str, venue: str = "") -> None:
        mid = self._markets.get(venue, self._market).mid_at(recorded_us(stored) - START_US)
        off = distance_bps(num(price), num(mid))
        self._check(off <= OFF_BPS_MAX, "no decision on bad data", what, stored.position, price, mid)
