"""What routers without a certificate do, reckoned by the same costs: fractions of lots, so rather better than life.

- `best_venue`: everything where the whole order costs least, what does not fit there where that costs least, and so on;
- `pro_rata`: shared by the depth each instrument shows within its room;
- `best_price`: level by level by price alone, blind to fees, funding and penalties.
"""

from collections.abc import Callable
from decimal import Decimal

import msgspec

from domain.quantity import EXACT
from domain.routing.desk import Desk
from domain.routing.problem import Problem, Routed
from domain.routing.router import reasons_of, set_up
from domain.routing.walk import DUST, NOTHING, Walk

ROUNDS_MAX = 20


class Naive(msgspec.Struct, frozen=True):
    """Hold what a way of routing costs, USD, and how much of the targets it could not bring, USD."""

    cost: float
    left_usd: float


def naive(problem: Problem, routed: Routed) -> dict[str, Naive]:
    """Route what a router brought in each of the simpler ways."""
    brought = [
        abs(EXACT.subtract(target.quantity, routed.left(target.underlying))) for target in problem.targets
    ]  # fmt: skip
    return {name: _reckon(problem, brought, way) for name, way in WAYS.items()}


def _reckon(problem: Problem, brought: list[Decimal], way: Callable[[Desk, int, list[Walk]], None]) -> Naive:
    desk, _ = set_up(problem, reasons_of(problem), list(brought))
    for target in range(len(brought)):
        way(desk, target, [walk for walk in desk.walks if walk.target == target])
    left = sum(float(left * reference) for left, reference in zip(desk.left, desk.references, strict=True))
    return Naive(float(desk.cost()), left)


def _fill(desk: Desk, walk: Walk, wanted: Decimal) -> Decimal:
    """Take up to a quantity of one instrument; return how much."""
    taken = NOTHING
    while wanted - taken > DUST and desk.next_unit(walk) is not None:
        piece = desk.take(walk, wanted - taken)
        if piece <= DUST:
            break
        taken += piece
    return taken


def _best_venue(desk: Desk, target: int, walks: list[Walk]) -> None:
    open_to = list(walks)
    while desk.left[target] > DUST and open_to:
        tried: list[tuple[Decimal, int, Walk]] = []
        before = desk.cost()
        for walk in open_to:
            mark = desk.mark()
            taken = _fill(desk, walk, desk.left[target])
            if taken > DUST:
                # One that brings little is no single venue: first those that bring most, then the cheapest.
                tried.append(((desk.cost() - before) / (taken * walk.reference), walk.order, walk))
            desk.back_to(mark)
        if not tried:
            return
        _, _, best = min(tried)
        _fill(desk, best, desk.left[target])
        open_to.remove(best)


def _pro_rata(desk: Desk, target: int, walks: list[Walk]) -> None:
    for _ in range(ROUNDS_MAX):
        depths = [(walk, _depth(walk)) for walk in walks if desk.next_unit(walk) is not None]
        total = sum((depth for _, depth in depths), NOTHING)
        left = desk.left[target]
        if left <= DUST or total <= DUST:
            return
        for walk, depth in depths:
            _fill(desk, walk, min(left * depth / total, desk.left[target]))


def _depth(walk: Walk) -> Decimal:
    """Return what is left of a book's side within the instrument's room, base units."""
    candidate = walk.candidate
    shown = sum((level.quantity for level in (candidate.asks if walk.buying else candidate.bids)), NOTHING)
    room = walk.room / walk.middle if walk.inverse else walk.room
    return max(min(shown, room) - walk.base, NOTHING)


def _best_price(desk: Desk, target: int, walks: list[Walk]) -> None:
    sign = 1 if walks and walks[0].buying else -1
    while desk.left[target] > DUST:
        shown = [
            (sign * walk.price * walk.candidate.usd_per_quote, walk.order, walk)
            for walk in walks
            if walk.price is not None and desk.next_unit(walk) is not None
        ]
        if not shown:
            return
        _, _, best = min(shown)
        if desk.take(best, min(desk.left[target], best.piece())) <= DUST:
            walks = [walk for walk in walks if walk is not best]


WAYS: dict[str, Callable[[Desk, int, list[Walk]], None]] = {
    "best_venue": _best_venue,
    "pro_rata": _pro_rata,
    "best_price": _best_price,
}
