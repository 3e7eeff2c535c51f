"""What is fit to be sent does not hang on what else runs in the thread."""

from decimal import Decimal, localcontext

import pytest

from adapters.exchange.suitability import _is_multiple

D = Decimal


@pytest.mark.parametrize("precision", [4, 28, 78])
@pytest.mark.parametrize(
    ("value", "step", "fits"),
    [("1.005", "0.001", True), ("1.0005", "0.001", False), ("1E+40", "0.001", False), ("123456.7", "0.1", True)],
)
def test_a_size_is_a_multiple_or_not_whatever_precision_the_thread_has(
    precision: int, value: str, step: str, fits: bool
) -> None:
    with localcontext(prec=precision):
        assert _is_multiple(D(value), D(step)) is fits
