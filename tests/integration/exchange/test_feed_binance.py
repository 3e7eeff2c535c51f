"""A venue's feed against the simulated venue, over real TLS: what is told, what is lost aloud, what comes back."""

import time
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from adapters.exchange.feeds.feed import VenueFeed
from adapters.exchange.feeds.settings import FeedSettings
from adapters.exchange.settings import Loopback
from adapters.simulators.faults import Fault
from adapters.simulators.server import BinanceSimulator
from domain.venue import BookLost, BookUpdate, ClockDrift, MarkReport, TradePrint
from tests.support.exchange import ETH, Listener, listening
from tests.support.feeds import listing

D = Decimal
LISTED = listing("binanceusdm", ETH, "ETHUSDT")


def settings(simulator: BinanceSimulator, **changes: Any) -> FeedSettings:
    fields: dict[str, Any] = {
        "venue": "binanceusdm",
        "loopback": Loopback(port=simulator.port, ca_file=simulator.ca_file),
        "silence_ms": 60_000,
        "timeout_ms": 2_000,
    }
    return FeedSettings(**(fields | changes))


@pytest.fixture
async def feed(simulator: BinanceSimulator) -> AsyncIterator[VenueFeed]:
    async with VenueFeed(settings(simulator), [LISTED]) as made:
        yield made


