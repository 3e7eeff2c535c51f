"""One side of one instrument's book, walked: how much was taken, at what unit cost the next and the last piece come.

Volumes are exact Decimals in base units; unit costs are shares of the reference (0.0001 is a basis point), rounded down
at 28 digits, so that a bound made of them never lies too high.
"""

from decimal import ROUND_FLOOR, Context, Decimal, DivisionByZero, InvalidOperation, Overflow
from functools import lru_cache

from domain.depth import Level
from domain.quantity import BPS, EXACT, ZERO
from domain.routing.problem import Candidate, InstrumentKind, Target

SHARE = Context(prec=28, rounding=ROUND_FLOOR, traps=[InvalidOperation, DivisionByZero, Overflow])
HOUR_MS = 3_600_000
NOTHING, TWO = Decimal(0), Decimal(2)
_LONG, _SHORT = Decimal(1), Decimal(-1)
# So many horizons are remembered in hours.
HORIZONS_MAX = 16
# Quotients are rounded at 60 digits: what is smaller than this, in any unit, is such a remainder and no quantity.
DUST = Decimal("1e-18")

# Where a walk stands: index, base and quote of the full levels, base of the part.
Stand = tuple[int, Decimal, Decimal, Decimal]

_add, _subtract, _multiply, _divide, _fma = EXACT.add, EXACT.subtract, EXACT.multiply, EXACT.divide, EXACT.fma


