"""What the rest of a venue's market does around the world's price: levels and strangers, seeded, in integers.

A source says what the rest of the market has standing (absolute level sizes) and which strangers' trades happened. The
same seed, middles and number of steps give the same market; what our own orders take out of the book is replaced by the
next steps, as a real market's liquidity is.
"""

import random
from collections.abc import Iterable
from decimal import Decimal

import msgspec

from adapters.simulators.instruments import Instrument
from adapters.simulators.matching import Side

LEVELS = 60
# How many levels are filled up at each step, and how many others change their size.
NEAR = 12
RESIZED = 4
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
    """Keep the rest of one market standing around a middle that someone else moves.

    A step touches little: levels that the middle passed, the gap that it left behind, the levels near it, which are
    filled up again when someone took from them, and a few others at random.
    """

    def __init__(self, shape: Shape, seed: str) -> None:
        self._shape = shape
        self._random = random.Random(seed)  # noqa: S311 - a seeded market, not a secret
        self._standing: dict[Side, dict[int, int]] = {"BUY": {}, "SELL": {}}
        self._adopted: dict[Side, tuple[int, ...]] = {"BUY": (), "SELL": ()}

    def adopt(self, bids: Iterable[int], asks: Iterable[int]) -> None:
        """Take over a book that another source left behind: its levels are cleared at the next step."""
        self._standing = {"BUY": {}, "SELL": {}}
        self._adopted = {"BUY": tuple(bids), "SELL": tuple(asks)}

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
        """Return what changes on one side. Prices are compared by `sign`, so that the best has the least key."""
        shape, pick, sign = self._shape, self._random, -1 if side == "BUY" else 1
        standing = self._standing[side]
        told: dict[int, int] = dict.fromkeys(self._adopted[side], 0)
        self._adopted[side] = ()
        edge = middle * sign + pick.randint(1, shape.half_spread_max)
        for price in [price for price in standing if price * sign < edge]:
            del standing[price]
            told[price] = 0
        new = self._fill_gap(standing, edge, sign)
        ordered = sorted(standing, key=lambda price: price * sign)
        for price in ordered[LEVELS:]:
            del standing[price]
            told[price] = 0
        kept = ordered[:LEVELS]
        for _ in range(RESIZED):
            depth = pick.randrange(len(kept))
            standing[kept[depth]] = self._lots(depth)
            told[kept[depth]] = standing[kept[depth]]
        told |= {price: standing[price] for price in (*new, *kept[:NEAR]) if price in standing}
        return tuple(told.items())

    def _fill_gap(self, standing: dict[int, int], edge: int, sign: int) -> list[int]:
        """Put levels from the edge on until one that stands already, and at the far end until there are enough."""
        shape, pick = self._shape, self._random
        new: list[int] = []
        best = min((price * sign for price in standing), default=None)
        key, depth = edge, 0
        while depth < LEVELS and (best is None or key < best):
            standing[key * sign] = self._lots(depth)
            new.append(key * sign)
            key += pick.randint(1, shape.gap_max)
            depth += 1
        worst = max(price * sign for price in standing)
        while len(standing) < LEVELS:
            worst += pick.randint(1, shape.gap_max)
            standing[worst * sign] = self._lots(len(standing))
            new.append(worst * sign)
        return new

    def _lots(self, depth: int) -> int:
        shape = self._shape
        most = shape.lots_near + (shape.lots_far - shape.lots_near) * depth // LEVELS
        return self._random.randint(most // 8, most)
