"""The contract of a venue account, kept by Binance USD-M."""

from decimal import Decimal

import pytest

from adapters.simulators.binance.venue import BinanceVenue
from tests.contract.venue_account import VenueAccountContract
from tests.contract.venue_rig import Bench

D = Decimal
USDM = Bench(
    venue="binanceusdm",
    symbol="ETH/USDT:USDT",
    market="ETHUSDT",
    make=BinanceVenue,
    endpoints={
        "create": "POST /fapi/v1/order",
        "cancel": "DELETE /fapi/v1/order",
        "order": "GET /fapi/v1/order",
        "fills": "GET /fapi/v1/userTrades",
        "positions": "GET /fapi/v3/positionRisk",
    },
    events=("ORDER_TRADE_UPDATE",),
    secrets=lambda venue: [venue.sockets.open_listen_key(venue.clock_ms())],
)


class TestBinanceUsdm(VenueAccountContract):
    @pytest.fixture
    def bench(self) -> Bench:
        return USDM
