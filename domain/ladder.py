"""Indicative prices: what each size would cost now, for who looks; a quote is the promise."""

from decimal import Decimal

import msgspec

from domain.book import Book
from domain.depth import BookEvidence
from domain.exposure import exposure
from domain.instant import rfc3339
from domain.limit import Control
from domain.policy import Hedging, Pair
from domain.pricing import find_evidence, price
from domain.quantity import ZERO, Num, Rounding, divide, multiply, num, round_to, subtract, to_units
from domain.quote import Side
from domain.refusal import Refusal

# Thousands of issued dollars: 2, 4, 8, … up to the limit on one request, at most this many steps.
FIRST_SIZE = Decimal(2_000)
STEPS_MAX = 12
SIZE_STEP = Decimal("0.000001")
PRICE_STEP = Decimal("0.00000001")


class Step(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Show a price: `size` in issued dollars, `price` in issued dollars per collateral unit."""

    size: Num
    price: Num


class Ladder(msgspec.Struct, frozen=True, kw_only=True, gc=False, rename="kebab"):
    """Show a pair's indicative prices, both sides, and what may still be asked for, in issued dollars."""

    pair: str
    at: str
    mint: tuple[Step, ...]
    redeem: tuple[Step, ...]
    gas: Num
    max_mint: Num
    max_redeem: Num
    remaining_mint: Num
    remaining_redeem: Num


def ladder(book: Book, pair: Pair, evidence: tuple[BookEvidence, ...], at_us: int) -> Ladder:
    """Return a pair's ladder; a side that cannot be priced now has no steps."""
    most = book.limit(Control.ORDER_NOTIONAL)
    largest = most.value if most is not None else ZERO
    remaining = _remaining(book, pair, evidence, largest)
    there = _there(book, pair, evidence)
    return Ladder(
        pair=pair.name,
        at=rfc3339(at_us),
        mint=_steps(book, pair, Side.MINT, evidence, largest),
        redeem=_steps(book, pair, Side.REDEEM, evidence, largest),
        gas=book.policy.gas if book.policy else ZERO,
        max_mint=largest,
        max_redeem=largest,
        remaining_mint=remaining,
        remaining_redeem=min(remaining, there),
    )


def _steps(
    book: Book, pair: Pair, side: Side, evidence: tuple[BookEvidence, ...], largest: Decimal
) -> tuple[Step, ...]:
    steps: list[Step] = []
    size = FIRST_SIZE
    while size <= largest and len(steps) < STEPS_MAX:
        asked = _asked(pair, side, evidence, size)
        priced = price(book, pair, side, asked, evidence) if asked is not None else None
        if priced is None or isinstance(priced, Refusal):
            break
        steps.append(Step(size=num(size), price=round_to(priced.price, PRICE_STEP, Rounding.NEAREST)))
        size *= 2
    return tuple(steps)


def _asked(pair: Pair, side: Side, evidence: tuple[BookEvidence, ...], size: Decimal) -> Num | None:
    """Turn a size in issued dollars into what goes in: collateral for a mint."""
    if side is Side.REDEEM or pair.hedging is Hedging.HOLD:
        return num(size)
    seen = find_evidence(pair, evidence)
    if seen is None or not seen.sound:
        return None
    return round_to(divide(size, seen.mid), SIZE_STEP, Rounding.DOWN)


def _remaining(book: Book, pair: Pair, evidence: tuple[BookEvidence, ...], largest: Num) -> Num:
    """Return how much may still be asked for before the worst-case delta meets its limit."""
    if pair.hedging is Hedging.HOLD:
        return largest
    underlying = book.asset(pair.collateral).underlying
    limit, seen = book.limit(Control.NET_DELTA, f"asset:{underlying}"), find_evidence(pair, evidence)
    if limit is None or seen is None or not seen.sound:
        return ZERO
    left = subtract(limit.value, exposure(book, underlying).interval.worst)
    if left <= 0:
        return ZERO
    return min(largest, round_to(multiply(left, seen.mid), SIZE_STEP, Rounding.DOWN))


def _there(book: Book, pair: Pair, evidence: tuple[BookEvidence, ...]) -> Num:
    """Return what the collateral that is there, and owed to nobody, is worth in issued dollars."""
    if book.policy is None:
        return ZERO
    units = to_units(max(book.available(pair.collateral), 0), book.asset(pair.collateral).decimals)
    if pair.hedging is Hedging.HOLD:
        return units
    seen = find_evidence(pair, evidence)
    return round_to(multiply(units, seen.mid), SIZE_STEP, Rounding.DOWN) if seen is not None and seen.sound else ZERO
