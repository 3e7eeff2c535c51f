"""The router: over which venues and instruments a change of exposure is traded, and proof that none is much better.

`route` is pure. It minimises what walking the books costs, the taker's fee, the basis and the penalties of
concentration, less the funding expected over the horizon, and shares each venue's room among its instruments and the
targets. Only the target's direction is traded: the router opens no position to gain on another.
"""

from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise

import msgspec

from domain.quantity import EXACT
from domain.routing.bound import dual
from domain.routing.certificate import Excluded
from domain.routing.desk import Desk, Gross, Mark
from domain.routing.exchange import first_prices, give_back, optimise, price_anew
from domain.routing.lots import Lots
from domain.routing.merge import merge, take_cheapest
from domain.routing.problem import Candidate, Problem, Routed
from domain.routing.proving import certify
from domain.routing.walk import DUST, NOTHING, Walk


def route(problem: Problem) -> Routed:
    """Choose the legs of a problem; the order in which its parts are given does not matter.

    Raise ValueError for a problem that contradicts itself; market data never raises: a book that is empty or crossed
    is left out and named.
    """
    problem = _sorted(problem)
    _check(problem)
    reasons = reasons_of(problem)
    desk, walks = set_up(problem, reasons, _wanted(problem))
    merge(desk)
    prices = optimise(desk)
    relaxed, cost = desk.mark(), desk.cost()
    Lots(desk).settle()
    if prices is None or any(left > DUST for left in relaxed.left):
        bound, prices = _bound_of_less(problem, reasons, desk, relaxed)
    else:
        bound = _less(cost, prices, desk.left, desk)
    excluded = tuple(
        Excluded(venue=candidate.venue, symbol=candidate.symbol, reason=reason)
        for candidate, reason in zip(problem.candidates, reasons, strict=True)
        if reason
    )
    certificate = certify(problem, walks, desk, bound=(bound, prices), excluded=(*problem.excluded, *excluded))
    return Routed(legs=certificate.legs, certificate=certificate)


def _sorted(problem: Problem) -> Problem:
    return msgspec.structs.replace(
        problem,
        targets=tuple(sorted(problem.targets, key=lambda each: each.underlying)),
        candidates=tuple(sorted(problem.candidates, key=_place)),
        venues=tuple(sorted(problem.venues, key=lambda each: (each.venue, each.account))),
        excluded=tuple(sorted(problem.excluded, key=lambda each: (each.venue, each.symbol, each.reason))),
    )


def _place(candidate: Candidate) -> tuple[str, str, str]:
    return candidate.venue, candidate.symbol, candidate.account


def _check(problem: Problem) -> None:
    for names, what in (
        ([target.underlying for target in problem.targets], "target"),
        ([_place(candidate) for candidate in problem.candidates], "candidate"),
        ([(room.venue, room.account) for room in problem.venues], "venue's room"),
    ):
        if len(dict.fromkeys(names)) < len(names):
            raise ValueError(f"a {what} is given twice")
    if any(target.reference_usd <= 0 for target in problem.targets):
        raise ValueError("a reference must be above zero")
    if any(each.lot <= 0 or each.usd_per_quote <= 0 for each in problem.candidates):
        raise ValueError("a lot and a currency's rate must be above zero")
    if problem.horizon_ms < 0:
        raise ValueError("a horizon must not be negative")
    for room in problem.venues:
        negative = any(step.bps < 0 or step.from_usd < 0 for step in room.steps)
        falling = any(b.from_usd <= a.from_usd or b.bps < a.bps for a, b in pairwise(room.steps))
        if negative or falling:
            raise ValueError(f"penalty steps must rise: {room.venue}")


def reasons_of(problem: Problem) -> list[str]:
    """Return why each candidate cannot be traded, empty where it can."""
    wanted = {target.underlying for target in problem.targets}
    rooms = {(room.venue, room.account) for room in problem.venues}
    return [_reason(candidate, wanted, rooms) for candidate in problem.candidates]


def _reason(candidate: Candidate, wanted: set[str], rooms: set[tuple[str, str]]) -> str:
    if candidate.underlying not in wanted:
        return "no target has its underlying"
    if (candidate.venue, candidate.account) not in rooms:
        return "no room is given for its venue"
    if not candidate.bids or not candidate.asks:
        return "a side of its book is empty"
    bid, ask = candidate.bids[0], candidate.asks[0]
    if not 0 < bid.price < ask.price or bid.quantity <= 0 or ask.quantity <= 0:
        return "its book is crossed or not above zero"
    return ""


def _wanted(problem: Problem) -> list[Decimal]:
    return [EXACT.abs(target.quantity) for target in problem.targets]


def set_up(problem: Problem, reasons: list[str], wanted: list[Decimal]) -> tuple[Desk, list[Walk | None]]:
    """Return a desk with nothing taken yet of `wanted` (base units, no sign), and each tradable candidate's walk."""
    targets = {target.underlying: number for number, target in enumerate(problem.targets)}
    venues = {(room.venue, room.account): number for number, room in enumerate(problem.venues)}
    walks: list[Walk] = []
    by_candidate: list[Walk | None] = []
    for candidate, reason in zip(problem.candidates, reasons, strict=True):
        walk = None
        if not reason:
            number = targets[candidate.underlying]
            walk = Walk(
                candidate,
                problem.targets[number],
                problem.horizon_ms,
                order=len(walks),
                target_number=number,
                venue=venues[candidate.venue, candidate.account],
            )
            walks.append(walk)
        by_candidate.append(walk)
    grosses = [Gross(room) for room in problem.venues]
    return Desk(walks, grosses, wanted, [target.reference_usd for target in problem.targets]), by_candidate


def _less(cost: Decimal, prices: Sequence[Decimal], less: Sequence[Decimal], desk: Desk) -> Decimal:
    """Return what no choice beats for so much less of each target, where an optimum's cost and prices are known."""
    for price, quantity, reference in zip(prices, less, desk.references, strict=False):
        cost = EXACT.subtract(cost, EXACT.multiply(EXACT.multiply(price, reference), quantity))
    return cost


def _bound_of_less(
    problem: Problem, reasons: list[str], desk: Desk, relaxed: Mark
) -> tuple[Decimal, Sequence[Decimal]]:
    """Return the bound for what the legs bring, where the relaxation could not bring all; with the targets' prices."""
    settled = desk.mark()
    desk.back_to(relaxed)
    kept: list[Decimal] = []
    for number, (left, before) in enumerate(zip(settled.left, relaxed.left, strict=True)):
        less = EXACT.subtract(left, before)
        kept.append(give_back(desk, number, less))
        desk.left[number] = max(EXACT.minus(less), NOTHING)
    take_cheapest(desk)
    price_anew(desk)
    prices = optimise(desk)
    bound, guess = desk.cost(), first_prices(desk)
    desk.back_to(settled)
    if prices is not None:
        return _less(bound, prices, kept, desk), prices
    brought = [EXACT.subtract(wanted, left) for wanted, left in zip(_wanted(problem), settled.left, strict=True)]
    fresh, _ = set_up(problem, reasons, brought)
    return dual(fresh.walks, fresh.grosses, brought, guess), guess
