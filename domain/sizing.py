"""Sizes that a venue takes: whole lots, not below its minima."""

from decimal import Decimal

from domain.policy import Instrument
from domain.quantity import ZERO, Num, Rounding, divide, multiply, round_to


def tradable(instrument: Instrument, wanted: Decimal, reference: Decimal) -> Num:
    """Round a signed base quantity to what the venue takes; zero when it is below the venue's minimum."""
    quantity = round_to(wanted, instrument.lot, Rounding.NEAREST)
    too_small = abs(quantity) < instrument.minimum_quantity
    return ZERO if too_small or multiply(abs(quantity), reference) < instrument.minimum_notional else quantity


def least(instrument: Instrument, reference: Decimal) -> Num:
    """Return the least quantity that the venue takes at a price, base units."""
    value = round_to(divide(instrument.minimum_notional, reference), instrument.lot, Rounding.UP)
    return max(value, round_to(instrument.minimum_quantity, instrument.lot, Rounding.UP), instrument.lot)
