"""The contract of a venue's public feed, kept by Bybit."""

from decimal import Decimal

import pytest

from adapters.simulators.bybit.venue import BybitVenue
from tests.contract.venue_feed import FeedBench, VenueFeedContract
from tests.support.feeds import listing

D = Decimal
LINEAR = listing("bybit", "ETH/USDT:USDT", "ETHUSDT", step=D("0.01"))
INVERSE = listing("bybit", "ETH/USD:ETH", "ETHUSD", step=D(1), kind="inverse")
BYBIT = FeedBench(
    venue="bybit",
    make=BybitVenue,
    listed=((LINEAR, D(1)), (INVERSE, D(100))),
    topic="orderbook.50.ETHUSDT",
)


class TestBybitFeed(VenueFeedContract):
    @pytest.fixture
    def bench(self) -> FeedBench:
        return BYBIT
