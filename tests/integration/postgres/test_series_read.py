"""Reading the time series: in order, in pages without a gap or a repeat, across days, under the auditor's role too."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import pytest

from adapters.postgres.series import SeriesStore
from adapters.postgres.series_days import DAY_US
from adapters.postgres.series_read import RangeRow, SeriesReader
from adapters.postgres.series_tables import TABLES
from adapters.postgres.views_reach import reading_pool
from domain.instant import rfc3339
from domain.oracle import OraclePrice
from domain.refusal import Unavailable
from domain.venue import BookLost, BookUpdate, MarkReport, TradePrint
from tests.support.postgres_proxy import proxied

SYMBOL = "ETH/USDT:USDT"
TRADES = 60


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Ask as the entrance does."""

    table: str
    source: str = "okx"
    symbol: str = SYMBOL
    from_us: int = 0
    to_us: int = 253_402_300_799_999_999
    limit: int = 1_000
    after_us: int | None = None
    after_tie: str = ""


class Noon:
    """Tell today's noon."""

    def now_us(self) -> int:
        today = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
        return int(today.timestamp()) * 1_000_000


NOON_US = Noon().now_us()
MIDNIGHT_US = NOON_US - DAY_US // 2


@pytest.fixture
async def reader(dsns: tuple[str, str]) -> AsyncIterator[SeriesReader]:
    """Give a reader under the auditor's role; the service has written one of everything, and trades over midnight."""
    store = SeriesStore(dsns[0], Noon(), dict.fromkeys(TABLES, 7))
    levels = ((Decimal("2000.10"), Decimal("1.50")), (Decimal("2E+3"), Decimal(1)))
    book = BookUpdate(
        venue="okx",
        symbol=SYMBOL,
        bids=levels,
        asks=levels[:1],
        sequence=11,
        exchange_at_us=NOON_US - 7,
        received_at_us=NOON_US,
    )
    store.keep_book(book)
    store.keep_book(msgspec.structs.replace(book, sequence=9))
    store.keep_lost_book(BookLost(venue="okx", symbol=SYMBOL, reason="silence", at_us=NOON_US + 1))
    mark = MarkReport(
        venue="okx",
        symbol=SYMBOL,
        mark_price=Decimal("2000.150"),
        index_price=Decimal(2000),
        funding_rate=Decimal("-1E-7"),
        funding_interval_ms=28_800_000,
        next_funding_us=NOON_US + 1,
        at_us=NOON_US,
    )
    store.keep_mark(mark)
    store.keep_mark(msgspec.structs.replace(mark, at_us=NOON_US + 1))
    store.keep_funding(mark)
    store.keep_price(
        OraclePrice(
            oracle="pyth",
            feed="0xff",
            base="ETH",
            quote="USD",
            price=Decimal("2000.123456780"),
            confidence=Decimal(0),
            published_at_us=NOON_US,
            received_at_us=NOON_US + 1,
            sequence=5,
            signers=("0xaa", "0xbb"),
        )
    )
    for number in range(TRADES):
        trade = TradePrint(
            venue="okx" if number % 3 else "bybit",
            symbol=SYMBOL,
            trade_id=f"{number:03}",
            price=Decimal(number + 1),
            quantity=Decimal(1),
            taker="buy",
            # Four trades in each instant, half of them before midnight.
            exchange_at_us=MIDNIGHT_US + number // 4 - TRADES // 8,
            received_at_us=NOON_US,
        )
        store.keep_trade(trade)
    await store.close()
    pool = await reading_pool(dsns[1])
    yield SeriesReader(pool)
    await pool.close()


async def everything(reader: SeriesReader, asked: Asked) -> list[RangeRow]:
    found: list[RangeRow] = []
    while page := await reader.read(asked):
        found += page
        asked = msgspec.structs.replace(asked, after_us=page[-1].at_us, after_tie=page[-1].tie)
    return found


@pytest.mark.parametrize("limit", [1, 7, 1_000])
async def test_pages_follow_each_other_over_midnight_and_within_an_instant(reader: SeriesReader, limit: int) -> None:
    found = await everything(reader, Asked(table="market_trades", limit=limit))
    assert [row.tie for row in found] == [f"{number:03}" for number in range(TRADES) if number % 3]
    assert {row.at_us < MIDNIGHT_US for row in found} == {True, False}
    assert len(await everything(reader, Asked(table="market_trades", source="bybit", limit=limit))) == TRADES // 3
    books = await everything(reader, Asked(table="market_books", limit=limit))
    assert [row.tie for row in books] == ["9", "11", "0"]
    assert len(await everything(reader, Asked(table="market_marks", limit=limit))) == 2


async def test_a_range_has_its_start_and_not_its_end(reader: SeriesReader) -> None:
    asked = Asked(table="market_trades", from_us=MIDNIGHT_US, to_us=MIDNIGHT_US + 2)
    assert {row.at_us - MIDNIGHT_US for row in await reader.read(asked)} == {0, 1}
    assert await reader.read(msgspec.structs.replace(asked, symbol="BTC/USDT:USDT")) == []


async def test_every_table_is_shown_in_exact_text(reader: SeriesReader) -> None:
    shown = {
        name: msgspec.json.decode((await reader.read(Asked(table=name, limit=1)))[0].document)
        for name in TABLES
        if name not in {"oracle_prices", "market_trades"}
    }
    told = {"at": rfc3339(NOON_US), "venue": "okx", "symbol": SYMBOL}
    assert shown == {
        "market_books": told
        | {
            "sequence": 9,
            "exchange_at": rfc3339(NOON_US - 7),
            "bids": [["2000.1", "1.5"], ["2000", "1"]],
            "asks": [["2000.1", "1.5"]],
            "lost": "",
        },
        "market_marks": told | {"mark_price": "2000.15", "index_price": "2000"},
        "market_funding": told
        | {
            "rate": "-0.0000001",
            "interval_ms": 28_800_000,
            "rate_per_hour": "-0.0000000125",
            "next_at": rfc3339(NOON_US + 1),
        },
    }
    (price,) = await reader.read(Asked(table="oracle_prices", source="pyth", symbol="0xff"))
    assert msgspec.json.decode(price.document) == {
        "at": rfc3339(NOON_US),
        "oracle": "pyth",
        "feed": "0xff",
        "sequence": 5,
        "base": "ETH",
        "quote": "USD",
        "price": "2000.12345678",
        "confidence": "0",
        "received_at": rfc3339(NOON_US + 1),
        "signers": ["0xaa", "0xbb"],
    }
    (trade,) = await reader.read(Asked(table="market_trades", limit=1))
    assert msgspec.json.decode(trade.document) == {
        "at": rfc3339(MIDNIGHT_US - TRADES // 8),
        "venue": "okx",
        "symbol": SYMBOL,
        "trade_id": "001",
        "price": "2",
        "quantity": "1",
        "taker": "buy",
        "received_at": rfc3339(NOON_US),
    }


async def test_a_tie_of_another_table_is_no_place(reader: SeriesReader) -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        await reader.read(Asked(table="market_books", after_us=NOON_US, after_tie="t1"))
    with pytest.raises(ValueError, match="64 bits"):
        await reader.read(Asked(table="market_books", after_us=NOON_US, after_tie=str(1 << 63)))


async def test_a_server_that_is_away_is_told_as_such(dsns: tuple[str, str]) -> None:
    async with proxied(dsns[0]) as (proxy, dsn):
        pool = await reading_pool(dsn)
        proxy.refuse = True
        proxy.lose_requests = True
        with pytest.raises(Unavailable):
            await SeriesReader(pool).read(Asked(table="market_trades"))
        await pool.close()
