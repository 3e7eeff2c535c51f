"""Exposure: backing plus positions, as an interval that contains every possible truth.

An accepted request spans {its collateral moves or not}, an open order {what is left of it fills or not}; an order whose
outcome is unknown counts like an open one until the venue was asked. What is held at a venue that is not heard of may
be gone: it was closed there and nobody told. What a venue says again and again that we hold, and no fill explains, may
be so. Limits test the worst corner.

A token stands for its ratio of the underlying. Contracts count in base units: a linear one by its quantity, an inverse
one by what it was at its entry price, with the coins that it won (`domain.inverse` has the formula and its trap).
"""

from decimal import Decimal

import msgspec

from domain.account import account_key
from domain.book import Book, position_key, underlying_exposure
from domain.contract import INVERSE, Contract
from domain.difference import BREAKS_AFTER
from domain.flow import Line
from domain.instant import SECOND_US
from domain.inverse import contracts_delta
from domain.policy import Asset
from domain.profit import booked
from domain.quantity import EXACT, ZERO, Interval, Num, add, divide, subtract, to_units
from domain.request import Stage
from domain.vault import settled_key
from domain.worth import contract, mark

# An account is swept far more often; what its stream does not tell is learnt so, and recorded this often at least.
UNSEEN_US = 90 * SECOND_US