class Walk:
    """Take from one side of a candidate's book, best level first, and give back from the worst.

    `taken` levels are full, `part` of the level at `index` is; a full level is never left as a part. A book is believed
    up to the first level that is empty or out of order. What was taken costs `slope` USD per quote unit and `offset`
    USD per base unit. `flip` is the base quantity that reduces the position held, `read` the deepest level looked at.

    `base` is what was taken, `started` whether anything was; `price` and `unit` are those of the next piece, None where
    the book or the room ends; `reducing` says whether that piece reduces the position held.
    """

    __slots__ = (
        "_end",
        "_full_base",
        "_full_quote",
        "_index",
        "_levels",
        "_part",
        "_unit_offset",
        "_unit_slope",
        "base",
        "buying",
        "candidate",
        "flip",
        "inverse",
        "middle",
        "offset",
        "order",
        "price",
        "read",
        "reducing",
        "reference",
        "room",
        "share",
        "slope",
        "started",
        "target",
        "unit",
        "venue",
    )

    def __init__(
        self, candidate: Candidate, target: Target, horizon_ms: int, *, order: int, target_number: int, venue: int
    ) -> None:
        """Stand before the best level; `order` breaks ties."""
        self.candidate, self.order, self.target, self.venue = candidate, order, target_number, venue
        self.buying = target.quantity > 0
        self.inverse = candidate.kind is InstrumentKind.INVERSE
        self._levels: tuple[Level, ...] = candidate.asks if self.buying else candidate.bids
        self._end = len(self._levels)
        self.room: Decimal = max(candidate.room_buy if self.buying else candidate.room_sell, ZERO)
        held: Decimal = candidate.position
        self.flip: Decimal = EXACT.abs(held) if held and (held < 0) is self.buying else NOTHING
        self.reference: Decimal = target.reference_usd
        self._index, self.read = 0, 0
        self._full_base = self._full_quote = self._part = NOTHING
        self._reckon(horizon_ms)
        self._look()

    def _reckon(self, horizon_ms: int) -> None:
        candidate, sign = self.candidate, _LONG if self.buying else _SHORT
        rate = candidate.usd_per_quote
        self.middle: Decimal = _divide(_add(candidate.bids[0].price, candidate.asks[0].price), TWO)
        self.share: Decimal = basis_share(candidate, horizon_ms)
        self.slope: Decimal = _multiply(rate, _add(sign, _divide(candidate.taker_fee_bps, BPS)))
        middle = _multiply(self.middle, rate)
        basis = _subtract(middle, self.reference)
        if self.share is not _LONG:
            basis = _multiply(self.share, basis)
        carry = _add(_subtract(basis, middle), carried_per_base(candidate, self.reference, horizon_ms))
        self.offset: Decimal = _multiply(sign, carry)
        self._unit_slope = SHARE.divide(self.slope, self.reference)
        self._unit_offset = SHARE.divide(self.offset, self.reference)

    def _look(self) -> None:
        """Look at the next piece after every move; a remainder that is dust is none."""
        if self._part and (self._part <= DUST or _subtract(self._levels[self._index].quantity, self._part) <= DUST):
            self._drop_dust()
        index, part = self._index, self._part
        self.base = base = _add(self._full_base, part) if part else self._full_base
        self.started = bool(index or part)
        self.reducing = bool(self.flip) and _subtract(self.flip, base) > DUST
        self.price: Decimal | None = None
        self.unit: Decimal | None = None
        if self._believed(index) and _subtract(self.room, self.quote if self.inverse else base) > DUST:
            self.price = self._levels[index].price
            self.unit = SHARE.fma(self._unit_slope, self.price, self._unit_offset)

    def _drop_dust(self) -> None:
        if self._part <= DUST:
            self._part = NOTHING
        else:
            self._complete()

    def _believed(self, index: int) -> bool:
        if index >= self._end:
            return False
        self.read = max(self.read, index)
        level = self._levels[index]
        good = level.quantity > 0 and level.price > 0
        if good and index:
            before = self._levels[index - 1].price
            good = level.price >= before if self.buying else level.price <= before
        if not good:
            self._end = index
        return good

    @property
    def quote(self) -> Decimal:
        """Return the quote amount paid or received; on inverse contracts this is the quantity in units."""
        if not self._part:
            return self._full_quote
        return EXACT.fma(self._part, self._levels[self._index].price, self._full_quote)

    @property
    def units(self) -> Decimal:
        """Return the quantity taken in the units that orders are made in."""
        return self.quote if self.inverse else self.base

    @property
    def cost(self) -> Decimal:
        """Return what was taken costs, USD, penalties apart."""
        return EXACT.fma(self.slope, self.quote, _multiply(self.offset, self.base))

    @property
    def extended(self) -> Decimal:
        """Return by how much what was taken extends the gross position, base units; negative where it reduces it."""
        if not self.flip:
            return self.base
        return _subtract(self.base, _multiply(TWO, min(self.base, self.flip)))

    @property
    def reduced(self) -> bool:
        """Say whether the last piece taken reduced the position held."""
        return bool(self.flip) and _subtract(self.base, self.flip) <= DUST

    @property
    def last_price(self) -> Decimal | None:
        """Return the price of the last piece taken; None where nothing was."""
        if self._part:
            return self._levels[self._index].price
        return self._levels[self._index - 1].price if self._index else None

    @property
    def last_unit(self) -> Decimal | None:
        """Return the unit cost of the last piece taken; None where nothing was."""
        price = self.last_price
        return None if price is None else SHARE.fma(self._unit_slope, price, self._unit_offset)

    def price_at(self, unit: Decimal) -> Decimal:
        """Return the price at which the unit cost is this much."""
        return SHARE.divide(SHARE.subtract(unit, self._unit_offset), self._unit_slope)

    def piece(self) -> Decimal:
        """Return how much can be taken at the price of the next piece, until the level, the room or the flip ends."""
        level = self._levels[self._index]
        room = _subtract(self.room, self.units)
        rest = min(_subtract(level.quantity, self._part), _divide(room, level.price) if self.inverse else room)
        return min(rest, _subtract(self.flip, self.base)) if self.reducing else rest

    def last_piece(self) -> Decimal:
        """Return how much can be given back at the price of the last piece."""
        rest = self._part or self._levels[self._index - 1].quantity
        beyond = _subtract(self.base, self.flip)
        return min(rest, beyond) if self.flip and beyond > DUST else rest

    def take(self, budget: Decimal, worst: Decimal | None = None) -> Decimal:
        """Take up to `budget`, the first level in any case and others not beyond `worst`; return how much.

        It ends where the position flips: beyond that the next piece has another penalty.
        """
        if self.price is None:
            return NOTHING
        start, inverse, buying, room = self.base, self.inverse, self.buying, self.room
        if self.reducing:
            budget = min(budget, _subtract(self.flip, start))
        if not inverse:
            budget = min(budget, _subtract(room, start))
        goal = _add(start, budget)
        index, full, quote, price = self._index, self._full_base, self._full_quote, self.price
        levels, end = self._levels, self._end
        quantity = levels[index].quantity
        while True:
            base, after = _add(full, quantity), _fma(quantity, price, quote)
            if base > goal or (inverse and after > room):
                part = _subtract(goal, full)
                self._part = min(part, _divide(_subtract(room, quote), price)) if inverse and after > room else part
                break
            index, full, quote, self._part = index + 1, base, after, NOTHING
            if base == goal or index >= end:
                break
            level, before = levels[index], price
            price, quantity = level.price, level.quantity
            if quantity <= 0 or (price < before if buying else not 0 < price <= before):
                break  # `_look` ends the book here
            if worst is not None and (price > worst if buying else price < worst):
                break
        self._index, self._full_base, self._full_quote = index, full, quote
        self._look()
        return _subtract(self.base, start)

    def give(self, amount: Decimal) -> None:
        """Give back so much, at most all, of what was taken."""
        goal = max(_subtract(self.base, amount), NOTHING)
        while self._full_base > goal:
            self._back()
        self._part = _subtract(goal, self._full_base)
        if self._part and self._part >= self._levels[self._index].quantity:
            self._complete()
        self._look()

    def _back(self) -> None:
        self._index -= 1
        level = self._levels[self._index]
        gone = self._index == 0  # exactly: of quotients a remainder might stay
        self._full_base = NOTHING if gone else _subtract(self._full_base, level.quantity)
        self._full_quote = NOTHING if gone else _subtract(self._full_quote, _multiply(level.quantity, level.price))
        self._part = NOTHING

    def _complete(self) -> None:
        level = self._levels[self._index]
        self._full_base = _add(self._full_base, level.quantity)
        self._full_quote = _fma(level.quantity, level.price, self._full_quote)
        self._part = NOTHING
        self._index += 1

    def go(self, units: Decimal) -> bool:
        """Go back or forth to a quantity in units, whatever the room; stay and say no where the book has less."""
        stand = self.stand()
        while (self._full_quote if self.inverse else self._full_base) > units:
            self._back()
        self._part = NOTHING
        while (gap := _subtract(units, self._full_quote if self.inverse else self._full_base)) > 0:
            if not self._believed(self._index):
                self.return_to(stand)
                return False
            level = self._levels[self._index]
            part = _divide(gap, level.price) if self.inverse else gap
            if part < level.quantity:
                self._part = part
                break
            self._complete()
        self._look()
        return True

    def stand(self) -> Stand:
        """Return where the walk stands."""
        return self._index, self._full_base, self._full_quote, self._part

    def return_to(self, stand: Stand) -> None:
        """Stand where it stood."""
        if stand != self.stand():
            self._index, self._full_base, self._full_quote, self._part = stand
            self._look()


def basis_share(candidate: Candidate, horizon_ms: int) -> Decimal:
    """Return which share of the basis counts as a cost: all of it, but on a dated future only what the horizon decays.

    A future's basis is its price of carry, lost evenly until it expires; the rest comes back when it is sold.
    """
    if candidate.kind is not InstrumentKind.FUTURE or not candidate.expires_in_ms:
        return _LONG
    return min(_LONG, _divide(Decimal(horizon_ms), Decimal(candidate.expires_in_ms)))


def carried_per_base(candidate: Candidate, reference: Decimal, horizon_ms: int) -> Decimal:
    """Return the funding that a long base unit is expected to pay over the horizon, USD; only perpetuals have any."""
    if candidate.kind is InstrumentKind.SPOT or candidate.kind is InstrumentKind.FUTURE:
        return NOTHING
    return _multiply(_multiply(candidate.funding_per_hour, _hours(horizon_ms)), reference)


@lru_cache(maxsize=HORIZONS_MAX)
def _hours(horizon_ms: int) -> Decimal:
    """Return a horizon in hours; a policy has two or three of them."""
    return _divide(Decimal(horizon_ms), Decimal(HOUR_MS))
