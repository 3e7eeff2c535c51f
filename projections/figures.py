"""Figures as they are shown: cut after so many places, always to the side that flatters less."""

from decimal import Decimal

from domain.quantity import Interval, Num, Rounding, round_to

UP, DOWN = Rounding.CEILING, Rounding.FLOOR
MONEY_STEP = Num("0.00000001")
RATIO_STEP = Num("0.000001")
BPS_STEP = Num("0.01")


def figure(value: Decimal | None, step: Num, direction: Rounding) -> Num | None:
    """Return a value in steps, None for none."""
    return None if value is None else round_to(value, step, direction)


def money(value: Decimal | None, direction: Rounding = UP) -> Num | None:
    """Return USD to eight places: a cost or a bound is not told smaller than it is."""
    return figure(value, MONEY_STEP, direction)


def ends(interval: Interval | None) -> tuple[Num | None, Num | None]:
    """Return an interval's ends in USD: no narrower than it is."""
    if interval is None:
        return None, None
    return money(interval.low, DOWN), money(interval.high, UP)
