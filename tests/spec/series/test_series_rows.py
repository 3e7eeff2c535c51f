"""Whatever the market says becomes a row that its table holds, or is told as unfit; nothing else."""

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.postgres.series_rows import (
    BIGINT_END,
    LEVELS_MAX,
    SIGNERS_MAX,
    TEXT_MAX,
    Row,
    Unfit,
    book_row,
    funding_row,
    lost_book_row,
    mark_row,
    price_row,
    trade_row,
)
from adapters.postgres.series_tables import BOOKS, FUNDING, MARKS, PRICES, TRADES, SeriesTable
from domain.oracle import OraclePrice
from domain.venue import BookLost, BookUpdate, MarkReport, TradePrint

MANY = settings(max_examples=300, deadline=None)

TEXT = st.one_of(st.text(max_size=TEXT_MAX + 5), st.sampled_from(["okx", "a,b", '{"x"}', "\ud800", "\x00", ""]))
NUMBERS = st.one_of(
    st.decimals(),
    st.decimals(min_value="0.0000001", max_value=1_000_000, places=8),
    st.sampled_from([Decimal(text) for text in ("sNaN", "-0", "1E+999999", "1E-999999", "1E+40", "1E-40", "-1E+41")]),
)
WHOLE = st.one_of(st.integers(), st.integers(0, 2 * 10**15))
LEVELS = st.lists(st.tuples(NUMBERS, NUMBERS), max_size=2 * LEVELS_MAX).map(tuple)


def checked(table: SeriesTable, row: Row) -> None:
    """Hold a row to its table: as many values as columns, of what each column is sent as."""
    assert len(row) == len(table.columns)
    for column, value in zip(table.columns, row, strict=True):
        if column.sent_as == "text":
            assert isinstance(value, str)
            assert value.isprintable()
        elif column.sent_as == "numeric":
            assert isinstance(value, Decimal)
            assert value.is_finite()
            assert abs(value.adjusted()) <= 60
        else:
            assert isinstance(value, int)
            assert -BIGINT_END <= value < BIGINT_END
            if column.sent_as == "timestamptz":
                assert value >= 0


@MANY
@given(st.builds(TradePrint, venue=TEXT, symbol=TEXT, trade_id=TEXT, price=NUMBERS, quantity=NUMBERS,
                 taker=st.sampled_from(["buy", "sell"]), exchange_at_us=WHOLE, received_at_us=WHOLE))  # fmt: skip
def test_any_trade(trade: TradePrint) -> None:
    try:
        row = trade_row(trade)
    except Unfit:
        return
    checked(TRADES, row)
    assert row[4:6] == (trade.price, trade.quantity)


@MANY
@given(st.builds(BookUpdate, venue=TEXT, symbol=TEXT, bids=LEVELS, asks=LEVELS, sequence=WHOLE, exchange_at_us=WHOLE,
                 received_at_us=WHOLE))  # fmt: skip
def test_any_book(book: BookUpdate) -> None:
    try:
        row = book_row(book)
    except Unfit:
        return
    checked(BOOKS, row)
    bids = [Decimal(text) for text in str(row[5])[1:-1].split(",") if text]
    assert bids == [price for price, _ in book.bids[:LEVELS_MAX]]


@MANY
@given(st.builds(BookLost, venue=TEXT, symbol=TEXT, reason=st.text(), at_us=WHOLE))
def test_any_loss(lost: BookLost) -> None:
    try:
        row = lost_book_row(lost)
    except Unfit:
        return
    checked(BOOKS, row)


def test_a_loss_is_kept_whatever_its_reason_looks_like() -> None:
    row = lost_book_row(BookLost(venue="okx", symbol="ETH/USDT", reason="closed:\n\x00" + "x" * 500, at_us=1))
    assert row[-1] == "closed:  " + "x" * (TEXT_MAX - 9)


@MANY
@given(st.builds(MarkReport, venue=TEXT, symbol=TEXT, mark_price=NUMBERS, index_price=NUMBERS, funding_rate=NUMBERS,
                 funding_interval_ms=WHOLE, next_funding_us=WHOLE, at_us=WHOLE))  # fmt: skip
def test_any_mark_and_funding(mark: MarkReport) -> None:
    for table, make in ((MARKS, mark_row), (FUNDING, funding_row)):
        try:
            row = make(mark)
        except Unfit:
            continue
        checked(table, row)


@MANY
@given(st.builds(OraclePrice, oracle=TEXT, feed=TEXT, base=TEXT, quote=TEXT, price=NUMBERS, confidence=NUMBERS,
                 published_at_us=WHOLE, received_at_us=WHOLE, sequence=WHOLE,
                 signers=st.lists(TEXT, max_size=SIGNERS_MAX + 1).map(tuple)))  # fmt: skip
def test_any_price(price: OraclePrice) -> None:
    try:
        row = price_row(price)
    except Unfit:
        return
    checked(PRICES, row)
    assert tuple(filter(None, str(row[-1]).split(","))) == tuple(filter(None, price.signers))
