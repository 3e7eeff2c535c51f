"""The router's relaxation as a linear programme for HiGHS (through scipy): fractions of lots, no minimum sizes.

Written apart from the router and in floats: it shares nothing with it but the problem.
"""

from typing import Any

import msgspec
from scipy.optimize import linprog
from scipy.sparse import csr_matrix

from domain.routing.problem import Candidate, InstrumentKind, Problem, Target, VenueRoom

# A row of USD is counted in thousands, so that HiGHS' tolerance means much the same in every row.
KILO = 1_000.0
HOUR_MS = 3_600_000


class Programme(msgspec.Struct):
    """Collect columns (cost, least, most) and the entries (row, column, value) of equalities."""

    costs: list[float]
    bounds: list[tuple[float | None, float | None]]
    entries: list[tuple[int, int, float]]
    right: list[float]
    constant: float = 0.0

    def column(self, cost: float, bounds: tuple[float | None, float | None], rows: dict[int, float]) -> None:
        """Add a column."""
        self.entries += [(row, len(self.costs), value) for row, value in rows.items()]
        self.costs.append(cost)
        self.bounds.append(bounds)


def least(problem: Problem, wanted: dict[str, float]) -> float:
    """Return the least cost, USD, of absolute base quantities of each underlying.

    Raise ArithmeticError where HiGHS finds no optimum.
    """
    made = _programme(problem, wanted)
    return float(_solve(made).fun) + made.constant


def unroutable(problem: Problem, wanted: dict[str, float]) -> float:
    """Return the least notional, USD, that must be left of all targets together, whatever the cost."""
    made = _programme(problem, wanted)
    made.costs = [0.0] * len(made.costs)
    for number, target in enumerate(problem.targets):
        made.column(float(target.reference_usd) / KILO, (0, None), {number: 1.0})
    return float(_solve(made).fun) * KILO


def _programme(problem: Problem, wanted: dict[str, float]) -> Programme:
    made = Programme([], [], [], [])
    targets = {target.underlying: (row, target) for row, target in enumerate(problem.targets)}
    made.right = [wanted[target.underlying] for target in problem.targets]
    venues = {(room.venue, room.account): len(targets) + row for row, room in enumerate(problem.venues)}
    for room in problem.venues:
        _venue(made, venues[room.venue, room.account], room)
    for candidate in problem.candidates:
        row = venues.get((candidate.venue, candidate.account))
        if candidate.underlying in targets and row is not None and _sound(candidate):
            number, target = targets[candidate.underlying]
            _candidate(made, candidate, target, problem.horizon_ms, (number, row))
    return made


def _solve(made: Programme) -> Any:
    rows, columns, values = zip(*made.entries, strict=True)
    matrix = csr_matrix((values, (rows, columns)), shape=(len(made.right), len(made.costs)))
    tight = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}
    found = linprog(made.costs, A_eq=matrix, b_eq=made.right, bounds=made.bounds, method="highs", options=tight)
    if found.status != 0:
        raise ArithmeticError(found.message)
    return found


def _sound(candidate: Candidate) -> bool:
    bids, asks = candidate.bids, candidate.asks
    return bool(bids) and bool(asks) and 0 < bids[0].price < asks[0].price


def _venue(made: Programme, row: int, room: VenueRoom) -> None:
    """Split a venue's gross notional into the ranges that the penalty's steps make: they fill in order of their rates.

    Its row is the next one.
    """
    held, most = float(room.notional), float(room.notional) + float(room.notional_max)
    made.right.append(held / KILO)
    edges = [(0.0, 0.0), *((float(step.from_usd), float(step.bps) / 10_000) for step in room.steps)]
    for number, (edge, rate) in enumerate(edges):
        end = min(edges[number + 1][0], most) if number + 1 < len(edges) else most
        if end > edge:
            made.column(rate * KILO, (0.0, (end - edge) / KILO), {row: 1.0})
        made.constant -= rate * max(min(held, edges[number + 1][0] if number + 1 < len(edges) else held) - edge, 0.0)
    made.column(0.0, (None, 0.0), {row: 1.0})  # more may be given back than the venue is said to hold


def _candidate(made: Programme, candidate: Candidate, target: Target, horizon_ms: int, rows: tuple[int, int]) -> None:
    """Add a column for each level, two where the position flips within it."""
    buying = target.quantity > 0
    sign = 1.0 if buying else -1.0
    reference = float(target.reference_usd)
    inverse = candidate.kind is InstrumentKind.INVERSE
    left = float(candidate.room_buy if buying else candidate.room_sell)
    held = float(candidate.position) * sign
    reducible = max(-held, 0.0)
    for level in candidate.asks if buying else candidate.bids:
        price = float(level.price)
        size = min(float(level.quantity), left / price if inverse else left)
        if size <= 0:
            break
        left -= size * price if inverse else size
        cost = _unit(candidate, price, reference, horizon_ms, sign)
        reduces = min(size, reducible)
        reducible -= reduces
        for part, way in ((reduces, 1.0), (size - reduces, -1.0)):
            if part > 0:
                made.column(cost, (0.0, part), {rows[0]: 1.0, rows[1]: way * reference / KILO})


def _unit(candidate: Candidate, price: float, reference: float, horizon_ms: int, sign: float) -> float:
    """Return what a base unit at a price costs, USD."""
    rate = float(candidate.usd_per_quote)
    middle = rate * (float(candidate.bids[0].price) + float(candidate.asks[0].price)) / 2
    walked = sign * (price * rate - middle) + price * rate * float(candidate.taker_fee_bps) / 10_000
    basis = sign * (middle - reference)
    if candidate.kind is InstrumentKind.FUTURE and candidate.expires_in_ms:
        return walked + basis * min(1.0, horizon_ms / candidate.expires_in_ms)
    if candidate.kind in {InstrumentKind.LINEAR, InstrumentKind.INVERSE}:
        basis += sign * float(candidate.funding_per_hour) * horizon_ms / HOUR_MS * reference
    return walked + basis
