"""What the market says: every source now, and what was sampled of it."""

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from litestar import Response, get
from litestar.openapi.spec import Example
from litestar.params import PathParameter, QueryParameter

from api.http.errors import keyed_error
from api.http.house import Asked, House, house_of
from api.http.ports import SeriesQuery
from api.http.reading import (
    CURSOR_MAX,
    INSTANT_END_US,
    LIMIT_DEFAULT,
    LIMIT_MAX,
    read_instant,
    read_limit,
    single_values,
    unavailable,
    written,
)
from domain.market import Witness
from domain.quantity import plain
from domain.refusal import Unavailable

SERIES: dict[str, tuple[str, str]] = {
    "market_books": ("venue", "symbol"),
    "market_trades": ("venue", "symbol"),
    "market_marks": ("venue", "symbol"),
    "market_funding": ("venue", "symbol"),
    "oracle_prices": ("oracle", "feed"),
}
"""The tables of the time series, each with the two parameters that name whose word on what is read."""

RANGE_US = 3_600 * 1_000_000
"""Without `from` the hour before `to` is read."""
DIGITS_MAX = 18
TIE_MARK = "~"
_RANGE = frozenset({"from", "to", "limit", "after"})


class SourceRow(msgspec.Struct, frozen=True, kw_only=True):
    """Show what one source says of one thing now, and whether it may be believed: `reason` says why not.

    `bid` and `ask` are exact, in `quote` per `base`, and "" when there is none; ages in milliseconds.
    """

    source: str
    kind: str
    symbol: str
    base: str
    quote: str
    bid: str
    ask: str
    age_ms: int
    drift_ms: int
    sequence: int
    lost: str
    suspended: bool
    reason: str


def source_row(witness: Witness, reason: str) -> SourceRow:
    """Write a source's word down."""
    there = witness.bid > 0 and witness.ask > 0
    return SourceRow(
        source=witness.source,
        kind=witness.kind.value,
        symbol=witness.symbol,
        base=witness.base,
        quote=witness.quote,
        bid=plain(witness.bid) if there else "",
        ask=plain(witness.ask) if there else "",
        age_ms=witness.age_ms,
        drift_ms=witness.drift_ms,
        sequence=witness.sequence,
        lost=witness.lost,
        suspended=bool(reason),
        reason=reason,
    )


@get(
    "/v1/market",
    operation_id="read_market",
    summary="Read what every source says now",
    description="A row per source and symbol, by base: its best prices, age, clock drift, and if it is suspended.",
    tags=["keyed"],
)
async def market(request: Asked) -> Response[Any]:
    """Return the consolidated view: what pricing would rest on now."""
    house = house_of(request)
    if single_values(request):
        raise keyed_error(400, "unknown_parameter", "the market is read whole")
    try:
        board = house.ports.market
        rows = [source_row(witness, board.suspended(witness)) for witness in board.board()]
        position, _ = await house.ports.views.head()
    except Unavailable as error:
        raise unavailable() from error
    rows.sort(key=lambda row: (row.base, row.source, row.symbol))
    return written(position, house.clocks.now_us(), "market", rows, "")


def _instant(name: str, text: str) -> int:
    """Return a time given as RFC 3339, or as microseconds since the Unix epoch."""
    if text.isascii() and text.isdecimal() and len(text) <= DIGITS_MAX:
        at_us: int | None = int(text)
    else:
        at_us = read_instant(text)
    if at_us is None or at_us >= INSTANT_END_US:
        wanted = "an RFC 3339 time such as 2026-01-31T12:00:00Z (+ is %2B), or microseconds since the Unix epoch"
        raise keyed_error(400, f"bad_{name}", f"{name} is {wanted}")
    return at_us


def _place(text: str) -> tuple[int | None, str]:
    """Return the place behind which a page begins, as the `next` of the page before has it."""
    if not text:
        return None, ""
    at, _, tie = text.partition(TIE_MARK)
    if len(text) > CURSOR_MAX or not (at.isascii() and at.isdecimal()) or not int(at) < INSTANT_END_US:
        raise keyed_error(400, "bad_after", "after is the `next` of the page before")
    return int(at), tie


