"""The tables of the time series: their columns, how a batch of rows is written, how a row is shown."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from domain.instant import parse_rfc3339, rfc3339
from domain.quantity import plain

Values = Mapping[str, Any]


class Column(msgspec.Struct, frozen=True):
    """Name a column, the type it is sent as, and how what is sent becomes the column's value."""

    name: str
    sent_as: str
    written: str = "{}"


class SeriesTable(msgspec.Struct, frozen=True, kw_only=True):
    """Describe a table. The first three columns are its source, its symbol and the time `at`.

    `tie` orders rows of one instant (`tie_is_number` says how); "" where there is one row an instant.
    """

    name: str
    columns: tuple[Column, ...]
    tie: str = ""
    tie_is_number: bool = False
    shown: Callable[[Values], dict[str, Any]]

    @property
    def source(self) -> str:
        """Return the column that names the source."""
        return self.columns[0].name

    @property
    def symbol(self) -> str:
        """Return the column that names what the source speaks of."""
        return self.columns[1].name

    @property
    def insert(self) -> str:
        """Return the statement that writes a batch, a parameter per column; a row that is there stays as it is."""
        names = [column.name for column in self.columns]
        sent = ", ".join(f"${number}::{column.sent_as}[]" for number, column in enumerate(self.columns, 1))
        written = ", ".join(column.written.format(f"batch.{column.name}") for column in self.columns)
        return (
            f"insert into public.{self.name} ({', '.join(names)}) select {written} "  # noqa: S608 # names are ours
            f"from unnest({sent}) as batch ({', '.join(names)}) on conflict do nothing"
        )


def instant_us(moment: datetime) -> int:
    """Return a column's instant as microseconds since the Unix epoch."""
    return parse_rfc3339(moment.isoformat())


def _shown_at(moment: datetime) -> str:
    return rfc3339(instant_us(moment))


def _shown_levels(prices: Sequence[Decimal], quantities: Sequence[Decimal]) -> list[tuple[str, str]]:
    return [(plain(price), plain(quantity)) for price, quantity in zip(prices, quantities, strict=True)]


def _shown_book(row: Values) -> dict[str, Any]:
    return {
        "sequence": row["sequence"],
        "exchange_at": _shown_at(row["exchange_at"]),
        "bids": _shown_levels(row["bid_prices"], row["bid_quantities"]),
        "asks": _shown_levels(row["ask_prices"], row["ask_quantities"]),
        "lost": row["lost"],
    }


def _shown_trade(row: Values) -> dict[str, Any]:
    return {
        "trade_id": row["trade_id"],
        "price": plain(row["price"]),
        "quantity": plain(row["quantity"]),
        "taker": row["taker"],
        "received_at": _shown_at(row["received_at"]),
    }


def _shown_mark(row: Values) -> dict[str, Any]:
    return {"mark_price": plain(row["mark_price"]), "index_price": plain(row["index_price"])}


def _shown_funding(row: Values) -> dict[str, Any]:
    return {
        "rate": plain(row["rate"]),
        "interval_ms": row["interval_ms"],
        "rate_per_hour": plain(row["rate_per_hour"]),
        "next_at": _shown_at(row["next_at"]),
    }


def _shown_price(row: Values) -> dict[str, Any]:
    return {
        "sequence": row["sequence"],
        "base": row["base"],
        "quote": row["quote"],
        "price": plain(row["price"]),
        "confidence": plain(row["confidence"]),
        "received_at": _shown_at(row["received_at"]),
        "signers": row["signers"],
    }


_VENUE, _SYMBOL, _AT = Column("venue", "text"), Column("symbol", "text"), Column("at", "timestamptz")
_LEVELS = tuple(
    Column(name, "text", "{}::numeric[]") for name in ("bid_prices", "bid_quantities", "ask_prices", "ask_quantities")
)

BOOKS = SeriesTable(
    name="market_books",
    columns=(
        *(_VENUE, _SYMBOL, _AT, Column("sequence", "bigint"), Column("exchange_at", "timestamptz")),
        *_LEVELS,
        Column("lost", "text"),
    ),
    tie="sequence",
    tie_is_number=True,
    shown=_shown_book,
)
TRADES = SeriesTable(
    name="market_trades",
    columns=(
        *(_VENUE, _SYMBOL, _AT, Column("trade_id", "text"), Column("price", "numeric"), Column("quantity", "numeric")),
        *(Column("taker", "text"), Column("received_at", "timestamptz")),
    ),
    tie="trade_id",
    shown=_shown_trade,
)
MARKS = SeriesTable(
    name="market_marks",
    columns=(_VENUE, _SYMBOL, _AT, Column("mark_price", "numeric"), Column("index_price", "numeric")),
    shown=_shown_mark,
)
FUNDING = SeriesTable(
    name="market_funding",
    columns=(
        *(_VENUE, _SYMBOL, _AT, Column("rate", "numeric"), Column("interval_ms", "bigint")),
        *(Column("rate_per_hour", "numeric"), Column("next_at", "timestamptz")),
    ),
    shown=_shown_funding,
)
PRICES = SeriesTable(
    name="oracle_prices",
    columns=(
        *(Column("oracle", "text"), Column("feed", "text"), _AT, Column("sequence", "bigint")),
        *(Column("base", "text"), Column("quote", "text"), Column("price", "numeric"), Column("confidence", "numeric")),
        *(Column("received_at", "timestamptz"), Column("signers", "text", "string_to_array({}, ',')")),
    ),
    tie="sequence",
    tie_is_number=True,
    shown=_shown_price,
)

TABLES: dict[str, SeriesTable] = {table.name: table for table in (BOOKS, TRADES, MARKS, FUNDING, PRICES)}
