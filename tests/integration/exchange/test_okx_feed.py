"""OKX's public feed against the simulated venue, over real TLS: each fault suspends a book, and it comes back."""

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
from adapters.simulators.listener import Listener as Port
from adapters.simulators.okx.venue import OkxVenue
from domain.venue import BookLost, BookUpdate, ClockDrift, MarkReport, TradePrint
from tests.support.exchange import Listener, alone, listening
from tests.support.feeds import listing

D = Decimal
ETH, USD = "ETH/USDT:USDT", "ETH/USD:ETH"
LINEAR = listing("okx", ETH, "ETH-USDT-SWAP", contract_size=D("0.1"))
INVERSE = listing("okx", USD, "ETH-USD-SWAP", step=D(10), kind="inverse", contract_size=D(10))
BIDS = [(200_000, 5_000), (199_990, 9_000)]
ASKS = [(200_001, 4_000), (200_010, 8_000)]
Running = tuple[OkxVenue, Port]


def settings(port: Port, **changes: Any) -> FeedSettings:
    fields: dict[str, Any] = {
        "venue": "okx",
        "loopback": Loopback(port=port.port, ca_file=port.ca_file),
        "silence_ms": 60_000,
        "timeout_ms": 2_000,
    }
    return FeedSettings(**(fields | changes))


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    async with alone(OkxVenue, tmp_path) as (venue, port):
        venue.set_levels(BIDS, ASKS, "ETH-USDT-SWAP")
        venue.set_levels(BIDS, ASKS, "ETH-USD-SWAP")
        yield venue, port


@pytest.fixture
async def feed(running: Running) -> AsyncIterator[VenueFeed]:
    async with VenueFeed(settings(running[1]), [LINEAR]) as made:
        yield made


