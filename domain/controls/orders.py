"""Gauges of a venue order: its value and price, what is open, and how much was sent within a while."""

from bisect import bisect_right
from decimal import Decimal

from domain.controls.collars import hold_distance, hold_while
from domain.controls.meter import Meter
from domain.controls.positions import line_of, notional
from domain.controls.rules import begins
from domain.flow import Line, Window, alike_key
from domain.folds.flow import windows
from domain.instant import MILLISECOND_US, SECOND_US
from domain.limit import Control
from domain.mode import GLOBAL
from domain.order import Order
from domain.quantity import EXACT
from domain.refusal import Reason, Refusal
from domain.state import Book


def hold_order(meter: Meter, order: Order, line: Line) -> None:
    """Hold an order by itself, beside what is open, and beside what was sent."""
    probe = meter.probe
    scopes = line.scopes
    value = notional(meter, line, order.quantity, order.limit_price)
    meter.hold(Control.ORDER_NOTIONAL, (*scopes, *_of_pair(probe.pair)), probe.notional or value)
    _hold_price(meter, order, line)
    _hold_open(meter, line, value)
    _hold_rates(meter, order, line)


def _of_pair(pair: str) -> tuple[str, ...]:
    return (f"pair:{pair}",) if pair else ()


def _hold_price(meter: Meter, order: Order, line: Line) -> None:
    """Hold the limit price near the middle of its own book, and near every price of the last while."""
    reference, price = meter.probe.reference, order.limit_price
    if reference is None or not reference.is_finite() or reference <= 0:
        return  # refused as missing
    hold_distance(meter, Control.PRICE_COLLAR, line.scopes, price, (reference,))
    if meter.probe.purpose is not None and not begins(meter.probe):
        return  # what was accepted is hedged at what the market is now
    scopes, paid = (line.scopes[0], line.scopes[-1]), meter.prices.of(line.quote)
    if paid is None or paid <= 0:
        hold_distance(meter, Control.PRICE_COLLAR_PERIOD, scopes, price, (reference,))
    else:
        now, limit = EXACT.multiply(reference, paid), EXACT.multiply(price, paid)
        hold_while(meter, line.base, scopes, limit, now)


def _hold_open(meter: Meter, line: Line, value: Decimal | None) -> None:
    """Hold the value and the number of open orders, this one and those ahead of it with them."""
    sums, ahead = meter.book.flow.sums, meter.probe.ahead
    beside = [
        (found.scopes, notional(meter, found, each.quantity, each.limit_price))
        for each in ahead
        if (found := line_of(meter.book, each)) is not None
    ]
    for limit in meter.limits(Control.OPEN_ORDER_NOTIONAL, line.scopes):
        total = meter.prices.open_value(limit.scope, sums.get(limit.scope))
        for part in (value, *(each for scopes, each in beside if limit.scope in scopes)):
            total = None if total is None or part is None else EXACT.add(total, part)
        meter.test(limit, total)
    for limit in meter.limits(Control.OPEN_ORDERS, line.scopes[:2]):
        meter.test(limit, sums[limit.scope].orders + 1 + _count(ahead, limit.scope))


def _count(ahead: tuple[Order, ...], scope: str) -> int:
    """Return how many orders ahead lie in the global scope or that of a venue."""
    return len(ahead) if scope == GLOBAL else sum(1 for each in ahead if scope == f"venue:{each.venue}")


def _hold_rates(meter: Meter, order: Order, line: Line) -> None:
    """Hold what was sent within its windows, this one counted."""
    flow, at_us, ahead = meter.book.flow, meter.at_us, meter.probe.ahead
    spans = windows(meter.book)
    alike = alike_key(order)
    instants = flow.alike.get(alike, ())
    same = len(instants) - bisect_right(instants, at_us - spans.duplicate_ms * MILLISECOND_US)
    same += sum(1 for each in ahead if alike_key(each) == alike)
    meter.hold(Control.DUPLICATE_ORDERS, line.scopes, same + 1)
    _hold_repeated(meter, line, spans.repeated_ms * MILLISECOND_US)
    for control, found, span_ms in (
        (Control.ORDER_RATE, flow.sent, spans.order_rate_ms),
        (Control.MESSAGE_RATE, flow.messages, spans.message_rate_ms),
    ):
        for limit in meter.limits(control, line.scopes[:2]):
            meter.test(limit, counted(found, limit.scope, at_us, span_ms) + _count(ahead, limit.scope) + 1)
    venue = line.scopes[1]
    ratio = order_to_trade(meter.book, venue, at_us, more=_count(ahead, venue) + 1)
    meter.hold(Control.ORDER_TO_TRADE, line.scopes[:2], ratio, subject=line.venue)


def counted(found: dict[str, Window], key: str, at_us: int, span_ms: int) -> int:
    """Return what a window counts."""
    window = found.get(key)
    return 0 if window is None else window.count(at_us, span_ms * MILLISECOND_US)


def order_to_trade(book: Book, venue: str, at_us: int, *, more: int = 0) -> Decimal:
    """Return how many orders a venue (its scope) took for each that traded, within a while.

    Those count with them of which it has not said anything yet; before the first trade, as for one.
    """
    flow, span_ms = book.flow, windows(book).order_to_trade_ms
    sent = counted(flow.answered, venue, at_us, span_ms) + flow.sums[venue].unanswered + more
    return EXACT.divide(Decimal(sent), Decimal(max(counted(flow.traded, venue, at_us, span_ms), 1)))


def _hold_repeated(meter: Meter, line: Line, span_us: int) -> None:
    """Hold how often hedges of one kind sent orders in an underlying; beyond it the underlying is latched."""
    probe, scope = meter.probe, line.scopes[-1]
    purpose = probe.purpose.value if probe.purpose is not None else ""
    window = meter.book.flow.repeated.get(f"{purpose}|{line.base}")
    count = (0 if window is None else window.count(meter.at_us, span_us)) + len(probe.ahead) + 1
    for limit in meter.limits(Control.REPEATED_EXECUTION, (line.scopes[0], scope)):
        if count > limit.value:
            within = f"{span_us // SECOND_US} s, {limit.value} are allowed"
            text = f"{count} orders to {purpose or 'trade'} {line.base} within {within}"
            meter.refuse(
                Refusal(
                    reason=Reason.REPEATED_EXECUTION,
                    text=text,
                    control=limit.control,
                    scope=scope,
                    limit=str(limit.value),
                    value=str(count),
                )
            )
