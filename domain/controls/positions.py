"""Gauges of what the book may come to hold: delta, gross notional, the position in an instrument, its share there."""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from domain.controls.meter import Meter
from domain.flow import INVERSE, Line, gross
from domain.hedge import PlannedLeg
from domain.limit import Control
from domain.mark import instrument_key
from domain.order import Order, OrderSide
from domain.quantity import BPS, EXACT, ZERO, Num
from domain.state import Book

SPOT = "spot"


class Grown:
    """Hold how a line would grow: by what may yet be bought and sold beside its own open orders, in its units.

    `gross` is the most that the position would come to.
    """

    __slots__ = ("buying", "gross", "line", "selling")

    def __init__(self, line: Line) -> None:
        self.line = line
        self.gross = line.gross
        self.buying, self.selling = line.buying, line.selling

    def add(self, signed: Num) -> None:
        """Add what would be traded, signed."""
        if signed > 0:
            self.buying += signed
        else:
            self.selling -= signed
        self.gross = gross(self.line.position, self.buying, self.selling)


def line_of(book: Book, what: Order | PlannedLeg) -> Line | None:
    """Return the line of an instrument that the policy trades."""
    line = book.flow.lines.get(f"{what.venue}|{what.account}|{what.symbol}")
    return line if line is not None and line.base else None


def grown_by_orders(book: Book, orders: tuple[Order, ...]) -> list[Grown]:
    """Return how lines would grow by orders."""
    found: dict[str, Grown] = {}
    for order in orders:
        line = line_of(book, order)
        if line is not None:
            _grown(found, line).add(order.quantity if order.side is OrderSide.BUY else -order.quantity)
    return list(found.values())


def grown_by_legs(book: Book, legs: tuple[PlannedLeg, ...]) -> list[Grown]:
    """Return how lines would grow by the legs of a plan."""
    found: dict[str, Grown] = {}
    for leg in legs:
        line = line_of(book, leg)
        if line is not None:
            _grown(found, line).add(leg.quantity)
    return list(found.values())


def _grown(found: dict[str, Grown], line: Line) -> Grown:
    key = f"{line.venue}|{line.account}|{line.symbol}"
    grown = found.get(key)
    if grown is None:
        grown = found[key] = Grown(line)
    return grown


def hold_delta(meter: Meter) -> None:
    """Hold the worst |delta| of the underlying, if any instrument is traded for it."""
    scope = f"asset:{meter.probe.underlying}"
    if scope in meter.book.flow.sums:
        before, after = meter.worst
        meter.hold(Control.NET_DELTA, (scope,), after, lambda: before)


def hold_positions(meter: Meter, grown: Iterable[Grown]) -> None:
    """Hold what the positions would come to, whatever of these and of the open orders fills."""
    more: dict[str, dict[str, Decimal]] = {}
    for each in grown:
        line, after = each.line, each.gross
        before, unit = line.gross, line.unit
        _hold_line(meter, line, after, before)
        growth = EXACT.subtract(after, before)
        for scope in line.scopes:
            units = more.setdefault(scope, {})
            if growth:
                units[unit] = EXACT.add(units[unit], growth) if unit in units else growth
    hold_gross(meter, more)


def _hold_line(meter: Meter, line: Line, after: Num, before: Num) -> None:
    """Hold the position in one instrument, by its value and by its share of the open interest."""
    prices, unit = meter.prices, line.unit
    value = prices.value(unit, after)
    meter.hold(Control.POSITION_NOTIONAL, line.scopes, value, lambda: prices.value(unit, before), line.symbol)
    looked_at, share = interest_share(meter.book, line, after)
    if looked_at:
        was = interest_share(meter.book, line, before)[1]
        meter.hold(Control.OPEN_INTEREST_SHARE, line.scopes, share, lambda: was, line.symbol)


def hold_gross(meter: Meter, more: Mapping[str, Mapping[str, Decimal]]) -> None:
    """Hold the gross notional of each scope, with what would come to it."""
    sums, prices = meter.book.flow.sums, meter.prices
    for limit in meter.limits(Control.GROSS_NOTIONAL, tuple(more)):
        before, added = prices.gross(sums.get(limit.scope)), prices.total(more[limit.scope])
        after = None if before is None or added is None else EXACT.add(before, added)
        meter.test(limit, after, lambda before=before: before)


def interest_share(book: Book, line: Line, quantity: Num) -> tuple[bool, Decimal | None]:
    """Return whether an instrument's open interest is looked at, and which part of it a quantity is, bps.

    Of spot there is none. It is looked at where the venue told of any instrument: what it did not tell is unknown then.
    """
    interest = book.outside.interest
    if not interest or line.kind == SPOT:
        return False, None
    told = interest.get(instrument_key(line.venue, line.symbol))
    if told is not None and told > 0:
        return True, EXACT.divide(EXACT.multiply(quantity, BPS), told)
    if not quantity:
        return True, ZERO
    return any(key.startswith(f"{line.venue}|") for key in interest), None


def notional(meter: Meter, line: Line, quantity: Num, price: Num) -> Decimal | None:
    """Return what a quantity of a line is worth at a price, USD."""
    return meter.prices.value(line.quote, quantity if line.kind == INVERSE else EXACT.multiply(quantity, price))
