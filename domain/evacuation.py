"""Evacuation: how long it would take, and what it would cost, to leave a venue, and to hold the same hedges elsewhere.

An estimate from what the policy permits, not from the books of the moment: orders of at most the limit on their value,
as many at a time as a hedge may have, a round each time that a hedge may be tried again, every one at the worst price
and at the taker's fee. Nothing here waits for withdrawals: they are another's clock.
"""

from decimal import ROUND_CEILING

import msgspec

from domain.holdings import Kept, accounts, kept
from domain.limit import Control
from domain.mode import Mode, strictest
from domain.policy import Instrument, Policy
from domain.quantity import BPS, EXACT, ZERO, Num, add, divide, multiply
from domain.state import Book


class Evacuation(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Show what leaving an account takes: money in USD, None where something that it holds has no price.

    `orders` is how many orders make it flat, None where no limit on their value is set. `rehedge_*` is trading the same
    elsewhere, on the dearest of the other venues; `unplaced` is what no other venue may take now.
    """

    venue: str
    account: str
    notional: Num | None
    orders: int | None
    flat_ms: int | None
    flat_cost: Num | None
    rehedge_ms: int | None
    rehedge_cost: Num | None
    unplaced: Num | None


def evacuations(book: Book) -> tuple[Evacuation, ...]:
    """Return what leaving takes of every account that holds something."""
    policy = book.policy
    if policy is None:
        return ()
    found: list[Evacuation] = []
    for venue, account in accounts(book):
        there = tuple(each for each in kept(book, venue, account) if each.most)
        if there:
            found.append(_evacuation(book, policy, (venue, account), there))
    return tuple(found)


def _evacuation(book: Book, policy: Policy, account: tuple[str, str], there: tuple[Kept, ...]) -> Evacuation:
    if any(each.prices is None or each.paid is None for each in there):
        return Evacuation(
            venue=account[0],
            account=account[1],
            notional=None,
            orders=None,
            flat_ms=None,
            flat_cost=None,
            rehedge_ms=None,
            rehedge_cost=None,
            unplaced=None,
        )
    notional = flat_cost = rehedge_cost = unplaced = placed = ZERO
    for each in there:
        value = each.notional(each.most)
        notional = add(notional, value)
        flat_cost = add(flat_cost, _cost(policy, value, _fee(policy, account[0], each.symbol)))
        others = _elsewhere(book, policy, account[0], each.what.base)
        if others:
            placed = add(placed, value)
            rehedge_cost = add(rehedge_cost, _cost(policy, value, max(other.taker_fee_bps for other in others)))
        else:
            unplaced = add(unplaced, value)
    return Evacuation(
        venue=account[0],
        account=account[1],
        notional=notional,
        orders=_orders(book, notional),
        flat_ms=_time_ms(policy, _orders(book, notional)),
        flat_cost=flat_cost,
        rehedge_ms=_time_ms(policy, _orders(book, placed)),
        rehedge_cost=rehedge_cost,
        unplaced=unplaced,
    )


def _cost(policy: Policy, value: Num, fee_bps: Num) -> Num:
    return divide(multiply(value, add(policy.hedge_slippage_bps, fee_bps)), BPS)


def _fee(policy: Policy, venue: str, symbol: str) -> Num:
    """Return the taker's fee of an instrument, bps; of one that the policy does not trade, the dearest that it has."""
    fees = {(each.venue, each.symbol): each.taker_fee_bps for each in policy.instruments}
    return fees.get((venue, symbol), max(fees.values(), default=ZERO))


def _elsewhere(book: Book, policy: Policy, venue: str, underlying: str) -> tuple[Instrument, ...]:
    """Return the contracts of other venues that may take an underlying now."""
    suspended, away = book.outside.suspended, book.dependencies
    return tuple(
        each
        for each in policy.traded(underlying)
        if each.venue != venue
        and each.kind == "linear"
        and each.venue not in away
        and f"venue:{each.venue}" not in suspended
        and strictest(book.modes, f"venue:{each.venue}") is Mode.ACTIVE
    )


def _orders(book: Book, notional: Num) -> int | None:
    if not notional:
        return 0
    limit = book.limit(Control.ORDER_NOTIONAL)
    if limit is None or limit.value <= ZERO:
        return None
    return int(EXACT.divide(notional, limit.value).to_integral_value(rounding=ROUND_CEILING))


def _time_ms(policy: Policy, orders: int | None) -> int | None:
    if orders is None:
        return None
    rounds = -(-orders // max(policy.hedge_orders_max, 1))
    return rounds * policy.hedge_retry_ms
