"""Reading the time series: one source's word on one thing, over a range of time, in order."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol

import msgspec

from adapters.postgres.series_rows import BIGINT_END
from adapters.postgres.series_tables import TABLES, SeriesTable, instant_us
from adapters.postgres.views_reach import Pool, reaching
from domain.instant import rfc3339
from domain.refusal import Unavailable
from projections.ports import StoreUnreachable

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class RangeAsked(Protocol):
    """Read what is asked for: rows of `table` from `from_us` (inclusive) to `to_us` (exclusive), at most `limit`.

    `source` and `symbol` are a venue and its symbol, or an oracle and its feed. With `after_us` the rows behind that
    one row, whose tie is `after_tie`.
    """

    @property
    def table(self) -> str: ...  # noqa: D102 # a field
    @property
    def source(self) -> str: ...  # noqa: D102 # same
    @property
    def symbol(self) -> str: ...  # noqa: D102 # same
    @property
    def from_us(self) -> int: ...  # noqa: D102 # same
    @property
    def to_us(self) -> int: ...  # noqa: D102 # same
    @property
    def limit(self) -> int: ...  # noqa: D102 # same
    @property
    def after_us(self) -> int | None: ...  # noqa: D102 # same
    @property
    def after_tie(self) -> str: ...  # noqa: D102 # same


class RangeRow(msgspec.Struct, frozen=True):
    """Hold a row as a JSON document, and its place among the others."""

    at_us: int
    tie: str
    document: bytes


class SeriesReader:
    """Read samples over a pool; any role that may select will do."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def read(self, asked: RangeAsked) -> Sequence[RangeRow]:
        """Return rows in order of time; raise ValueError for a tie of another table, `Unavailable` without a server."""
        table = TABLES[asked.table]
        sql, after = _statement(table, asked)
        try:
            with reaching():
                found = await self._pool.fetch(
                    sql, asked.source, asked.symbol, _moment(asked.from_us), _moment(asked.to_us), asked.limit, *after
                )
        except StoreUnreachable as error:
            raise Unavailable(str(error)) from error
        return [_row(table, dict(record.items())) for record in found]


def _statement(table: SeriesTable, asked: RangeAsked) -> tuple[str, list[object]]:
    """Return the statement, and the arguments that it takes from the sixth on."""
    place, after, arguments = "at", "", list[object]()
    if table.tie:
        place = f"at, {table.tie}"
    if asked.after_us is not None:
        arguments.append(_moment(asked.after_us))
        after = "and (at) > ($6)"
        if table.tie:
            arguments.append(_number(asked.after_tie) if table.tie_is_number else asked.after_tie)
            after = f"and (at, {table.tie}) > ($6, $7)"
    columns = ", ".join(column.name for column in table.columns)
    sql = (
        f"select {columns} from public.{table.name} "  # noqa: S608 # names are ours, values are arguments
        f"where {table.source} = $1 and {table.symbol} = $2 and at >= $3 and at < $4 {after} "
        f"order by {place} limit $5"
    )
    return sql, arguments


def _number(text: str) -> int:
    value = int(text)
    if not -BIGINT_END <= value < BIGINT_END:
        raise ValueError("a sequence has at most 64 bits")
    return value


def _moment(at_us: int) -> datetime:
    return _EPOCH + timedelta(microseconds=at_us)


def _row(table: SeriesTable, values: dict[str, object]) -> RangeRow:
    at = values["at"]
    assert isinstance(at, datetime)  # noqa: S101 # the column's type
    at_us = instant_us(at)
    named = {"at": rfc3339(at_us), table.source: values[table.source], table.symbol: values[table.symbol]}
    tie = str(values[table.tie]) if table.tie else ""
    return RangeRow(at_us, tie, msgspec.json.encode(named | table.shown(values)))
