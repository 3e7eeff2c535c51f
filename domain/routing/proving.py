"""What a routing decision is proven by: the hash of what it rested on, each leg's expected cost, and the bound.

Hashed is the problem as far as it was read, everything sorted by name: its canonical JSON (`domain.codec.encode`) with
every book left empty; a line feed; then the books' levels as numbers between blanks, price and quantity in turn, bids
before asks, candidate after candidate, `-1` after each side, every number as Python writes a `Decimal` without zeros at
its end. Of each book that side is read which is traded, down to the deepest level looked at (at least the first one
left, if there is one), and the best level of the other; of a book that could not be traded the best of both. A level
that nobody looked at could not have changed the answer: anybody with the whole problem finds the same hash.
"""

import hashlib
from collections.abc import Sequence
from decimal import ROUND_CEILING, Context, Decimal

from msgspec.structs import replace

from domain.codec import encode
from domain.quantity import BPS, EXACT, ZERO, Num, Rounding, round_to
from domain.routing.certificate import Certificate, CostSplit, Excluded, RoutedLeg, Unrouted
from domain.routing.desk import UNROUTED, Desk
from domain.routing.exchange import last_saving
from domain.routing.problem import Candidate, Problem
from domain.routing.walk import DUST, NOTHING, Walk, carried_per_base

# Costs are told to a billionth of a dollar, rounded against us; quotients of prices and quantities to 18 places.
COST_STEP = Decimal("0.000000001")
FINE = Decimal("1e-18")

_SIDE_ENDS = Decimal(-1)
# In explicit contexts: neither rounds where it should not, nor reads the ambient one.
_shortest = EXACT.normalize
_to_step = Context(prec=60, rounding=ROUND_CEILING).quantize

_add, _subtract, _multiply, _divide = EXACT.add, EXACT.subtract, EXACT.multiply, EXACT.divide


def inputs_sha256(problem: Problem, walks: list[Walk | None]) -> str:
    """Return the hash of a sorted problem, each candidate with the walk that read it, if any did."""
    numbers: list[Decimal] = []
    candidates: list[Candidate] = []
    for candidate, walk in zip(problem.candidates, walks, strict=True):
        candidates.append(replace(candidate, bids=(), asks=()))
        deep, buying = (0, False) if walk is None else (walk.read, walk.buying)
        for side, last in ((candidate.bids, 0 if buying else deep), (candidate.asks, deep if buying else 0)):
            for level in side[: last + 1]:
                numbers += (level.price, level.quantity)
            numbers.append(_SIDE_ENDS)
    levels = " ".join(map(str, map(_shortest, numbers)))
    return hashlib.sha256(
        b"%b\n%b" % (encode(replace(problem, candidates=tuple(candidates))), levels.encode())
    ).hexdigest()


def certify(
    problem: Problem,
    walks: list[Walk | None],
    desk: Desk,
    *,
    bound: tuple[Decimal, Sequence[Decimal]],
    excluded: tuple[Excluded, ...],
) -> Certificate:
    """Return the certificate of a desk in whole lots; `bound` is in USD, with the targets' prices there."""
    fines = _fines(desk)
    legs = [_leg(walk, fines[walk.order], problem.horizon_ms) for walk in desk.walks if walk.started]
    legs.sort(key=lambda leg: (-leg.notional_usd, leg.venue, leg.account, leg.symbol))
    cost = ZERO
    for leg in legs:
        cost += total(leg.cost)
    lot = _marginal_lots(desk, bound[1])
    bound_usd = round_to(bound[0], COST_STEP, Rounding.FLOOR)
    return Certificate(
        inputs_sha256=inputs_sha256(problem, walks),
        horizon_ms=problem.horizon_ms,
        candidates=len(desk.walks),
        legs=tuple(legs),
        cost_usd=cost,
        bound_usd=bound_usd,
        gap_usd=cost - bound_usd,
        lot_usd=round_to(lot, COST_STEP, Rounding.UP),
        unrouted=_unrouted(problem, desk),
        excluded=excluded,
        doubts=problem.doubts,
    )


