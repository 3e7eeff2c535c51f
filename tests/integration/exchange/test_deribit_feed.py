"""Deribit's public feed against the simulated venue, over real TLS: each fault suspends a book, and it comes back."""

import time
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from aiohttp import WSMsgType

from adapters.exchange.connection import loopback_session
from adapters.exchange.feeds.feed import VenueFeed
from adapters.exchange.feeds.settings import FeedSettings
from adapters.exchange.settings import Loopback
from adapters.simulators.deribit.venue import HOST, DeribitVenue
from adapters.simulators.faults import Fault
from adapters.simulators.listener import Listener as Port
from domain.venue import BookLost, BookUpdate, ClockDrift, MarkReport, TradePrint
from tests.support.exchange import SOON_S, Listener, alone, listening
from tests.support.feeds import listing

D = Decimal
USD, USDC = "ETH/USD:ETH", "ETH/USDC:USDC"
NAME, LINEAR_NAME = "ETH-PERPETUAL", "ETH_USDC-PERPETUAL"
INVERSE = listing("deribit", USD, NAME, tick=D("0.05"), step=D(1), kind="inverse")
LINEAR = listing("deribit", USDC, LINEAR_NAME, tick=D("0.05"), step=D("0.001"))
BIDS = [(40_000, 500), (39_980, 900)]
ASKS = [(40_001, 400), (40_010, 800)]
Running = tuple[DeribitVenue, Port]


def settings(port: Port, **changes: Any) -> FeedSettings:
    fields: dict[str, Any] = {
        "venue": "deribit",
        "loopback": Loopback(port=port.port, ca_file=port.ca_file),
        "silence_ms": 60_000,
        "timeout_ms": 2_000,
    }
    return FeedSettings(**(fields | changes))


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    async with alone(DeribitVenue, tmp_path) as (venue, port):
        venue.set_levels(BIDS, ASKS, NAME)
        venue.set_levels(BIDS, ASKS, LINEAR_NAME)
        yield venue, port


@pytest.fixture
async def feed(running: Running) -> AsyncIterator[VenueFeed]:
    async with VenueFeed(settings(running[1]), [INVERSE]) as made:
        yield made


