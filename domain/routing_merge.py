"""The linear relaxation solved: levels of all books merged by what the next piece costs, each venue's room shared.

The cost is convex and piecewise linear. Where pieces of a venue all extend (or all reduce) its gross notional and one
underlying is routed, the constraints are nested and taking the cheapest next piece is optimal (Cont and Kukanov,
arXiv:1210.1625, without their terms of execution risk). Where several underlyings share a venue's room, or one
instrument of a venue reduces while another extends, it may not be: `domain.routing_exchange` mends that, and proves it.
"""

from decimal import Decimal
from heapq import heappop, heappush
from typing import NamedTuple

from domain.quantity import BPS, EXACT
from domain.routing_problem import VenueRoom
from domain.routing_walk import DUST, NOTHING, SHARE, Stand, Walk

# What a USD is taken to cost that no venue takes: beyond any price, so that all that can be routed is.
UNROUTED = Decimal(1_000_000)
# The first stride, as a share of the reference; how much longer the next may be; how much of what is left it hopes to
# take; and which part of a target is left to the merge.
STRIDE, STRIDE_GROWTH, STRIDE_HOPE = Decimal("0.00005"), Decimal(4), Decimal("0.5")
STRIDE_REST, STRIDES_MAX = Decimal(6), 10
PLENTY = Decimal(10) ** 30
_NEVER = Decimal("-Infinity")

_add, _subtract, _multiply = EXACT.add, EXACT.subtract, EXACT.multiply


class Gross:
    """Hold a venue's gross notional, USD, the most it may be, and what a USD more or less of it is fined.

    `above` is what a USD more is fined, as a share, None where there is no room; `below` what a USD less gives back.
    At `edge_above` and `edge_below` these change.
    """

    __slots__ = ("above", "below", "edge_above", "edge_below", "notional", "notional_max", "start", "steps")

    def __init__(self, room: VenueRoom) -> None:
        """Start with what the venue holds."""
        self.start: Decimal = room.notional
        self.notional_max: Decimal = _add(room.notional, max(room.notional_max, NOTHING))
        self.steps: tuple[tuple[Decimal, Decimal], ...] = tuple(
            (step.from_usd, EXACT.divide(step.bps, BPS)) for step in room.steps
        )
        self.notional: Decimal = room.notional
        self._look()

    def move(self, notional: Decimal) -> None:
        """Set the notional."""
        if abs(_subtract(notional, self.edge_above)) <= DUST:
            notional = self.edge_above
        elif abs(_subtract(notional, self.edge_below)) <= DUST:
            notional = self.edge_below
        self.notional = notional
        if self.above is not self.below or not self.edge_below < notional < self.edge_above:
            self._look()

    def _look(self) -> None:
        notional = self.notional
        above, below = NOTHING, NOTHING
        edge_below, edge_above = _NEVER, self.notional_max
        for from_usd, fine in self.steps:
            if from_usd > notional:
                edge_above = min(from_usd, edge_above)
                break
            above = fine
            if from_usd < notional:
                below, edge_below = fine, from_usd
        self.above: Decimal | None = above if notional < self.notional_max else None
        self.below: Decimal = below
        self.edge_above, self.edge_below = edge_above, edge_below

    def fined(self) -> Decimal:
        """Return the fine for what was added since the start, USD; negative for what was taken away."""
        return _subtract(self._fine(self.notional), self._fine(self.start)) if self.steps else NOTHING

    def _fine(self, notional: Decimal) -> Decimal:
        total, rate = NOTHING, NOTHING
        for from_usd, fine in self.steps:
            if from_usd >= notional:
                break
            total = EXACT.fma(_subtract(fine, rate), _subtract(notional, from_usd), total)
            rate = fine
        return total


class Mark(NamedTuple):
    """Hold where everything of a desk stood."""

    walks: tuple[Stand, ...]
    grosses: tuple[Decimal, ...]
    left: tuple[Decimal, ...]