def total(cost: CostSplit) -> Num:
    """Return a cost's parts added, USD."""
    return cost.spread + cost.depth + cost.fee + cost.basis + cost.funding + cost.penalty


def _unrouted(problem: Problem, desk: Desk) -> tuple[Unrouted, ...]:
    found: list[Unrouted] = []
    for target, left in zip(problem.targets, desk.left, strict=True):
        quantity = round_to(left, FINE, Rounding.DOWN)
        if quantity > DUST:
            found.append(
                Unrouted(underlying=target.underlying, quantity=-quantity if target.quantity < 0 else quantity)
            )
    return tuple(found)


def _fines(desk: Desk) -> list[Decimal]:
    """Share each venue's fine among its legs by what each adds to its gross notional, or takes from it."""
    fines: list[Decimal] = []
    for walk in desk.walks:
        gross = desk.grosses[walk.venue]
        change = _subtract(gross.notional, gross.start)
        share = _multiply(walk.extended, walk.reference)
        fines.append(_divide(_multiply(gross.fined(), share), change) if change and walk.started else NOTHING)
    return fines


def _marginal_lots(desk: Desk, prices: Sequence[Decimal]) -> Decimal:
    """Return what one lot of each leg costs, USD, at the dearest that its target pays, or would pay, for a piece.

    Without signs: where a market pays us for a piece, what a lot of it is worth counts too.
    """
    dearest = [NOTHING if price.copy_abs() >= UNROUTED else price.copy_abs() for price in prices[: len(desk.left)]]
    for walk in desk.walks:
        saved = last_saving(desk, walk)
        if saved is not None:
            dearest[walk.target] = max(dearest[walk.target], EXACT.abs(saved))
    total = NOTHING
    for walk in desk.walks:
        price = walk.last_price
        if price is not None:
            lot = walk.candidate.lot
            base = _divide(lot, price) if walk.inverse else lot
            total = EXACT.fma(_multiply(base, walk.reference), dearest[walk.target], total)
    return total


def _leg(walk: Walk, fine: Decimal, horizon_ms: int) -> RoutedLeg:
    candidate, base, quote = walk.candidate, walk.base, walk.quote
    rate, sign = candidate.usd_per_quote, Decimal(1 if walk.buying else -1)
    best = (candidate.asks if walk.buying else candidate.bids)[0].price
    signed = _multiply(sign, base)
    basis = _multiply(_subtract(_multiply(walk.middle, rate), walk.reference), _multiply(walk.share, signed))
    return RoutedLeg(
        venue=candidate.venue,
        account=candidate.account,
        symbol=candidate.symbol,
        underlying=candidate.underlying,
        quantity=round_to(_multiply(sign, walk.units), candidate.lot, Rounding.NEAREST),
        base=round_to(signed, FINE, Rounding.NEAREST) if walk.inverse else Num(signed),
        average_price=round_to(_divide(quote, base), FINE, Rounding.NEAREST),
        worst_price=Num(walk.last_price or best),
        middle=Num(walk.middle),
        usd_per_quote=Num(rate),
        notional_usd=Num(_multiply(quote, rate)),
        cost=CostSplit(
            spread=_usd(_multiply(_multiply(_subtract(best, walk.middle), signed), rate)),
            depth=_usd(_multiply(_multiply(sign, _subtract(quote, _multiply(best, base))), rate)),
            fee=_usd(_multiply(_multiply(quote, rate), _divide(candidate.taker_fee_bps, BPS))),
            basis=_usd(basis),
            funding=_usd(_multiply(signed, carried_per_base(candidate, walk.reference, horizon_ms))),
            penalty=_usd(fine),
        ),
    )


def _usd(cost: Decimal) -> Num:
    return Num(_to_step(cost, COST_STEP)) if cost else ZERO
