"""The contract of a venue's public feed, kept by Binance USD-M, and what a feed does whatever the venue."""

from decimal import Decimal
from pathlib import Path

import pytest

from adapters.exchange.feeds.feed import VenueFeed
from adapters.exchange.feeds.settings import FeedSettings
from adapters.exchange.settings import Loopback
from adapters.simulators.binance.venue import BinanceVenue
from domain.venue import BookUpdate
from tests.contract.venue_feed import FeedBench, FeedRig, VenueFeedContract
from tests.support.exchange import ETH, listening
from tests.support.feeds import listing

D = Decimal
LISTED = listing("binanceusdm", ETH, "ETHUSDT")
USDM = FeedBench(
    venue="binanceusdm",
    make=BinanceVenue,
    listed=((LISTED, D(1)),),
    topic="ethusdt@depth",
    lot=1_000,
)


class TestBinanceUsdmFeed(VenueFeedContract):
    @pytest.fixture
    def bench(self) -> FeedBench:
        return USDM

    async def test_a_market_that_stands_still_is_taken_for_silence(self, rig: FeedRig) -> None:
        async with rig.feed(silence_ms=300) as feed, listening(feed.events()) as events:
            await events.until(BookUpdate)
            await rig.lost_and_healed(events, "silence")
        assert feed.counters.reconnects >= 1

    async def test_a_slow_reader_gets_the_newest(self, rig: FeedRig, feed: VenueFeed) -> None:
        async with listening(feed.events()) as events:
            await events.until(BookUpdate)
        before = feed.counters.messages
        for away in range(-99, -49):
            rig.book([(away, 1)], [(10, 1)])
            rig.simulated.publish()
        async with listening(feed.events()) as events:
            await events.until(BookUpdate, rig.has_bid(-50))
            assert len(events.of(BookUpdate)) <= feed.counters.messages - before


def test_what_no_feed_can_follow_is_refused(tmp_path: Path) -> None:
    there = Loopback(port=1, ca_file=tmp_path)
    with pytest.raises(ValueError, match="no feed for venue"):
        VenueFeed(FeedSettings(venue="kraken", loopback=there), [LISTED])
    with pytest.raises(ValueError, match="is not okx's"):
        VenueFeed(FeedSettings(venue="okx", loopback=there), [LISTED])
    with pytest.raises(ValueError, match="twice"):
        VenueFeed(FeedSettings(venue="binanceusdm", loopback=there), [LISTED, LISTED])
