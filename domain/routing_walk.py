"""One side of one instrument's book, walked: how much was taken, at what unit cost the next and the last piece come.

Volumes are exact Decimals in base units; unit costs are shares of the reference (0.0001 is a basis point), rounded down
at 28 digits, so that a bound made of them never lies too high.
"""

from decimal import ROUND_FLOOR, Context, Decimal, DivisionByZero, InvalidOperation, Overflow

from domain.depth import Level
from domain.quantity import BPS, EXACT, ZERO
from domain.routing_problem import Candidate, InstrumentKind, Target

SHARE = Context(prec=28, rounding=ROUND_FLOOR, traps=[InvalidOperation, DivisionByZero, Overflow])
HOUR_MS = 3_600_000
NOTHING = Decimal(0)
# Quotients are rounded at 60 digits: what is smaller than this, in any unit, is such a remainder and no quantity.
DUST = Decimal("1e-18")

# Where a walk stands: index, base and quote of the full levels, base of the part.
Stand = tuple[int, Decimal, Decimal, Decimal]

_add, _subtract, _multiply, _divide = EXACT.add, EXACT.subtract, EXACT.multiply, EXACT.divide


class Walk:
    """Take from one side of a candidate's book, best level first, and give back from the worst.

    `taken` levels are full, `part` of the level at `index` is; a full level is never left as a part. A book is believed
    up to the first level that is empty or out of order. What was taken costs `slope` USD per quote unit and `offset`
    USD per base unit. `flip` is the base quantity that reduces the position held, `read` the deepest level looked at.
    """

    __slots__ = (
        "_end",
        "_levels",
        "_unit_offset",
        "_unit_slope",
        "buying",
        "candidate",
        "flip",
        "full_base",
        "full_quote",
        "index",
        "inverse",
        "middle",
        "offset",
        "order",
        "part",
        "read",
        "reference",
        "room",
        "share",
        "slope",
        "target",
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
        self.flip: Decimal = EXACT.abs(held) if (held < 0) is self.buying and held else NOTHING
        self.reference: Decimal = target.reference_usd
        self.index, self.read = 0, 0
        self.full_base = self.full_quote = self.part = NOTHING
        self._price(horizon_ms)

    def _price(self, horizon_ms: int) -> None:
        candidate, sign = self.candidate, Decimal(1 if self.buying else -1)
        rate = candidate.usd_per_quote
        self.middle: Decimal = _divide(_add(candidate.bids[0].price, candidate.asks[0].price), Decimal(2))
        self.share: Decimal = basis_share(candidate, horizon_ms)
        self.slope: Decimal = _multiply(rate, _add(sign, _divide(candidate.taker_fee_bps, BPS)))
        middle = _multiply(self.middle, rate)
        basis = _multiply(self.share, _subtract(middle, self.reference))
        carry = _add(_subtract(basis, middle), carried_per_base(candidate, self.reference, horizon_ms))
        self.offset: Decimal = _multiply(sign, carry)
        self._unit_slope = SHARE.divide(self.slope, self.reference)
        self._unit_offset = SHARE.divide(self.offset, self.reference)

    @property
    def base(self) -> Decimal:
        """Return the base quantity taken."""
        return _add(self.full_base, self.part)

    @property
    def quote(self) -> Decimal:
        """Return the quote amount paid or received; on inverse contracts this is the quantity in units."""
        return EXACT.fma(self.part, self._levels[self.index].price, self.full_quote) if self.part else self.full_quote

    @property
    def started(self) -> bool:
        """Say whether anything was taken."""
        return bool(self.index or self.part)

    @property
    def extended(self) -> Decimal:
        """Return by how much what was taken extends the gross position, base units; negative where it reduces it."""
        base = self.base
        if not self.flip:
            return base
        return _subtract(base, _multiply(Decimal(2), min(base, self.flip)))

    @property
    def units(self) -> Decimal:
        """Return the quantity taken in the units that orders are made in."""
        return self.quote if self.inverse else self.base

    @property
    def cost(self) -> Decimal:
        """Return what was taken costs, USD, penalties apart."""
        return EXACT.fma(self.slope, self.quote, _multiply(self.offset, self.base))

    @property
    def reducing(self) -> bool:
        """Say whether the next piece reduces the position held."""
        return bool(self.flip) and _subtract(self.flip, self.base) > DUST

    @property
    def reduced(self) -> bool:
        """Say whether the last piece taken reduced the position held."""
        return bool(self.flip) and _subtract(self.base, self.flip) <= DUST

    def unit(self, price: Decimal) -> Decimal:
        """Return the unit cost at a price."""
        return SHARE.fma(self._unit_slope, price, self._unit_offset)

    def price_at(self, unit: Decimal) -> Decimal:
        """Return the price at which the unit cost is this much."""
        return SHARE.divide(SHARE.subtract(unit, self._unit_offset), self._unit_slope)

    def next_price(self) -> Decimal | None:
        """Return the price of the next piece; None where the book or the room ends."""
        free = _subtract(self.room, self.units) > DUST and self._believed(self.index)
        return self._levels[self.index].price if free else None

    def last_price(self) -> Decimal | None:
        """Return the price of the last piece taken; None where nothing was."""
        if self.part:
            return self._levels[self.index].price
        return self._levels[self.index - 1].price if self.index else None

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

    def piece(self) -> Decimal:
        """Return how much can be taken at the price of the next piece, until the level, the room or the flip ends."""
        level = self._levels[self.index]
        room = _subtract(self.room, self.units)
        rest = min(_subtract(level.quantity, self.part), _divide(room, level.price) if self.inverse else room)
        return min(rest, _subtract(self.flip, self.base)) if self.reducing else rest

    def last_piece(self) -> Decimal:
        """Return how much can be given back at the price of the last piece."""
        rest = self.part or self._levels[self.index - 1].quantity
        if not self.flip:
            return rest
        beyond = _subtract(self.base, self.flip)
        return min(rest, beyond) if beyond > DUST else rest

    def take(self, budget: Decimal, worst: Decimal | None = None) -> Decimal:
        """Take up to `budget`, the first level in any case and others not beyond `worst`; return how much.

        It ends where the position flips: beyond that the next piece has another penalty.
        """
        start = self.base
        if self.reducing:
            budget = min(budget, _subtract(self.flip, start))
        if not self.inverse:
            budget = min(budget, _subtract(self.room, start))
        goal = _add(start, budget)
        first = True
        while self._believed(self.index):
            level = self._levels[self.index]
            price = level.price
            if not first and worst is not None and (price > worst if self.buying else price < worst):
                break
            first = False
            base = _add(self.full_base, level.quantity)
            quote = EXACT.fma(level.quantity, price, self.full_quote)
            over_room = self.inverse and quote > self.room
            if base > goal or over_room:
                part = _subtract(goal, self.full_base)
                if over_room:
                    part = min(part, _divide(_subtract(self.room, self.full_quote), price))
                self.part = part
                break
            self.full_base, self.full_quote, self.part = base, quote, NOTHING
            self.index += 1
            if base == goal:
                break
        return _subtract(self.base, start)

    def give(self, amount: Decimal) -> None:
        """Give back so much, at most all, of what was taken."""
        goal = max(_subtract(self.base, amount), NOTHING)
        while self.full_base > goal:
            self._back()
        self.part = _subtract(goal, self.full_base)
        if self.part and self.part >= self._levels[self.index].quantity:
            self._complete()

    def _back(self) -> None:
        self.index -= 1
        level = self._levels[self.index]
        self.full_base = _subtract(self.full_base, level.quantity) if self.index else NOTHING
        self.full_quote = _subtract(self.full_quote, _multiply(level.quantity, level.price)) if self.index else NOTHING
        self.part = NOTHING

    def go(self, units: Decimal) -> bool:
        """Go back or forth to a quantity in units, whatever the room; stay and say no where the book has less."""
        stand = self.stand()
        while (self.full_quote if self.inverse else self.full_base) > units:
            self._back()
        self.part = NOTHING
        while (gap := _subtract(units, self.full_quote if self.inverse else self.full_base)) > 0:
            if not self._believed(self.index):
                self.return_to(stand)
                return False
            level = self._levels[self.index]
            part = _divide(gap, level.price) if self.inverse else gap
            if part < level.quantity:
                self.part = part
                break
            self._complete()
        return True

    def _complete(self) -> None:
        level = self._levels[self.index]
        self.full_base = _add(self.full_base, level.quantity)
        self.full_quote = EXACT.fma(level.quantity, level.price, self.full_quote)
        self.part = NOTHING
        self.index += 1

    def stand(self) -> Stand:
        """Return where the walk stands."""
        return self.index, self.full_base, self.full_quote, self.part

    def return_to(self, stand: Stand) -> None:
        """Stand where it stood."""
        self.index, self.full_base, self.full_quote, self.part = stand


def basis_share(candidate: Candidate, horizon_ms: int) -> Decimal:
    """Return which share of the basis counts as a cost: all of it, but on a dated future only what the horizon decays.

    A future's basis is its price of carry, lost evenly until it expires; the rest comes back when it is sold.
    """
    if candidate.kind is not InstrumentKind.FUTURE or not candidate.expires_in_ms:
        return Decimal(1)
    return min(Decimal(1), _divide(Decimal(horizon_ms), Decimal(candidate.expires_in_ms)))


def carried_per_base(candidate: Candidate, reference: Decimal, horizon_ms: int) -> Decimal:
    """Return the funding that a long base unit is expected to pay over the horizon, USD; only perpetuals have any."""
    if candidate.kind not in {InstrumentKind.LINEAR, InstrumentKind.INVERSE}:
        return NOTHING
    hours = _divide(Decimal(horizon_ms), Decimal(HOUR_MS))
    return _multiply(_multiply(candidate.funding_per_hour, hours), reference)
