"""What of everything that is heard is kept, and how often."""

from decimal import Decimal
from typing import Any

import pytest

from api.market import sampling
from api.market.sampling import Intervals, Sampler
from domain.oracle import OracleLost, OraclePrice
from domain.venue import BookLost, BookUpdate, ClockDrift, MarkReport, TradePrint

SECOND_US = 1_000_000
START_US = 1_700_000_000 * SECOND_US
SYMBOL = "ETH/USDT:USDT"


class Kept:
    """Remember what was kept, by kind."""

    def __init__(self) -> None:
        self.all: list[tuple[str, Any]] = []

    def keep_book(self, book: BookUpdate) -> None:
        self.all.append(("book", book))

    def keep_lost_book(self, lost: BookLost) -> None:
        self.all.append(("lost", lost))

    def keep_trade(self, trade: TradePrint) -> None:
        self.all.append(("trade", trade))

    def keep_mark(self, mark: MarkReport) -> None:
        self.all.append(("mark", mark))

    def keep_funding(self, mark: MarkReport) -> None:
        self.all.append(("funding", mark))

    def keep_price(self, price: OraclePrice) -> None:
        self.all.append(("price", price))

    def of(self, kind: str) -> list[Any]:
        return [event for found, event in self.all if found == kind]


@pytest.fixture
def kept() -> Kept:
    return Kept()


def book(at_us: int, venue: str = "okx", sequence: int = 1) -> BookUpdate:
    levels = ((Decimal(2000), Decimal(1)),)
    return BookUpdate(
        venue=venue, symbol=SYMBOL, bids=levels, asks=levels, sequence=sequence, exchange_at_us=0, received_at_us=at_us
    )


def lost(at_us: int) -> BookLost:
    return BookLost(venue="okx", symbol=SYMBOL, reason="gap", at_us=at_us)


def mark(at_us: int, *, interval_ms: int = 28_800_000, next_us: int = 7) -> MarkReport:
    price = Decimal(2000)
    return MarkReport(
        venue="okx",
        symbol=SYMBOL,
        mark_price=price,
        index_price=price,
        funding_rate=Decimal("0.0001"),
        funding_interval_ms=interval_ms,
        next_funding_us=next_us,
        at_us=at_us,
    )


def price(at_us: int, feed: str = "ETH") -> OraclePrice:
    return OraclePrice(
        oracle="pyth",
        feed=feed,
        base="ETH",
        quote="USD",
        price=Decimal(2000),
        confidence=Decimal(1),
        published_at_us=at_us,
        received_at_us=at_us + 5,
        sequence=1,
        signers=("a",),
    )


def test_the_first_book_of_each_second_is_kept_for_each_venue(kept: Kept) -> None:
    sampler = Sampler(kept)
    for tenth in range(35):
        for venue in ("okx", "bybit"):
            sampler.hear(book(START_US + tenth * 100_000, venue, tenth))
    assert [event.sequence for event in kept.of("book") if event.venue == "okx"] == [0, 10, 20, 30]
    assert len(kept.all) == 8


def test_a_lost_book_is_kept_at_once_and_once_and_so_is_its_return(kept: Kept) -> None:
    sampler = Sampler(kept)
    sampler.hear(book(START_US))
    for number in range(3):
        sampler.hear(lost(START_US + 10 + number * SECOND_US))
    sampler.hear(book(START_US + 2 * SECOND_US + 20, sequence=2))
    sampler.hear(book(START_US + 2 * SECOND_US + 30, sequence=3))
    sampler.hear(lost(START_US + 2 * SECOND_US + 40))
    assert [kind for kind, _ in kept.all] == ["book", "lost", "book", "lost"]


def test_every_trade_is_kept(kept: Kept) -> None:
    sampler = Sampler(kept)
    trade = TradePrint(
        venue="okx",
        symbol=SYMBOL,
        trade_id="1",
        price=Decimal(1),
        quantity=Decimal(1),
        taker="buy",
        exchange_at_us=START_US,
        received_at_us=START_US,
    )
    for _ in range(5):
        sampler.hear(trade)
    assert kept.of("trade") == [trade] * 5


def test_funding_is_kept_when_its_terms_change_and_once_a_minute(kept: Kept) -> None:
    sampler = Sampler(kept)
    for second in range(150):
        sampler.hear(mark(START_US + second * SECOND_US, next_us=7 if second < 70 else 8))
    assert len(kept.of("mark")) == 150
    starts = START_US % (60 * SECOND_US) // SECOND_US
    assert [(event.at_us - START_US) // SECOND_US for event in kept.of("funding")] == sorted(
        {0, 70, *range(60 - starts, 150, 60)}
    )
    sampler.hear(mark(START_US + 150 * SECOND_US, interval_ms=3_600_000, next_us=8))
    assert kept.of("funding")[-1].funding_interval_ms == 3_600_000


def test_what_pays_no_funding_has_none(kept: Kept) -> None:
    Sampler(kept).hear(mark(START_US, interval_ms=0))
    assert [kind for kind, _ in kept.all] == ["mark"]


def test_the_first_price_of_each_interval_is_kept_for_each_feed(kept: Kept) -> None:
    sampler = Sampler(kept, Intervals(price_ms=500))
    for tenth in range(10):
        for feed in ("ETH", "BTC"):
            sampler.hear(price(START_US + tenth * 100_000, feed))
    assert [(event.feed, event.published_at_us - START_US) for event in kept.of("price")] == [
        ("ETH", 0),
        ("BTC", 0),
        ("ETH", 500_000),
        ("BTC", 500_000),
    ]


def test_a_clock_that_was_ahead_for_a_moment_does_not_end_the_series(kept: Kept) -> None:
    sampler = Sampler(kept)
    for at_us in (START_US, START_US + 10**15, START_US + SECOND_US, START_US + 2 * SECOND_US):
        sampler.hear(mark(at_us))
    assert len(kept.of("mark")) == 4


def test_what_is_no_price_is_not_kept(kept: Kept) -> None:
    sampler = Sampler(kept)
    sampler.hear(ClockDrift(venue="okx", drift_ms=1, round_trip_ms=1, at_us=START_US))
    sampler.hear(OracleLost(oracle="pyth", feed="", reason="silence", at_us=START_US))
    assert kept.all == []


def test_subjects_are_bounded(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "SUBJECTS_MAX", 2)
    sampler = Sampler(kept)
    for venue in ("a", "b", "c"):
        sampler.hear(book(START_US, venue))
    sampler.hear(book(START_US + SECOND_US, "a"))
    assert [event.venue for event in kept.of("book")] == ["a", "b", "a"]
    assert sampler.overlooked == 1
