"""The linear relaxation solved: levels of all books merged by what the next piece costs, each venue's room shared.

The cost is convex and piecewise linear. Where pieces of a venue all extend (or all reduce) its gross notional and one
underlying is routed, the constraints are nested and taking the cheapest next piece is optimal (Cont and Kukanov,
arXiv:1210.1625, without their terms of execution risk). Where a venue's fine changes, one instrument that reduces and
one that extends are a piece together: its gross notional stays what it is. Where several underlyings share a venue's
room it may not be optimal all the same: `domain.routing.exchange` mends that, and proves it.
"""

from decimal import Decimal
from heapq import heappop, heappush
from typing import NamedTuple

from domain.quantity import EXACT
from domain.routing.desk import Desk
from domain.routing.walk import DUST, NOTHING, SHARE, Walk

# The first stride, as a share of the reference; how much longer the next may be; how much of what is left it hopes to
# take; and which part of a target is left to the merge.
STRIDE, STRIDE_GROWTH, STRIDE_HOPE = Decimal("0.0001"), Decimal(2), Decimal("0.5")
STRIDE_REST, STRIDES_MAX = Decimal(12), 10
PLENTY = Decimal(10) ** 30

_add, _subtract, _multiply, _divide = EXACT.add, EXACT.subtract, EXACT.multiply, EXACT.divide
TWO = Decimal(2)

Venues = dict[int, list[Walk]]


def merge(desk: Desk) -> None:
    """Take the cheapest next piece until the targets are met or nothing can be taken."""
    _stride(desk)
    take_cheapest(desk)


def take_cheapest(desk: Desk, walks: list[Walk] | None = None, price: Decimal | None = None) -> None:
    """Take piece by piece, of one venue or all, until the targets are met; or, with a price, all that is not dearer."""
    queue, venues = _Queue(), desk.by_venue if walks is None else {walks[0].venue: walks}
    for venue, there in venues.items():
        for walk in there:
            queue.push(desk.next_unit(walk), walk.order)
        _push_pair(desk, venue, queue, venues)
    left, many = desk.left, len(desk.walks)
    while (first := queue.first()) is not None:
        key, order = first
        if order >= many:
            pair = _pair(desk, order - many, venues)
            unit = None if pair is None else pair.unit
        else:
            pair, walk = None, desk.walks[order]
            unit = desk.next_unit(walk) if price is not None or left[walk.target] > DUST else None
        if unit is None or unit > key:
            queue.push(unit, order)
        elif price is not None and unit > price:
            return
        elif pair is not None:
            _take_pair(desk, pair, order - many, queue, (venues, price))
        else:
            queue.push(None, order)
            _take_run(desk, desk.walks[order], unit, queue, (venues, price))
        if min(left) < 0:
            return


class _Pair(NamedTuple):
    """Hold two walks of a venue and a target, one that reduces and one that extends, and their mean unit cost."""

    unit: Decimal
    reduces: Walk
    extends: Walk


def _pair(desk: Desk, venue: int, venues: Venues) -> _Pair | None:
    """Return the cheapest pair of a venue whose fine changes here; elsewhere each goes by itself."""
    gross = desk.grosses[venue]
    if gross.above is gross.below:
        return None
    best: _Pair | None = None
    for one in venues[venue]:
        if not one.reducing or one.unit is None or desk.left[one.target] <= DUST:
            continue
        for other in venues[venue]:
            if other.reducing or other.unit is None or other.target != one.target:
                continue
            unit = SHARE.divide(_add(one.unit, other.unit), TWO)
            if best is None or unit < best.unit:
                best = _Pair(unit, one, other)
    return best


def _push_pair(desk: Desk, venue: int, queue: "_Queue", venues: Venues) -> None:
    gross = desk.grosses[venue]
    pair = None if gross.above is gross.below else _pair(desk, venue, venues)
    queue.push(None if pair is None else pair.unit, len(desk.walks) + venue)


def _take_pair(desk: Desk, pair: _Pair, venue: int, queue: "_Queue", among: tuple[Venues, Decimal | None]) -> None:
    """Take as much of both as one price of each allows, and put what they become into the queue."""
    venues, price = among
    target = pair.reduces.target
    wanted = desk.left[target] if price is None else PLENTY
    amount = min(pair.reduces.piece(), pair.extends.piece(), _divide(wanted, TWO))
    for walk in (pair.reduces, pair.extends):
        desk.left[target] = _subtract(desk.left[target], walk.take(amount, NOTHING if walk.buying else PLENTY))
        queue.push(desk.next_unit(walk), walk.order)
    desk.prices[target] = max(desk.prices[target], pair.unit)
    _push_pair(desk, venue, queue, venues)


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


def _take_run(desk: Desk, walk: Walk, unit: Decimal, queue: _Queue, among: tuple[Venues, Decimal | None]) -> None:
    """Take levels until another walk's are cheaper, and put the walk, and those it made cheaper, into the queue."""
    venues, price = among
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
    _push_pair(desk, walk.venue, queue, venues)
    if gross.above is not above or gross.below is not below:
        for other in venues[walk.venue]:  # what goes the other way at this venue may cost less now
            if other is not walk and other.reducing is not reducing:
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
        if min(desk.left) < 0:
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
