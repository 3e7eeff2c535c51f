"""The time series on a real server: exact rows, days, lost connections, duplicates, back pressure."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import asyncpg
import pytest

from adapters.postgres import series as writing
from adapters.postgres.series import BATCH_ROWS_MAX, SeriesStore, SeriesUnreachable
from adapters.postgres.series_days import DAY_US, Days
from adapters.postgres.series_tables import TABLES
from domain.oracle import OraclePrice
from domain.venue import BookLost, BookUpdate, MarkReport, TradePrint
from tests.support.postgres_proxy import proxied

D = Decimal
WITHIN_S = 20
RETENTION = dict.fromkeys(TABLES, 7)
SYMBOL = "ETH/USDT:USDT"


class SetClock:
    """Tell a date that the test sets."""

    def __init__(self, now_us: int) -> None:
        self.at_us = now_us

    def now_us(self) -> int:
        return self.at_us


def midday_us() -> int:
    """Return today's noon by the server's own day, which the partitions are judged by."""
    today = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
    return int(today.timestamp()) * 1_000_000


def trade(number: int, at_us: int, **changes: Any) -> TradePrint:
    told: dict[str, Any] = {
        "venue": "okx",
        "symbol": SYMBOL,
        "trade_id": f"t{number}",
        "price": D("2000.10"),
        "quantity": D("0.000000000000000001"),
        "taker": "sell",
        "exchange_at_us": at_us,
        "received_at_us": at_us + 5_000,
    }
    return TradePrint(**told | changes)


def book(at_us: int, **changes: Any) -> BookUpdate:
    told: dict[str, Any] = {
        "venue": "okx",
        "symbol": SYMBOL,
        "bids": ((D("2000.10"), D("1.5")), (D(2000), D("1E+3"))),
        "asks": ((D("2000.20"), D("0.25")),),
        "sequence": 77,
        "exchange_at_us": at_us - 3_000,
        "received_at_us": at_us,
    }
    return BookUpdate(**told | changes)


def mark(at_us: int, **changes: Any) -> MarkReport:
    told: dict[str, Any] = {
        "venue": "okx",
        "symbol": SYMBOL,
        "mark_price": D("2000.15"),
        "index_price": D("2000.11"),
        "funding_rate": D("-0.0001"),
        "funding_interval_ms": 4 * 3_600_000,
        "next_funding_us": at_us + 3_600_000_000,
        "at_us": at_us,
    }
    return MarkReport(**told | changes)


def oracle_price(at_us: int, **changes: Any) -> OraclePrice:
    told: dict[str, Any] = {
        "oracle": "pyth",
        "feed": "0xff",
        "base": "ETH",
        "quote": "USD",
        "price": D("2000.12345678"),
        "confidence": D("0.5"),
        "published_at_us": at_us,
        "received_at_us": at_us + 400_000,
        "sequence": 9,
        "signers": ("0xaa", "0xbb"),
    }
    return OraclePrice(**told | changes)


async def rows(dsn: str, statement: str, *arguments: object) -> list[tuple[Any, ...]]:
    connection = await asyncpg.connect(dsn)
    try:
        return [tuple(row) for row in await connection.fetch(statement, *arguments)]
    finally:
        await connection.close()


async def partitions(dsn: str, table: str) -> list[str]:
    found = await rows(
        dsn, "select inhrelid::regclass::text from pg_inherits where inhparent = $1::regclass order by 1", table
    )
    return [name for (name,) in found]


def named(table: str, day: date) -> str:
    return f"{table}_{day:%Y%m%d}"


@asynccontextmanager
async def running(store: SeriesStore) -> AsyncGenerator[None]:
    """Run a store, and close it as its process would."""
    task = asyncio.create_task(store.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await store.close()


async def written(store: SeriesStore) -> None:
    """Wait until nothing waits any more."""
    async with asyncio.timeout(WITHIN_S):
        while store.waiting:  # noqa: ASYNC110 - the store tells nobody that it has written
            await asyncio.sleep(0.01)


async def test_every_kind_is_kept_exactly(dsns: tuple[str, str]) -> None:
    now_us = midday_us()
    store = SeriesStore(dsns[0], SetClock(now_us), RETENTION)
    store.keep_book(book(now_us))
    store.keep_lost_book(BookLost(venue="okx", symbol=SYMBOL, reason="a gap: 7 after 5", at_us=now_us + 1))
    store.keep_trade(trade(1, now_us))
    store.keep_mark(mark(now_us))
    store.keep_funding(mark(now_us))
    store.keep_price(oracle_price(now_us))
    await store.close()
    at = datetime.fromtimestamp(now_us / 1e6, UTC)
    assert await rows(dsns[1], "select * from market_books order by at") == [
        (
            *("okx", SYMBOL, at, 77, at - timedelta(milliseconds=3)),
            *([D("2000.10"), D(2000)], [D("1.5"), D(1000)], [D("2000.20")], [D("0.25")], ""),
        ),
        ("okx", SYMBOL, at + timedelta(microseconds=1), 0, at + timedelta(microseconds=1), [], [], [], [],
         "a gap: 7 after 5"),
    ]  # fmt: skip
    assert await rows(dsns[1], "select trade_id, price, quantity, taker, received_at from market_trades") == [
        ("t1", D("2000.10"), D("0.000000000000000001"), "sell", at + timedelta(milliseconds=5))
    ]
    assert await rows(dsns[1], "select * from market_marks") == [("okx", SYMBOL, at, D("2000.15"), D("2000.11"))]
    assert await rows(dsns[1], "select * from market_funding") == [
        ("okx", SYMBOL, at, D("-0.0001"), 14_400_000, D("-0.000025"), at + timedelta(hours=1))
    ]
    assert await rows(dsns[1], "select * from oracle_prices") == [
        (
            *("pyth", "0xff", at, 9, "ETH", "USD", D("2000.12345678"), D("0.5")),
            *(at + timedelta(milliseconds=400), ["0xaa", "0xbb"]),
        )
    ]
    assert sum(count.written for count in store.counts.values()) == 6
    assert store.waiting == 0


async def test_a_trade_told_again_is_known(dsns: tuple[str, str]) -> None:
    now_us = midday_us()
    store = SeriesStore(dsns[0], SetClock(now_us), RETENTION)
    async with running(store):
        for _ in range(2):
            for number in range(10):
                store.keep_trade(trade(number, now_us))
        # The same trade with another time, as a venue tells it by another channel.
        store.keep_trade(trade(3, now_us + 1))
        store.keep_trade(trade(3, now_us, venue="bybit"))
        await written(store)
        store.keep_trade(trade(4, now_us))
        await written(store)
    assert await rows(dsns[1], "select venue, count(*) from market_trades group by venue order by 1") == [
        ("bybit", 1),
        ("okx", 10),
    ]
    assert (store.counts["market_trades"].written, store.counts["market_trades"].known) == (11, 12)


async def test_a_new_day_has_its_partition_before_it_begins(dsns: tuple[str, str]) -> None:
    today = datetime.now(UTC).date()
    midnight_us = int(datetime(today.year, today.month, today.day, tzinfo=UTC).timestamp()) * 1_000_000 + DAY_US
    clock = SetClock(midnight_us - 1)
    store = SeriesStore(dsns[0], clock, RETENTION)
    async with running(store):
        store.keep_trade(trade(1, midnight_us - 1))
        # Already tomorrow by the venue's clock, not yet by ours.
        store.keep_trade(trade(2, midnight_us))
        await written(store)
        assert not any(store.days.due(clock.at_us + n) for n in (0, 1_000_000) if clock.at_us + n < midnight_us)
        clock.at_us = midnight_us + 1
        store.keep_trade(trade(3, midnight_us + 1))
        store.keep_trade(trade(4, midnight_us - 2))
        await written(store)
    for day, expected in ((today, {"t1", "t4"}), (today + timedelta(days=1), {"t2", "t3"})):
        found = await rows(dsns[1], f"select trade_id from {named('market_trades', day)}")  # noqa: S608 - our names
        assert {name for (name,) in found} == expected
    days = [today + timedelta(days=offset) for offset in range(-1, 4)]
    for table in TABLES:
        assert await partitions(dsns[1], table) == [named(table, day) for day in days]


async def test_a_day_is_in_utc_whatever_the_session_thinks(dsns: tuple[str, str], migrated: str) -> None:
    today = datetime.now(UTC).date()
    connection = await asyncpg.connect(dsns[0])
    try:
        await connection.execute("set timezone = 'Pacific/Auckland'; set datestyle = 'SQL, DMY'")
        assert await connection.fetchval("select series_day_prepare($1)", today) == len(TABLES)
        assert await connection.fetchval("select series_day_prepare($1)", today) == 0
        await connection.execute("set timezone = 'UTC'")
        bound = await connection.fetchval(
            "select pg_get_expr(relpartbound, oid) from pg_class where relname = $1", named("market_marks", today)
        )
    finally:
        await connection.close()
    assert f"{today:%d/%m/%Y} 00:00:00 UTC" in bound
    assert f"{today + timedelta(days=1):%d/%m/%Y} 00:00:00 UTC" in bound


async def test_what_is_older_than_its_retention_goes_with_its_day(dsns: tuple[str, str], migrated: str) -> None:
    now_us, today = midday_us(), datetime.now(UTC).date()
    owner = await asyncpg.connect(migrated)
    for back in range(2, 50):
        day = today - timedelta(days=back)
        for table in TABLES:
            await owner.execute(
                f"create table {named(table, day)} partition of {table} for values from ('{day}') to ('{day + timedelta(days=1)}')"  # noqa: E501 - one statement
            )
    await owner.execute("create table market_trades_archive (like market_trades)")
    await owner.close()
    retention = {"market_books": 1, "market_trades": 7, "market_marks": 30, "market_funding": 730, "oracle_prices": 45}
    store = SeriesStore(dsns[0], SetClock(now_us), retention)
    store.keep_trade(trade(1, now_us))
    await store.close()
    service = await asyncpg.connect(dsns[0])
    await store.days.keep(service, now_us)  # the second time: at most 31 go at once
    await service.close()
    assert store.days.postponed == 0
    for table, days in retention.items():
        kept = min(days, 49)
        expected = [named(table, today - timedelta(days=back)) for back in range(kept, -3, -1)]
        assert await partitions(dsns[1], table) == expected, table
    assert await rows(dsns[1], "select count(*) from market_trades_archive") == [(0,)]


async def test_a_day_that_is_being_read_is_dropped_from_next_time(dsns: tuple[str, str], migrated: str) -> None:
    now_us, today = midday_us(), datetime.now(UTC).date()
    old = today - timedelta(days=9)
    owner = await asyncpg.connect(migrated)
    await owner.execute(
        f"create table {named('market_trades', old)} partition of market_trades for values from ('{old}') to ('{old + timedelta(days=1)}')"  # noqa: E501 - one statement
    )
    reader = owner.transaction()
    await reader.start()
    await owner.fetch("select * from market_trades")
    days, service = Days(RETENTION), await asyncpg.connect(dsns[0])
    await days.keep(service, now_us)
    assert (days.postponed, days.dropped) == (1, 0)
    assert not days.due(now_us)
    await reader.rollback()
    later_us = now_us + 600_000_000
    assert days.due(later_us)
    await days.keep(service, later_us)
    assert (days.postponed, days.dropped) == (1, 1)
    await owner.close()
    await service.close()


FORBIDDEN = [
    *(f"delete from {table}" for table in TABLES),  # noqa: S608 - our names
    *(f"truncate {table}" for table in TABLES),
    *(f"drop table {table}" for table in TABLES),
    *(f"update {table} set at = at" for table in TABLES),  # noqa: S608 - same
    *(f"alter table {table} add x int" for table in TABLES),
    "create table market_trades_19990101 partition of market_trades for values from ('1999-01-01') to ('1999-01-02')",
]
FORBIDDEN_OF_A_DAY = [
    *("delete from {day}", "drop table {day}", "update {day} set price = 1", "insert into {day} select * from {day}"),
    "alter table market_trades detach partition {day}",
]
FORBIDDEN_TO_READERS = [
    "insert into market_marks values ('okx', 's', now(), 1, 1)",
    "select series_day_prepare(current_date)",
    "select series_days_drop('market_trades', current_date - 30)",
]


async def test_the_service_may_not_change_or_drop_what_is_kept(dsns: tuple[str, str]) -> None:
    now_us, today = midday_us(), datetime.now(UTC).date()
    store = SeriesStore(dsns[0], SetClock(now_us), RETENTION)
    store.keep_trade(trade(1, now_us))
    await store.close()
    day = named("market_trades", today)
    service, auditor = await asyncpg.connect(dsns[0]), await asyncpg.connect(dsns[1])
    for change in (*FORBIDDEN, *(change.format(day=day) for change in FORBIDDEN_OF_A_DAY)):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await service.execute(change)
    await auditor.execute("set default_transaction_read_only = off")
    for change in (*FORBIDDEN, *FORBIDDEN_TO_READERS):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await auditor.execute(change)
    await service.close()
    await auditor.close()


@pytest.mark.parametrize(
    "call",
    [
        "series_day_prepare(current_date - 4)",
        "series_day_prepare(current_date + 9)",
        "series_day_prepare('infinity')",
        "series_day_prepare('-infinity')",
        "series_day_prepare(null)",
        "series_days_drop('stored_events', '2020-01-01')",
        "series_days_drop('market_trades; drop table stored_events', '2020-01-01')",
        "series_days_drop(null, '2020-01-01')",
        "series_days_drop('market_trades', current_date + 1)",
        "series_days_drop('market_trades', 'infinity')",
        "series_days_drop('market_trades', null)",
    ],
)
async def test_a_day_out_of_bounds_is_refused(dsns: tuple[str, str], call: str) -> None:
    service = await asyncpg.connect(dsns[0])
    try:
        with pytest.raises(asyncpg.PostgresError) as refused:
            await service.execute(f"select {call}")
        assert refused.value.sqlstate == "BA003"
        assert await service.fetchval("select series_days_drop('market_trades', '-infinity')") == 0
    finally:
        await service.close()


async def test_the_functions_cannot_be_led_astray_by_a_search_path(dsns: tuple[str, str]) -> None:
    service = await asyncpg.connect(dsns[0])
    try:
        await service.execute(
            "create temporary table pg_inherits as select 'stored_events'::regclass::oid as inhrelid, "
            "'market_trades'::regclass::oid as inhparent; set search_path = pg_temp, public"
        )
        assert await service.fetchval("select public.series_days_drop('market_trades', '2020-01-01')") == 0
    finally:
        await service.close()
    assert await rows(dsns[1], "select count(*) from public.stored_events") == [(0,)]


@pytest.mark.parametrize("loss", ["lose_answers", "lose_requests"])
async def test_a_connection_lost_in_the_midst_of_a_batch_loses_nothing_and_doubles_nothing(
    dsns: tuple[str, str], loss: str
) -> None:
    now_us = midday_us()
    async with proxied(dsns[0]) as (proxy, dsn):
        store = SeriesStore(dsn, SetClock(now_us), RETENTION)
        async with running(store):
            store.keep_trade(trade(0, now_us))
            await written(store)
            setattr(proxy, loss, True)
            for number in range(1, 3 * BATCH_ROWS_MAX):
                store.keep_trade(trade(number, now_us))
            async with asyncio.timeout(WITHIN_S):
                await proxy.cut.wait()
            await written(store)
        count = store.counts["market_trades"]
        assert count.written + count.known == 3 * BATCH_ROWS_MAX
        assert count.dropped == 0
    assert await rows(dsns[1], "select count(*), count(distinct trade_id) from market_trades") == [
        (3 * BATCH_ROWS_MAX, 3 * BATCH_ROWS_MAX)
    ]


async def test_a_server_that_is_away_costs_the_oldest_rows_only(dsns: tuple[str, str]) -> None:
    now_us = midday_us()
    async with proxied(dsns[0]) as (proxy, dsn):
        store = SeriesStore(dsn, SetClock(now_us), RETENTION, rows_max=100)
        async with running(store):
            store.keep_mark(mark(now_us))
            await written(store)
            proxy.refuse = True
            await proxy.close()
            for number in range(1_000):
                store.keep_trade(trade(number, now_us))  # returns at once, whatever the server does
            assert store.waiting == 100
            proxy.refuse = False
            await written(store)
    assert store.counts["market_trades"].dropped == 900
    assert store.counts["market_trades"].written == 100
    assert await rows(dsns[1], "select min(trade_id), max(trade_id), count(*) from market_trades") == [
        ("t900", "t999", 100)
    ]


async def test_a_server_that_stays_away_is_told(dsns: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "AWAY_S_MAX", 0.3)
    async with proxied(dsns[0]) as (proxy, dsn):
        proxy.refuse = True
        store = SeriesStore(dsn, SetClock(midday_us()), RETENTION)
        store.keep_trade(trade(1, midday_us()))
        async with asyncio.timeout(WITHIN_S):
            with pytest.raises(SeriesUnreachable):
                await store.run()
        await store.close()
    assert (store.counts["market_trades"].dropped, store.waiting) == (1, 0)


async def test_the_end_writes_what_waits_even_from_the_midst_of_a_batch(dsns: tuple[str, str]) -> None:
    now_us = midday_us()
    async with proxied(dsns[0]) as (proxy, dsn):
        store = SeriesStore(dsn, SetClock(now_us), RETENTION)
        task = asyncio.create_task(store.run())
        store.keep_mark(mark(now_us))
        await written(store)
        proxy.held.clear()
        for number in range(50):
            store.keep_trade(trade(number, now_us))
        async with asyncio.timeout(WITHIN_S):
            while not store._in_flight:  # noqa: ASYNC110 - same
                await asyncio.sleep(0.01)
        store.keep_trade(trade(50, now_us))
        task.cancel()
        proxy.held.set()
        await asyncio.gather(task, return_exceptions=True)
        await store.close()
        await store.close()
    assert await rows(dsns[1], "select count(*) from market_trades") == [(51,)]
    assert store.counts["market_trades"].dropped == 0


UNFIT = [
    trade(1, 1, price=D("NaN")),
    trade(1, 1, price=D("Infinity")),
    trade(1, 1, price=D(0)),
    trade(1, 1, quantity=D(-1)),
    trade(1, 1, price=D("1E+41")),
    trade(1, 1, trade_id="a\x00b"),
    trade(1, 1, symbol="x" * 129),
    trade(1, -1),
    trade(1, 1, received_at_us=1 << 63),
]


async def test_a_row_that_fits_no_column_is_counted_and_spoils_no_batch(dsns: tuple[str, str]) -> None:
    now_us = midday_us()
    store = SeriesStore(dsns[0], SetClock(now_us), RETENTION)
    for unfit in UNFIT:
        store.keep_trade(unfit)
    store.keep_book(book(now_us, sequence=1 << 63))
    store.keep_book(book(now_us, bids=((D("sNaN"), D(1)),)))
    store.keep_funding(mark(now_us, funding_interval_ms=0))
    store.keep_price(oracle_price(now_us, signers=("a,b",)))
    # Well formed, but of another age: a venue's clock gone wrong.
    for at_us in (0, now_us - 2 * DAY_US, now_us + 3 * DAY_US):
        store.keep_trade(trade(at_us % 89, at_us))
    store.keep_trade(trade(1, now_us))
    await store.close()
    count = store.counts["market_trades"]
    assert (count.unfit, count.outside, count.written) == (len(UNFIT), 3, 1)
    assert [store.counts[name].unfit for name in ("market_books", "market_funding", "oracle_prices")] == [2, 1, 1]


async def test_the_server_takes_what_is_at_the_edge_of_fitting(dsns: tuple[str, str]) -> None:
    now_us = midday_us()
    store = SeriesStore(dsns[0], SetClock(now_us), RETENTION)
    last_us = 253_402_300_799_999_999
    odd = "a'b\"c{d}\\~é"
    edge = trade(1, now_us, symbol=odd, trade_id="", price=D("1E+40"), quantity=D("1E-40"), received_at_us=last_us)
    store.keep_trade(edge)
    store.keep_book(book(now_us, symbol=odd, bids=(), asks=(), sequence=(1 << 63) - 1, exchange_at_us=0))
    store.keep_lost_book(BookLost(venue=odd, symbol=odd, reason=odd * 20, at_us=now_us))
    store.keep_mark(mark(now_us, index_price=D(0)))
    store.keep_funding(mark(now_us, funding_rate=D("1E-40"), funding_interval_ms=1, next_funding_us=0))
    store.keep_funding(mark(now_us + 1, funding_rate=D("-1E+40"), funding_interval_ms=(1 << 63) - 1))
    store.keep_price(oracle_price(now_us, sequence=-(1 << 63), signers=(), confidence=D(0), base=odd))
    await store.close()
    assert sum(count.written for count in store.counts.values()) == 7
    assert await rows(dsns[1], "select symbol, price, quantity from market_trades") == [(odd, D("1E+40"), D("1E-40"))]
    assert await rows(dsns[1], "select signers, base from oracle_prices") == [([], odd)]


@pytest.mark.parametrize(
    "retention",
    [{}, RETENTION | {"market_books": 0}, RETENTION | {"market_books": 4_000}, RETENTION | {"stored_events": 1}],
)
def test_a_retention_is_set_for_every_table_and_no_other(retention: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"market_books|retention"):
        Days(retention)