class Desk:
    """Hold a problem while it is solved: the walks, the venues' gross, and what is left of each target (base units).

    `prices` are those of the last piece taken of each target, as shares of the reference, penalty and all.
    """

    __slots__ = ("grosses", "left", "prices", "references", "walks")

    def __init__(self, walks: list[Walk], grosses: list[Gross], left: list[Decimal], references: list[Decimal]) -> None:
        """Start with nothing taken; `left` is without sign."""
        self.walks, self.grosses, self.left, self.references = walks, grosses, left, references
        self.prices = [-UNROUTED] * len(left)

    def next_unit(self, walk: Walk) -> Decimal | None:
        """Return the unit cost of a walk's next piece, penalty and all; None where there is none."""
        unit, gross = walk.unit, self.grosses[walk.venue]
        if unit is None:
            return None
        if walk.reducing:
            return _subtract(unit, gross.below)
        return None if gross.above is None else _add(unit, gross.above)

    def take(self, walk: Walk, wanted: Decimal, worst: Decimal | None = None) -> Decimal:
        """Take what is wanted, as far as the venue's fine stays what it is; return how much."""
        gross, reducing = self.grosses[walk.venue], walk.reducing
        edge = gross.edge_below if reducing else gross.edge_above
        distance = SHARE.divide(EXACT.abs(_subtract(edge, gross.notional)), walk.reference)
        taken = walk.take(min(wanted, distance), worst)
        self.left[walk.target] = _subtract(self.left[walk.target], taken)
        if taken == distance:
            gross.move(edge)  # the quotient was rounded: stand on the edge
        else:
            change = _multiply(taken, walk.reference)
            gross.move((_subtract if reducing else _add)(gross.notional, change))
        return taken

    def mark(self) -> Mark:
        """Return where everything stands."""
        walks = tuple([walk.stand() for walk in self.walks])
        return Mark(walks, tuple([gross.notional for gross in self.grosses]), tuple(self.left))

    def back_to(self, mark: Mark) -> None:
        """Let everything stand where it stood."""
        for walk, stand in zip(self.walks, mark.walks, strict=True):
            walk.return_to(stand)
        for gross, notional in zip(self.grosses, mark.grosses, strict=True):
            gross.move(notional)
        self.left[:] = mark.left

    def cost(self) -> Decimal:
        """Return what was taken costs, penalties included, USD."""
        total = NOTHING
        for walk in self.walks:
            if walk.started:
                total = _add(total, walk.cost)
        for gross in self.grosses:
            total = _add(total, gross.fined())
        return total


def merge(desk: Desk) -> None:
    """Take the cheapest next piece until the targets are met or nothing can be taken."""
    _stride(desk)
    take_cheapest(desk)


def take_cheapest(desk: Desk, walks: list[Walk] | None = None, price: Decimal | None = None) -> None:
    """Take piece by piece, from some walks or all, until the targets are met; or, with a price, all not dearer."""
    queue, walks = _Queue(), desk.walks if walks is None else walks
    for walk in walks:
        queue.push(desk.next_unit(walk), walk.order)
    left = desk.left
    while (first := queue.first()) is not None:
        key, order = first
        walk = desk.walks[order]
        unit = desk.next_unit(walk) if price is not None or left[walk.target] > DUST else None
        if unit is None or unit > key:
            queue.push(unit, order)
        elif price is not None and unit > price:
            return
        else:
            queue.push(None, order)
            _take_run(desk, walk, unit, queue, (walks, price))
            if left[walk.target] < 0:
                return


class _Queue:
    """Hold walks by the unit cost of their next piece; each stands in it once, whatever older entries the heap has."""

    __slots__ = ("_heap", "_keys")

    def __init__(self) -> None:
        self._heap: list[tuple[Decimal, int]] = []
        self._keys: dict[int, Decimal] = {}

    def push(self, key: Decimal | None, order: int) -> None:
        """Put a walk in at a unit cost, in place of where it was; None takes it out."""
        if key is None:
            self._keys.pop(order, None)
        else:
            self._keys[order] = key
            heappush(self._heap, (key, order))

    def first(self) -> tuple[Decimal, int] | None:
        """Return the cheapest walk's unit cost and number; None where there is none."""
        heap, keys = self._heap, self._keys
        while heap:
            first = heap[0]
            if keys.get(first[1]) is first[0]:
                return first
            heappop(heap)
        return None