def read_series_query(table: str, given: Mapping[str, str], now_us: int) -> SeriesQuery:
    """Return what is asked of a table; raise `unknown_series`, `unknown_parameter` and whatever cannot be read."""
    names = SERIES.get(table)
    if names is None:
        raise keyed_error(404, "unknown_series", f"the time series are {', '.join(SERIES)}")
    unknown = sorted(set(given) - _RANGE - set(names))
    if unknown:
        allowed = ", ".join(sorted(_RANGE | set(names)))
        raise keyed_error(400, "unknown_parameter", f"{unknown[0][:40]!r} is not one of {allowed}")
    source, symbol = (given.get(name, "") for name in names)
    if not source or not symbol:
        raise keyed_error(400, "bad_query", f"{names[0]} and {names[1]} are required")
    to_us = _instant("to", given["to"]) if "to" in given else now_us
    from_us = _instant("from", given["from"]) if "from" in given else max(0, to_us - RANGE_US)
    if from_us > to_us:
        raise keyed_error(400, "bad_query", "from is after to")
    after_us, after_tie = _place(given.get("after", ""))
    return SeriesQuery(
        table=table,
        source=source,
        symbol=symbol,
        from_us=from_us,
        to_us=to_us,
        limit=read_limit(given.get("limit")),
        after_us=after_us,
        after_tie=after_tie,
    )


async def _series_page(house: House, query: SeriesQuery) -> tuple[list[msgspec.Raw], str]:
    """Return the rows and the `next` behind which there are more; one more row is asked for to know."""
    try:
        rows = await house.ports.series.read(msgspec.structs.replace(query, limit=query.limit + 1))
    except ValueError as error:
        raise keyed_error(400, "bad_after", "after is the `next` of a page of this series") from error
    shown = rows[: query.limit]
    following = f"{shown[-1].at_us}{TIE_MARK}{shown[-1].tie}" if len(rows) > query.limit else ""
    return [msgspec.Raw(row.document) for row in shown], following


@get(
    "/v1/series/{table:str}",
    operation_id="read_series",
    summary="Read what was sampled of the market",
    description=(
        f"One of {', '.join(SERIES)}, in order of time. Name whose word on what: `venue` and `symbol`, "
        "for oracle_prices `oracle` and `feed`. Times are RFC 3339 or microseconds; the range has its `from`, not its "
        "`to`."
    ),
    tags=["keyed"],
)
async def series(  # noqa: PLR0913, PLR0917 - an argument for each parameter of the query
    request: Asked,
    table: Annotated[str, PathParameter(description=", ".join(SERIES), examples=[Example(value="market_trades")])],
    venue: Annotated[str | None, QueryParameter(description="Such as bybit", examples=[Example(value="bybit")])] = None,
    symbol: Annotated[str | None, QueryParameter(description="Such as ETH/USDT:USDT")] = None,
    oracle: Annotated[str | None, QueryParameter(description="For oracle_prices, such as pyth")] = None,
    feed: Annotated[str | None, QueryParameter(description="For oracle_prices, the oracle's own name of it")] = None,
    since: Annotated[str | None, QueryParameter(name="from", description="Else the hour before `to`")] = None,
    until: Annotated[str | None, QueryParameter(name="to", description="Else now")] = None,
    limit: Annotated[str | None, QueryParameter(description=f"1 to {LIMIT_MAX}, else {LIMIT_DEFAULT}")] = None,
    after: Annotated[str | None, QueryParameter(description="The `next` of the page before")] = None,
) -> Response[Any]:
    """Return a page of samples; days beyond their retention are gone."""
    del venue, symbol, oracle, feed, since, until, limit, after  # read together, so that none is ignored
    house = house_of(request)
    query = read_series_query(table, single_values(request), house.clocks.now_us())
    try:
        rows, following = await _series_page(house, query)
        position, _ = await house.ports.views.head()
    except Unavailable as error:
        raise unavailable() from error
    return written(position, house.clocks.now_us(), table, rows, following)


HANDLERS = (market, series)
