"""Where the simulated market's prices come from: a seeded random walk in integers, or a recording and then the walk.

A source says what the rest of the market has standing (absolute level sizes) and which strangers' trades happened. The
same seed and number of steps give the same market; what our own orders take out of the book is replaced by the next
steps, as a real market's liquidity is.
"""

import random
from collections.abc import Iterator
from typing import Protocol

import msgspec

from adapters.simulators.matching import Side

LEVELS = 60
FAR_LEVELS_MAX = 120


class Stranger(msgspec.Struct, frozen=True):
    """Describe a stranger's order: takes up to `quantity` lots at `price` ticks or better."""

    side: Side
    price: int
    quantity: int


class Step(msgspec.Struct, frozen=True):
    """Hold one step of a market: strangers first, then what stands at these prices (0 means nothing)."""

    strangers: tuple[Stranger, ...]
    bids: tuple[tuple[int, int], ...]
    asks: tuple[tuple[int, int], ...]


class Market(Protocol):
    """Produce the steps of one market."""

    def step(self) -> Step:
        """Return the next step."""
        ...

    def middle(self) -> int:
        """Return where the market stands, in ticks."""
        ...


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """Describe a market's habits: ticks and lots per step of the walk."""

    middle: int
    half_spread_max: int
    gap_max: int
    lots_near: int
    lots_far: int
    move_max: int
    jump_one_in: int
    trade_one_in: int


ETH_SHAPE = Shape(
    middle=268_200,
    half_spread_max=2,
    gap_max=6,
    lots_near=30_000,
    lots_far=150_000,
    move_max=25,
    jump_one_in=300,
    trade_one_in=3,
)
BTC_SHAPE = Shape(
    middle=617_000,
    half_spread_max=2,
    gap_max=5,
    lots_near=8_000,
    lots_far=30_000,
    move_max=30,
    jump_one_in=300,
    trade_one_in=3,
)


class Walk:
    """Walk a book at random: the middle moves by a few ticks, sometimes jumps, and drifts back to where it began."""

    def __init__(self, shape: Shape, seed: str, *, middle: int | None = None) -> None:
        self._shape = shape
        self._random = random.Random(seed)  # noqa: S311 - a seeded market, not a secret
        self._home = shape.middle
        self._middle = shape.middle if middle is None else middle
        self._standing: dict[Side, dict[int, int]] = {"BUY": {}, "SELL": {}}

    def middle(self) -> int:
        """Return where the market stands, in ticks."""
        return self._middle

    def adopt(self, bids: Iterator[int], asks: Iterator[int]) -> None:
        """Take over a book that another source left behind, so that its levels are cleared as the walk goes on."""
        self._standing = {"BUY": dict.fromkeys(bids, -1), "SELL": dict.fromkeys(asks, -1)}

    def step(self) -> Step:
        """Move the middle and say what stands around it now."""
        self._move()
        strangers = self._strangers()
        return Step(strangers, self._side("BUY"), self._side("SELL"))

    def _move(self) -> None:
        shape, pick = self._shape, self._random
        reach = shape.move_max * (8 if pick.randrange(shape.jump_one_in) == 0 else 1)
        move = pick.randint(-reach, reach)
        # One step in four leans home: the walk stays where a demo's limits make sense, whatever its length.
        if pick.randrange(4) == 0 and self._middle != self._home:
            move = abs(move) // 2 * (1 if self._middle < self._home else -1)
        self._middle = max(self._middle + move, shape.gap_max * LEVELS * 2)

    def _strangers(self) -> tuple[Stranger, ...]:
        shape, pick = self._shape, self._random
        if pick.randrange(shape.trade_one_in):
            return ()
        side: Side = "BUY" if pick.randrange(2) else "SELL"
        reach = shape.half_spread_max + pick.randrange(shape.gap_max)
        price = self._middle + (reach if side == "BUY" else -reach)
        return (Stranger(side, price, pick.randint(1, shape.lots_near)),)

    def _side(self, side: Side) -> tuple[tuple[int, int], ...]:
        shape, pick = self._shape, self._random
        sign = -1 if side == "BUY" else 1
        price = self._middle + sign * pick.randint(1, shape.half_spread_max)
        wanted: dict[int, int] = {}
        for depth in range(LEVELS):
            most = shape.lots_near + (shape.lots_far - shape.lots_near) * depth // LEVELS
            old = self._standing[side].get(price, 0)
            wanted[price] = old if old > 0 and pick.randrange(4) else pick.randint(most // 8, most)
            price += sign * pick.randint(1, shape.gap_max)
        gone = {price: 0 for price in self._standing[side] if price not in wanted}
        self._standing[side] = wanted
        return tuple((gone | wanted).items())