def arm(venue: OkxVenue, kind: Any, **fields: Any) -> None:
    venue.faults.arm(Fault(kind=kind, **fields), time.time_ns() // 1_000_000)


def move(venue: OkxVenue, bid: int) -> None:
    """Put a bid into the book and tell of it."""
    venue.set_levels([(bid, 1_000)], [], "ETH-USDT-SWAP", clear=False)
    venue.publish()


def with_bid(price: str) -> Any:
    return lambda update: update.top is not None and update.top.bid_price == D(price)


async def lost_and_healed(events: Listener, reason: str, bid: str) -> BookUpdate:
    lost = await events.until(BookLost, lambda loss: loss.reason.startswith(f"{reason}:"))
    return await events.until(BookUpdate, with_bid(bid), after=events.heard.index(lost))


async def test_linear_and_inverse_books_follow_the_market_exactly(running: Running) -> None:
    venue, port = running
    async with VenueFeed(settings(port), [LINEAR, INVERSE]) as feed, listening(feed.events()) as events:
        linear = await events.until(BookUpdate, lambda update: update.symbol == ETH)
        inverse = await events.until(BookUpdate, lambda update: update.symbol == USD)
        assert linear.bids == ((D(2000), D(5)), (D("1999.90"), D(9)))
        assert linear.asks == ((D("2000.01"), D(4)), (D("2000.10"), D(8)))
        assert inverse.bids == ((D(2000), D(50_000)), (D("1999.90"), D(90_000))), "dollars"
        venue.set_levels([(200_000, 0), (199_995, 7_000)], [], "ETH-USDT-SWAP", clear=False)
        moved = await events.until(BookUpdate, with_bid("1999.95"))
        assert moved.bids == ((D("1999.95"), D(7)), (D("1999.90"), D(9)))
        assert events.of(BookLost) == []
        assert feed.counters.gaps == 0


async def test_marks_trades_and_the_clock_are_told(running: Running, feed: VenueFeed) -> None:
    venue, _ = running
    async with listening(feed.events()) as events:
        mark = await events.until(MarkReport)
        assert (mark.symbol, mark.mark_price, mark.funding_interval_ms) == (ETH, D("2000.005"), 8 * 3_600_000)
        assert mark.index_price > 0
        await events.until(BookUpdate)
        venue.exchange.market_trade("ETH-USDT-SWAP", "BUY", 200_001, 1_000, venue.clock_ms())
        venue.commit()
        made = await events.until(TradePrint)
        assert (made.taker, made.price, made.quantity) == ("buy", D("2000.01"), D(1))
        drift = await events.until(ClockDrift)
        assert abs(drift.drift_ms) < 1_000


async def test_a_gap_is_told_at_once_and_healed_by_a_new_subscription(running: Running, feed: VenueFeed) -> None:
    venue, _ = running
    async with listening(feed.events()) as events:
        await events.until(BookUpdate)
        arm(venue, "gap", on="ETH-USDT-SWAP")
        move(venue, 199_997)
        move(venue, 199_996)
        healed = await lost_and_healed(events, "gap", "2000.00")
        assert (D("1999.97"), D(1)) in healed.bids, "what was skipped is there"
    assert feed.counters.gaps == 1


@pytest.mark.parametrize(("kind", "reason"), [("reorder", "gap"), ("crossed", "crossed")])
async def test_what_cannot_be_believed_is_told_and_healed(
    running: Running, feed: VenueFeed, kind: str, reason: str
) -> None:
    venue, _ = running
    async with listening(feed.events()) as events:
        await events.until(BookUpdate)
        arm(venue, kind, on="ETH-USDT-SWAP")
        for bid in (199_996, 199_997, 199_998):
            move(venue, bid)
        healed = await lost_and_healed(events, reason, "2000.00")
        move(venue, 199_999)
        newest = await events.until(
            BookUpdate, lambda update: (D("1999.99"), D(1)) in update.bids, after=events.heard.index(healed)
        )
        wanted = [(D(2000), D(5)), *((D(price) / 100, D(1)) for price in (199_999, 199_998, 199_997, 199_996))]
        assert newest.bids == (*wanted, (D("1999.90"), D(9))), "not a level wrong after the bad day"


async def test_what_is_told_twice_is_believed_once(running: Running, feed: VenueFeed) -> None:
    venue, _ = running
    async with listening(feed.events()) as events:
        await events.until(BookUpdate)
        arm(venue, "duplicate", on="ETH-USDT-SWAP", times=5)
        for bid in (200_000, 199_999, 199_998):
            venue.set_levels([(bid, 1_000)], [(200_003, 2_000)], "ETH-USDT-SWAP")
            venue.publish()
        last = await events.until(BookUpdate, with_bid("1999.98"))
        assert last.bids == ((D("1999.98"), D(1)),)
        assert events.of(BookLost) == []


@pytest.mark.parametrize("kind", ["freeze", "silence"])
async def test_silence_is_not_taken_for_a_quiet_market(running: Running, kind: str) -> None:
    venue, port = running
    async with VenueFeed(settings(port, silence_ms=400), [LINEAR]) as feed, listening(feed.events()) as events:
        await events.until(BookUpdate)
        arm(venue, kind, for_ms=1_500)
        await lost_and_healed(events, "silence", "2000.00")


async def test_a_lost_socket_gives_the_book_up_and_comes_back(running: Running, feed: VenueFeed) -> None:
    venue, _ = running
    async with listening(feed.events()) as events:
        await events.until(BookUpdate)
        arm(venue, "disconnect", on="sockets")
        venue.publish()
        venue.set_levels([(199_999, 3_000)], [(200_002, 3_000)], "ETH-USDT-SWAP")
        await lost_and_healed(events, "disconnected", "1999.99")


@pytest.mark.parametrize(
    "kind", ["maintenance", "rate_limited", "bad_gateway", "html", "truncate", "lost", "disconnect"]
)
async def test_a_venue_that_goes_away_gives_its_books_up_and_comes_back(
    running: Running, feed: VenueFeed, kind: str
) -> None:
    venue, _ = running
    async with listening(feed.events()) as events:
        await events.until(BookUpdate)
        arm(venue, kind, for_ms=700)
        venue.publish()
        await lost_and_healed(events, "disconnected", "2000.00")


@pytest.mark.parametrize("kind", ["maintenance", "rate_limited"])
async def test_a_venue_that_says_not_now_is_asked_later(running: Running, kind: str) -> None:
    venue, port = running
    arm(venue, kind, for_ms=1_000)
    async with VenueFeed(settings(port), [LINEAR]) as feed, listening(feed.events()) as events:
        lost = await events.until(BookLost)
        assert lost.reason.startswith("disconnected:")
        await events.until(BookUpdate, after=events.heard.index(lost))


async def test_a_clock_that_is_off_is_seen(running: Running) -> None:
    venue, port = running
    arm(venue, "clock_skew", skew_ms=5_000, for_ms=60_000)
    async with VenueFeed(settings(port, clock_interval_ms=50), [LINEAR]) as feed, listening(feed.events()) as events:
        await events.until(ClockDrift, lambda drift: 4_000 < drift.drift_ms < 6_000)


async def test_a_dislocated_venue_is_told_as_it_is_and_comes_home(running: Running, feed: VenueFeed) -> None:
    venue, _ = running
    async with listening(feed.events()) as events:
        await events.until(BookUpdate)
        home = venue.middle("ETH-USDT-SWAP") * D("0.01")
        arm(venue, "dislocate", on="ETH-USDT-SWAP", factor=D("1.05"), for_ms=60_000)
        venue.step_market("ETH-USDT-SWAP")
        away = await events.until(BookUpdate, lambda update: update.top is not None and update.bids[0][0] > 1500)
        while away.top is None or abs(away.top.bid_price / home - D("1.05")) > D("0.01"):
            away = await events.until(BookUpdate, after=events.heard.index(away) + 1)
        venue.faults.clear()
        venue.step_market("ETH-USDT-SWAP")
        while away.top is None or abs(away.top.bid_price / home - 1) > D("0.01"):
            away = await events.until(BookUpdate, after=events.heard.index(away) + 1)


async def test_a_real_market_is_followed_level_by_level(running: Running) -> None:
    venue, port = running
    async with VenueFeed(settings(port), [LINEAR]) as feed, listening(feed.events()) as events:
        await events.until(BookUpdate)
        for _ in range(60):
            venue.world.step()
            venue.step()
            venue.publish()
        true = venue.snapshot("ETH-USDT-SWAP", 50)
        bids, asks = (tuple((price, size / 10) for price, size in side) for side in (true.bids, true.asks))
        seen = await events.until(BookUpdate, lambda update: update.top is not None and update.bids[0] == bids[0])
        levels = min(len(seen.bids), len(seen.asks), 50)
        assert levels > 5
        assert (seen.bids[:levels], seen.asks[:levels]) == (bids[:levels], asks[:levels])
        assert events.of(BookLost) == []


async def test_a_quiet_book_is_said_to_be_alive(running: Running, feed: VenueFeed) -> None:
    venue, _ = running
    async with listening(feed.events()) as events:
        first = await events.until(BookUpdate)
        venue.quiet_since_ms["ETH-USDT-SWAP"] = 0
        venue.publish()
        move(venue, 199_998)
        moved = await events.until(BookUpdate, lambda update: (D("1999.98"), D(1)) in update.bids)
        assert moved.sequence > first.sequence
        assert events.of(BookLost) == []
