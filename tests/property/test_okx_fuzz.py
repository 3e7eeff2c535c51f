"""Whatever OKX sends to an account: `Unreadable` or a report that can be true, never another error."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from adapters.exchange.dialect import Heard
from adapters.exchange.failures import VenueUnsuitable
from adapters.exchange.fields import Unreadable
from adapters.exchange.okx import listing, parse
from adapters.exchange.okx.dialect import OkxDialect
from adapters.exchange.okx.fields import NUMBER_MAX, TEXT_MAX, data, only
from domain.venue import Rejected
from tests.payloads.test_okx import BALANCE, BILL, FILL, FUNDING, LINEAR, OF, ORDER, POSITION, SWAP

RATES: dict[str, Any] = {"makerU": "-0.0002", "takerU": "-0.0005", "feeGroup": [{"groupId": "4", "maker": "-1"}]}
TIER: dict[str, Any] = {"minSz": "0", "maxSz": "10", "mmr": "0.005", "maxLever": "100"}
MARKED: dict[str, Any] = {"instId": "ETH-USDT-SWAP", "markPx": "2500", "idxPx": "2501", "ts": "1700724675402"}
Read = Callable[[Mapping[str, Any]], Any]
PARSERS: dict[str, tuple[Mapping[str, Any], Read]] = {
    "order": (ORDER, lambda row: parse.order(row, OF)),
    "fill of an event": (ORDER, lambda row: parse.fill_event(row, OF)),
    "fill": (FILL, lambda row: parse.fill(row, OF)),
    "position": (POSITION, lambda row: parse.position(row, OF)),
    "balance": (BALANCE, lambda row: parse.balance(row, OF)),
    "funding": (BILL, lambda row: parse.funding(row, OF)),
    "mark": (MARKED | FUNDING, lambda row: parse.mark(row, row, row, OF)),
    "fees": (RATES, lambda row: listing.fee_rates(row, OF, "ETH/USDT:USDT", "4")),
    "listing": (SWAP, lambda row: listing.instrument({"info": row}, LINEAR, "okx")),
    "contract": (SWAP, listing.contract_size),
    "tiers": (TIER, lambda row: listing.margin_tiers([row], LINEAR, Decimal(2500))),
}
ODD: list[Any] = [
    *(
        "NaN",
        "nan",
        "Infinity",
        "-Infinity",
        "-1",
        "1e999",
        "1e99",
        "1e18",
        "9" * 70,
        "1_0",
        " 1",
        "+1",
        "1.2.3",
        "",
        ".",
        "0",
    ),
    *("-0", "0x10", "\u0663", "\uff19", "\u00b2", "0.1e-9", "live", "buy", "true", "ETH-USD-SWAP", "-5", "T", "31"),
    *(None, True, False, -1, 0, 1, 10**30, 1e308, 1.5, float("nan"), [], {}, [[]], [{}], "a" * 500, "\x00", ["net"]),
]
odd = st.sampled_from(ODD) | st.text(max_size=12) | st.integers() | st.floats() | st.dictionaries(st.text(), st.text())


def numbers_of(report: Any) -> list[Decimal]:
    """Return every number in a report."""
    found = [report] if isinstance(report, Decimal) else []
    if isinstance(report, msgspec.Struct):
        found = [number for name in report.__struct_fields__ for number in numbers_of(getattr(report, name))]
    if isinstance(report, tuple):
        parts: tuple[Any, ...] = report
        found = [number for part in parts for number in numbers_of(part)]
    return found


def check(report: Any) -> None:
    assert all(number.is_finite() and abs(number) <= NUMBER_MAX**2 for number in numbers_of(report))
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
    except (Unreadable, VenueUnsuitable):
        return
    check(report)


@pytest.mark.parametrize("name", PARSERS)
def test_the_documented_payload_is_readable(name: str) -> None:
    payload, read = PARSERS[name]
    if name == "fees":
        payload = {**payload, "feeGroup": []}
    check(read(payload))


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["arg", "channel", "event", "data", "code", "sCode", "x"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(JSON)
@example({"code": "0", "data": [1]})
@settings(max_examples=300, deadline=None)
def test_any_answer_is_rows_of_objects_or_unreadable(answer: Any) -> None:
    try:
        for row in data(answer):
            assert isinstance(row, dict)
        only(data(answer))
    except Unreadable:
        pass


@given(JSON)
@example({"data": [{"sCode": "51008", "sMsg": None}]})
@settings(max_examples=300, deadline=None)
def test_no_answer_but_a_yes_to_our_order_is_a_yes(answer: Any) -> None:
    with pytest.raises((Unreadable, Rejected)):
        parse.check_item(answer, "bl1", OkxDialect.reason)


@given(
    st.dictionaries(
        st.sampled_from(["arg", "event", "data", "code", "msg"]),
        JSON | st.just({"channel": "orders"}) | st.just([ORDER]) | st.sampled_from(["subscribe", "error", "notice"]),
    )
)
@settings(max_examples=300, deadline=None)
def test_any_message_is_heard_or_unreadable(message: dict[str, Any]) -> None:
    speaker = object.__new__(OkxDialect)
    speaker.of = OF
    try:
        heard: list[Heard] = list(speaker.hear(message))
    except Unreadable:
        return
    for event in heard:
        check(event)
