"""What the time series keeps, as rows: values in the order of their table's columns.

A row is checked before it waits, so that no batch is refused for the sake of one row in it: `Unfit` says what is wrong.
"""

from decimal import Decimal

from domain.oracle import OraclePrice
from domain.quantity import Num, Rounding, num, plain, round_to
from domain.venue import BookLevel, BookLost, BookUpdate, MarkReport, TradePrint

LEVELS_MAX = 10
"""A sampled book keeps so many levels a side."""
TEXT_MAX = 128
SIGNERS_MAX = 64
RATE_STEP = Decimal("1e-30")

BIGINT_END = 1 << 63
_INSTANT_END_US = 253_402_300_800_000_000  # the year 10000

Row = tuple[object, ...]


class Unfit(ValueError):
    """Say what a column cannot hold."""


def at_us(row: Row) -> int:
    """Return a row's time."""
    value = row[2]
    assert isinstance(value, int)  # noqa: S101 # how every row is built below
    return value


def book_row(book: BookUpdate) -> Row:
    """Return the best levels of a book, by the time of its receipt; raise `Unfit`."""
    return (
        *_named(book.venue, book.symbol),
        _instant(book.received_at_us),
        _whole(book.sequence),
        _instant(book.exchange_at_us),
        *_levels(book.bids),
        *_levels(book.asks),
        "",
    )


def lost_book_row(lost: BookLost) -> Row:
    """Return the row of a book that can no longer be believed; raise `Unfit`."""
    empty = "{}"
    at = _instant(lost.at_us)
    return (*_named(lost.venue, lost.symbol), at, 0, at, empty, empty, empty, empty, _readable(lost.reason))


def trade_row(trade: TradePrint) -> Row:
    """Return a public trade; raise `Unfit`."""
    return (
        *_named(trade.venue, trade.symbol),
        _instant(trade.exchange_at_us),
        _text(trade.trade_id),
        _above_zero(trade.price),
        _above_zero(trade.quantity),
        trade.taker,
        _instant(trade.received_at_us),
    )


def mark_row(mark: MarkReport) -> Row:
    """Return a mark and its index (0 where the venue tells none); raise `Unfit`."""
    return (
        *_named(mark.venue, mark.symbol),
        _instant(mark.at_us),
        _above_zero(mark.mark_price),
        _not_below_zero(mark.index_price),
    )


def funding_row(mark: MarkReport) -> Row:
    """Return the funding that a mark announces; raise `Unfit`. Per hour it is rounded to RATE_STEP."""
    if not 0 < mark.funding_interval_ms < BIGINT_END:
        raise Unfit(f"an interval of {mark.funding_interval_ms} ms")
    rate = _number(mark.funding_rate)
    return (
        *_named(mark.venue, mark.symbol),
        _instant(mark.at_us),
        rate,
        mark.funding_interval_ms,
        round_to(mark.funding_per_hour, RATE_STEP, Rounding.NEAREST),
        _instant(mark.next_funding_us),
    )


def price_row(told: OraclePrice) -> Row:
    """Return an oracle's price, by the time of its publication; raise `Unfit`."""
    if len(told.signers) > SIGNERS_MAX or any("," in signer for signer in told.signers):
        raise Unfit(f"{len(told.signers)} signers, or a comma in one")
    return (
        *_named(told.oracle, told.feed),
        _instant(told.published_at_us),
        _whole(told.sequence),
        _text(told.base),
        _text(told.quote),
        _above_zero(told.price),
        _not_below_zero(told.confidence),
        _instant(told.received_at_us),
        ",".join(_text(signer) for signer in told.signers),
    )


def _named(source: str, symbol: str) -> tuple[str, str]:
    return _text(source), _text(symbol)


def _text(value: str) -> str:
    if len(value) > TEXT_MAX or not value.isprintable():
        raise Unfit(f"text that is not printable, or longer than {TEXT_MAX}")
    return value


def _readable(text: str) -> str:
    """Return what somebody else wrote as it may stand in a column: a hole in the series keeps its reason."""
    return "".join(char if char.isprintable() else " " for char in text[:TEXT_MAX])


def _whole(value: int) -> int:
    if not -BIGINT_END <= value < BIGINT_END:
        raise Unfit(f"a number beyond 64 bits: {value}")
    return value


def _instant(value: int) -> int:
    if not 0 <= value < _INSTANT_END_US:
        raise Unfit(f"no instant: {value}")
    return value


def _number(value: Decimal) -> Num:
    try:
        return num(value)
    except ValueError as error:
        raise Unfit(str(error)) from error


def _above_zero(value: Decimal) -> Num:
    checked = _number(value)
    if checked <= 0:
        raise Unfit(f"not above zero: {checked}")
    return checked


def _not_below_zero(value: Decimal) -> Num:
    checked = _number(value)
    if checked < 0:
        raise Unfit(f"below zero: {checked}")
    return checked


def _levels(levels: tuple[BookLevel, ...]) -> tuple[str, str]:
    kept = levels[:LEVELS_MAX]
    prices = ",".join(plain(_above_zero(price)) for price, _ in kept)
    quantities = ",".join(plain(_not_below_zero(quantity)) for _, quantity in kept)
    return f"{{{prices}}}", f"{{{quantities}}}"
