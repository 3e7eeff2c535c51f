"""A venue's book as a decision sees it: its levels, how old it is, and what a size costs on it."""

from decimal import Decimal

import msgspec

from domain.quantity import ZERO, Num, add, divide, multiply, subtract

# A decision rests on this many price levels a side; deeper ones are not seen.
DEPTH_LEVELS_MAX = 20


class Level(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Hold a price and the base quantity resting there."""

    price: Num
    quantity: Num


class BookEvidence(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Show a venue's book as the core saw it: best levels first, `age_ms` since it was received."""

    venue: str
    symbol: str
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    sequence: int
    received_at_us: int
    age_ms: int

    @property
    def sound(self) -> bool:
        """Say whether both sides are there, above zero and not crossed."""
        return bool(self.bids) and bool(self.asks) and 0 < self.bids[0].price < self.asks[0].price

    @property
    def mid(self) -> Num:
        """Return the midpoint of a sound book."""
        return divide(add(self.bids[0].price, self.asks[0].price), Decimal(2))


def sell_into(bids: tuple[Level, ...], quantity: Decimal) -> tuple[Num, Num]:
    """Walk the bids with a base quantity; return (quantity sold, quote received)."""
    left, quote = Num(quantity), ZERO
    for level in bids:
        if left <= 0:
            break
        taken = min(left, level.quantity)
        quote = add(quote, multiply(taken, level.price))
        left = subtract(left, taken)
    return subtract(quantity, left), quote


def spend_on(asks: tuple[Level, ...], budget: Decimal) -> tuple[Num, Num]:
    """Walk the asks with a quote budget; return (base bought, quote spent). Partial levels divide to 60 digits."""
    left, base = Num(budget), ZERO
    for level in asks:
        if left <= 0:
            break
        cost = multiply(level.price, level.quantity)
        if cost <= left:
            base, left = add(base, level.quantity), subtract(left, cost)
        else:
            base, left = add(base, divide(left, level.price)), ZERO
    return base, subtract(budget, left)
