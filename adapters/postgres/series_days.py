"""The days of the time series: a partition each, made before it begins and dropped when it is old enough.

The service owns no table: two functions of the migration make and drop its partitions for it.
"""

from collections.abc import Mapping
from datetime import date, timedelta

import asyncpg

from adapters.postgres.series_tables import TABLES

DAY_US = 86_400 * 1_000_000
DAYS_BEHIND = 1
"""Rows of yesterday still come: those that waited, and trades that a venue tells late."""
DAYS_AHEAD = 2
RETENTION_DAYS_MAX = 3_650
AGAIN_US = 600 * 1_000_000
"""Days are looked after when one begins, and again after so long: one may have been in use, or there were many."""

_EPOCH = date(1970, 1, 1)
_PREPARE = "select public.series_day_prepare($1)"
_DROP = "select public.series_days_drop($1, $2)"


def day_of(at_us: int) -> int:
    """Return the UTC day of an instant, counted from the epoch."""
    return at_us // DAY_US


class Days:
    """Keep the partitions of yesterday, today and two days ahead there, and those beyond their retention away.

    `retention_days` says for each table how many whole days are kept before today. Raise ValueError for a table left
    out, unknown, or with a number that is not from 1 to RETENTION_DAYS_MAX.
    """

    def __init__(self, retention_days: Mapping[str, int]) -> None:
        if set(retention_days) != set(TABLES):
            raise ValueError(f"retention is set for each of {', '.join(sorted(TABLES))}")
        for table, days in retention_days.items():
            if not 1 <= days <= RETENTION_DAYS_MAX:
                raise ValueError(f"{table}: keep 1 to {RETENTION_DAYS_MAX} days, not {days}")
        self._retention = dict(retention_days)
        self._today: int | None = None
        self._kept_at_us = 0
        self.made = 0
        self.dropped = 0
        self.postponed = 0

    def due(self, now_us: int) -> bool:
        """Say whether it is time to look after the days."""
        return self._today != day_of(now_us) or now_us - self._kept_at_us >= AGAIN_US

    def holds(self, at_us: int) -> bool:
        """Say whether a row of that instant has its partition."""
        return self._today is not None and -DAYS_BEHIND <= day_of(at_us) - self._today <= DAYS_AHEAD

    async def keep(self, connection: "asyncpg.Connection[asyncpg.Record]", now_us: int) -> None:
        """Make what is needed and drop what is old, as of now; a table that is being read is dropped from next time."""
        today = day_of(now_us)
        for day in range(today - DAYS_BEHIND, today + DAYS_AHEAD + 1):
            self.made += await connection.fetchval(_PREPARE, _EPOCH + timedelta(days=day))
        self._today, self._kept_at_us = today, now_us
        for table, days in self._retention.items():
            try:
                self.dropped += await connection.fetchval(_DROP, table, _EPOCH + timedelta(days=today - days))
            except asyncpg.LockNotAvailableError:
                self.postponed += 1
