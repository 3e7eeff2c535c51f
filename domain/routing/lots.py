"""The relaxation turned into orders: whole lots, nothing below an instrument's minimum, no room exceeded.

Every walk goes back to a whole lot; what that leaves over is taken lot by lot where it costs least. A leg below its
minimum is either given up or brought up to it at the others' expense, whichever costs less.
"""

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from heapq import heapify, heappop, heappush

from domain.quantity import EXACT
from domain.routing.desk import UNROUTED, Desk
from domain.routing.walk import DUST, NOTHING, Walk

_add, _subtract, _multiply, _divide = EXACT.add, EXACT.subtract, EXACT.multiply, EXACT.divide


class Lots:
    """Bring a desk to whole lots. `closed` are the walks that were given up: they take nothing again."""

    __slots__ = ("closed", "desk")

    def __init__(self, desk: Desk) -> None:
        """Begin with a desk's relaxed solution."""
        self.desk = desk
        self.closed: frozenset[int] = frozenset()

    def settle(self) -> None:
        """Turn the relaxed solution into whole lots."""
        for walk in self.desk.walks:
            if walk.started:
                self._go(walk, in_lots(walk, walk.units, ROUND_FLOOR))
        self._relieve()
        self._fill()
        for _ in self.desk.walks:  # each turn closes a walk, or brings one to its minimum
            short = self._short()
            if not short:
                return
            self._give_up_or_raise(min(short, key=lambda each: (_multiply(each.base, each.reference), each.order)))
        while short := self._short():  # what the others' relief left too small after all
            for walk in short:
                self._give_up(walk)

    def _short(self) -> list[Walk]:
        return [walk for walk in self.desk.walks if walk.started and _subtract(minimum(walk), walk.units) > DUST]

    def _give_up(self, walk: Walk) -> None:
        self.closed |= {walk.order}
        self._go(walk, NOTHING)
        self._relieve()

    def _go(self, walk: Walk, units: Decimal) -> bool:
        """Go to a quantity in units if the book has it, keeping venue and target in step; say whether."""
        base, extended = walk.base, walk.extended
        if not walk.go(units):
            return False
        left, gross = self.desk.left, self.desk.grosses[walk.venue]
        left[walk.target] = _subtract(left[walk.target], _subtract(walk.base, base))
        gross.move(EXACT.fma(_subtract(walk.extended, extended), walk.reference, gross.notional))
        return True

    def _crowded(self, venue: int) -> bool:
        """Say whether a venue holds more than it may: what it held already does not count."""
        gross = self.desk.grosses[venue]
        return _subtract(gross.notional, gross.notional_max) > DUST

    def _relieve(self) -> None:
        """Give back what extends a venue where less than expected reduces it."""
        for venue in range(len(self.desk.grosses)):
            self._relieve_venue(venue)

    def _relieve_venue(self, venue: int) -> None:
        while self._crowded(venue):
            able = [walk for walk in self.desk.walks if walk.venue == venue and walk.started and not walk.reduced]
            if not able:
                return
            walk = max(able, key=lambda each: (each.last_unit or NOTHING, each.order))
            gross = self.desk.grosses[venue]
            over = _divide(_subtract(gross.notional, gross.notional_max), walk.reference)
            self._go(walk, max(_subtract(walk.units, lots_of(walk, over)), NOTHING))

    def _fill(self) -> None:
        """Take what is left, each time where the next piece costs least, as long as a whole lot fits somewhere."""
        while self._fill_once():
            pass

    def _fill_once(self) -> bool:
        desk, moved = self.desk, False
        heap: list[tuple[Decimal, int]] = []
        for walk in desk.walks:
            if desk.left[walk.target] > DUST and walk.order not in self.closed:
                unit = desk.next_unit(walk)
                if unit is not None:
                    heap.append((unit, walk.order))
        heapify(heap)
        while heap:
            key, order = heappop(heap)
            walk = desk.walks[order]
            unit = desk.next_unit(walk) if desk.left[walk.target] > DUST else None
            if unit is None:
                continue
            if unit > key:
                heappush(heap, (unit, order))
            elif self._take_lots(walk):
                moved = True
                heappush(heap, (unit, order))
        return moved

    def _take_lots(self, walk: Walk) -> bool:
        """Take as many lots as the next piece has, the least that may be taken at any rate; say whether it fitted."""
        lot, left, gross = walk.candidate.lot, self.desk.left, self.desk.grosses[walk.venue]
        if walk.price is None or _subtract(_in_base(walk, lot), left[walk.target]) > DUST:
            return False
        least = lot if walk.started else minimum(walk)
        if _subtract(_in_base(walk, least), left[walk.target]) > DUST:
            return False
        units = walk.units
        base = min(left[walk.target], walk.piece())
        piece = _multiply(base, walk.price) if walk.inverse else base
        goal = max(in_lots(walk, _add(units, piece), ROUND_FLOOR), _add(units, least))
        stand, before, wanted = walk.stand(), gross.notional, left[walk.target]
        if goal <= walk.room and self._go(walk, goal):
            crowded = gross.notional > before and self._crowded(walk.venue)
            if left[walk.target] >= -DUST and not crowded:
                return True
        walk.return_to(stand)
        gross.move(before)
        left[walk.target] = wanted
        return False

    def _give_up_or_raise(self, walk: Walk) -> None:
        start, closed = self.desk.mark(), self.closed
        self._give_up(walk)
        self._fill()
        given_up, worth = self.desk.mark(), self._worth()
        self.desk.back_to(start)
        self.closed = closed
        if self._raise(walk):
            self._fill()
            if self._worth() <= worth:
                return
        self.desk.back_to(given_up)
        self.closed = closed | {walk.order}

    def _raise(self, walk: Walk) -> bool:
        """Bring a leg up to its minimum, at the expense of the dearest others; say whether the rooms allowed it."""
        goal = minimum(walk)
        if goal > walk.room or not self._go(walk, goal):
            return False
        left = self.desk.left
        others = [each for each in self.desk.walks if each.target == walk.target and each.started and each is not walk]
        others.sort(key=lambda each: (each.last_unit or NOTHING, each.order), reverse=True)
        for other in others:
            if left[walk.target] >= -DUST:
                break
            spare = in_lots(other, max(_subtract(other.units, minimum(other)), NOTHING), ROUND_FLOOR)
            wanted = lots_of(other, EXACT.minus(left[walk.target]))
            self._go(other, _subtract(other.units, min(spare, wanted)))
        if any(self._crowded(venue) for venue in range(len(self.desk.grosses))):
            return False
        return left[walk.target] >= -DUST

    def _worth(self) -> Decimal:
        """Return the cost, what is left counted at a price beyond any."""
        total = self.desk.cost()
        for left, reference in zip(self.desk.left, self.desk.references, strict=True):
            total = EXACT.fma(_multiply(left, reference), UNROUTED, total)
        return total


