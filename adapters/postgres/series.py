"""The writer of the time series: takes what is to be kept at once, writes it in batches, and never makes anyone wait.

What waits is bounded: when the database is slow or away, the oldest rows are dropped and counted. A batch whose outcome
is not known is written again, since every row has its key. Rows are not flushed to disk one by one: a crash of the
server may take the last second of them, and the log needs none.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Mapping
from functools import partial

import asyncpg
import msgspec

from adapters.postgres.pool import connect_reader
from adapters.postgres.series_days import Days
from adapters.postgres.series_rows import (
    Row,
    Unfit,
    at_us,
    book_row,
    funding_row,
    lost_book_row,
    mark_row,
    price_row,
    trade_row,
)
from adapters.postgres.series_tables import BOOKS, FUNDING, MARKS, PRICES, TABLES, TRADES, SeriesTable
from adapters.postgres.views_reach import reaching
from commands.ports import Clock
from domain.oracle import OraclePrice
from domain.venue import BookLost, BookUpdate, MarkReport, TradePrint
from projections.ports import StoreUnreachable

LOG = logging.getLogger("ballast.series")

ROWS_MAX = 20_000
"""So many rows of a table wait at most; a minute of trades at 300 a second."""
BATCH_ROWS_MAX = 200
"""Small, since the loop that encodes a batch is the one that hears the market."""
GATHER_S = 0.25
DAYS_EVERY_S = 600.0
PAUSE_S = 0.2
PAUSE_S_MAX = 5.0
AWAY_S_MAX = 600.0
CLOSE_S_MAX = 5.0

# What a server answers that may be well in a while: locks, memory, disk, a standby that is not yet the primary.
_PASSING = (
    asyncpg.LockNotAvailableError,
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.InsufficientResourcesError,
    asyncpg.ReadOnlySQLTransactionError,
)


class SeriesUnreachable(Exception):
    """Say that the time series could not be written for longer than the bound."""


class SeriesCount(msgspec.Struct, kw_only=True):
    """Count one table's rows since the start.

    `written` are new in the database, `known` were there already, `unfit` no column could hold, `outside` had a time
    for which there is no day, `dropped` did not find room or time.
    """

    written: int = 0
    known: int = 0
    unfit: int = 0
    outside: int = 0
    dropped: int = 0


class SeriesStore:
    """Keep samples of the market under the service's role. Belongs to one event loop.

    `run` writes until cancelled; `close` afterwards writes what still waits, within CLOSE_S_MAX.
    """

    def __init__(self, dsn: str, clock: Clock, retention_days: Mapping[str, int], rows_max: int = ROWS_MAX) -> None:
        self.counts = {name: SeriesCount() for name in TABLES}
        self.days = Days(retention_days)
        self._dsn = dsn
        self._clock = clock
        self._rows_max = rows_max
        self._waiting = {name: deque[Row]() for name in TABLES}
        self._in_flight: tuple[SeriesTable, list[Row]] | None = None
        self._filled = asyncio.Event()
        self._connection: asyncpg.Connection[asyncpg.Record] | None = None
        self._busy = False

    @property
    def waiting(self) -> int:
        """Return how many rows are not written yet."""
        in_flight = len(self._in_flight[1]) if self._in_flight is not None else 0
        return in_flight + sum(len(rows) for rows in self._waiting.values())

    def keep_book(self, book: BookUpdate) -> None:
        """Keep the best levels of a book."""
        self._keep(BOOKS, partial(book_row, book))

    def keep_lost_book(self, lost: BookLost) -> None:
        """Keep that there is no book, and why."""
        self._keep(BOOKS, partial(lost_book_row, lost))

    def keep_trade(self, trade: TradePrint) -> None:
        """Keep a trade; the same one again is known."""
        self._keep(TRADES, partial(trade_row, trade))

    def keep_mark(self, mark: MarkReport) -> None:
        """Keep a mark and its index."""
        self._keep(MARKS, partial(mark_row, mark))

    def keep_funding(self, mark: MarkReport) -> None:
        """Keep the funding that a mark announces."""
        self._keep(FUNDING, partial(funding_row, mark))

    def keep_price(self, price: OraclePrice) -> None:
        """Keep an oracle's price."""
        self._keep(PRICES, partial(price_row, price))

    async def run(self) -> None:
        """Write until cancelled; raise `SeriesUnreachable` when the database stays away."""
        loop = asyncio.get_running_loop()
        away_since: float | None = None
        pause_s = PAUSE_S
        while True:
            try:
                await self._write()
            except (StoreUnreachable, *_PASSING) as error:
                self._disconnect()
                away_since = away_since or loop.time()
                if loop.time() - away_since > AWAY_S_MAX:
                    raise SeriesUnreachable(f"the time series cannot be written: {error}") from error
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, PAUSE_S_MAX)
                continue
            away_since, pause_s = None, PAUSE_S
            await self._something_to_do()

    async def close(self) -> None:
        """Write what waits if that is soon done, then hang up; what is left is counted as dropped. Idempotent."""
        try:
            if self._busy:
                self._disconnect()  # cancelled in the midst of a statement: nobody knows what comes on it next
            async with asyncio.timeout(CLOSE_S_MAX):
                if self.waiting:
                    await self._write()
                await self._hang_up()
        except (StoreUnreachable, TimeoutError, *_PASSING) as error:
            LOG.warning("%d samples of the market are lost at the end: %r", self.waiting, error)
            self._give_up()
        finally:
            self._disconnect()

    def _keep(self, table: SeriesTable, make: "partial[Row]") -> None:
        count, rows = self.counts[table.name], self._waiting[table.name]
        try:
            row = make()
        except Unfit:
            count.unfit += 1
            return
        if len(rows) >= self._rows_max:
            rows.popleft()
            count.dropped += 1
        rows.append(row)
        self._filled.set()

    async def _something_to_do(self) -> None:
        """Wait for rows, and a little longer for more of them; or until the days are due to be looked after."""
        try:
            async with asyncio.timeout(DAYS_EVERY_S):
                await self._filled.wait()
        except TimeoutError:
            return
        await asyncio.sleep(GATHER_S)

    async def _write(self) -> None:
        """Write everything that waits."""
        self._busy = True
        connection = await self._connected()
        if self.days.due(now_us := self._clock.now_us()):
            with reaching():
                await self.days.keep(connection, now_us)
        self._filled.clear()
        for name, table in TABLES.items():
            while self._waiting[name] or self._in_flight is not None:
                await self._write_batch(connection, table)
        self._busy = False

    async def _write_batch(self, connection: "asyncpg.Connection[asyncpg.Record]", table: SeriesTable) -> None:
        if self._in_flight is None:
            self._in_flight = (table, self._taken(table))
        table, rows = self._in_flight
        count = self.counts[table.name]
        inserted = 0
        if rows:
            with reaching():
                told = await connection.execute(table.insert, *map(list, zip(*rows, strict=True)))
            inserted = int(told.rpartition(" ")[2])
        count.written += inserted
        count.known += len(rows) - inserted
        self._in_flight = None

    def _taken(self, table: SeriesTable) -> list[Row]:
        """Take the oldest rows that wait, without those that have no day."""
        waiting = self._waiting[table.name]
        rows = [waiting.popleft() for _ in range(min(BATCH_ROWS_MAX, len(waiting)))]
        kept = [row for row in rows if self.days.holds(at_us(row))]
        self.counts[table.name].outside += len(rows) - len(kept)
        return kept

    async def _connected(self) -> "asyncpg.Connection[asyncpg.Record]":
        if self._connection is None or self._connection.is_closed():
            with reaching():
                self._connection = await connect_reader(self._dsn)
                await self._connection.execute("set synchronous_commit = off")
        return self._connection

    async def _hang_up(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with reaching():
                await connection.close()

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()

    def _give_up(self) -> None:
        if self._in_flight is not None:
            table, rows = self._in_flight
            self.counts[table.name].dropped += len(rows)
            self._in_flight = None
        for name, rows in self._waiting.items():
            self.counts[name].dropped += len(rows)
            rows.clear()
