"""The contract of a venue account, kept by Binance COIN-M: quantities are USD, money is the base asset."""

from decimal import Decimal

import pytest

from adapters.simulators.binance.venue import BinanceCoinm
from tests.contract.venue_account import VenueAccountContract
from tests.contract.venue_rig import Bench

COINM = Bench(
    venue="binancecoinm",
    symbol="ETH/USD:ETH",
    market="ETHUSD_PERP",
    make=BinanceCoinm,
    endpoints={
        "create": "POST /dapi/v1/order",
        "cancel": "DELETE /dapi/v1/order",
        "order": "GET /dapi/v1/order",
        "fills": "GET /dapi/v1/userTrades",
        "positions": "GET /dapi/v1/positionRisk",
    },
    events=("ORDER_TRADE_UPDATE",),
    unit=Decimal(1000),
    secrets=lambda venue: [venue.sockets.open_listen_key(venue.clock_ms())],
)


class TestBinanceCoinm(VenueAccountContract):
    @pytest.fixture
    def bench(self) -> Bench:
        return COINM
