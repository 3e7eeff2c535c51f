"""Where hedges should stand: the underlying as it is, and the problem of placing all of it anew.

The ideal is the router's: the whole net position routed from flat. Each book is as deep as it takes and has two prices:
what is held stays at the better one, by what leaving would cost (half the spread and the fee), and more is had at the
worse one, by what entering would cost, each times what a move must save of its cost. So the ideal differs from what is
held exactly where funding, basis, concentration, rank and caps make up for the moving, depth left out.
"""

from decimal import Decimal

import msgspec

from domain.carry import FundingTerms, MarkEvidence, find_mark, funding_forecast
from domain.depth import Level
from domain.quantity import BPS, ZERO, Num, Rounding, add, divide, multiply, round_to, subtract
from domain.routing.certificate import RoutedLeg
from domain.routing.problem import Candidate, InstrumentKind, Problem, VenueRoom

_PERPETUAL = frozenset({InstrumentKind.LINEAR, InstrumentKind.INVERSE})


class Standing(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Say what binds a venue account, USD: its unrealised profit and the cap on that, and the cap on its notional."""

    venue: str
    account: str
    unsettled: Num = ZERO
    unsettled_cap: Num | None = None
    notional_cap: Num | None = None

    @property
    def kept(self) -> Num:
        """Return which part of the account's positions may stay, so that no more profit stands than may."""
        if self.unsettled_cap is None or self.unsettled <= self.unsettled_cap:
            return Num(1)
        return divide(self.unsettled_cap, self.unsettled)


class Desk(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Hold one underlying as it stands: the problem of trading it on the books as they are, its marks and accounts."""

    problem: Problem
    marks: tuple[MarkEvidence, ...]
    funding: FundingTerms
    standings: tuple[Standing, ...]
    now_us: int

    @property
    def net(self) -> Num:
        """Return the signed base delta held in what may be traded now."""
        total = ZERO
        for candidate in self.problem.candidates:
            total = add(total, candidate.position)
        return total

    @property
    def reference(self) -> Num:
        """Return what a base unit is worth, USD."""
        return self.problem.targets[0].reference_usd

    def standing(self, venue: str, account: str) -> Standing:
        """Return what binds an account."""
        found = (each for each in self.standings if (each.venue, each.account) == (venue, account))
        return next(found, Standing(venue=venue, account=account))

    def ahead(self, horizon_ms: int, *, sell: bool) -> Problem:
        """Return the problem with funding looked ahead for a horizon, where it is doubted against that direction."""
        candidates = tuple(
            msgspec.structs.replace(
                each,
                funding_per_hour=funding_forecast(
                    find_mark(self.marks, each.venue, each.symbol),
                    self.funding,
                    now_us=self.now_us,
                    horizon_ms=horizon_ms,
                    sell=sell,
                ).per_hour,
            )
            if each.kind in _PERPETUAL
            else each
            for each in self.problem.candidates
        )
        return msgspec.structs.replace(self.problem, candidates=candidates, horizon_ms=horizon_ms)


Key = tuple[str, str, str]


def key(item: Candidate | RoutedLeg) -> Key:
    """Return which instrument it is: venue, account, symbol."""
    return item.venue, item.account, item.symbol


def from_flat(desk: Desk, problem: Problem, saving_to_cost: Num) -> Problem:
    """Return the problem of placing the net position anew: nothing held, every book deep, moving paid for."""
    sell = desk.net < 0
    # Taken off every price alike, so that it weighs nothing: what is held must not cost less than its own middle.
    aside = ZERO
    for each in problem.candidates:
        aside = max(aside, multiply(moving(each), each.usd_per_quote))
    aside = multiply(aside, multiply(saving_to_cost, Decimal(2)))
    candidates = tuple(
        _emptied(desk, each, multiply(moving(each), saving_to_cost), divide(aside, each.usd_per_quote), sell=sell)
        for each in problem.candidates
    )
    return msgspec.structs.replace(
        problem,
        targets=(msgspec.structs.replace(problem.targets[0], quantity=desk.net),),
        candidates=candidates,
        venues=tuple(_cleared(desk, room, problem) for room in problem.venues),
    )


def moving(candidate: Candidate) -> Num:
    """Return what leaving or entering an instrument costs, quote a base unit: half its spread and the taker's fee."""
    half = divide(subtract(candidate.asks[0].price, candidate.bids[0].price), Decimal(2))
    return add(half, divide(multiply(middle(candidate), candidate.taker_fee_bps), BPS))


def middle(candidate: Candidate) -> Num:
    """Return the middle of a candidate's book."""
    return divide(add(candidate.bids[0].price, candidate.asks[0].price), Decimal(2))


def _emptied(desk: Desk, candidate: Candidate, cost: Num, aside: Num, *, sell: bool) -> Candidate:
    there = held(candidate, sell=sell)
    stays, more = subtract(aside, cost), add(aside, cost)
    levels = ((stays, there), (more, abs(desk.net))) if there > 0 else ((more, abs(desk.net)),)
    at = middle(candidate)
    kept = desk.standing(candidate.venue, candidate.account).kept
    # From what is held the other way, part of the room leads to flat only.
    opposite = held(candidate, sell=not sell)
    room = max(subtract(add(candidate.room_sell if sell else candidate.room_buy, there), opposite), ZERO)
    if kept < 1:
        room = round_to(multiply(there, kept), candidate.lot, Rounding.DOWN)
    return msgspec.structs.replace(
        candidate,
        bids=tuple(Level(subtract(at, away), quantity) for away, quantity in levels),
        asks=tuple(Level(add(at, away), quantity) for away, quantity in levels),
        taker_fee_bps=ZERO,
        minimum_quantity=ZERO,
        minimum_notional=ZERO,
        position=ZERO,
        room_sell=room if sell else ZERO,
        room_buy=ZERO if sell else room,
    )


def held(candidate: Candidate, *, sell: bool) -> Num:
    """Return how much is held in a direction, base units."""
    return max(-candidate.position if sell else candidate.position, ZERO)


def _cleared(desk: Desk, room: VenueRoom, problem: Problem) -> VenueRoom:
    held = ZERO
    for each in problem.candidates:
        if (each.venue, each.account) == (room.venue, room.account):
            held = add(held, multiply(abs(each.position), desk.reference))
    other = max(subtract(room.notional, held), ZERO)
    most = add(room.notional_max, held)
    cap = desk.standing(room.venue, room.account).notional_cap
    if cap is not None:
        most = min(most, max(subtract(cap, other), ZERO))
    return msgspec.structs.replace(room, notional=other, notional_max=most)
