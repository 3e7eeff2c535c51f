"""Gauges of what the book may come to hold: delta, gross notional, the position in an instrument, its share there."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from domain.contract import INVERSE, SPOT
from domain.controls.meter import Meter
from domain.flow import Line
from domain.hedge import PlannedLeg
from domain.limit import Control
from domain.mark import instrument_key
from domain.order import Order, OrderSide
from domain.quantity import BPS, EXACT, ZERO
from domain.state import Book


class Grown:
    """Hold how a line would grow: by what may yet be bought and sold beside its own open orders, in its units.

    `gross` is the most that the position would come to, `growth` by how much that is more than now.
    """

    __slots__ = ("buying", "gross", "growth", "line", "selling", "unit")

    def __init__(self, line: Line) -> None:
        self.line = line
        self.unit = line.unit
        self.gross: Decimal = line.gross
        self.growth: Decimal = ZERO
        self.buying: Decimal = line.buying
        self.selling: Decimal = line.selling

    def add(self, signed: Decimal) -> None:
        """Add what would be traded, signed."""
        line = self.line
        if signed > 0:
            self.buying = EXACT.add(self.buying, signed)
        else:
            self.selling = EXACT.subtract(self.selling, signed)
        longest, shortest = EXACT.add(line.position, self.buying), EXACT.subtract(self.selling, line.position)
        self.gross = max(longest, shortest)
        self.growth = EXACT.subtract(self.gross, line.gross)


def line_of(book: Book, what: Order | PlannedLeg) -> Line | None:
    """Return the line of an instrument that the policy trades."""
    line = book.flow.lines.get(f"{what.venue}|{what.account}|{what.symbol}")
    return line if line is not None and line.base else None


def grown_by_orders(book: Book, orders: tuple[Order, ...]) -> list[Grown]:
    """Return how lines would grow by orders."""
    return _grown(
        book, [(order, order.quantity if order.side is OrderSide.BUY else -order.quantity) for order in orders]
    )


def grown_by_legs(book: Book, legs: tuple[PlannedLeg, ...]) -> list[Grown]:
    """Return how lines would grow by the legs of a plan."""
    return _grown(book, [(leg, leg.quantity) for leg in legs])


def _grown(book: Book, traded: Sequence[tuple[Order | PlannedLeg, Decimal]]) -> list[Grown]:
    """Return how lines would grow by what is traded in each, signed."""
    lines, found = book.flow.lines, dict[str, Grown]()
    for what, signed in traded:
        key = f"{what.venue}|{what.account}|{what.symbol}"
        grown = found.get(key)
        if grown is None:
            line = lines.get(key)
            if line is None or not line.base:
                continue
            grown = found[key] = Grown(line)
        grown.add(signed)
    return list(found.values())


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
        _hold_line(meter, each)
        growth, unit = each.growth, each.unit
        for scope in each.line.scopes:
            units = more.get(scope)
            if units is None:
                more[scope] = {unit: growth}
            else:
                units[unit] = EXACT.add(units[unit], growth) if unit in units else growth
    hold_gross(meter, more)


def _hold_line(meter: Meter, grown: Grown) -> None:
    """Hold the position in one instrument, by its value and by its share of the open interest."""
    prices, unit, line, after = meter.prices, grown.unit, grown.line, grown.gross
    price, before = prices.of(unit), line.gross
    value = EXACT.multiply(after, price) if price is not None else prices.value(unit, after)
    meter.hold(Control.POSITION_NOTIONAL, line.scopes, value, lambda: prices.value(unit, before), line.symbol)
    interest = meter.book.outside.interest
    if interest and line.kind != SPOT:
        told, part = interest.get(f"{line.venue}|{line.symbol}"), EXACT.multiply(after, BPS)
        if told is None or not meter.within(Control.OPEN_INTEREST_SHARE, line.scopes, part, told):
            _hold_interest(meter, line, after)


def _hold_interest(meter: Meter, line: Line, after: Decimal) -> None:
    book, before = meter.book, line.gross
    looked_at, share = interest_share(book, line, after)
    if looked_at:
        was = interest_share(book, line, before)[1]
        meter.hold(Control.OPEN_INTEREST_SHARE, line.scopes, share, lambda: was, line.symbol)


def hold_gross(meter: Meter, more: Mapping[str, Mapping[str, Decimal]]) -> None:
    """Hold the gross notional of each scope, with what would come to it."""
    sums, prices = meter.book.flow.sums, meter.prices
    for limit in meter.limits(Control.GROSS_NOTIONAL, tuple(more)):
        scope = limit.scope
        before, added = prices.gross(scope, sums.get(scope)), prices.total(more[scope])
        after = None if before is None or added is None else EXACT.add(before, added)
        if after is None or after > limit.value:
            meter.test(limit, after, lambda before=before: before)


def interest_share(book: Book, line: Line, quantity: Decimal) -> tuple[bool, Decimal | None]:
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


def notional(meter: Meter, line: Line, quantity: Decimal, price: Decimal) -> Decimal | None:
    """Return what a quantity of a line is worth at a price, USD."""
    return meter.prices.value(line.quote, quantity if line.kind == INVERSE else EXACT.multiply(quantity, price))
