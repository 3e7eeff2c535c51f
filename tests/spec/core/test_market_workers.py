"""The market worker's loops: what is heard is published, judged, priced and told."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from decimal import Decimal

import msgspec
import pytest

from api.market.feeding import Feeding
from api.market.indicating import LADDER_EVERY_S, SAMPLE_EVERY_S, Indicating
from api.market.markets import Markets
from api.market.surveillance import TOLD_AGAIN_S, Surveillance
from api.replica import Replica
from domain.carry import MarkEvidence
from domain.depth import BookEvidence
from domain.market import Witness
from domain.oracle import OracleEvent, OracleLost
from domain.quantity import Num
from domain.venue import HOUR_MS, BookLost, ClockDrift, FeedEvent, MarkReport, TradePrint
from tests.simulation.loop import SimLoop
from tests.spec.core.test_markets import ETH, a_book, a_price
from tests.support.desk import Desk
from tests.support.given import START_US
from tests.support.told_facts import ToldFacts


class Clock:
    def __init__(self, loop: SimLoop) -> None:
        self.loop = loop

    def now_us(self) -> int:
        return START_US + self.loop.now_us


class Signals:
    def __init__(self) -> None:
        self.market: list[tuple[str, str, str]] = []
        self.bodies: list[bytes] = []
        self.ladders: list[tuple[str, bytes]] = []

    def publish_market(self, venue: str, symbol: str, kind: str, body: bytes) -> None:
        self.market.append((venue, symbol, kind))
        self.bodies.append(body)

    def publish_indicative(self, pair: str, body: bytes) -> None:
        self.ladders.append((pair, body))


class Venue:
    venue = "okx"

    def __init__(self, *told: FeedEvent) -> None:
        self.told = told

    async def events(self) -> AsyncGenerator[FeedEvent, None]:
        for event in self.told:
            yield event
        await asyncio.Event().wait()


class Oracle:
    def __init__(self, *told: OracleEvent) -> None:
        self.told = told

    async def events(self) -> AsyncGenerator[OracleEvent, None]:
        for event in self.told:
            yield event
        await asyncio.Event().wait()


class View:
    """Show what the desk's witnesses say, always fresh."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.spoilt: str | None = None

    def look(self, now_us: int) -> tuple[BookEvidence, ...]:
        del now_us
        return self.desk.evidence

    def marks(self, now_us: int) -> tuple[MarkEvidence, ...]:
        del now_us
        return self.desk.marks

    def witnesses(self, now_us: int) -> tuple[Witness, ...]:
        del now_us
        said = self.desk.witnesses
        if self.spoilt is None:
            return said
        return tuple(
            msgspec.structs.replace(word, bid=word.bid * 2, ask=word.ask * 2) if word.source == self.spoilt else word
            for word in said
        )


async def _for(loop_s: float, *work: "asyncio.Task[None]") -> None:
    await asyncio.sleep(loop_s)
    for task in work:
        task.cancel()


TRADE = TradePrint(
    venue="okx",
    symbol=ETH.symbol,
    trade_id="1",
    price=Decimal(2000),
    quantity=Decimal(1),
    taker="buy",
    exchange_at_us=START_US,
    received_at_us=START_US,
)
DRIFT = ClockDrift(venue="okx", drift_ms=70, round_trip_ms=4, at_us=START_US)
MARKED = MarkReport(
    venue="okx",
    symbol=ETH.symbol,
    mark_price=Decimal(2000),
    index_price=Decimal(2000),
    funding_rate=Decimal("0.0001"),
    funding_interval_ms=8 * HOUR_MS,
    next_funding_us=START_US + 1,
    at_us=START_US,
)
LOST = BookLost(venue="okx", symbol=ETH.symbol, reason="gap: 5 after 3", at_us=START_US)


def test_everything_heard_is_published_kept_in_view_and_handed_on() -> None:
    loop, markets, signals, taken = SimLoop(), Markets(), Signals(), list[object]()
    feeding = Feeding(markets, signals, taken.append)

    async def main() -> None:
        venue = asyncio.create_task(feeding.hear_venue(Venue(DRIFT, a_book(), TRADE, MARKED, LOST), [ETH]))
        oracle = asyncio.create_task(feeding.hear_oracle(Oracle(a_price())))
        await _for(1, venue, oracle)

    loop.run_until_complete(main())
    loop.close()
    kinds = [kind for _, _, kind in signals.market]
    assert sorted(kinds) == ["book", "book", "drift", "mark", "price", "trade"]
    assert len(taken) == feeding.published == 6
    assert [mark.funding_rate for mark in markets.marks(START_US)] == [Num("0.0001")]
    venue, oracle = markets.witnesses(START_US)
    assert (venue.lost, venue.drift_ms, oracle.source) == ("gap: 5 after 3", 70, "pyth")


