"""Indicative prices: what each size would cost now, for who looks; a quote is the promise."""

from decimal import Decimal

import msgspec

from domain.basis import Basis, check_suspended, rest_on
from domain.book import Book
from domain.depth import BookEvidence
from domain.exposure import exposure
from domain.indicative import Ladder, Step
from domain.instant import rfc3339
from domain.limit import Control
from domain.market import Witness
from domain.policy import Hedging, Pair
from domain.pricing import held_price, price
from domain.quantity import ZERO, Num, Rounding, divide, multiply, num, round_to, subtract, to_units
from domain.quote import Side
from domain.refusal import Refusal
from domain.soft_action import reach, soft_action

# Thousands of issued dollars: 2, 4, 8, … up to the limit on one request, at most this many steps.
FIRST_SIZE = Decimal(2_000)
STEPS_MAX = 12
SIZE_STEP = Decimal("0.000001")
PRICE_STEP = Decimal("0.00000001")


class _Priced(msgspec.Struct, frozen=True, gc=False):
    """Hold one side: its steps, and why there are none."""

    steps: tuple[Step, ...] = ()
    refusal: Refusal | None = None


def ladder(
    book: Book, pair: Pair, evidence: tuple[BookEvidence, ...], witnesses: tuple[Witness, ...], at_us: int
) -> Ladder:
    """Return a pair's ladder; a side that cannot be priced now has no steps, and says why."""
    most = book.limit(Control.ORDER_NOTIONAL)
    largest = most.value if most is not None else ZERO
    judged = rest_on(book, pair, evidence, witnesses)
    basis = None if isinstance(judged, Refusal) else judged
    remaining = _remaining(book, pair, basis, largest)
    most_mint, most_redeem = (reach(book, pair, side, largest) for side in (Side.MINT, Side.REDEEM))
    mint = _side(book, pair, Side.MINT, judged, most_mint)
    redeem = _side(book, pair, Side.REDEEM, judged, most_redeem)
    first = mint.refusal or redeem.refusal
    there = _there(book, pair, basis) if basis is not None else ZERO
    return Ladder(
        pair=pair.name,
        at=rfc3339(at_us),
        mint=mint.steps,
        redeem=redeem.steps,
        gas=book.policy.gas if book.policy else ZERO,
        max_mint=most_mint,
        max_redeem=most_redeem,
        remaining_mint=min(remaining, most_mint) if mint.refusal is None else ZERO,
        remaining_redeem=min(remaining, most_redeem, there) if redeem.refusal is None else ZERO,
        sources=basis.sources if basis is not None else (),
        reason=first.reason.name if first is not None else "",
        mint_reason=mint.refusal.reason.name if mint.refusal is not None else "",
        redeem_reason=redeem.refusal.reason.name if redeem.refusal is not None else "",
        text=first.text if first is not None else "",
    )


def _side(book: Book, pair: Pair, side: Side, judged: Basis | Refusal, largest: Decimal) -> _Priced:
    suspended = check_suspended(book, pair, side)
    if suspended is not None:
        return _Priced(refusal=suspended)
    if isinstance(judged, Refusal):
        return _Priced(refusal=judged)
    steps: list[Step] = []
    size, wider_bps = FIRST_SIZE, soft_action(book, pair, side).wider_bps
    while size <= largest and len(steps) < STEPS_MAX:
        priced = price(book, pair, side, _asked(side, judged, size), judged, wider_bps)
        if isinstance(priced, Refusal):
            return _Priced(tuple(steps), None if steps else priced)
        shown = round_to(priced.price, PRICE_STEP, Rounding.NEAREST)
        # What is sampled every second does not say who would trade how much.
        parts = msgspec.structs.replace(priced.decomposition, hedges=())
        steps.append(Step(size=num(size), price=shown, decomposition=parts))
        size *= 2
    return _Priced(tuple(steps))


def _asked(side: Side, basis: Basis, size: Decimal) -> Num:
    """Turn a size in issued dollars into what goes in: collateral for a mint."""
    if side is Side.REDEEM:
        return num(size)
    return round_to(divide(size, _worth(basis, side)), SIZE_STEP, Rounding.DOWN)


def _worth(basis: Basis, side: Side) -> Num:
    """Return what a unit of the collateral is worth in issued dollars, costs left out."""
    return held_price(basis.stable, side) if basis.ways is None else basis.mid_usd


def _remaining(book: Book, pair: Pair, basis: Basis | None, largest: Num) -> Num:
    """Return how much may still be asked for before the worst-case delta meets its limit."""
    if pair.hedging is Hedging.HOLD:
        return largest
    underlying = book.asset(pair.collateral).underlying
    limit = book.limit(Control.NET_DELTA, f"asset:{underlying}")
    if limit is None or basis is None:
        return ZERO
    left = subtract(limit.value, exposure(book, underlying).interval.worst)
    if left <= 0:
        return ZERO
    return min(largest, round_to(multiply(left, _worth(basis, Side.MINT)), SIZE_STEP, Rounding.DOWN))


def _there(book: Book, pair: Pair, basis: Basis) -> Num:
    """Return what the collateral that is there, and owed to nobody, is worth in issued dollars."""
    units = to_units(max(book.available(pair.collateral), 0), book.asset(pair.collateral).decimals)
    return round_to(multiply(units, _worth(basis, Side.REDEEM)), SIZE_STEP, Rounding.DOWN)
