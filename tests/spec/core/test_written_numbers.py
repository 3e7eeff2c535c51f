"""How numbers are written: plain, the same for equal ones, however many were written before."""

import pytest

from domain import codec
from domain.codec import encode, encode_state
from domain.quantity import Num


def test_equal_numbers_are_written_alike_whatever_was_written_first():
    assert [encode(Num(each)) for each in ("1.50", "1.5", "15E-1", "1.500")] == [b'"1.5"'] * 4
    assert [encode(Num(each)) for each in ("-0", "1E-8", "1E3")] == [b'"0"', b'"0.00000001"', b'"1000"']


def test_more_numbers_than_are_remembered_are_written_as_before(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(codec, "TEXTS_MAX", 4)
    codec.TEXTS.clear()
    numbers = [Num(each) * Num("0.125") for each in range(40)]
    assert [encode(each) for each in numbers * 2] == [f'"{each}"'.encode() for each in numbers * 2]
    assert len(codec.TEXTS) <= 4


@pytest.mark.parametrize("wrong", [Num("NaN"), Num("Infinity")])
def test_what_is_no_finite_number_is_refused_each_time(wrong: Num):
    for _ in range(2):
        with pytest.raises(ValueError, match="not a finite number"):
            encode(wrong)


def test_what_has_no_exact_form_is_refused_each_time():
    for _ in range(2):
        with pytest.raises(NotImplementedError, match="no exact form for object"):
            encode_state({"x": object()})
