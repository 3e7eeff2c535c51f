"""Exact numbers: atoms for what is owned or owed, plain decimals for prices and ratios, one rounding function."""

from decimal import (
    ROUND_CEILING,
    ROUND_DOWN,
    ROUND_FLOOR,
    ROUND_HALF_EVEN,
    ROUND_UP,
    Context,
    Decimal,
    DivisionByZero,
    InvalidOperation,
    Overflow,
)
from enum import StrEnum
from typing import Self

import msgspec

# 60 digits hold a uint128 amount times a price with 18 decimals; the default context would round at 28.
EXACT = Context(prec=60, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation, DivisionByZero, Overflow])

BPS = Decimal(10_000)

# What a number from outside may be: as many digits as arithmetic keeps, not too far from the point for a product of two
# to be written out, and no longer text than that takes.
NUM_DIGITS_MAX = 60
NUM_MAGNITUDE_MAX = 40
NUM_TEXT_MAX = 128


class Num(Decimal):
    """Carry a decimal that is written in plain notation, without exponent or trailing zeros.

    The log's bytes depend on it: Decimal writes 0.00000001 as `1E-8`, and 1.50 and 1.5 differently. Its operators work
    in the exact context: those of Decimal, the minus sign and `abs` too, round at 28 digits.
    """

    __slots__ = ()

    def __str__(self) -> str:
        """Return plain notation."""
        return plain(self)

    def __format__(self, spec: str, /) -> str:  # pyright: ignore[reportIncompatibleMethodOverride] # format() gives no context
        """Return plain notation, unless a format is asked for."""
        return super().__format__(spec) if spec else plain(self)

    def __neg__(self) -> "Num":
        return Num(self.copy_negate())

    def __abs__(self) -> "Num":
        return Num(self.copy_abs())

    def __add__(self, other: Decimal | int) -> "Num":
        return Num(EXACT.add(self, other))

    def __sub__(self, other: Decimal | int) -> "Num":
        return Num(EXACT.subtract(self, other))

    def __mul__(self, other: Decimal | int) -> "Num":
        return Num(EXACT.multiply(self, other))


ZERO = Num(0)


class Rounding(StrEnum):
    """Name the direction of a rounding; there is no default, so that no rounding happens unseen."""

    UP = ROUND_UP
    DOWN = ROUND_DOWN
    FLOOR = ROUND_FLOOR
    CEILING = ROUND_CEILING
    NEAREST = ROUND_HALF_EVEN


def plain(value: Decimal) -> str:
    """Write a finite decimal in plain notation without trailing zeros; raise ValueError for NaN or infinity."""
    if not value.is_finite():
        raise ValueError(f"not a finite number: {Decimal.__str__(value)}")
    text = Decimal.__format__(value, "f")  # past the override of Num, which would come back here
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in {"-0", ""} else text


def finite(value: Decimal | int | str) -> Num:
    """Return an exact `Num`, however large; raise ValueError for what is not a finite number."""
    try:
        result = Num(value)
    except InvalidOperation as error:
        raise ValueError(f"not a number: {value!r}") from error
    if not result.is_finite():
        raise ValueError(f"not a finite number: {value!r}")
    return result


def num(value: Decimal | int | str) -> Num:
    """Return an exact `Num` of what came from outside; raise ValueError for what is not a finite, sensible number.

    The bounds keep `1e999999999` from being written out, and sums from losing digits unseen.
    """
    if isinstance(value, str) and len(value) > NUM_TEXT_MAX:
        raise ValueError(f"a number has at most {NUM_TEXT_MAX} characters")
    result = finite(value)
    short = isinstance(value, str) and len(value) <= NUM_DIGITS_MAX
    if abs(result.adjusted()) > NUM_MAGNITUDE_MAX or not (short or significant(result) <= NUM_DIGITS_MAX):
        bounds = f"between 1e-{NUM_MAGNITUDE_MAX} and 1e{NUM_MAGNITUDE_MAX}"
        raise ValueError(f"a number has at most {NUM_DIGITS_MAX} digits and lies {bounds}")
    return result


def significant(value: Decimal) -> int:
    """Return how many significant figures a finite decimal has, zeros at its end left out."""
    return len("".join(map(str, value.as_tuple().digits)).strip("0"))


def round_to(value: Decimal, step: Decimal, direction: Rounding) -> Num:
    """Round `value` to a multiple of `step` (> 0) in the given direction."""
    if step <= 0:
        raise ValueError(f"a step must be positive: {step}")
    steps = EXACT.divide(value, step).to_integral_value(rounding=direction.value)
    return Num(EXACT.multiply(steps, step))


def add(left: Decimal, right: Decimal) -> Num:
    """Add exactly."""
    return Num(EXACT.add(left, right))


def subtract(left: Decimal, right: Decimal) -> Num:
    """Subtract exactly."""
    return Num(EXACT.subtract(left, right))


def multiply(left: Decimal, right: Decimal) -> Num:
    """Multiply in the exact context (60 digits)."""
    return Num(EXACT.multiply(left, right))


def divide(left: Decimal, right: Decimal) -> Num:
    """Divide in the exact context: 60 digits, half even; raise DivisionByZero."""
    return Num(EXACT.divide(left, right))


class Amount(msgspec.Struct, frozen=True, gc=False):
    """Hold an integer number of an asset's smallest units, signed."""

    asset: str
    atoms: int

    def __add__(self, other: Self) -> Self:
        """Add amounts of one asset; raise ValueError for two assets."""
        if other.asset != self.asset:
            raise ValueError(f"cannot add {other.asset} to {self.asset}")
        return type(self)(self.asset, self.atoms + other.atoms)

    def __neg__(self) -> Self:
        """Negate."""
        return type(self)(self.asset, -self.atoms)

    def __sub__(self, other: Self) -> Self:
        """Subtract amounts of one asset; raise ValueError for two assets."""
        return self + (-other)


class Price(msgspec.Struct, frozen=True, gc=False):
    """Hold units of `quote` per one unit of `base`."""

    base: str
    quote: str
    value: Num


def to_atoms(units: Decimal, decimals: int, direction: Rounding) -> int:
    """Turn whole units into atoms of an asset with `decimals` places."""
    return int(EXACT.scaleb(units, decimals).to_integral_value(rounding=direction.value))


def to_units(atoms: int, decimals: int) -> Num:
    """Turn atoms into whole units, exactly (up to 60 digits)."""
    return Num(EXACT.scaleb(EXACT.create_decimal(atoms), -decimals))


class Interval(msgspec.Struct, frozen=True, gc=False):
    """Hold the least and the greatest value that may be true."""

    low: Num
    high: Num

    def widen(self, by: Decimal) -> "Interval":
        """Add what may or may not happen: the ends move apart by the signed amount."""
        if by >= 0:
            return Interval(self.low, add(self.high, by))
        return Interval(add(self.low, by), self.high)

    @property
    def worst(self) -> Num:
        """Return the greatest absolute value inside."""
        return max(abs(self.low), abs(self.high))
