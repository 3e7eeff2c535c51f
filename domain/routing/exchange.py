"""Proof that nothing better can be done, or the exchange that does better.

A solution of the relaxation is optimal exactly when there are prices, one a target and one a venue, at which no piece
taken is too dear and none left is too cheap. Each condition names at most one target and one venue, so that the prices
are found, or proven not to exist, by Bellman and Ford's method on a graph with two nodes a price (one for its value,
one for its negative). A negative cycle there is a set of pieces to take and to give back at once that saves money; it
is followed as far as it saves.
"""

from decimal import Decimal

import msgspec

from domain.quantity import EXACT
from domain.routing.desk import UNROUTED, Desk
from domain.routing.walk import DUST, NOTHING, SHARE, Walk

# Each exchange ends at an edge of some piece; so many in a row do not happen, and the bound stays honest if they do.
EXCHANGES_MAX = 200
TWO = Decimal(2)
# A cycle must save more than the rounding of its unit costs.
SLACK = Decimal("1e-20")


class Edge(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Say that the price at `head` exceeds that at `tail` by at most `weight`; `walk` moves `way` where it binds."""

    tail: int
    head: int
    weight: Decimal
    walk: int
    way: int


def optimise(desk: Desk) -> list[Decimal] | None:
    """Exchange until nothing saves, and return the targets' prices that prove it, as shares.

    Return None where the bound of tries was reached.
    """
    if _priced(desk):
        return desk.prices
    start = [signed for value in first_prices(desk) for signed in (value, EXACT.minus(value))]
    before: dict[int, int] = {}
    for _ in range(EXCHANGES_MAX):
        prices, cycle = _settle(_edges(desk), start)
        if not cycle:
            return prices
        ways = _ways(cycle)
        if not _follow(desk, ways):
            return None
        # Two exchanges may undo each other's pieces in turn for long: what both come to is tried at once.
        both = {order: way for order in {**before, **ways} if (way := before.get(order, 0) + ways.get(order, 0))}
        _follow(desk, both)
        before = ways
    return None


def first_prices(desk: Desk) -> list[Decimal]:
    """Return a guess: the price of each target's last piece, and what each venue's gross is fined now."""
    return [*desk.prices, *(gross.above or gross.below for gross in desk.grosses)]


def _priced(desk: Desk) -> bool:
    """Say whether the prices of the last pieces prove the merge optimal: each venue then has a price between.

    They do on nearly all markets; where they do not, other prices still may.
    """
    for number, left in enumerate(desk.left):
        if left > DUST:
            desk.prices[number] = UNROUTED
    least = [gross.below for gross in desk.grosses]
    most = [gross.above for gross in desk.grosses]
    for walk in desk.walks:
        price, venue = desk.prices[walk.target], walk.venue
        ends: list[tuple[Decimal, bool]] = []  # what the venue's price must be, at least or at most
        if walk.unit is not None:
            need = EXACT.subtract(price, walk.unit)
            ends.append((EXACT.minus(need), False) if walk.reducing else (need, True))
        unit = walk.last_unit
        if unit is not None:
            need = EXACT.subtract(price, unit)
            ends.append((EXACT.minus(need), True) if walk.reduced else (need, False))
        for need, at_least in ends:
            top = most[venue]
            if at_least:
                least[venue] = max(least[venue], need)
            elif top is None or need < top:
                most[venue] = need
    return all(top is None or EXACT.subtract(low, top) <= SLACK for low, top in zip(least, most, strict=True))


def give_back(desk: Desk, target: int, amount: Decimal) -> Decimal:
    """Give back a base quantity of a target from its dearest pieces; its price becomes that of the last of them.

    Return what could not be given back: what reduces a position stays where the venue has no room to extend it again.
    """
    while amount > DUST:
        dearest: tuple[Decimal, Walk] | None = None
        for walk in desk.walks:
            saved = last_saving(desk, walk) if walk.target == target else None
            if saved is not None and (dearest is None or saved > dearest[0]):
                dearest = saved, walk
        if dearest is None:
            return amount
        desk.prices[target], walk = dearest
        gross = desk.grosses[walk.venue]
        edge = gross.edge_above if walk.reduced else gross.edge_below
        distance = SHARE.divide(EXACT.abs(EXACT.subtract(edge, gross.notional)), walk.reference)
        piece = min(amount, walk.last_piece(), distance)
        _move(desk, walk, EXACT.minus(piece))
        if piece == distance:
            gross.move(edge)
        amount = EXACT.subtract(amount, piece)
    return NOTHING


def price_anew(desk: Desk) -> None:
    """Set each target's price to that of the dearest piece taken: where something was left, it was beyond any."""
    desk.prices = [EXACT.minus(UNROUTED)] * len(desk.left)
    for walk in desk.walks:
        saved = last_saving(desk, walk)
        if saved is not None:
            desk.prices[walk.target] = max(desk.prices[walk.target], saved)


def last_saving(desk: Desk, walk: Walk) -> Decimal | None:
    """Return what giving back the last piece taken saves, as a share; None where there is none, or no room for it."""
    unit, gross = walk.last_unit, desk.grosses[walk.venue]
    if unit is None:
        return None
    if not walk.reduced:
        return EXACT.add(unit, gross.below)
    return None if gross.above is None else EXACT.subtract(unit, gross.above)


def _edges(desk: Desk) -> list[Edge]:
    """Return every condition that prices must fulfil; node 2n is the nth price, 2n + 1 its negative."""
    edges: list[Edge] = []
    targets = len(desk.left)
    for number, left in enumerate(desk.left):
        plus, minus = 2 * number, 2 * number + 1
        edges.append(Edge(minus, plus, EXACT.multiply(UNROUTED, TWO), -1, 0))
        if left > DUST:
            edges.append(Edge(plus, minus, EXACT.multiply(UNROUTED, Decimal(-2)), -1, 0))
    for number, gross in enumerate(desk.grosses, targets):
        plus, minus = 2 * number, 2 * number + 1
        above = gross.above
        if above is not None:
            edges.append(Edge(minus, plus, EXACT.multiply(above, TWO), -1, 0))
        edges.append(Edge(plus, minus, EXACT.multiply(gross.below, Decimal(-2)), -1, 0))
    for walk in desk.walks:
        target, venue = 2 * walk.target, 2 * (targets + walk.venue)
        if walk.unit is not None:
            # Not too cheap to be left: the target's price less (or, where it reduces, plus) the venue's <= unit.
            unit, ends = walk.unit, (venue + 1, venue) if walk.reducing else (venue, venue + 1)
            edges.append(Edge(ends[0], target, unit, walk.order, 1))
            edges.append(Edge(target + 1, ends[1], unit, walk.order, 1))
        last = walk.last_unit
        if last is not None:
            unit, ends = EXACT.minus(last), (venue + 1, venue) if walk.reduced else (venue, venue + 1)
            edges.append(Edge(target, ends[0], unit, walk.order, -1))
            edges.append(Edge(ends[1], target + 1, unit, walk.order, -1))
    return edges


def _settle(edges: list[Edge], start: list[Decimal]) -> tuple[list[Decimal], list[Edge]]:
    """Return prices that fulfil every condition, or a cycle of conditions that contradict each other."""
    value = list(start)
    nodes = len(value)
    into: list[Edge | None] = [None] * nodes
    for _ in range(nodes + 1):
        changed = False
        for edge in edges:
            most = EXACT.add(value[edge.tail], edge.weight)  # exactly: a circle of no weight must stay one
            if most < value[edge.head]:
                value[edge.head], into[edge.head], changed = most, edge, True
        if not changed:
            break
        cycle = _cycle(into)
        if cycle:
            return [], cycle
    return [SHARE.divide(SHARE.subtract(value[n], value[n + 1]), TWO) for n in range(0, nodes, 2)], []


def _cycle(into: list[Edge | None]) -> list[Edge]:
    """Return a cycle among the conditions that bind now, if it saves more than rounding."""
    state = [0] * len(into)
    for first in range(len(into)):
        node, path = first, list[int]()
        while state[node] == 0:
            state[node] = 1
            path.append(node)
            edge = into[node]
            if edge is None:
                break
            node = edge.tail
        else:
            if node in path:
                found = [each for at in path[path.index(node) :] if (each := into[at]) is not None]
                if sum((edge.weight for edge in found), NOTHING) < -SLACK:
                    return found
    return []


def _ways(cycle: list[Edge]) -> dict[int, int]:
    """Return how much a cycle takes of each walk, or gives back, in USD for each USD of the exchange."""
    ways: dict[int, int] = {}
    for edge in cycle:
        if edge.way:
            ways[edge.walk] = ways.get(edge.walk, 0) + edge.way
    return ways


def _follow(desk: Desk, ways: dict[int, int]) -> bool:
    """Take and give back as far as it saves; say whether anything moved."""
    moves = [(desk.walks[order], way) for order, way in sorted(ways.items()) if way]
    moved = False
    while moves:
        venues = _gross_ways(moves)
        if not _saves(desk, moves, venues) or (step := _step(desk, moves, venues)) <= DUST:
            break
        for walk, way in moves:
            _move(desk, walk, EXACT.divide(EXACT.multiply(Decimal(way), step), walk.reference))
        moved = True
    return moved


def _gross_ways(moves: list[tuple[Walk, int]]) -> dict[int, int]:
    """Return by how much each venue's gross moves a USD of the exchange."""
    ways: dict[int, int] = {}
    for walk, way in moves:
        reducing = walk.reducing if way > 0 else walk.reduced
        ways[walk.venue] = ways.get(walk.venue, 0) + (-way if reducing else way)
    return ways


def _saves(desk: Desk, moves: list[tuple[Walk, int]], venues: dict[int, int]) -> bool:
    total = NOTHING
    unrouted = [0] * len(desk.left)
    for walk, way in moves:
        unit = walk.unit if way > 0 else walk.last_unit
        if unit is None:
            return False
        total = EXACT.fma(Decimal(way), unit, total)
        unrouted[walk.target] -= way
    for number, way in enumerate(unrouted):
        if way < 0 and desk.left[number] <= DUST:
            return False
        total = EXACT.fma(Decimal(way), UNROUTED, total)
    for venue, way in venues.items():
        gross = desk.grosses[venue]
        fine = gross.above if way > 0 else gross.below
        if way and fine is None:
            return False
        total = EXACT.fma(Decimal(way), fine or NOTHING, total)
    return total < -SLACK


def _step(desk: Desk, moves: list[tuple[Walk, int]], venues: dict[int, int]) -> Decimal:
    """Return how many USD can be exchanged until some piece, venue's step or target's remainder ends."""
    step: Decimal | None = None
    ends: list[tuple[Decimal, int]] = []
    unrouted = [0] * len(desk.left)
    for walk, way in moves:
        ends.append((EXACT.multiply(walk.piece() if way > 0 else walk.last_piece(), walk.reference), abs(way)))
        unrouted[walk.target] -= way
    for number, way in enumerate(unrouted):
        if way < 0:
            ends.append((EXACT.multiply(desk.left[number], desk.references[number]), -way))
    for venue, way in venues.items():
        gross = desk.grosses[venue]
        edge = gross.edge_above if way > 0 else gross.edge_below
        if way:
            ends.append((EXACT.abs(EXACT.subtract(edge, gross.notional)), abs(way)))
    for length, way in ends:
        most = EXACT.divide(length, Decimal(way))
        step = most if step is None else min(step, most)
    return step or NOTHING


def _move(desk: Desk, walk: Walk, base: Decimal) -> None:
    """Take a base quantity, or give it back where it is negative, within one piece."""
    before = walk.base
    reducing = walk.reducing if base > 0 else walk.reduced
    if base > 0:
        walk.take(base)
    else:
        walk.give(EXACT.minus(base))
    moved = EXACT.subtract(walk.base, before)
    gross, change = desk.grosses[walk.venue], EXACT.multiply(moved, walk.reference)
    gross.move((EXACT.subtract if reducing else EXACT.add)(gross.notional, change))
    desk.left[walk.target] = EXACT.subtract(desk.left[walk.target], moved)