def test_a_venue_that_went_away_loses_each_of_its_books() -> None:
    loop, markets, signals = SimLoop(), Markets(), Signals()
    feeding = Feeding(markets, signals)

    async def main() -> None:
        await _for(1, asyncio.create_task(feeding.hear_venue(Venue(a_book()), [ETH])))

    loop.run_until_complete(main())
    loop.close()
    feeding.lose_venue("okx", [ETH.symbol, "never/HEARD"], "maintenance", START_US)
    (word,) = markets.witnesses(START_US)
    assert word.lost == "disconnected: maintenance"


def test_a_lost_oracle_is_told_as_lost() -> None:
    loop, markets, signals = SimLoop(), Markets(), Signals()
    feeding = Feeding(markets, signals)
    lost = OracleLost(oracle="pyth", feed="eth", reason="silence", at_us=START_US)

    async def main() -> None:
        await _for(1, asyncio.create_task(feeding.hear_oracle(Oracle(a_price(), lost))))

    loop.run_until_complete(main())
    loop.close()
    (word,) = markets.witnesses(START_US)
    assert word.lost == "silence"


def surveyed(desk: Desk, view: View, seconds: float, *, at: Sequence[tuple[float, str | None]] = ()) -> ToldFacts:
    """Watch for a while; `at` says when whose prices are spoilt."""
    loop, facts = SimLoop(), ToldFacts()

    async def main() -> None:
        watch = Surveillance(Replica(desk.book, 1), view, facts, Clock(loop))
        task = asyncio.create_task(watch.run())
        before = 0.0
        for when, spoilt in at:
            await asyncio.sleep(when - before)
            before, view.spoilt = when, spoilt
        await _for(seconds - before, task)

    loop.run_until_complete(main())
    loop.close()
    return facts


def test_a_sound_market_is_told_of_to_nobody() -> None:
    desk = Desk()
    assert surveyed(desk, View(desk), 20).told == []


def test_a_venue_that_lies_is_suspended_at_once_and_resumed_when_it_is_sound_again() -> None:
    desk = Desk()
    facts = surveyed(desk, View(desk), 14, at=[(1, "bybit"), (2, None)])
    told = [(body["scope"], kind) for kind in ("market.suspend", "market.resume") for body in facts.bodies(kind)]
    assert {scope for scope, _ in told if scope != "venue:bybit"} >= {"instrument:bybit|ETH/USDT:USDT"}
    assert facts.kinds().index("market.suspend") < facts.kinds().index("market.resume")


def test_a_report_that_was_lost_is_told_again() -> None:
    desk = Desk()
    facts = surveyed(desk, View(desk), 1 + TOLD_AGAIN_S * 2.5, at=[(1, "bybit")])
    scopes = [body["scope"] for body in facts.bodies("market.suspend")]
    assert scopes.count("instrument:bybit|ETH/USDT:USDT") >= 2


def test_a_loss_that_was_over_before_the_next_look_counts() -> None:
    desk, loop = Desk(), SimLoop()
    watch = Surveillance(Replica(desk.book, 1), View(desk), ToldFacts(), Clock(loop))
    assert watch.look() == ()
    watch.take(BookLost(venue="bybit", symbol=ETH.symbol, reason="gap: 5 after 3", at_us=START_US))
    (first, *_) = watch.look()
    assert (first.scope, first.suspended, str(first.law)) == ("instrument:bybit|ETH/USDT:USDT", True, "gap")
    loop.close()


@pytest.mark.parametrize("seconds", [SAMPLE_EVERY_S + 1])
def test_ladders_are_published_four_times_a_second_and_sampled_into_the_log(seconds: float) -> None:
    desk, loop, signals, facts = Desk(), SimLoop(), Signals(), ToldFacts()
    indicating = Indicating(Replica(desk.book, 1), View(desk), signals, facts, Clock(loop))

    async def main() -> None:
        await _for(seconds, asyncio.create_task(indicating.run()))

    loop.run_until_complete(main())
    loop.close()
    pairs = [pair for pair, _ in signals.ladders]
    assert pairs.count("WETH/USDe") == pytest.approx(seconds / LADDER_EVERY_S, abs=2)
    shown = msgspec.json.decode(signals.ladders[0][1])
    assert shown["mint"]
    assert shown["sources"]
    assert facts.kinds() == ["indicative.sample"] * len(set(pairs))
