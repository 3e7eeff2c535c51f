"""Whatever Deribit sends to an account: `Unreadable` or a report that can be true, never another error."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from adapters.exchange.deribit import parse
from adapters.exchange.deribit.fields import NUMBER_MAX, TEXT_MAX, answered_us
from adapters.exchange.deribit.labels import ours
from adapters.exchange.fields import Unreadable
from tests.payloads.test_deribit import (
    FEES,
    FILL,
    INVERSE,
    LISTING,
    LOG,
    OF,
    ORDER,
    POSITION,
    SUMMARY,
    TICKER,
)

Read = Callable[[Mapping[str, Any]], Any]
PARSERS: dict[str, tuple[Mapping[str, Any], Read]] = {
    "order": (ORDER, lambda row: parse.order(row, OF)),
    "ours": (ORDER, lambda row: [parse.order(each, OF) for each in ours([row], INVERSE, "bl1")]),
    "fill": (FILL, lambda row: parse.fill(row, OF, "sweep")),
    "position": (POSITION, lambda row: parse.position(row, OF, 1)),
    "balance": (SUMMARY, lambda row: parse.balance(row, OF, 1)),
    "funding": (LOG, lambda row: parse.funding(row, OF)),
    "mark": (TICKER, lambda row: parse.mark(row, OF)),
    "fees": (FEES, lambda row: parse.fee_rates(row, INVERSE, LISTING, "deribit")),
    "listing": (LISTING, lambda row: parse.instrument({"info": row}, INVERSE, "deribit")),
}
ODD: Sequence[Any] = (
    *("NaN", "1", "-1", "1e999", "9" * 70, "1_0", "", "buy", "zero", "open", "filled", "market_price", "M", "MT"),
    *(None, True, False, -1, 0, 1, 10**30, 1e308, -1e-300, 1.5, float("nan"), float("inf"), float("-inf")),
    *([], {}, [[]], [{}], "a" * 500, "\x00", ["M"], -0.0, 2**63),
)
odd = st.sampled_from(ODD) | st.text(max_size=12) | st.integers() | st.floats() | st.dictionaries(st.text(), st.text())


def numbers_of(report: Any) -> list[Decimal]:
    """Return every number in a report."""
    if isinstance(report, Decimal):
        return [report]
    parts: list[Any] = list(report) if isinstance(report, (list, tuple)) else []
    if isinstance(report, msgspec.Struct):
        parts = [getattr(report, name) for name in report.__struct_fields__]
    return [number for part in parts for number in numbers_of(part)]


def check(report: Any) -> None:
    assert all(number.is_finite() and abs(number) <= 2 * NUMBER_MAX for number in numbers_of(report))
    for name in ("price", "mark_price", "index_price", "limit_price", "average_price", "entry_price", "tick"):
        told = getattr(report, name, None)
        assert told is None or told > 0, name
    for name in ("liquidation_price", "filled", "at_us", "quantity_max"):
        assert getattr(report, name, 1) is None or getattr(report, name, 1) >= 0, name
    for name in ("trade_id", "venue_order_id", "payment_id", "asset"):
        assert 0 < len(getattr(report, name, "some")) <= TEXT_MAX, name
    if hasattr(report, "filled"):
        assert 0 <= report.filled <= report.quantity
    assert getattr(report, "side", "buy") in {"buy", "sell"}


@pytest.mark.parametrize("name", PARSERS)
@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_a_field_of_nonsense_is_unreadable_or_harmless(name: str, data: st.DataObject) -> None:
    payload, read = PARSERS[name]
    changed = dict(payload)
    for field in data.draw(st.lists(st.sampled_from(sorted(payload)), min_size=1, max_size=3), label="fields"):
        if data.draw(st.booleans(), label="missing"):
            changed.pop(field, None)
        else:
            changed[field] = data.draw(odd, label=field)
    try:
        report = read(changed)
    except Unreadable:
        return
    check(report)


@pytest.mark.parametrize("name", PARSERS)
def test_the_documented_payload_is_readable(name: str) -> None:
    payload, read = PARSERS[name]
    check(read(payload))


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["result", "error", "usOut", "order", "logs", "x"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(JSON)
@example({"result": [1]})
@example({"result": {}, "usOut": True})
@settings(max_examples=300, deadline=None)
def test_any_answer_is_rows_of_objects_or_unreadable(answer: Any) -> None:
    for read in (parse.rows_of, parse.row_of):
        try:
            found = read(parse.result(answer))
        except Unreadable:
            continue
        assert isinstance(found, Mapping) or all(isinstance(row, Mapping) for row in found)
    if isinstance(answer, dict):
        try:
            assert answered_us(answer) > 0  # pyright: ignore[reportUnknownArgumentType] - anything is tried
        except Unreadable:
            return
