"""Exposure: backing plus positions, as an interval that contains every possible truth.

An accepted request spans {its collateral moves or not}, an open order {what is left of it fills or not}; an order whose
outcome is unknown counts like an open one until the venue was asked. Limits test the worst corner.
"""

from decimal import Decimal

import msgspec

from domain.book import Book, remaining, underlying_exposure
from domain.quantity import ZERO, Interval, Num, add, subtract, to_units
from domain.request import Stage


class Exposure(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Show an underlying's exposure in base units: what is certain, and the interval around it."""

    underlying: str
    backing: Num
    position: Num
    interval: Interval
    carry: Num

    @property
    def certain(self) -> Num:
        """Return backing plus positions, all that is open left out."""
        return add(self.backing, self.position)


def exposure(book: Book, underlying: str) -> Exposure:
    """Return the exposure of one underlying."""
    policy = book.policy
    backing, position = ZERO, ZERO
    symbols: set[str] = set()
    if policy is not None:
        for asset in policy.assets:
            if asset.underlying == underlying:
                symbols.add(asset.symbol)
                backing = add(backing, to_units(book.backing.get(asset.symbol, 0), asset.decimals))
        contracts = {(item.venue, item.symbol) for item in policy.instruments if item.base == underlying}
    else:
        contracts = set[tuple[str, str]]()
    for held in book.positions.values():
        if (held.venue, held.symbol) in contracts:
            position = add(position, held.quantity)
    certain = add(backing, position)
    interval = Interval(certain, certain)
    for request in book.requests.values():
        if request.stage is not Stage.SETTLED and request.accepted.collateral.asset in symbols:
            interval = interval.widen(underlying_exposure(book, request.accepted))
    for order in book.orders.values():
        if (order.order.venue, order.order.symbol) in contracts:
            interval = interval.widen(remaining(order))
    return Exposure(
        underlying=underlying,
        backing=backing,
        position=position,
        interval=interval,
        carry=book.carry.get(underlying, ZERO),
    )


def with_request(interval: Interval, backing_change: Decimal, trade: Decimal) -> Interval:
    """Return the interval after one more request: its collateral moves or not, its hedge fills or not."""
    return interval.widen(backing_change).widen(trade)


def imbalance(book: Book, underlying: str) -> Num:
    """Return what the plans leave unhedged: zero when backing, positions, everything planned and the carry cancel.

    This is the hedging law: expected backing + expected position + carry = 0 for an underlying that is hedged. A
    request counts from the plan of its hedge, or from its settlement where that came first.
    """
    here = exposure(book, underlying)
    total = add(here.certain, here.carry)
    for request in book.requests.values():
        hedged = request.hedge_id is not None and request.stage is not Stage.SETTLED
        if hedged and book.asset(request.accepted.collateral.asset).underlying == underlying:
            total = add(total, underlying_exposure(book, request.accepted))
    for hedge in book.hedges.values():
        if hedge.planned.underlying == underlying:
            total = add(total, subtract(hedge.planned.quantity, hedge.filled))
    for order in book.orders.values():
        if book.hedges[order.hedge_id].planned.underlying == underlying:
            total = subtract(total, order.filled * order.direction)
    return total
