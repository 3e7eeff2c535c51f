"""The contract of a venue account, kept by Deribit on inverse and linear, and what only Deribit does."""

from decimal import Decimal
from typing import Any

import pytest

from adapters.exchange.account import VenueAccount
from adapters.simulators.deribit.venue import DeribitVenue
from tests.contract.venue_account import VenueAccountContract
from tests.contract.venue_rig import Bench, Rig, Word

D = Decimal
ENDPOINTS: dict[Word, str] = {
    "create": "GET /api/v2/private/sell",
    "cancel": "GET /api/v2/private/cancel",
    "order": "GET /api/v2/private/get_order_state_by_label",
    "fills": "GET /api/v2/private/get_user_trades_by_instrument_and_time",
    "positions": "GET /api/v2/private/get_positions",
}
INVERSE = Bench(
    venue="deribit",
    symbol="ETH/USD:ETH",
    market="ETH-PERPETUAL",
    make=DeribitVenue,
    endpoints=ENDPOINTS,
    events=("orders", "trades"),
    unit=D(1_000),
    repeats=True,
)
LINEAR = Bench(
    venue="deribit",
    symbol="ETH/USDC:USDC",
    market="ETH_USDC-PERPETUAL",
    make=DeribitVenue,
    endpoints=ENDPOINTS,
    events=("orders", "trades"),
    repeats=True,
)


class DeribitContract(VenueAccountContract):
    @pytest.mark.parametrize("kind", ["liquidation"])
    async def test_what_the_venues_engine_closes_is_not_called_a_trade(
        self, rig: Rig, venue: VenueAccount, kind: Any
    ) -> None:
        """Nobody is deleveraged here: losses beyond the insurance fund are shared by all."""
        await super().test_what_the_venues_engine_closes_is_not_called_a_trade(rig, venue, kind)


class TestDeribitAccount(DeribitContract):
    @pytest.fixture
    def bench(self) -> Bench:
        return INVERSE


class TestDeribitLinearAccount(DeribitContract):
    @pytest.fixture
    def bench(self) -> Bench:
        return LINEAR
