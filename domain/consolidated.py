"""The consolidated book: a size walked over several venues' books at once, each net of its fee, in dollars.

At every step the best price anywhere is taken. Costs only rise along each book, so no other split is cheaper.
"""

from collections.abc import Iterator
from decimal import Decimal
from itertools import takewhile

import msgspec

from domain.book import Book
from domain.depth import Level, sell_into, spend_on
from domain.policy import Instrument
from domain.quantity import BPS, EXACT, ZERO, Num, Rounding, add, divide, multiply, round_to, subtract
from domain.quote import Side
from domain.refusal import Reason, Refusal
from domain.room import Rooms
from domain.ways import Way, Ways


class Part(msgspec.Struct, frozen=True, gc=False):
    """Hold what one way takes of a size: base units, and what is received or paid for them in its quote."""

    way: Way
    quantity: Num
    quote: Num


def limit_price(instrument: Instrument, *, sell: bool, reference: Decimal, slippage_bps: Decimal) -> Num:
    """Return the worst price a hedge order accepts: the reference less (or plus) the slippage, on a tick, inside it."""
    sign = Decimal(-1) if sell else Decimal(1)
    edge = divide(multiply(reference, add(BPS, slippage_bps * sign)), BPS)
    return round_to(edge, instrument.tick, Rounding.CEILING if sell else Rounding.FLOOR)


def way_limit(book: Book, way: Way, *, sell: bool) -> Num:
    """Return the worst price that an order sent by a way accepts."""
    slippage = book.policy.hedge_slippage_bps if book.policy is not None else ZERO
    return limit_price(way.instrument, sell=sell, reference=way.seen.mid, slippage_bps=slippage)


def reach(book: Book, way: Way, *, sell: bool) -> tuple[Level, ...]:
    """Return the levels that an order sent by a way can trade with: those within its limit price."""
    levels = way.seen.bids if sell else way.seen.asks
    if _well_within(book, way, levels[-1].price):
        return levels
    edge = way_limit(book, way, sell=sell)
    if sell:
        return tuple(takewhile(lambda level: level.price >= edge, levels))
    return tuple(takewhile(lambda level: level.price <= edge, levels))


def _well_within(book: Book, way: Way, at: Num) -> bool:
    """Say that a price lies within the slippage by more than a tick, without a division: nearly every level does."""
    slippage = book.policy.hedge_slippage_bps if book.policy is not None else ZERO
    middle = way.seen.mid
    away = EXACT.add(EXACT.abs(EXACT.subtract(at, middle)), way.instrument.tick)
    return EXACT.multiply(away, BPS) <= EXACT.multiply(middle, slippage)


def counted(way: Way, side: Side) -> Num:
    """Return what a unit of a way's quote counts for: its lowest bid when we are paid in it, else its highest ask."""
    return way.stable.lower if side is Side.MINT else way.stable.upper


def kept(way: Way, fees: Decimal) -> Num:
    """Return what is kept of 10,000 dollars after a way's taker fee and the pair's own fees, bps."""
    return subtract(BPS, add(way.instrument.taker_fee_bps, fees))


def sell_across(book: Book, ways: Ways, quantity: Decimal, fees: Decimal) -> tuple[Part, ...] | Refusal:
    """Sell a base quantity where it brings most, net of all fees; refuse what depth or room does not allow."""
    if len(ways.open) == 1:
        (way,) = ways.open
        if quantity > Rooms(book, ways.open).base(way, sell=True):
            return _no_room(ways)
        sold, received = sell_into(reach(book, way, sell=True), quantity)
        return (Part(way, sold, received),) if sold == quantity else _too_shallow(ways)
    rooms = Rooms(book, ways.open)
    lanes = [
        _Lane(book, way, rooms, sell=True, factor=multiply(way.stable.lower, kept(way, fees))) for way in ways.open
    ]
    left = Num(quantity)
    while left > 0:
        lane = max((lane for lane in lanes if lane.more), key=lambda lane: lane.value, default=None)
        if lane is None:
            return _no_room(ways) if any(lane.full for lane in lanes) else _too_shallow(ways)
        left = subtract(left, lane.take(left))
    return tuple(lane.part for lane in lanes if lane.quantity > 0)


def spend_across(book: Book, ways: Ways, dollars: Decimal, fees: Decimal) -> tuple[Part, ...] | Refusal:
    """Spend dollars where they buy most, all fees paid from them; refuse what depth or room does not allow."""
    if len(ways.open) == 1:
        (way,) = ways.open
        budget = divide(divide(multiply(dollars, kept(way, fees)), BPS), way.stable.upper)
        bought, spent = spend_on(reach(book, way, sell=False), budget)
        if bought > Rooms(book, ways.open).base(way, sell=False):
            return _no_room(ways)
        return (Part(way, bought, spent),) if spent == budget else _too_shallow(ways)
    rooms = Rooms(book, ways.open)
    lanes = [
        _Lane(book, way, rooms, sell=False, factor=divide(multiply(way.stable.upper, BPS), kept(way, fees)))
        for way in ways.open
    ]
    left = Num(dollars)
    while left > 0:
        lane = min((lane for lane in lanes if lane.more), key=lambda lane: lane.value, default=None)
        if lane is None:
            return _no_room(ways) if any(lane.full for lane in lanes) else _too_shallow(ways)
        cost = multiply(lane.offered, lane.value)
        if cost <= left:
            lane.take(lane.offered)
            left = subtract(left, cost)
        else:
            lane.take(divide(left, lane.value))
            left = ZERO
    return tuple(lane.part for lane in lanes if lane.quantity > 0)


class _Lane:
    """Walk one way's book: `value` is what a unit brings or costs at its present level, in dollars times a constant."""

    def __init__(self, book: Book, way: Way, rooms: Rooms, *, sell: bool, factor: Num) -> None:
        self._way = way
        self._levels: Iterator[Level] = iter(reach(book, way, sell=sell))
        self._factor = factor
        self._price = ZERO
        self._room = rooms.base(way, sell=sell)
        self.quantity = ZERO
        self._quote = ZERO
        self.full = False
        self.more = True
        self.value = ZERO
        self.offered = ZERO
        self._step()

    def _step(self) -> None:
        if self._room <= 0:
            self.more, self.full = False, True
            return
        level = next(self._levels, None)
        if level is None:
            self.more = False
            return
        self._price = level.price
        self.value = multiply(level.price, self._factor)
        self.offered = min(level.quantity, self._room)

    def take(self, wanted: Num) -> Num:
        """Take up to a base quantity at the present level; return how much was there."""
        taken = min(wanted, self.offered)
        self.quantity = add(self.quantity, taken)
        self._quote = add(self._quote, multiply(taken, self._price))
        self._room = subtract(self._room, taken)
        self.offered = subtract(self.offered, taken)
        if self.offered <= 0:
            self._step()
        return taken

    @property
    def part(self) -> Part:
        """Return what was taken."""
        return Part(self._way, self.quantity, self._quote)


def _named(ways: Ways) -> str:
    return ", ".join(f"{way.instrument.symbol} on {way.instrument.venue}" for way in ways.open)


def _too_shallow(ways: Ways) -> Refusal:
    verb = "is" if len(ways.open) == 1 else "are together"
    return Refusal(reason=Reason.DEPTH_INSUFFICIENT, text=f"{_named(ways)} {verb} not deep enough for this size")


def _no_room(ways: Ways) -> Refusal:
    text = f"caps, margin or sizes leave no room for this on {_named(ways)}"
    return Refusal(reason=Reason.ROOM_INSUFFICIENT, text=text)
