"""What the rest of a venue's market does around the world's price: levels and strangers, seeded, in integers.

A source says what the rest of the market has standing (absolute level sizes) and which strangers' trades happened. The
same seed, middles and number of steps give the same market; what our own orders take out of the book is replaced by the
next steps, as a real market's liquidity is.
"""

import random
from collections.abc import Iterator
from decimal import Decimal

import msgspec

from adapters.simulators.instruments import Instrument
from adapters.simulators.matching import Side

LEVELS = 60
# What stands at a near and at a far level at most, in dollars.
NEAR_VALUE = Decimal(80_000)
FAR_VALUE = Decimal(400_000)
# How wide the spread's half and the gaps between levels may be, as fractions of the price.
HALF_SPREAD = Decimal("0.0000075")
GAP = Decimal("0.000025")


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


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """Describe a market's habits, in ticks and lots."""

    half_spread_max: int
    gap_max: int
    lots_near: int
    lots_far: int
    trade_one_in: int = 3


def shape_of(instrument: Instrument, price: Decimal) -> Shape:
    """Return the habits of a busy market in that instrument at about that price."""
    lot_value = instrument.notional(instrument.step, price)
    return Shape(
        half_spread_max=max(1, int(price * HALF_SPREAD / instrument.tick)),
        gap_max=max(1, int(price * GAP / instrument.tick)),
        lots_near=max(8, int(NEAR_VALUE / lot_value)),
        lots_far=max(16, int(FAR_VALUE / lot_value)),
    )


class Crowd:
    """Keep the rest of one market standing around a middle that someone else moves."""

    def __init__(self, shape: Shape, seed: str) -> None:
        self._shape = shape
        self._random = random.Random(seed)  # noqa: S311 - a seeded market, not a secret
        self._standing: dict[Side, dict[int, int]] = {"BUY": {}, "SELL": {}}

    def adopt(self, bids: Iterator[int], asks: Iterator[int]) -> None:
        """Take over a book that another source left behind, so that its levels are cleared as the crowd goes on."""
        self._standing = {"BUY": dict.fromkeys(bids, -1), "SELL": dict.fromkeys(asks, -1)}

    def step(self, middle: int) -> Step:
        """Say who trades and what stands around a middle now."""
        middle = max(middle, self._shape.gap_max * LEVELS * 2)
        return Step(self._strangers(middle), self._side("BUY", middle), self._side("SELL", middle))

    def _strangers(self, middle: int) -> tuple[Stranger, ...]:
        shape, pick = self._shape, self._random
        if pick.randrange(shape.trade_one_in):
            return ()
        side: Side = "BUY" if pick.randrange(2) else "SELL"
        reach = shape.half_spread_max + pick.randrange(shape.gap_max)
        price = middle + (reach if side == "BUY" else -reach)
        return (Stranger(side, price, pick.randint(1, shape.lots_near)),)

    def _side(self, side: Side, middle: int) -> tuple[tuple[int, int], ...]:
        shape, pick = self._shape, self._random
        sign = -1 if side == "BUY" else 1
        price = middle + sign * pick.randint(1, shape.half_spread_max)
        wanted: dict[int, int] = {}
        for depth in range(LEVELS):
            most = shape.lots_near + (shape.lots_far - shape.lots_near) * depth // LEVELS
            old = self._standing[side].get(price, 0)
            wanted[price] = old if old > 0 and pick.randrange(4) else pick.randint(most // 8, most)
            price += sign * pick.randint(1, shape.gap_max)
        gone = {price: 0 for price in self._standing[side] if price not in wanted}
        self._standing[side] = wanted
        return tuple((gone | wanted).items())
