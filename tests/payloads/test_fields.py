"""Fields that several venues share: what Python would read and no venue sends is unreadable, and nothing else."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.exchange import fields
from adapters.exchange.fields import NUMBER_MAX, SPELT_MAX, TIME_MS_END, Unreadable
from adapters.exchange.okx import fields as okx_fields

D = Decimal
# Arabic-Indic, Devanagari, fullwidth: `Decimal` and `int` read them. Superscripts: `str.isdigit`, but not `int`.
FOREIGN = ("\u0663", "\u096b", "\uff15", "1\u0663", "\u00b2", "1\u00b2")
NO_NUMBERS: tuple[Any, ...] = (
    *FOREIGN, None, True, False, 1.5, [], {}, b"1", "", " ", "1_0", "1_000.5", "NaN", "sNaN", "-NaN", "nan123",
    "Infinity", "-Infinity", "inf", "+1", "1.", ".5", " 1", "1 ", "1\n", "0x1", "1,5", "1e", "e5", "--1", "1e100",
    "1e-100", "1e999999999", "1e-999999999", "1e31", "-1e31", "9" * 32, "1" * (SPELT_MAX + 1), 10**31, -(10**31),
    10**5_000,
)  # fmt: skip
NO_TIMES: tuple[Any, ...] = (
    *FOREIGN, None, True, False, 1.5, [], {}, b"1", "", " ", "-1", -1, "+1", "1_0", " 1", "1\n", "1.0", "1e3", "NaN",
    str(TIME_MS_END), TIME_MS_END, "9" * 5_000, 10**5_000, -(10**5_000),
)  # fmt: skip


@pytest.mark.parametrize(
    ("told", "value"),
    [
        ("0", D(0)),
        ("-0.00000001", D("-0.00000001")),
        ("007.50", D("7.50")),
        ("1e-7", D("1E-7")),
        ("1.5E+3", D(1500)),
        ("92141578736.00000000", D(92_141_578_736)),
        ("1e30", NUMBER_MAX),
        (-12, D(-12)),
    ],
)
def test_a_number_is_read_exactly(told: Any, value: Decimal) -> None:
    assert fields.decimal({"price": told}, "price") == value


@pytest.mark.parametrize("told", NO_NUMBERS, ids=range(len(NO_NUMBERS)))
def test_what_is_no_number_of_a_venue_is_unreadable(told: Any) -> None:
    for read in (fields.decimal, okx_fields.number):
        with pytest.raises(Unreadable, match=r"^price is "):
            read({"price": told}, "price")


def test_a_number_that_is_missing_is_unreadable() -> None:
    with pytest.raises(Unreadable, match="price is None"):
        fields.decimal({}, "price")


@pytest.mark.parametrize(("told", "value"), [(0.1, D("0.1")), (1e-07, D("1E-7")), (1e16, D(10) ** 16), (3, D(3))])
def test_a_json_number_is_what_was_sent(told: float, value: Decimal) -> None:
    assert fields.number({"price": told}, "price") == value


@pytest.mark.parametrize("told", [float("nan"), float("inf"), -float("inf"), 1e300, 1e-300])
def test_a_json_number_out_of_reason_is_unreadable(told: float) -> None:
    with pytest.raises(Unreadable, match=r"^price is "):
        fields.number({"price": told}, "price")


@pytest.mark.parametrize("told", ["1700000000123", 1_700_000_000_123])
def test_a_time_is_told_in_milliseconds(told: Any) -> None:
    assert fields.instant_us({"time": told}, "time") == 1_700_000_000_123_000


@pytest.mark.parametrize("told", NO_TIMES, ids=range(len(NO_TIMES)))
def test_what_is_no_time_is_unreadable(told: Any) -> None:
    for read in (fields.instant_us, okx_fields.instant_us):
        with pytest.raises(Unreadable, match=r"^time is "):
            read({"time": told}, "time")


def test_okx_tells_numbers_and_times_in_texts_only() -> None:
    for read in (okx_fields.number, okx_fields.instant_us):
        with pytest.raises(Unreadable, match=r"^it is no "):
            read({"it": 5}, "it")


@given(st.one_of(st.text(max_size=70), st.text("0123456789.-+eE_ \u0663\u00b2", max_size=12), st.integers()))
def test_whatever_is_told_is_read_or_unreadable(told: Any) -> None:
    for read in (fields.decimal, fields.instant_us):
        try:
            found = read({"it": told}, "it")
        except Unreadable:
            continue
        assert abs(found) <= NUMBER_MAX
        assert str(told).isascii()
