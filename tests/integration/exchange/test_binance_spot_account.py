"""The contract of a venue account, kept by Binance spot: no positions, fees out of what is received."""

import pytest

from adapters.simulators.binance.spot import BinanceSpot
from tests.contract.venue_account import VenueAccountContract
from tests.contract.venue_rig import Bench

SPOT = Bench(
    venue="binance",
    symbol="ETH/USDT",
    market="ETHUSDT",
    make=BinanceSpot,
    endpoints={
        "create": "POST /api/v3/order",
        "cancel": "DELETE /api/v3/order",
        "order": "GET /api/v3/order",
        "fills": "GET /api/v3/myTrades",
        "positions": "GET /api/v3/account",
    },
    events=("executionReport",),
)


class TestBinanceSpot(VenueAccountContract):
    @pytest.fixture
    def bench(self) -> Bench:
        return SPOT
