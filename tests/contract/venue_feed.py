"""What every venue's public feed does against the venue's simulator over TLS: each fault suspends a book, and heals.

Subclass `VenueFeedContract` as `Test…` and give it the fixture `bench`. What a venue does beside it stays in its file.
"""

import time
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from adapters.exchange.feeds.feed import VenueFeed
from adapters.exchange.feeds.settings import FeedSettings
from adapters.exchange.settings import Loopback
from adapters.simulators.faults import OUTAGES, Fault
from adapters.simulators.listener import Listener as Port
from adapters.simulators.venue import SimulatedVenue
from domain.venue import BookLost, BookUpdate, ClockDrift, InstrumentReport, MarkReport, TradePrint
from tests.support.exchange import Listener, alone, listening

D = Decimal
EIGHT_HOURS_MS = 8 * 3_600_000
NEAR = D("0.01")
WITHIN = 50


class FeedBench(msgspec.Struct, frozen=True, kw_only=True):
    """Say what is tried: the venue, its instruments, and where their books stand.

    `listed` are the instruments with what `lot` lots of the simulator are in units (base; quote on inverse); the first
    is the one that the faults are tried on. `best` and `worse` are the two bids, in ticks. `topic` is the stream of the
    first one's book, in the venue's word.
    """

    venue: str
    make: Callable[..., SimulatedVenue]
    listed: tuple[tuple[InstrumentReport, Decimal], ...]
    topic: str
    best: int = 200_000
    worse: int = 199_990
    lot: int = 100

    def settings(self, port: Port, **changes: Any) -> FeedSettings:
        fields: dict[str, Any] = {
            "venue": self.venue,
            "loopback": Loopback(port=port.port, ca_file=port.ca_file),
            "silence_ms": 60_000,
            "timeout_ms": 2_000,
        }
        return FeedSettings(**(fields | changes))


