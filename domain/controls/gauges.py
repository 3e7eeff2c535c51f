"""Gauges: how each control is measured between decisions, at an instant and at the marks of the Book.

Each is given the scope of a limit and returns what it measures there: one reading, or one for each narrower subject.
What is of single decisions has no gauge, or only shows the greatest that is open (`SINGLE`).
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable
from decimal import Decimal

from domain.contract import INVERSE
from domain.controls.orders import counted, order_to_trade
from domain.controls.positions import interest_share
from domain.controls.reading import Gauge, Look, Reading, read
from domain.controls.requests import accepted_today, slippage_today
from domain.controls.states import STATES
from domain.exposure import exposure
from domain.flow import Window
from domain.ids import position_key
from domain.instant import MILLISECOND_US
from domain.limit import Control
from domain.mode import GLOBAL
from domain.quantity import ZERO, Num, to_units
from domain.quote import Side

ISSUED_DECIMALS = 18


def _order_notional(look: Look, scope: str) -> Iterable[Reading]:
    greatest = look.once("orders", lambda: _greatest(look))
    return (read(scope, greatest.get(scope, ZERO)),)


def _greatest(look: Look) -> dict[str, Decimal | None]:
    """Return the value of the greatest open order of each scope, USD."""
    found: dict[str, Decimal | None] = {}
    for order in look.book.orders.values():
        asked, left = order.order, order.left
        line = look.book.flow.lines[position_key(asked.venue, asked.account, asked.symbol)]
        value = look.prices.value(line.quote, left if line.kind == INVERSE else left * asked.limit_price)
        for scope in line.scopes:
            before = found.get(scope, ZERO)
            found[scope] = None if value is None or before is None else max(before, value)
    return found


def _per_block(side: Side) -> Gauge:
    def gauge(look: Look, scope: str) -> Iterable[Reading]:
        pair = look.book.pair(scope.removeprefix("pair:"))
        atoms = look.book.reserve(side, pair.collateral if pair is not None else "")
        return (Reading(scope, to_units(atoms, ISSUED_DECIMALS)),)

    return gauge


def _per_day(side: Side) -> Gauge:
    def gauge(look: Look, scope: str) -> Iterable[Reading]:
        return (Reading(scope, to_units(accepted_today(look.book, side, scope, look.at_us), ISSUED_DECIMALS)),)

    return gauge


def _net_delta(look: Look, scope: str) -> Iterable[Reading]:
    return (Reading(scope, exposure(look.book, scope.removeprefix("asset:")).interval.worst),)


def _gross(look: Look, scope: str) -> Iterable[Reading]:
    return (read(scope, look.prices.gross(scope, look.book.flow.sums.get(scope))),)


def _position(look: Look, scope: str) -> Iterable[Reading]:
    return (read(line.scopes[1], look.prices.value(line.unit, line.gross)) for line in look.lines(scope))


def _interest(look: Look, scope: str) -> Iterable[Reading]:
    for line in look.lines(scope):
        looked_at, share = interest_share(look.book, line, line.gross)
        if looked_at:
            yield read(line.scopes[1], share)


def _slippage(look: Look, scope: str) -> Iterable[Reading]:
    return (Reading(scope, slippage_today(look.book, scope, look.at_us)),)


def _open_value(look: Look, scope: str) -> Iterable[Reading]:
    return (read(scope, look.prices.open_value(scope, look.book.flow.sums.get(scope))),)


def _open_orders(look: Look, scope: str) -> Iterable[Reading]:
    sums = look.book.flow.sums.get(scope)
    return (Reading(scope, Num(sums.orders if sums is not None else 0)),)


def _alike(look: Look, scope: str) -> Iterable[Reading]:
    since = look.at_us - look.spans.duplicate_ms * MILLISECOND_US
    for key, instants in look.book.flow.alike.items():
        venue, account, symbol = key.split("|", 3)[:3]
        line = look.book.flow.lines.get(f"{venue}|{account}|{symbol}")
        if line is not None and scope in line.scopes:
            yield Reading(line.scopes[-1], Num(len(instants) - bisect_right(instants, since)))


def _repeated(look: Look, scope: str) -> Iterable[Reading]:
    span_us = look.spans.repeated_ms * MILLISECOND_US
    for key, window in look.book.flow.repeated.items():
        subject = f"asset:{key.split('|', 1)[1]}"
        if scope in {GLOBAL, subject}:
            yield Reading(subject, Num(window.count(look.at_us, span_us)))


def _rate(of: Callable[[Look], tuple[dict[str, Window], int]]) -> Gauge:
    def gauge(look: Look, scope: str) -> Iterable[Reading]:
        found, span_ms = of(look)
        return (Reading(scope, Num(counted(found, scope, look.at_us, span_ms))),)

    return gauge


def _order_to_trade(look: Look, scope: str) -> Iterable[Reading]:
    return (Reading(venue, Num(order_to_trade(look.book, venue, look.at_us))) for venue in look.venues(scope))


def _moved(look: Look, scope: str) -> Iterable[Reading]:
    flow = look.book.flow
    return (Reading(scope, flow.moved.get(scope, ZERO) if flow.today(look.at_us) else ZERO),)


GAUGES: dict[Control, Gauge] = {
    Control.ORDER_NOTIONAL: _order_notional,
    Control.MINT_PER_BLOCK: _per_block(Side.MINT),
    Control.MINT_PER_DAY: _per_day(Side.MINT),
    Control.REDEEM_PER_BLOCK: _per_block(Side.REDEEM),
    Control.REDEEM_PER_DAY: _per_day(Side.REDEEM),
    Control.NET_DELTA: _net_delta,
    Control.GROSS_NOTIONAL: _gross,
    Control.POSITION_NOTIONAL: _position,
    Control.OPEN_INTEREST_SHARE: _interest,
    Control.SLIPPAGE_PER_DAY: _slippage,
    Control.OPEN_ORDER_NOTIONAL: _open_value,
    Control.OPEN_ORDERS: _open_orders,
    Control.DUPLICATE_ORDERS: _alike,
    Control.REPEATED_EXECUTION: _repeated,
    Control.ORDER_RATE: _rate(lambda look: (look.book.flow.sent, look.spans.order_rate_ms)),
    Control.MESSAGE_RATE: _rate(lambda look: (look.book.flow.messages, look.spans.message_rate_ms)),
    Control.ORDER_TO_TRADE: _order_to_trade,
    Control.TRANSFER_PER_DAY: _moved,
    **STATES,
}
"""How each control is measured between decisions."""

SINGLE = frozenset(
    {
        Control.ORDER_NOTIONAL,
        Control.PRICE_COLLAR,
        Control.PRICE_COLLAR_PERIOD,
        Control.DUPLICATE_ORDERS,
        Control.QUOTE_AGE,
        Control.TRANSFER_NOTIONAL,
    }
)
"""What is measured of single decisions: nobody is warned of it."""

EACH = frozenset({Control.MARGIN_RATIO, Control.LIQUIDATION_DISTANCE})
"""What is told for each subject, not only for the one nearest to the limit."""
