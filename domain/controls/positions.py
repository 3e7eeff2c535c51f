"""Gauges of what the book may come to hold: delta, gross notional, the position in an instrument, its share there."""

from domain.controls.meter import Meter
from domain.flow import INVERSE, Line, gross
from domain.hedge import PlannedLeg
from domain.limit import Control
from domain.mark import instrument_key
from domain.order import Order, OrderSide
from domain.quantity import BPS, ZERO, Num, divide
from domain.state import Book

SPOT = "spot"


class Grown:
    """Hold how a line would grow: by what may yet be bought and sold beside its own open orders, in its units."""

    __slots__ = ("buying", "line", "selling")

    def __init__(self, line: Line) -> None:
        self.line = line
        self.buying = self.selling = ZERO

    def add(self, signed: Num) -> None:
        """Add what would be traded, signed."""
        if signed > 0:
            self.buying += signed
        else:
            self.selling -= signed

    @property
    def gross(self) -> Num:
        """Return the most that the position would come to."""
        line = self.line
        return gross(line.position, line.buying + self.buying, line.selling + self.selling)


def line_of(book: Book, what: Order | PlannedLeg) -> Line | None:
    """Return the line of an instrument that the policy trades."""
    line = book.flow.lines.get(f"{what.venue}|{what.account}|{what.symbol}")
    return line if line is not None and line.base else None


def grown_by_orders(book: Book, orders: tuple[Order, ...]) -> dict[str, Grown]:
    """Return how lines would grow by orders, by symbol and place."""
    found: dict[str, Grown] = {}
    for order in orders:
        line = line_of(book, order)
        if line is not None:
            _grown(found, line).add(order.quantity if order.side is OrderSide.BUY else -order.quantity)
    return found


def grown_by_legs(book: Book, legs: tuple[PlannedLeg, ...]) -> dict[str, Grown]:
    """Return how lines would grow by the legs of a plan."""
    found: dict[str, Grown] = {}
    for leg in legs:
        line = line_of(book, leg)
        if line is not None:
            _grown(found, line).add(leg.quantity)
    return found


def _grown(found: dict[str, Grown], line: Line) -> Grown:
    key = f"{line.venue}|{line.account}|{line.symbol}"
    grown = found.get(key)
    if grown is None:
        grown = found[key] = Grown(line)
    return grown


def hold_delta(meter: Meter) -> None:
    """Hold the worst |delta| of the underlying, if any instrument is traded for it."""
    underlying = meter.probe.underlying
    scope = f"asset:{underlying}"
    if scope in meter.book.flow.sums:
        limits = meter.limits(Control.NET_DELTA, (scope,))
        if limits:
            before, after = meter.worst
            meter.test(limits[0], after, before)


def hold_positions(meter: Meter, grown: dict[str, Grown]) -> None:
    """Hold what the positions would come to, whatever of these and of the open orders fills."""
    more: dict[str, dict[str, Num]] = {}
    for each in grown.values():
        line, after = each.line, each.gross
        before = line.gross
        prices, unit = meter.prices, line.unit
        name = f"{line.symbol} on {line.venue}"
        meter.hold(Control.POSITION_NOTIONAL, line.scopes, prices.value(unit, after), prices.value(unit, before), name)
        hold_interest(meter, line, after, before)
        if after != before:
            for scope in line.scopes:
                units = more.setdefault(scope, {})
                units[unit] = units.get(unit, ZERO) + after - before
        else:
            for scope in line.scopes:
                more.setdefault(scope, {})
    hold_gross(meter, more)


def hold_gross(meter: Meter, more: dict[str, dict[str, Num]]) -> None:
    """Hold the gross notional of each scope, with what would come to it."""
    sums, prices = meter.book.flow.sums, meter.prices
    for limit in meter.limits(Control.GROSS_NOTIONAL, tuple(more)):
        before = prices.gross(sums.get(limit.scope))
        added = prices.total(more[limit.scope])
        meter.test(limit, None if before is None or added is None else before + added, before)


def hold_interest(meter: Meter, line: Line, after: Num, before: Num) -> None:
    """Hold our share of an instrument's open interest; of spot there is none."""
    if line.kind == SPOT:
        return
    limits = meter.limits(Control.OPEN_INTEREST_SHARE, line.scopes)
    known, share = interest_share(meter.book, line, after)
    if not known:
        return
    was = interest_share(meter.book, line, before)[1]
    for limit in limits:
        meter.test(limit, share, was, f"{line.symbol} on {line.venue}")


def interest_share(book: Book, line: Line, quantity: Num) -> tuple[bool, Num | None]:
    """Return whether a venue's open interest is looked at, and which part of it a quantity is, bps.

    It is looked at where the venue told of any instrument, or the book runs on a real chain: then what it did not tell
    is unknown.
    """
    interest = book.outside.interest
    told = interest.get(instrument_key(line.venue, line.symbol))
    if told is not None and told > 0:
        return True, divide(quantity * BPS, told)
    if not quantity:
        return True, ZERO
    required = book.policy is not None and book.policy.chain_required
    return required or any(key.startswith(f"{line.venue}|") for key in interest), None


def notional(meter: Meter, line: Line, quantity: Num, price: Num) -> Num | None:
    """Return what a quantity of a line is worth at a price, USD."""
    return meter.prices.value(line.quote, quantity if line.kind == INVERSE else quantity * price)
