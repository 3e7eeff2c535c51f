"""Laws of exact numbers: nothing is lost, nothing is rounded without being told which way."""

from decimal import Context, Decimal, DivisionByZero
from fractions import Fraction

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.codec import decoder, encode, reader
from domain.quantity import (
    NUM_DIGITS_MAX,
    Amount,
    Interval,
    Num,
    Rounding,
    add,
    divide,
    finite,
    multiply,
    num,
    plain,
    round_to,
    significant,
    subtract,
    to_atoms,
    to_units,
)
from tests.property.numbers import anything, decimals, positive

STEPS = st.sampled_from(
    [Decimal(text) for text in ("1", "0.1", "0.01", "0.001", "0.000001", "0.5", "0.25", "5", "0.003")]
)


@given(anything)
def test_plain_notation_reads_back_as_the_same_number_and_is_unique(value: Num):
    text = plain(value)
    assert Decimal(text) == value
    assert "e" not in text.lower()
    assert text != "-0"
    assert "." not in text or text[-1] not in "0."
    assert plain(Decimal(text + ("0" if "." in text else ".0"))) == text
    assert str(value) == text


@given(anything)
def test_a_number_goes_through_the_log_unchanged(value: Num):
    state = encode({"v": value})
    assert state == b'{"v":"' + plain(value).encode() + b'"}'
    back = decoder(dict[str, Num]).decode(state)["v"]
    assert (back, type(back), hash(back)) == (value, Num, hash(value))


NONE_OF_OURS = ["NaN", "sNaN", "Infinity", "-Infinity", "", "one", "1" * 61, "1." + "0" * 60 + "1", "0" * 129]


@pytest.mark.parametrize("text", [*NONE_OF_OURS, "1e41", "1e-41", "1e999999"])
def test_what_is_no_number_of_ours_is_refused(text: str):
    with pytest.raises(ValueError, match=r"num|charac"):
        num(text)


def test_what_we_wrote_ourselves_is_read_however_large():
    large = Num("3.3e50") * Num("7.1e40")
    assert decoder(Num).decode(encode(large)) == large
    assert finite("1e-90") == Decimal("1e-90")
    with pytest.raises(msgspec.ValidationError, match="lies between"):
        reader(Num).decode(encode(large))


def test_the_greatest_and_smallest_numbers_are_accepted():
    assert num("9" * 41) == 10**41 - 1
    assert num("1e-40") * 10**30 == Decimal("1e-10")
    assert significant(num("9" * 41 + "." + "9" * 19)) == NUM_DIGITS_MAX
    assert num(Decimal("1.50")) == num("1.5") == num("15e-1")
    assert num(7) == 7
    with pytest.raises(ValueError, match="digits"):
        num(Decimal("1." + "3" * 60))


@pytest.mark.parametrize("value", ["Infinity", "NaN"])
def test_plain_notation_has_no_word_for_what_is_not_finite(value: str):
    with pytest.raises(ValueError, match="not a finite number"):
        plain(Decimal(value))


@given(decimals("-1e12", "1e12"), decimals("-1e12", "1e12"))
def test_sums_differences_and_products_are_exact(left: Num, right: Num):
    assert Fraction(add(left, right)) == Fraction(left) + Fraction(right)
    assert Fraction(subtract(left, right)) == Fraction(left) - Fraction(right)
    assert Fraction(multiply(left, right)) == Fraction(left) * Fraction(right)
    assert (left + right, left - right, left * right) == (
        add(left, right),
        subtract(left, right),
        multiply(left, right),
    )
    assert {type(value) for value in (left + right, left - right, left * right, -left, abs(left))} == {Num}


@given(st.integers(10**40, 10**45), st.integers(1, 10**12))
def test_operators_keep_more_than_the_28_digits_of_the_ambient_context(large: int, small: int):
    value = add(Num(large), Num(Decimal(small).scaleb(-12)))
    assert significant(value) > 28
    assert Fraction(-value) == -Fraction(value)
    assert Fraction(abs(-value)) == Fraction(value)
    assert Fraction(value * -1) == -Fraction(value)
    interval = Interval(-value, Num(0))
    assert interval.worst == value