def _take_run(desk: Desk, walk: Walk, unit: Decimal, queue: _Queue, among: tuple[list[Walk], Decimal | None]) -> None:
    """Take levels until another walk's are cheaper, and put the walk, and those it made cheaper, into the queue."""
    walks, price = among
    gross = desk.grosses[walk.venue]
    above, below, reducing = gross.above, gross.below, walk.reducing
    fine = _subtract(unit, walk.unit or unit)
    rival = queue.first()
    end = price if rival is None else rival[0] if price is None else min(rival[0], price)
    worst = None if end is None else walk.price_at(_subtract(end, fine))
    if not desk.take(walk, desk.left[walk.target] if price is None else PLENTY, worst):
        return
    desk.prices[walk.target] = max(desk.prices[walk.target], _add(walk.last_unit or unit, fine))
    queue.push(desk.next_unit(walk), walk.order)
    if gross.above is not above or gross.below is not below:
        for other in walks:  # what goes the other way at this venue may cost less now
            if other.venue == walk.venue and other is not walk and other.reducing is not reducing:
                queue.push(desk.next_unit(other), other.order)


def _stride(desk: Desk) -> None:
    """Take all that is cheaper than some price, and again with a higher one, as long as no target has too much.

    This is what taking piece by piece comes to, and quicker where a target is many levels deep: at a price the venues
    have nothing to do with each other. Steps are as long as the last one's depth lets hope to come near the end.
    """
    units = [unit for walk in desk.walks if (unit := desk.next_unit(walk)) is not None]
    if not units:
        return
    price, step, wanted = min(units), STRIDE, list(desk.left)
    walking = [left > 0 for left in wanted]
    for _ in range(STRIDES_MAX):
        mark, prices, reached = desk.mark(), list(desk.prices), _add(price, step)
        if not _take_all(desk, walking, reached):
            desk.back_to(mark)
            desk.prices[:] = prices
            return
        price, longest = reached, STRIDE_GROWTH
        for number, left in enumerate(desk.left):
            taken = _subtract(mark.left[number], left)
            walking[number] = walking[number] and _multiply(left, STRIDE_REST) > wanted[number]
            if walking[number] and taken:
                longest = min(longest, SHARE.divide(_multiply(left, STRIDE_HOPE), taken))
        if not any(walking):
            return
        step = SHARE.multiply(step, longest)


def _take_all(desk: Desk, walking: list[bool], price: Decimal) -> bool:
    """Take all that is not dearer than a price, venue after venue; say no as soon as a target has too much."""
    venues: list[list[Walk]] = [[] for _ in desk.grosses]
    for walk in desk.walks:
        if walking[walk.target]:
            venues[walk.venue].append(walk)
    for walks in venues:
        _take_venue(desk, walks, price)
        if any(left < 0 for left in desk.left):
            return False
    return True


def _take_venue(desk: Desk, walks: list[Walk], price: Decimal) -> None:
    """Take all of a venue that is not dearer than a price; where its fine changes on the way, piece by piece."""
    if not walks:
        return
    gross = desk.grosses[walks[0].venue]
    above, below, notional = gross.above, gross.below, gross.notional
    stands = [(walk, walk.stand(), walk.base) for walk in walks]
    for walk in walks:
        while (unit := desk.next_unit(walk)) is not None and unit <= price:
            fine = _subtract(unit, walk.unit or unit)
            if not desk.take(walk, PLENTY, walk.price_at(_subtract(price, fine))):
                break
            if desk.left[walk.target] < 0:
                return
            if gross.above is not above or gross.below is not below:
                break
            desk.prices[walk.target] = max(desk.prices[walk.target], _add(walk.last_unit or unit, fine))
        else:
            continue
        break
    else:
        return
    for walk, stand, base in stands:
        taken = _subtract(walk.base, base)
        walk.return_to(stand)
        desk.left[walk.target] = _add(desk.left[walk.target], taken)
    gross.move(notional)
    take_cheapest(desk, walks, price)
