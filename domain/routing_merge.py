"""The linear relaxation solved: levels of all books merged by what the next piece costs, each venue's room shared.

The cost is convex and piecewise linear. Where pieces of a venue all extend (or all reduce) its gross notional and one
underlying is routed, the constraints are nested and taking the cheapest next piece is optimal (Cont and Kukanov,
arXiv:1210.1625, without their terms of execution risk). Where several underlyings share a venue's room, or one
instrument of a venue reduces while another extends, it may not be: `domain.routing_exchange` mends that, and proves it.
"""

from decimal import Decimal
from heapq import heapify, heappop, heappush, heapreplace

from domain.quantity import BPS, EXACT
from domain.routing_problem import VenueRoom
from domain.routing_walk import DUST, NOTHING, Walk

# What a USD is taken to cost that no venue takes: beyond any price, so that all that can be routed is.
UNROUTED = Decimal(1_000_000)


class Gross:
    """Hold a venue's gross notional, USD, the most it may be, and what a USD more or less of it is fined."""

    __slots__ = ("notional", "notional_max", "start", "steps")

    def __init__(self, room: VenueRoom) -> None:
        """Start with what the venue holds."""
        self.notional: Decimal = room.notional
        self.start: Decimal = room.notional
        self.notional_max: Decimal = EXACT.add(room.notional, max(room.notional_max, NOTHING))
        self.steps: tuple[tuple[Decimal, Decimal], ...] = tuple(
            (step.from_usd, EXACT.divide(step.bps, BPS)) for step in room.steps
        )

    def above(self) -> Decimal | None:
        """Return what a USD more is fined, as a share; None where there is no room."""
        if self.notional >= self.notional_max:
            return None
        rate = NOTHING
        for from_usd, fine in self.steps:
            if from_usd > self.notional:
                break
            rate = fine
        return rate

    def below(self) -> Decimal:
        """Return what a USD less gives back, as a share."""
        rate = NOTHING
        for from_usd, fine in self.steps:
            if from_usd >= self.notional:
                break
            rate = fine
        return rate

    def until_above(self) -> Decimal:
        """Return the notional at which a USD more begins to be fined otherwise, or the room ends."""
        beyond = (from_usd for from_usd, _ in self.steps if from_usd > self.notional)
        return min(next(beyond, self.notional_max), self.notional_max)

    def until_below(self) -> Decimal | None:
        """Return the notional at which a USD less begins to give back otherwise; None where it never does."""
        return max((from_usd for from_usd, _ in self.steps if from_usd < self.notional), default=None)

    def fined(self) -> Decimal:
        """Return the fine for what was added since the start, USD; negative for what was taken away."""
        return EXACT.subtract(self._fine(self.notional), self._fine(self.start))

    def _fine(self, notional: Decimal) -> Decimal:
        total, rate = NOTHING, NOTHING
        for from_usd, fine in self.steps:
            if from_usd >= notional:
                break
            total = EXACT.fma(EXACT.subtract(fine, rate), EXACT.subtract(notional, from_usd), total)
            rate = fine
        return total


class Desk:
    """Hold a problem while it is solved: the walks, the venues' gross, and what is left of each target (base units)."""

    __slots__ = ("grosses", "left", "references", "walks")

    def __init__(
        self, walks: list[Walk], grosses: list[Gross], wanted: list[Decimal], references: list[Decimal]
    ) -> None:
        """Start with nothing taken; `wanted` is without sign."""
        self.walks, self.grosses, self.left, self.references = walks, grosses, wanted, references

    def next_unit(self, walk: Walk) -> Decimal | None:
        """Return the unit cost of a walk's next piece, penalty and all; None where there is none."""
        price = walk.next_price()
        if price is None:
            return None
        gross = self.grosses[walk.venue]
        if walk.reducing:
            return EXACT.subtract(walk.unit(price), gross.below())
        fine = gross.above()
        return None if fine is None else EXACT.add(walk.unit(price), fine)

    def take(self, walk: Walk, wanted: Decimal, worst: Decimal | None = None) -> Decimal:
        """Take what is wanted, as far as the venue's fine stays what it is; return how much."""
        gross, reducing = self.grosses[walk.venue], walk.reducing
        edge = gross.until_below() if reducing else gross.until_above()
        if edge is None:
            taken = walk.take(wanted, worst)
        else:
            distance = EXACT.divide(EXACT.abs(EXACT.subtract(edge, gross.notional)), walk.reference)
            taken = walk.take(min(wanted, distance), worst)
            if EXACT.subtract(distance, taken) <= DUST:  # the quotient may have been rounded: stand on the edge
                gross.notional = edge
                self.left[walk.target] = EXACT.subtract(self.left[walk.target], taken)
                return taken
        self.shift(walk, taken, reducing=reducing)
        self.left[walk.target] = EXACT.subtract(self.left[walk.target], taken)
        return taken

    def shift(self, walk: Walk, taken: Decimal, *, reducing: bool) -> None:
        """Move the venue's gross notional by what was taken."""
        gross = self.grosses[walk.venue]
        notional = EXACT.multiply(taken, walk.reference)
        gross.notional = (EXACT.subtract if reducing else EXACT.add)(gross.notional, notional)

    def cost(self) -> Decimal:
        """Return what was taken costs, penalties included, USD."""
        total = NOTHING
        for walk in self.walks:
            if walk.index or walk.part:
                total = EXACT.add(total, walk.cost)
        for gross in self.grosses:
            total = EXACT.add(total, gross.fined())
        return total


def merge(desk: Desk) -> None:
    """Take the cheapest next piece until the targets are met or nothing can be taken."""
    heap: list[tuple[Decimal, int]] = []
    for walk in desk.walks:
        unit = desk.next_unit(walk)
        if unit is not None:
            heap.append((unit, walk.order))
    heapify(heap)
    while heap:
        key, order = heap[0]
        walk = desk.walks[order]
        unit = desk.next_unit(walk) if desk.left[walk.target] > DUST else None
        if unit is None:
            heappop(heap)
            continue
        if unit > key:
            heapreplace(heap, (unit, order))
            continue
        heappop(heap)
        _take_run(desk, walk, unit, heap)


def _take_run(desk: Desk, walk: Walk, unit: Decimal, heap: list[tuple[Decimal, int]]) -> None:
    """Take levels until another walk's are cheaper, and put the walk, and those it made cheaper, into the heap."""
    gross = desk.grosses[walk.venue]
    price = walk.next_price()
    worst = None
    if heap and price is not None:
        fine = EXACT.subtract(unit, walk.unit(price))
        worst = walk.price_at(EXACT.subtract(heap[0][0], fine))
    before = gross.above(), gross.below()
    taken = desk.take(walk, desk.left[walk.target], worst)
    after = desk.next_unit(walk) if taken else None
    if after is not None:
        heappush(heap, (after, walk.order))
    if (gross.above(), gross.below()) != before:
        for other in desk.walks:  # what goes the other way at this venue may cost less now
            if other.venue == walk.venue and other is not walk:
                cheaper = desk.next_unit(other)
                if cheaper is not None:
                    heappush(heap, (cheaper, other.order))
