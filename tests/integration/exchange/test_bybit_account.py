"""The contract of a venue account, kept by Bybit on linear and inverse, and what only Bybit does."""

from decimal import Decimal

import pytest

from adapters.simulators.bybit.venue import BybitVenue
from tests.contract.venue_account import VenueAccountContract
from tests.contract.venue_rig import Bench, Word

D = Decimal
ENDPOINTS: dict[Word, str] = {
    "create": "POST /v5/order/create",
    "cancel": "POST /v5/order/cancel",
    "order": "GET /v5/order/realtime",
    "fills": "GET /v5/execution/list",
    "positions": "GET /v5/position/list",
}
LINEAR = Bench(
    venue="bybit",
    symbol="ETH/USDT:USDT",
    market="ETHUSDT",
    make=BybitVenue,
    endpoints=ENDPOINTS,
    events=("order", "execution"),
)
INVERSE = Bench(
    venue="bybit",
    symbol="ETH/USD:ETH",
    market="ETHUSD",
    make=BybitVenue,
    endpoints=ENDPOINTS,
    events=("order", "execution"),
    unit=D(1_000),
)


class TestBybitAccount(VenueAccountContract):
    @pytest.fixture
    def bench(self) -> Bench:
        return LINEAR


class TestBybitInverseAccount(VenueAccountContract):
    @pytest.fixture
    def bench(self) -> Bench:
        return INVERSE
