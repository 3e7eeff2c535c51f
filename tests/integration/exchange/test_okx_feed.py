"""The contract of a venue's public feed, kept by OKX, which also tells that a quiet book is alive."""

from decimal import Decimal

import pytest

from adapters.exchange.feeds.feed import VenueFeed
from adapters.simulators.okx.venue import OkxVenue
from domain.venue import BookLost, BookUpdate
from tests.contract.venue_feed import FeedBench, FeedRig, VenueFeedContract
from tests.support.exchange import listening
from tests.support.feeds import listing

D = Decimal
LINEAR = listing("okx", "ETH/USDT:USDT", "ETH-USDT-SWAP", contract_size=D("0.1"))
INVERSE = listing("okx", "ETH/USD:ETH", "ETH-USD-SWAP", step=D(10), kind="inverse", contract_size=D(10))
OKX = FeedBench(
    venue="okx",
    make=OkxVenue,
    listed=((LINEAR, D(1)), (INVERSE, D(10_000))),
    topic="ETH-USDT-SWAP",
    lot=1_000,
)


class TestOkxFeed(VenueFeedContract):
    @pytest.fixture
    def bench(self) -> FeedBench:
        return OKX

    async def test_a_quiet_book_is_said_to_be_alive(self, rig: FeedRig, feed: VenueFeed) -> None:
        venue = rig.simulated
        assert isinstance(venue, OkxVenue)
        async with listening(feed.events()) as events:
            first = await events.until(BookUpdate)
            venue.quiet_since_ms[rig.market] = 0
            venue.publish()
            rig.move(-2)
            moved = await events.until(BookUpdate, lambda update: rig.level(-2) in update.bids)
            assert moved.sequence > first.sequence
            assert events.of(BookLost) == []