def in_lots(walk: Walk, units: Decimal, rounding: str) -> Decimal:
    """Round a quantity in units to whole lots."""
    lot = walk.candidate.lot
    # Dust below a whole lot is what a quotient lost; it does not cost a lot.
    near = _add(units, DUST) if rounding == ROUND_FLOOR else _subtract(units, DUST)
    return _multiply(_divide(near, lot).to_integral_value(rounding=rounding), lot)


def _in_base(walk: Walk, units: Decimal) -> Decimal:
    """Return the base quantity of some units at the next price, which on a later level is no more than a little off."""
    return _divide(units, walk.price) if walk.inverse and walk.price is not None else units


def lots_of(walk: Walk, base: Decimal) -> Decimal:
    """Return the least whole lots, in units, that a base quantity already walked last makes."""
    price = walk.last_price
    return in_lots(walk, _multiply(base, price) if walk.inverse and price is not None else base, ROUND_CEILING)


def minimum(walk: Walk) -> Decimal:
    """Return the least quantity in units that may be ordered, in whole lots; notional is counted at the best bid."""
    candidate = walk.candidate
    notional = candidate.minimum_notional
    if not walk.inverse:
        notional = _divide(notional, candidate.bids[0].price)
    return in_lots(walk, max(candidate.minimum_quantity, notional, candidate.lot), ROUND_CEILING)
