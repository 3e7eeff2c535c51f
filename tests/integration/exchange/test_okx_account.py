"""The contract of a venue account, kept by OKX on a stable-margined and on a coin-margined swap."""

from decimal import Decimal

import pytest

from adapters.simulators.okx.venue import OkxVenue
from tests.contract.venue_account import VenueAccountContract
from tests.contract.venue_rig import Bench

LINEAR = Bench(
    venue="okx",
    symbol="ETH/USDT:USDT",
    market="ETH-USDT-SWAP",
    make=OkxVenue,
    endpoints={
        "create": "POST /api/v5/trade/batch-orders",
        "cancel": "POST /api/v5/trade/cancel-order",
        "order": "GET /api/v5/trade/order",
        "fills": "GET /api/v5/trade/fills",
        "positions": "GET /api/v5/account/positions",
    },
    events=("orders",),
)
INVERSE = Bench(
    venue="okx",
    symbol="ETH/USD:ETH",
    market="ETH-USD-SWAP",
    make=OkxVenue,
    endpoints=LINEAR.endpoints,
    events=LINEAR.events,
    unit=Decimal(1_000),
)


class TestOkxAccount(VenueAccountContract):
    @pytest.fixture
    def bench(self) -> Bench:
        return LINEAR


class TestOkxInverseAccount(VenueAccountContract):
    @pytest.fixture
    def bench(self) -> Bench:
        return INVERSE
