"""Numbers for laws: exact decimals of every size that may come in, and those that arithmetic must keep whole."""

from decimal import Decimal

from hypothesis import strategies as st

from domain.quantity import NUM_MAGNITUDE_MAX, Num, num


def decimals(lowest: str = "-1e18", highest: str = "1e18", places: int = 18) -> st.SearchStrategy[Num]:
    """Draw decimals between two bounds with at most so many places."""
    return st.decimals(lowest, highest, allow_nan=False, allow_infinity=False, places=places).map(Num)


def positive(highest: str = "1e12", places: int = 8) -> st.SearchStrategy[Num]:
    """Draw decimals above zero."""
    return decimals("0", highest, places).filter(lambda value: value > 0)


anything = (
    st.tuples(st.integers(-(10**59), 10**59), st.integers(-40, 20))
    .map(lambda parts: Decimal(f"{parts[0]}E{parts[1]}"))
    .filter(lambda value: abs(value.adjusted()) <= NUM_MAGNITUDE_MAX)
    .map(num)
)
"""Every number that may come in."""