@given(decimals(), positive())
def test_a_quotient_is_within_half_of_the_60th_digit(left: Num, right: Num):
    quotient = divide(left, right)
    exact = Fraction(left) / Fraction(right)
    assert abs(Fraction(quotient) - exact) <= abs(exact) * Fraction(1, 10**59)
    assert significant(quotient) <= 60


def test_division_by_zero_is_an_error():
    with pytest.raises(DivisionByZero):
        divide(Num(1), Num(0))


@given(anything)
def test_significant_figures(value: Num):
    digits = "".join(map(str, value.as_tuple().digits)).strip("0")
    assert significant(value) == len(digits)
    assert significant(value) == len(value.normalize(Context(prec=100)).as_tuple().digits) or value == 0


@given(decimals(), STEPS, st.sampled_from(Rounding))
def test_rounding_goes_the_way_it_is_told_by_less_than_a_step(value: Num, step: Decimal, direction: Rounding):
    rounded = round_to(value, step, direction)
    assert (Fraction(rounded) / Fraction(step)).denominator == 1
    assert abs(Fraction(rounded) - Fraction(value)) < Fraction(step)
    match direction:
        case Rounding.FLOOR:
            assert rounded <= value
        case Rounding.CEILING:
            assert rounded >= value
        case Rounding.DOWN:
            assert abs(rounded) <= abs(value)
        case Rounding.UP:
            assert abs(rounded) >= abs(value)
        case Rounding.NEAREST:
            assert abs(Fraction(rounded) - Fraction(value)) * 2 <= Fraction(step)
    assert round_to(rounded, step, direction) == rounded


@pytest.mark.parametrize("step", ["0", "-0.1"])
def test_a_step_is_positive(step: str):
    with pytest.raises(ValueError, match="must be positive"):
        round_to(Decimal(1), Decimal(step), Rounding.UP)


@given(st.integers(-(2**128), 2**128), st.integers(0, 18))
def test_atoms_and_units_are_the_same_amount(atoms: int, places: int):
    units = to_units(atoms, places)
    assert Fraction(units) == Fraction(atoms, 10**places)
    for direction in Rounding:
        assert to_atoms(units, places, direction) == atoms


@given(decimals(), st.sampled_from([0, 6, 8, 18]))
def test_what_is_finer_than_an_atom_is_rounded_as_told(units: Num, places: int):
    low, high = to_atoms(units, places, Rounding.FLOOR), to_atoms(units, places, Rounding.CEILING)
    assert Fraction(low, 10**places) <= Fraction(units) <= Fraction(high, 10**places)
    assert high - low == (0 if (Fraction(units) * 10**places).denominator == 1 else 1)


@given(st.integers(), st.integers())
def test_amounts_of_one_asset_add_and_of_two_do_not(left: int, right: int):
    one, two = Amount("WETH", left), Amount("WETH", right)
    assert one + two == Amount("WETH", left + right)
    assert one - two == one + (-two) == Amount("WETH", left - right)
    assert decoder(Amount).decode(encode(one)) == one
    with pytest.raises(ValueError, match="cannot add"):
        _ = one + Amount("USDT", right)
    with pytest.raises(ValueError, match="cannot add"):
        _ = one - Amount("USDT", right)


@given(decimals(), st.lists(decimals(), max_size=8))
def test_an_interval_holds_every_corner_and_no_more(certain: Num, changes: list[Num]):
    interval = Interval(certain, certain)
    for change in changes:
        interval = interval.widen(change)
    corners = [certain]
    for change in changes:
        corners += [corner + change for corner in corners]
    assert (min(corners), max(corners)) == (interval.low, interval.high)
    assert interval.worst == max(abs(corner) for corner in corners)