def arm(simulator: BinanceSimulator, kind: Any, **fields: Any) -> None:
    simulator.venue.faults.arm(Fault(kind=kind, **fields), time.time_ns() // 1_000_000)


def with_bid(price: str) -> Any:
    return lambda update: update.top is not None and update.top.bid_price == D(price)


async def lost_and_healed(events: Listener, reason: str, bid: str) -> BookUpdate:
    lost = await events.until(BookLost, lambda loss: loss.reason.startswith(f"{reason}:"))
    healed = await events.until(BookUpdate, with_bid(bid), after=events.heard.index(lost))
    assert healed.received_at_us >= lost.at_us
    return healed


async def test_a_book_follows_the_market_exactly(simulator: BinanceSimulator, feed: VenueFeed) -> None:
    async with listening(feed.events()) as events:
        first = await events.until(BookUpdate)
        assert (first.venue, first.symbol) == ("binanceusdm", ETH)
        assert first.bids == ((D("2000.00"), D(5)), (D("1999.90"), D(9)))
        assert first.asks == ((D("2000.01"), D(4)), (D("2000.10"), D(8)))
        simulator.venue.set_levels([(200_000, 0), (199_995, 7_000)], [], clear=False)
        second = await events.until(BookUpdate, with_bid("1999.95"))
        assert second.bids == ((D("1999.95"), D(7)), (D("1999.90"), D(9)))
        assert second.sequence > first.sequence
        assert events.of(BookLost) == []
    assert feed.is_up
    assert feed.counters.gaps == 0


async def test_marks_and_the_clock_are_told(feed: VenueFeed) -> None:
    async with listening(feed.events()) as events:
        mark = await events.until(MarkReport)
        assert mark.symbol == ETH
        assert mark.funding_interval_ms == 8 * 3_600_000
        drift = await events.until(ClockDrift)
        assert abs(drift.drift_ms) < 1_000
        assert drift.round_trip_ms >= 0


async def test_a_clock_that_is_off_is_seen(simulator: BinanceSimulator) -> None:
    arm(simulator, "clock_skew", skew_ms=5_000, for_ms=60_000)
    quick = settings(simulator, clock_interval_ms=50)
    async with VenueFeed(quick, [LISTED]) as feed, listening(feed.events()) as events:
        await events.until(ClockDrift, lambda drift: 4_000 < drift.drift_ms < 6_000)


async def test_a_trade_is_told(simulator: BinanceSimulator, feed: VenueFeed) -> None:
    async with listening(feed.events()) as events:
        await events.until(BookUpdate)
        simulator.venue.exchange.market_trade("ETHUSDT", "BUY", 200_001, 1_000, time.time_ns() // 1_000_000)
        simulator.venue.commit()
        made = await events.until(TradePrint)
        assert (made.taker, made.price, made.quantity) == ("buy", D("2000.01"), D(1))


async def test_a_gap_is_told_at_once_and_healed_by_a_snapshot(simulator: BinanceSimulator, feed: VenueFeed) -> None:
    async with listening(feed.events()) as events:
        await events.until(BookUpdate)
        arm(simulator, "gap", on="ethusdt@depth")
        simulator.venue.set_levels([(199_997, 1_000)], [], clear=False)
        simulator.venue.publish()
        simulator.venue.set_levels([(199_996, 1_000)], [], clear=False)
        healed = await lost_and_healed(events, "gap", "2000.00")
        assert (D("1999.97"), D(1)) in healed.bids, "what was skipped is there"
    assert feed.counters.gaps == 1


@pytest.mark.parametrize(("kind", "reason"), [("reorder", "gap"), ("crossed", "crossed")])
async def test_what_cannot_be_believed_is_told_and_healed(
    simulator: BinanceSimulator, feed: VenueFeed, kind: str, reason: str
) -> None:
    async with listening(feed.events()) as events:
        await events.until(BookUpdate)
        arm(simulator, kind, on="ethusdt@depth")
        for bid in (199_996, 199_997, 199_998):
            simulator.venue.set_levels([(bid, 1_000)], [], clear=False)
            simulator.venue.publish()
        await lost_and_healed(events, reason, "2000.00")


async def test_what_is_told_twice_is_believed_once(simulator: BinanceSimulator, feed: VenueFeed) -> None:
    async with listening(feed.events()) as events:
        await events.until(BookUpdate)
        arm(simulator, "duplicate", on="ethusdt@depth", times=5)
        for bid in (200_000, 199_999, 199_998):
            simulator.venue.set_levels([(bid, 1_000)], [(200_003, 2_000)])
            simulator.venue.publish()
        await events.until(BookUpdate, with_bid("1999.98"))
        assert events.of(BookLost) == []


async def test_silence_is_not_taken_for_a_quiet_market(simulator: BinanceSimulator) -> None:
    async with VenueFeed(settings(simulator, silence_ms=300), [LISTED]) as feed, listening(feed.events()) as events:
        await events.until(BookUpdate)
        await lost_and_healed(events, "silence", "2000.00")
    assert feed.counters.reconnects >= 1


async def test_a_lost_socket_gives_the_book_up_and_comes_back(simulator: BinanceSimulator, feed: VenueFeed) -> None:
    async with listening(feed.events()) as events:
        await events.until(BookUpdate)
        simulator.venue.sockets.drop_all()
        simulator.venue.set_levels([(199_999, 3_000)], [(200_002, 3_000)])
        await lost_and_healed(events, "disconnected", "1999.99")


async def test_a_venue_that_says_not_now_is_asked_later(simulator: BinanceSimulator) -> None:
    arm(simulator, "rate_limited", for_ms=1_500)
    async with VenueFeed(settings(simulator), [LISTED]) as feed, listening(feed.events()) as events:
        lost = await events.until(BookLost)
        assert lost.reason.startswith("disconnected:")
        await events.until(BookUpdate, after=events.heard.index(lost))
        assert len(events.of(BookLost)) == 1, "one loss is told once, however often it was tried"


async def test_a_slow_reader_gets_the_newest(simulator: BinanceSimulator, feed: VenueFeed) -> None:
    async with listening(feed.events()) as events:
        await events.until(BookUpdate)
    before = feed.counters.messages
    for bid in range(199_901, 199_951):
        simulator.venue.set_levels([(bid, 1_000)], [(200_010, 1_000)])
        simulator.venue.publish()
    async with listening(feed.events()) as events:
        await events.until(BookUpdate, with_bid("1999.50"))
        assert len(events.of(BookUpdate)) <= feed.counters.messages - before


def test_what_no_feed_can_follow_is_refused(tmp_path: Path) -> None:
    there = Loopback(port=1, ca_file=tmp_path)
    with pytest.raises(ValueError, match="no feed for venue"):
        VenueFeed(FeedSettings(venue="kraken", loopback=there), [LISTED])
    with pytest.raises(ValueError, match="is not okx's"):
        VenueFeed(FeedSettings(venue="okx", loopback=there), [LISTED])
    with pytest.raises(ValueError, match="twice"):
        VenueFeed(FeedSettings(venue="binanceusdm", loopback=there), [LISTED, LISTED])