class FeedRig:
    """Hold one running simulator; prices are told in ticks from the best bid, quantities in handy units."""

    def __init__(self, bench: FeedBench, simulated: SimulatedVenue, port: Port) -> None:
        self.bench = bench
        self.simulated = simulated
        self.port = port
        self.listing, self.unit = bench.listed[0]
        self.market = self.listing.market_id
        for listed, _ in bench.listed:
            bids = [(0, 5), (bench.worse - bench.best, 9)]
            self.book(bids, [(1, 4), (10, 8)], listed.market_id)

    def feed(self, **changes: Any) -> VenueFeed:
        """Make a feed of the first instrument."""
        return VenueFeed(self.bench.settings(self.port, **changes), [self.listing])

    def arm(self, kind: Any, **fields: Any) -> None:
        self.simulated.faults.arm(Fault(kind=kind, **fields), time.time_ns() // 1_000_000)

    def book(
        self,
        bids: list[tuple[int, int]],
        asks: list[tuple[int, int]],
        market: str | None = None,
        *,
        clear: bool = True,
    ) -> None:
        """Put a book there, and tell nobody yet."""
        best, lot = self.bench.best, self.bench.lot
        sides = [[(best + away, units * lot) for away, units in side] for side in (bids, asks)]
        self.simulated.set_levels(sides[0], sides[1], market or self.market, clear=clear)

    def move(self, away: int) -> None:
        """Put a bid into the book and tell of it."""
        self.book([(away, 1)], [], clear=False)
        self.simulated.publish()

    def price(self, away: int) -> Decimal:
        return (self.bench.best + away) * self.listing.tick

    def level(self, away: int, units: int = 1) -> tuple[Decimal, Decimal]:
        return self.price(away), units * self.unit

    @property
    def worse(self) -> tuple[Decimal, Decimal]:
        return self.level(self.bench.worse - self.bench.best, 9)

    def has_bid(self, away: int) -> Callable[[BookUpdate], bool]:
        wanted = self.price(away)
        return lambda update: update.top is not None and update.top.bid_price == wanted

    async def lost_and_healed(self, events: Listener, reason: str, away: int = 0) -> BookUpdate:
        lost = await events.until(BookLost, lambda loss: loss.reason.startswith(f"{reason}:"))
        assert (lost.venue, lost.symbol) == (self.listing.venue, self.listing.symbol)
        healed = await events.until(BookUpdate, self.has_bid(away), after=events.heard.index(lost))
        assert healed.received_at_us >= lost.at_us
        return healed


class VenueFeedContract:
    """Try everything."""

    @pytest.fixture
    def bench(self) -> FeedBench:
        raise NotImplementedError("say what is tried")

    @pytest.fixture
    async def rig(self, bench: FeedBench, tmp_path: Path) -> AsyncIterator[FeedRig]:
        async with alone(bench.make, tmp_path) as (venue, port):
            yield FeedRig(bench, venue, port)

    @pytest.fixture
    async def feed(self, rig: FeedRig) -> AsyncIterator[VenueFeed]:
        async with rig.feed() as made:
            yield made

    async def test_every_book_follows_the_market_exactly(self, rig: FeedRig) -> None:
        listed = rig.bench.listed
        settings = rig.bench.settings(rig.port)
        async with VenueFeed(settings, [each for each, _ in listed]) as feed, listening(feed.events()) as events:
            for each, unit in listed:
                first = await events.until(BookUpdate, lambda update, symbol=each.symbol: update.symbol == symbol)
                assert first.venue == rig.bench.venue
                assert first.bids == ((rig.price(0), unit * 5), (rig.worse[0], unit * 9))
                assert first.asks == ((rig.price(1), unit * 4), (rig.price(10), unit * 8))
            before = await events.until(BookUpdate, lambda update: update.symbol == rig.listing.symbol)
            rig.book([(0, 0), (-5, 7)], [], clear=False)
            moved = await events.until(BookUpdate, rig.has_bid(-5))
            assert moved.bids == (rig.level(-5, 7), rig.worse)
            assert moved.sequence > before.sequence
            assert events.of(BookLost) == []
            assert feed.is_up
            assert feed.counters.gaps == 0

    async def test_marks_trades_and_the_clock_are_told(self, rig: FeedRig, feed: VenueFeed) -> None:
        async with listening(feed.events()) as events:
            mark = await events.until(MarkReport)
            assert (mark.symbol, mark.funding_interval_ms) == (rig.listing.symbol, EIGHT_HOURS_MS)
            assert mark.mark_price == (rig.price(0) + rig.price(1)) / 2
            assert mark.funding_rate == D("0.0001"), "of eight hours"
            assert mark.index_price > 0
            await events.until(BookUpdate)
            venue, bench = rig.simulated, rig.bench
            venue.exchange.market_trade(rig.market, "BUY", bench.best + 1, bench.lot, venue.clock_ms())
            venue.commit()
            made = await events.until(TradePrint)
            assert (made.taker, made.price, made.quantity) == ("buy", *rig.level(1))
            drift = await events.until(ClockDrift)
            assert abs(drift.drift_ms) < 1_000
            assert drift.round_trip_ms >= 0

    async def test_a_gap_is_told_at_once_and_healed(self, rig: FeedRig, feed: VenueFeed) -> None:
        async with listening(feed.events()) as events:
            await events.until(BookUpdate)
            rig.arm("gap", on=rig.bench.topic)
            rig.move(-3)
            rig.move(-4)
            healed = await rig.lost_and_healed(events, "gap")
            assert rig.level(-3) in healed.bids, "what was skipped is there"
        assert feed.counters.gaps == 1

    @pytest.mark.parametrize(("kind", "reason"), [("reorder", "gap"), ("crossed", "crossed")])
    async def test_what_cannot_be_believed_is_told_and_healed(
        self, rig: FeedRig, feed: VenueFeed, kind: str, reason: str
    ) -> None:
        async with listening(feed.events()) as events:
            await events.until(BookUpdate)
            rig.arm(kind, on=rig.market)
            for away in (-4, -3, -2):
                rig.move(away)
            healed = await rig.lost_and_healed(events, reason)
            rig.move(-1)
            after = events.heard.index(healed)
            newest = await events.until(BookUpdate, lambda update: rig.level(-1) in update.bids, after=after)
            wanted = (rig.level(0, 5), *(rig.level(away) for away in (-1, -2, -3, -4)), rig.worse)
            assert newest.bids == wanted, "not a level wrong after the bad day"

    async def test_what_is_told_twice_is_believed_once(self, rig: FeedRig, feed: VenueFeed) -> None:
        async with listening(feed.events()) as events:
            await events.until(BookUpdate)
            rig.arm("duplicate", on=rig.market, times=5)
            for away in (0, -1, -2):
                rig.book([(away, 1)], [(3, 2)])
                rig.simulated.publish()
            last = await events.until(BookUpdate, rig.has_bid(-2))
            assert last.bids == (rig.level(-2),)
            assert events.of(BookLost) == []

    @pytest.mark.parametrize("kind", ["freeze", "silence"])
    async def test_silence_is_not_taken_for_a_quiet_market(self, rig: FeedRig, kind: str) -> None:
        async with rig.feed(silence_ms=400) as feed, listening(feed.events()) as events:
            await events.until(BookUpdate)
            rig.arm(kind, for_ms=1_500)
            await rig.lost_and_healed(events, "silence")
            assert feed.counters.reconnects >= 1

    async def test_a_lost_socket_gives_the_book_up_and_comes_back(self, rig: FeedRig, feed: VenueFeed) -> None:
        async with listening(feed.events()) as events:
            await events.until(BookUpdate)
            rig.arm("disconnect", on="sockets")
            rig.simulated.publish()
            rig.book([(-1, 3)], [(2, 3)])
            healed = await rig.lost_and_healed(events, "disconnected", -1)
            assert healed.bids == (rig.level(-1, 3),), "a new book, not two in one"

    @pytest.mark.parametrize("kind", OUTAGES)
    async def test_a_venue_that_goes_away_gives_its_books_up_and_comes_back(
        self, rig: FeedRig, feed: VenueFeed, kind: str
    ) -> None:
        async with listening(feed.events()) as events:
            await events.until(BookUpdate)
            rig.arm(kind, for_ms=700)
            rig.simulated.publish()
            await rig.lost_and_healed(events, "disconnected")

    @pytest.mark.parametrize("kind", ["maintenance", "rate_limited"])
    async def test_a_venue_that_says_not_now_is_asked_later(self, rig: FeedRig, kind: str) -> None:
        rig.arm(kind, for_ms=1_000)
        async with rig.feed() as feed, listening(feed.events()) as events:
            lost = await events.until(BookLost)
            assert lost.reason.startswith("disconnected:")
            await events.until(BookUpdate, after=events.heard.index(lost))
            assert len(events.of(BookLost)) == 1, "one loss is told once, however often it was tried"

    async def test_a_clock_that_is_off_is_seen(self, rig: FeedRig) -> None:
        rig.arm("clock_skew", skew_ms=5_000, for_ms=60_000)
        async with rig.feed(clock_interval_ms=50) as feed, listening(feed.events()) as events:
            await events.until(ClockDrift, lambda drift: 4_000 < drift.drift_ms < 6_000)

    async def test_a_dislocated_venue_is_told_as_it_is_and_comes_home(self, rig: FeedRig, feed: VenueFeed) -> None:
        venue = rig.simulated
        async with listening(feed.events()) as events:
            await events.until(BookUpdate)
            home = venue.middle(rig.market) * rig.listing.tick
            rig.arm("dislocate", on=rig.market, factor=D("1.05"), for_ms=60_000)
            venue.step_market(rig.market)
            await events.until(BookUpdate, near(home * D("1.05")))
            venue.faults.clear()
            seen = len(events.heard)
            venue.step_market(rig.market)
            await events.until(BookUpdate, near(home), after=seen)

    async def test_a_real_market_is_followed_level_by_level(self, rig: FeedRig, feed: VenueFeed) -> None:
        venue = rig.simulated
        async with listening(feed.events()) as events:
            await events.until(BookUpdate)
            for _ in range(60):
                venue.world.step()
                venue.step()
                venue.publish()
            true = venue.snapshot(rig.market, WITHIN)
            contract = rig.listing.contract_size
            bids, asks = (tuple((price, size * contract) for price, size in side) for side in (true.bids, true.asks))
            seen = await events.until(BookUpdate, lambda update: update.top is not None and update.bids[0] == bids[0])
            levels = min(len(seen.bids), len(seen.asks), WITHIN)
            assert levels > 5
            assert (seen.bids[:levels], seen.asks[:levels]) == (bids[:levels], asks[:levels])
            assert events.of(BookLost) == []


def near(price: Decimal) -> Callable[[BookUpdate], bool]:
    """Accept a book whose best bid is about there."""
    return lambda update: update.top is not None and abs(update.top.bid_price / price - 1) < NEAR
