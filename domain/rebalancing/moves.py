"""Which moves lead from where hedges stand to where they should, for less than they save.

A position that should shrink is paired with one that should grow. Each leg of a step is priced by the router on the
books as they are: spread, depth and fees are what it costs; funding, basis and penalties what it saves over a horizon.
"""

import hashlib
from collections.abc import Iterator, Mapping
from decimal import Decimal

import msgspec

from domain.quantity import EXACT, ZERO, Num, Rounding, add, divide, multiply, round_to, subtract
from domain.rebalancing.ideal import Desk, Key, from_flat, held, key
from domain.rebalancing.rebalance import Cause, Move
from domain.rebalancing.terms import Rebalancing
from domain.routing.certificate import Certificate, RoutedLeg
from domain.routing.problem import Candidate, Problem, Target
from domain.routing.router import route

MOVES_MAX = 8
USD_STEP = Decimal("0.000001")
# What cannot be traded comes last.
_NOT_TRADED = Num(-(10**12))


class Assessment(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Hold what was found: the router's ideal, and the moves worth making, most pressing first, or why none is.

    `proof` shows what the legs of the first one's next step rest on: those of either leg added, and the hash of both
    hashes.
    """

    ideal: Certificate
    moves: tuple[Move, ...]
    proof: Certificate | None = None
    text: str = ""


class _Side(msgspec.Struct, kw_only=True):
    """Hold what should still leave an instrument, or enter it: signed by what is traded there."""

    candidate: Candidate
    left: Num
    cause: Cause
    worth: Num = ZERO  # USD a base unit, costs taken off

    @property
    def rank(self) -> tuple[bool, Num, Key]:
        return self.cause is Cause.CARRY, -self.worth, key(self.candidate)


def assess(desk: Desk, terms: Rebalancing, step_max: Num) -> Assessment | None:
    """Hold the book against the ideal; None where nothing is held. `step_max` bounds a step, base units (> 0)."""
    if desk.net == 0:
        return None
    short = desk.net < 0
    holding = desk.ahead(terms.horizon_ms, sell=not short)  # doubted funding speaks for staying
    wanted = desk.ahead(terms.horizon_ms, sell=short)  # and against going
    ideal = route(from_flat(desk, wanted, terms.saving_to_cost_min))
    placed: dict[Key, Num] = {key(leg): leg.base for leg in ideal.legs}
    leaving, entering = list[_Side](), list[_Side]()
    forced = _Forced(desk)
    for candidate in desk.problem.candidates:
        change = subtract(placed.get(key(candidate), ZERO), candidate.position)
        if change == 0:
            continue
        if (change > 0) is short:
            leaving += forced.split(candidate, abs(change), short=short)
        else:
            entering.append(_Side(candidate=candidate, left=abs(change), cause=Cause.CARRY))
    pricing = _Pricing(holding, wanted, short=short)
    for side in leaving:
        side.worth = pricing.worth(side, min(side.left, step_max), leave=True)
    for side in entering:
        side.worth = pricing.worth(side, min(side.left, step_max), leave=False)
    leaving.sort(key=lambda side: side.rank)
    entering.sort(key=lambda side: side.rank)
    pairing = _Pairing(pricing, terms, step_max)
    found = tuple(pairing.moves(leaving, entering))
    return Assessment(
        ideal=ideal.certificate,
        moves=tuple(move for move, _ in found),
        proof=found[0][1] if found else None,
        text="" if found else pairing.text,
    )


class _Forced:
    """Tell apart what must leave an account, whatever that saves, from what had better."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._over: dict[tuple[str, str], Num] = {}
        for room in desk.problem.venues:
            cap = desk.standing(room.venue, room.account).notional_cap
            if cap is not None and room.notional > cap:
                self._over[room.venue, room.account] = divide(subtract(room.notional, cap), desk.reference)

    def split(self, candidate: Candidate, change: Num, *, short: bool) -> Iterator[_Side]:
        """Return what must and what had better leave an instrument, of all that should."""
        where = candidate.venue, candidate.account
        there = held(candidate, sell=short)
        kept = self._desk.standing(*where).kept
        unsettled = min(_lots_up(candidate, subtract(there, multiply(there, kept))), change)
        excess = max(subtract(self._over.get(where, ZERO), unsettled), ZERO)
        over = min(_lots_up(candidate, excess), subtract(change, unsettled))
        if where in self._over:
            self._over[where] = max(subtract(excess, over), ZERO)
        rest = subtract(change, add(unsettled, over))
        for cause, quantity in ((Cause.UNSETTLED, unsettled), (Cause.CAP, over), (Cause.CARRY, rest)):
            if quantity > 0:
                yield _Side(candidate=candidate, left=quantity, cause=cause)


def _lots_up(candidate: Candidate, quantity: Num) -> Num:
    """Return a quantity in whole lots: what must go, goes with the lot that it is part of."""
    return round_to(quantity, candidate.lot, Rounding.UP)


class _Pricing:
    """Price single legs by the router on the books as they are."""

    def __init__(self, held: Problem, wanted: Problem, *, short: bool) -> None:
        self._problems: Mapping[bool, Problem] = {True: held, False: wanted}
        self._short = short
        self._priced: dict[tuple[Key, Num, bool], Certificate | None] = {}

    def leg(self, candidate: Candidate, quantity: Num, *, leave: bool) -> Certificate | None:
        """Return the proof of a leg of up to so many base units (> 0), None where not even the least can be traded."""
        asked = (key(candidate), quantity, leave)
        if asked not in self._priced:
            self._priced[asked] = self._route(candidate, quantity, leave=leave)
        return self._priced[asked]

    def _route(self, candidate: Candidate, quantity: Num, *, leave: bool) -> Certificate | None:
        problem = self._problems[leave]
        target = problem.targets[0]
        signed = quantity if leave is self._short else -quantity
        alone = tuple(each for each in problem.candidates if key(each) == key(candidate))
        rooms = tuple(
            each for each in problem.venues if (each.venue, each.account) == (candidate.venue, candidate.account)
        )
        asked = Target(underlying=target.underlying, quantity=signed, reference_usd=target.reference_usd)
        routed = route(
            msgspec.structs.replace(problem, targets=(asked,), candidates=alone, venues=rooms, excluded=(), doubts=())
        )
        return routed.certificate if routed.legs else None

    def worth(self, side: _Side, quantity: Num, *, leave: bool) -> Num:
        """Return what a base unit saves less what it costs, USD; what cannot be traded is worth least."""
        proof = self.leg(side.candidate, quantity, leave=leave)
        if proof is None:
            return _NOT_TRADED
        leg = proof.legs[0]
        return divide(subtract(saved(leg), paid(leg)), abs(leg.base))


def paid(leg: RoutedLeg) -> Num:
    """Return what a leg costs at once, USD: spread, depth and fee."""
    return add(add(leg.cost.spread, leg.cost.depth), leg.cost.fee)


def saved(leg: RoutedLeg) -> Num:
    """Return what a leg saves over the horizon, USD, negative where it costs: funding, basis and penalties."""
    return -add(add(leg.cost.funding, leg.cost.basis), leg.cost.penalty)


class _Pairing:
    """Pair what should leave with what should enter, the most pressing and the best first."""

    def __init__(self, pricing: _Pricing, terms: Rebalancing, step_max: Num) -> None:
        self._short_of = list[str]()
        self._pricing = pricing
        self._terms = terms
        self._step_max = step_max

    @property
    def text(self) -> str:
        """Say why there is no move."""
        return self._short_of[0] if self._short_of else "the hedges stand where the router would place them"

    def moves(self, leaving: list[_Side], entering: list[_Side]) -> Iterator[tuple[Move, Certificate]]:
        count = 0
        for leave in leaving:
            for enter in entering:
                if count == MOVES_MAX or leave.left <= 0:
                    break
                found = self._move(leave, enter)
                if found is None:
                    continue
                move = found[0]
                if not self._worth_it(move):
                    break  # the best entry that can be traded: no other saves more
                count += 1
                leave.left = subtract(leave.left, move.quantity)
                enter.left = subtract(enter.left, move.quantity)
                yield found

    def _worth_it(self, move: Move) -> bool:
        if move.cause is not Cause.CARRY:
            return True
        if move.saving > 0 and move.saving >= multiply(move.cost, self._terms.saving_to_cost_min):
            return True
        self._short_of.append(f"the best move would save {move.saving} USD and cost {move.cost}")
        return False

    def _move(self, leave: _Side, enter: _Side) -> tuple[Move, Certificate] | None:
        lot = common_lot(leave.candidate.lot, enter.candidate.lot)
        whole = round_to(min(leave.left, enter.left), lot, Rounding.DOWN)
        step = round_to(min(whole, self._step_max), lot, Rounding.DOWN)
        for _ in range(2):  # the second time at what both books and rooms hold
            if step <= 0:
                return None
            out = self._pricing.leg(leave.candidate, step, leave=True)
            into = self._pricing.leg(enter.candidate, step, leave=False)
            if out is None or into is None:
                return None
            left, entered = out.legs[0], into.legs[0]
            if add(left.base, entered.base) == 0:
                return _priced(leave.cause, whole, left, entered), both(out, into)
            step = round_to(min(abs(left.base), abs(entered.base)), lot, Rounding.DOWN)
        return None


def _priced(cause: Cause, whole: Num, leave: RoutedLeg, enter: RoutedLeg) -> Move:
    steps = divide(whole, abs(leave.base))
    cost, saving = add(paid(leave), paid(enter)), add(saved(leave), saved(enter))
    return Move(
        cause=cause,
        quantity=whole,
        leave=leave,
        enter=enter,
        cost=round_to(multiply(cost, steps), USD_STEP, Rounding.UP),
        saving=round_to(multiply(saving, steps), USD_STEP, Rounding.FLOOR),
    )


def both(one: Certificate, other: Certificate) -> Certificate:
    """Return the proof of two legs that were routed each for itself: nothing could choose between them."""
    return Certificate(
        inputs_sha256=hashlib.sha256((one.inputs_sha256 + other.inputs_sha256).encode()).hexdigest(),
        horizon_ms=one.horizon_ms,
        candidates=one.candidates + other.candidates,
        legs=(*one.legs, *other.legs),
        cost_usd=add(one.cost_usd, other.cost_usd),
        bound_usd=add(one.bound_usd, other.bound_usd),
        gap_usd=add(one.gap_usd, other.gap_usd),
        lot_usd=add(one.lot_usd, other.lot_usd),
    )


def common_lot(one: Num, other: Num) -> Num:
    """Return the least quantity (> 0) that is a whole number of both lots."""
    left, right = one, other
    while right > 0:  # Euclid's: what divides both without a remainder
        left, right = right, Num(EXACT.remainder(left, right))
    return multiply(divide(one, left), other)