class Exposure(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Show an underlying's exposure in base units: what is certain, and the interval around it.

    `beside` is the delta of what the policy does not hedge on: inverse contracts, and what stands elsewhere. It is
    in the interval; the hedging law and the carry know nothing of it.
    """

    underlying: str
    backing: Num
    position: Num
    interval: Interval
    carry: Num
    beside: Num = ZERO

    @property
    def certain(self) -> Num:
        """Return backing plus positions, all that is open left out."""
        return add(self.backing, self.position)


def underlyings(book: Book) -> tuple[str, ...]:
    """Return the underlyings of the policy's assets and instruments, sorted."""
    policy = book.policy
    if policy is None:
        return ()
    assets = {asset.underlying for asset in policy.assets}
    return tuple(sorted(assets | {instrument.base for instrument in policy.instruments}))


class _Lines:
    """Remember which lines are of an underlying, while there are no others and the policy is the same."""

    __slots__ = ("_count", "_lines", "_policy", "found")

    def __init__(self, book: Book) -> None:
        self._lines, self._count, self._policy = book.flow.lines, len(book.flow.lines), book.policy
        self.found: dict[str, tuple[tuple[str, Line, bool], ...]] = {}

    def holds(self, book: Book) -> bool:
        """Say whether it is of this Book as it is; lines are only added, or replaced together."""
        lines = book.flow.lines
        return self._lines is lines and self._count == len(lines) and self._policy is book.policy


class _Latest:
    """Hold the lines of the Book that was asked about last."""

    __slots__ = ("lines",)

    def __init__(self) -> None:
        self.lines = _Lines(Book())


_LATEST = _Latest()


def _lines(book: Book, underlying: str) -> tuple[tuple[str, Line, bool], ...]:
    """Return the lines of an underlying with their keys, and whether each is what the policy hedges on."""
    known = _LATEST.lines
    if not known.holds(book):
        known = _LATEST.lines = _Lines(book)
    found = known.found.get(underlying)
    if found is None:
        found = known.found[underlying] = tuple(
            (key, line, hedged)
            for key, line in book.flow.lines.items()
            if (hedged := line.base == underlying and line.kind != INVERSE) or _beside(book, line, underlying)
        )
    return found


def exposure(book: Book, underlying: str) -> Exposure:
    """Return the exposure of one underlying: what is open is summed already, so no order or request is counted here."""
    policy, flow = book.policy, book.flow
    backing: Decimal = ZERO
    buying: Decimal = ZERO
    selling: Decimal = ZERO
    for asset in policy.assets if policy is not None else ():
        if asset.underlying == underlying:
            backing = _with_units(backing, book, asset, book.backing)
            buying = _with_units(buying, book, asset, flow.arriving)
            selling = _with_units(selling, book, asset, flow.leaving)
    position: Decimal = ZERO
    beside: Decimal = ZERO
    coins: dict[str, Decimal] = {}
    doubted = bool(book.dependencies or book.differences)
    for key, line, hedged in _lines(book, underlying):
        if hedged:
            delta, bought, sold = line.position, line.buying, line.selling
            position = EXACT.add(position, delta)
        else:
            delta, bought, sold, won = _elsewhere(book, line)
            beside = EXACT.add(beside, EXACT.add(delta, won))
            owner = settled_key(line.venue, line.account, underlying)
            coins[owner] = EXACT.add(coins.get(owner, ZERO), won)
        if bought:
            buying = EXACT.add(buying, bought)
        if sold:
            selling = EXACT.add(selling, sold)
        if doubted:
            more, less = _doubt(book, key, line, delta)
            buying, selling = EXACT.add(buying, more), EXACT.add(selling, less)
    for owner, won in coins.items():  # what a venue has not paid out it may never pay
        selling = EXACT.add(selling, max(EXACT.subtract(won, book.vault.settled.get(owner, ZERO)), ZERO))
    certain = EXACT.add(EXACT.add(backing, position), beside)
    return Exposure(
        underlying=underlying,
        backing=Num(backing),
        position=Num(position),
        interval=Interval(Num(EXACT.subtract(certain, selling)), Num(EXACT.add(certain, buying))),
        carry=book.carry.get(underlying, ZERO),
        beside=Num(beside),
    )


def _with_units(total: Decimal, book: Book, asset: Asset, atoms: dict[str, int]) -> Decimal:
    """Return a total and what so many atoms of an asset stand for, units of its underlying."""
    held = atoms.get(asset.symbol, 0)
    return EXACT.fma(to_units(held, asset.decimals), book.ratio(asset), total) if held else total


def stale(book: Book, venue: str, account: str) -> bool:
    """Say whether what an account holds may have changed unseen: its venue is away, and no sweep saw it for a while."""
    if venue not in book.dependencies:
        return False
    seen = book.outside.accounts.get(account_key(venue, account))
    return seen is None or book.at_us - seen.observed_at_us > UNSEEN_US


def _doubt(book: Book, key: str, line: Line, delta: Num) -> tuple[Num, Num]:
    """Return by how much more and less of a line may be held than the log says.

    What a venue told time and again beside it may be so, and where it is away all of it may be gone.
    """
    change = ZERO
    standing = book.differences.get(key)
    if standing is not None and standing.times >= BREAKS_AFTER and line.kind != INVERSE:
        change = standing.amount
    more, less = max(change, ZERO), max(-change, ZERO)
    if delta and stale(book, line.venue, line.account):
        more, less = more + max(-delta, ZERO), less + max(delta, ZERO)
    return more, less


def _beside(book: Book, line: Line, underlying: str) -> bool:
    return (not line.base or line.kind == INVERSE) and contract(book, line.venue, line.symbol).base == underlying


def _elsewhere(book: Book, line: Line) -> tuple[Num, Num, Num, Num]:
    """Return the delta of a line that hedges nothing, what its orders may raise and lower it by, and the coins it won.

    An inverse one is n/S0 beside those coins. The wallet that it is margined with is backing, and counts as such:
    together that is m + n/S0.
    """
    what = contract(book, line.venue, line.symbol)
    if what.kind != INVERSE:
        return line.position, line.buying, line.selling, ZERO
    held = book.positions.get(position_key(line.venue, line.account, line.symbol))
    delta = won = ZERO
    if held is not None:
        delta, won = contracts_delta(held.quantity, held.entry_price), booked(book, held, what)
    if not line.buying and not line.selling:
        return delta, ZERO, ZERO, won
    return delta, *_inverse_orders(book, line, what), won


def _inverse_orders(book: Book, line: Line, what: Contract) -> tuple[Num, Num]:
    """Return what orders in quote units may come to in base units: what is sold trades at no less than its limit.

    Without any price a unit of quote counts as one of base: too much rather than too little.
    """
    prices = mark(book, line.venue, line.symbol, what)
    lowest = prices.low if prices is not None else None
    for order in book.orders.values():
        asked = order.order
        if (asked.venue, asked.account, asked.symbol) == (line.venue, line.account, line.symbol):
            lowest = asked.limit_price if lowest is None else min(lowest, asked.limit_price)
    if lowest is None or lowest <= ZERO:
        return line.buying, line.selling
    return divide(line.buying, lowest), divide(line.selling, lowest)


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
