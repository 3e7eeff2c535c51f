"""Worth: what a unit of anything is worth between two decisions, by the marks of the log, as conservative ends.

Where nobody marked an underlying, the reference of its latest plan counts; what has neither has no worth, and what
needs it is not known.
"""

from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal

import msgspec

from domain.contract import Contract, contract_of
from domain.mark import instrument_key
from domain.market import USD
from domain.policy import Asset
from domain.quantity import ZERO, Interval, Num, add, multiply
from domain.state import Book


class Worth(msgspec.Struct, frozen=True, gc=False):
    """Hold what a unit is worth, USD: the least, the middle and the most that may be true."""

    low: Num
    mid: Num
    high: Num


# Prices of the market have fewer digits; what is cut off is cut outwards, so that the ends still hold the truth.
DIGITS = 28
_DOWN, _UP = Context(prec=DIGITS, rounding=ROUND_FLOOR), Context(prec=DIGITS, rounding=ROUND_CEILING)
PAR = Worth(Num(1), Num(1), Num(1))
NOTHING = Interval(ZERO, ZERO)


def worth(book: Book, name: str) -> Worth | None:
    """Return what a unit of an asset, an underlying or a stable is worth; None where it has no price.

    A token that stands for an underlying is worth what it is marked at itself, else its ratio of the underlying.
    """
    if name == USD:
        return PAR
    told = book.marks.assets.get(name)
    if told is not None:
        return Worth(told.low, told.mid, told.high)
    asset = _asset(book, name)
    if asset is None or asset.underlying == name:
        return _planned(book, name)
    under = worth(book, asset.underlying)
    ratio = book.ratio(asset)
    if under is None or ratio == 1:
        return under
    return Worth(multiply(under.low, ratio), multiply(under.mid, ratio), multiply(under.high, ratio))


def _asset(book: Book, symbol: str) -> Asset | None:
    for asset in book.policy.assets if book.policy is not None else ():
        if asset.symbol == symbol:
            return asset
    return None


def _planned(book: Book, underlying: str) -> Worth | None:
    """Return an underlying's worth by its latest plan; a stable that nobody marked is taken at a dollar there."""
    reference = book.references.get(underlying)
    if reference is None or book.policy is None:
        return None
    traded = book.policy.traded(underlying)
    paid = book.marks.assets.get(traded[0].quote) if traded else None
    if paid is None:
        return Worth(reference, reference, reference)
    return Worth(multiply(reference, paid.low), multiply(reference, paid.mid), multiply(reference, paid.high))


def contract(book: Book, venue: str, symbol: str) -> Contract:
    """Return what an instrument is: as the policy says, else as its symbol does."""
    for each in book.policy.instruments if book.policy is not None else ():
        if each.symbol == symbol and each.venue == venue:
            return Contract(each.kind, each.base, each.quote)
    return contract_of(symbol)


def mark(book: Book, venue: str, symbol: str, what: Contract) -> Interval | None:
    """Return between which prices an instrument is valued, quote per base; None where nobody tells any.

    That is its venue's own mark, by which margin goes, and what its base and quote are worth, by which we do.
    """
    told = book.marks.instruments.get(instrument_key(venue, symbol))
    base, quote = worth(book, what.base), worth(book, what.quote)
    if base is None or quote is None or quote.low <= ZERO:
        return None if told is None else Interval(told, told)
    low, high = quotient(base.low, quote.high), quotient(base.high, quote.low, up=True)
    if told is None:
        return Interval(low, high)
    return Interval(min(low, told), max(high, told))


def quotient(left: Decimal, right: Decimal, *, up: bool = False) -> Num:
    """Divide, rounded to no more digits than prices have, down unless told otherwise."""
    return Num((_UP if up else _DOWN).divide(left, right))


def valued(quantity: Interval, unit: Worth) -> Interval:
    """Return what a quantity is worth, USD, at the ends that are against us and for us."""
    low, high = quantity.low, quantity.high
    return Interval(
        multiply(low, unit.low if low >= ZERO else unit.high), multiply(high, unit.high if high >= ZERO else unit.low)
    )


def exactly(value: Num) -> Interval:
    """Return an interval that holds one value."""
    return Interval(value, value)


def plus(left: Interval, right: Interval) -> Interval:
    """Return every sum of two values that may be true."""
    return Interval(add(left.low, right.low), add(left.high, right.high))
