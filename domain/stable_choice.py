"""What a stable earns as spot bought with it and sold short at once: the router chooses both sides.

Held, it earns nothing. Hedged, it earns what shorts are paid over a horizon, for the spread, the depth and the fees of
both sides twice: what goes in comes out again. Funding that cannot be believed counts against the short.
"""

from collections.abc import Collection

import msgspec

from domain.quantity import ZERO, Num, Rounding, add, divide, multiply, round_to
from domain.rebalancing.ideal import Desk, Key, key
from domain.rebalancing.moves import USD_STEP, paid, saved
from domain.routing.certificate import RoutedLeg
from domain.routing.problem import Candidate, InstrumentKind, Problem, Target
from domain.routing.router import route

BOTH_WAYS = 2


class StableChoice(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Hold a first step and, for a whole amount at its rates, what it costs in and out and what it earns, USD."""

    legs: tuple[RoutedLeg, ...]
    cost: Num
    earned: Num

    def better(self, earned_to_cost: Num) -> bool:
        """Say whether it earns something, and so many times what it costs."""
        return self.earned > 0 and self.earned >= multiply(self.cost, earned_to_cost)


def choose(desk: Desk, spots: Collection[Key], usd: Num, step_usd: Num, horizon_ms: int) -> StableChoice | None:
    """Price a step of at most `step_usd` over these spot instruments, for `usd` in all; None where nothing can be had.

    Both sides bring the same delta, but for less than a lot.
    """
    problem = desk.ahead(horizon_ms, sell=True)
    bought = tuple(each for each in problem.candidates if key(each) in spots)
    sold = tuple(each for each in problem.candidates if each.kind is not InstrumentKind.SPOT)
    if not bought or not sold or usd <= 0:
        return None
    lot = max(each.lot for each in (*bought, *sold))
    base = round_to(divide(min(usd, step_usd), desk.reference), lot, Rounding.DOWN)
    for _ in range(BOTH_WAYS):  # the second time at what both sides hold
        if base <= 0:
            return None
        into, short = _legs(problem, bought, base), _legs(problem, sold, -base)
        least = min(_base(into), _base(short))
        if _base(into) == _base(short):
            return _choice((*into, *short), usd, multiply(least, desk.reference))
        base = round_to(least, lot, Rounding.DOWN)
    return None


def _legs(problem: Problem, candidates: tuple[Candidate, ...], quantity: Num) -> tuple[RoutedLeg, ...]:
    target = problem.targets[0]
    asked = Target(underlying=target.underlying, quantity=quantity, reference_usd=target.reference_usd)
    alone = Problem(targets=(asked,), candidates=candidates, venues=problem.venues, horizon_ms=problem.horizon_ms)
    return route(alone).legs


def _base(legs: tuple[RoutedLeg, ...]) -> Num:
    total = ZERO
    for leg in legs:
        total = add(total, abs(leg.base))
    return total


def _choice(legs: tuple[RoutedLeg, ...], usd: Num, step_usd: Num) -> StableChoice:
    cost = earned = ZERO
    for leg in legs:
        cost, earned = add(cost, paid(leg)), add(earned, saved(leg))
    steps = divide(usd, step_usd)
    return StableChoice(
        legs=legs,
        cost=round_to(multiply(multiply(cost, Num(BOTH_WAYS)), steps), USD_STEP, Rounding.UP),
        earned=round_to(multiply(earned, steps), USD_STEP, Rounding.FLOOR),
    )
