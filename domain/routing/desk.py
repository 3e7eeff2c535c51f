"""The desk at which a problem is solved: what is taken of each book, each venue's gross notional, what is left."""

from decimal import Decimal
from typing import NamedTuple

from domain.quantity import BPS, EXACT
from domain.routing.problem import VenueRoom
from domain.routing.walk import DUST, NOTHING, SHARE, Stand, Walk

# What a USD is taken to cost that no venue takes: beyond any price, so that all that can be routed is.
UNROUTED = Decimal(1_000_000)
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

    __slots__ = ("by_venue", "grosses", "left", "prices", "references", "walks")

    def __init__(self, walks: list[Walk], grosses: list[Gross], left: list[Decimal], references: list[Decimal]) -> None:
        """Start with nothing taken; `left` is without sign."""
        self.walks, self.grosses, self.left, self.references = walks, grosses, left, references
        self.prices = [-UNROUTED] * len(left)
        self.by_venue: dict[int, list[Walk]] = {walk.venue: [] for walk in walks}
        for walk in walks:
            self.by_venue[walk.venue].append(walk)

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