def arm(venue: DeribitVenue, kind: Any, **fields: Any) -> None:
    venue.faults.arm(Fault(kind=kind, **fields), time.time_ns() // 1_000_000)


def move(venue: DeribitVenue, bid: int) -> None:
    """Put a bid into the book and tell of it."""
    venue.set_levels([(bid, 100)], [], NAME, clear=False)
    venue.publish()


def with_bid(price: str) -> Any:
    return lambda update: update.top is not None and update.top.bid_price == D(price)


async def lost_and_healed(events: Listener, reason: str, bid: str) -> BookUpdate:
    lost = await events.until(BookLost, lambda loss: loss.reason.startswith(f"{reason}:"))
    return await events.until(BookUpdate, with_bid(bid), after=events.heard.index(lost))


async def test_inverse_and_linear_books_follow_the_market_exactly(running: Running) -> None:
    venue, port = running
    async with VenueFeed(settings(port), [LINEAR, INVERSE]) as feed, listening(feed.events()) as events:
        inverse = await events.until(BookUpdate, lambda update: update.symbol == USD)
        linear = await events.until(BookUpdate, lambda update: update.symbol == USDC)
        assert inverse.bids == ((D(2000), D(500)), (D(1999), D(900))), "dollars"
        assert inverse.asks == ((D("2000.05"), D(400)), (D("2000.50"), D(800)))
        assert linear.bids == ((D(2000), D("0.5")), (D(1999), D("0.9"))), "coins"
        venue.set_levels([(40_000, 0), (39_990, 700)], [], NAME, clear=False)
        moved = await events.until(BookUpdate, with_bid("1999.5"))
        assert moved.bids == ((D("1999.5"), D(700)), (D(1999), D(900)))
        assert events.of(BookLost) == []
        assert feed.counters.gaps == 0


async def test_marks_trades_and_the_clock_are_told(running: Running, feed: VenueFeed) -> None:
    venue, _ = running
    async with listening(feed.events()) as events:
        mark = await events.until(MarkReport)
        assert (mark.symbol, mark.mark_price, mark.funding_interval_ms) == (USD, D("2000.025"), 8 * 3_600_000)
        assert mark.funding_rate == D("0.0001"), "of eight hours"
        assert mark.index_price > 0
        await events.until(BookUpdate)
        venue.exchange.market_trade(NAME, "BUY", 40_001, 100, venue.clock_ms())
        venue.commit()
        made = await events.until(TradePrint)
        assert (made.taker, made.price, made.quantity) == ("buy", D("2000.05"), D(100))
        drift = await events.until(ClockDrift)
        assert abs(drift.drift_ms) < 1_000


async def test_a_gap_is_told_at_once_and_healed_by_a_new_subscription(running: Running, feed: VenueFeed) -> None:
    venue, _ = running
    async with listening(feed.events()) as events:
        await events.until(BookUpdate)
        arm(venue, "gap", on=f"book.{NAME}.100ms")
        move(venue, 39_997)
        move(venue, 39_996)
        healed = await lost_and_healed(events, "gap", "2000.00")
        assert (D("1999.85"), D(100)) in healed.bids, "what was skipped is there"
    assert feed.counters.gaps == 1


@pytest.mark.parametrize(("kind", "reason"), [("reorder", "gap"), ("crossed", "crossed")])
async def test_what_cannot_be_believed_is_told_and_healed(
    running: Running, feed: VenueFeed, kind: str, reason: str
) -> None:
    venue, _ = running
    async with listening(feed.events()) as events:
        await events.until(BookUpdate)
        arm(venue, kind, on=NAME)
        for bid in (39_995, 39_996, 39_997):
            move(venue, bid)
        healed = await lost_and_healed(events, reason, "2000.00")
        move(venue, 39_998)
        newest = await events.until(
            BookUpdate, lambda update: (D("1999.90"), D(100)) in update.bids, after=events.heard.index(healed)
        )
        wanted = [(D(2000), D(500)), *((D("0.05") * bid, D(100)) for bid in (39_998, 39_997, 39_996, 39_995))]
        assert newest.bids == (*wanted, (D(1999), D(900))), "not a level wrong after the bad day"


async def test_what_is_told_twice_is_believed_once(running: Running, feed: VenueFeed) -> None:
    venue, _ = running
    async with listening(feed.events()) as events:
        await events.until(BookUpdate)
        arm(venue, "duplicate", on=NAME, times=5)
        for bid in (40_000, 39_999, 39_998):
            venue.set_levels([(bid, 100)], [(40_003, 200)], NAME)
            venue.publish()
        last = await events.until(BookUpdate, with_bid("1999.90"))
        assert last.bids == ((D("1999.90"), D(100)),)
        assert events.of(BookLost) == []


@pytest.mark.parametrize("kind", ["freeze", "silence"])
async def test_silence_is_not_taken_for_a_quiet_market(running: Running, kind: str) -> None:
    venue, port = running
    async with VenueFeed(settings(port, silence_ms=400), [INVERSE]) as feed, listening(feed.events()) as events:
        await events.until(BookUpdate)
        arm(venue, kind, for_ms=1_500)
        await lost_and_healed(events, "silence", "2000.00")


async def test_a_lost_socket_gives_the_book_up_and_comes_back(running: Running, feed: VenueFeed) -> None:
    venue, _ = running
    async with listening(feed.events()) as events:
        await events.until(BookUpdate)
        arm(venue, "disconnect", on="sockets")
        venue.publish()
        venue.set_levels([(39_999, 300)], [(40_002, 300)], NAME)
        healed = await lost_and_healed(events, "disconnected", "1999.95")
        assert healed.bids == ((D("1999.95"), D(300)),), "a new book, not two in one"


@pytest.mark.parametrize("kind", ["maintenance", "rate_limited"])
async def test_a_venue_that_says_not_now_is_asked_later(running: Running, kind: str) -> None:
    venue, port = running
    arm(venue, kind, for_ms=1_000)
    async with VenueFeed(settings(port), [INVERSE]) as feed, listening(feed.events()) as events:
        lost = await events.until(BookLost)
        assert lost.reason.startswith("disconnected:")
        await events.until(BookUpdate, after=events.heard.index(lost))


async def test_a_clock_that_is_off_is_seen(running: Running) -> None:
    venue, port = running
    arm(venue, "clock_skew", skew_ms=5_000, for_ms=60_000)
    async with VenueFeed(settings(port, clock_interval_ms=50), [INVERSE]) as feed, listening(feed.events()) as events:
        await events.until(ClockDrift, lambda drift: 4_000 < drift.drift_ms < 6_000)


async def test_a_dislocated_venue_is_told_as_it_is_and_comes_home(running: Running, feed: VenueFeed) -> None:
    venue, _ = running
    async with listening(feed.events()) as events:
        await events.until(BookUpdate)
        home = venue.middle(NAME) * D("0.05")
        arm(venue, "dislocate", on=NAME, factor=D("1.05"), for_ms=60_000)
        venue.step_market(NAME)
        await events.until(BookUpdate, lambda update: near(update, home * D("1.05")))
        venue.faults.clear()
        seen = len(events.heard)
        venue.step_market(NAME)
        await events.until(BookUpdate, lambda update: near(update, home), after=seen)


def near(update: BookUpdate, price: D) -> bool:
    return update.top is not None and abs(update.top.bid_price / price - 1) < D("0.01")


async def test_a_real_market_is_followed_level_by_level(running: Running) -> None:
    venue, port = running
    async with VenueFeed(settings(port), [INVERSE]) as feed, listening(feed.events()) as events:
        await events.until(BookUpdate)
        for _ in range(60):
            venue.world.step()
            venue.step()
            venue.publish()
        true = venue.snapshot(NAME, 50)
        seen = await events.until(BookUpdate, lambda update: update.top is not None and update.bids[0] == true.bids[0])
        levels = min(len(seen.bids), len(seen.asks), 50)
        assert levels > 5
        assert (seen.bids[:levels], seen.asks[:levels]) == (true.bids[:levels], true.asks[:levels])
        assert events.of(BookLost) == []


@pytest.mark.parametrize("answers", [True, False])
async def test_who_does_not_answer_a_heartbeat_is_hung_up_on(running: Running, answers: bool) -> None:
    venue, port = running
    async with (
        loopback_session(Loopback(port=port.port, ca_file=port.ca_file), frozenset({HOST})) as session,
        session.ws_connect(f"wss://{HOST}/ws/api/v2") as socket,
    ):
        asked = {"id": 1, "method": "public/set_heartbeat", "params": {"interval": 10}}
        await socket.send_json(asked)
        assert (await socket.receive_json(timeout=SOON_S))["result"] == "ok"
        kinds: list[str] = []
        for later_s in (11, 22, 33, 44):
            venue.each_publication(venue.machine_ms() + later_s * 1_000)
            heard = await socket.receive(timeout=SOON_S)
            if heard.type is not WSMsgType.TEXT:
                break
            kinds.append(heard.json()["params"]["type"])
            if answers and kinds[-1] == "test_request":
                await socket.send_json({"id": 2, "method": "public/test"})
                assert "version" in (await socket.receive_json(timeout=SOON_S))["result"]
        assert kinds == ["heartbeat", "test_request", *(["heartbeat", "test_request"] if answers else [])]
        assert socket.closed is not answers
