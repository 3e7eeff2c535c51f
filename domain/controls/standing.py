"""Standings: what an account has at its venue as the venue told it last, at the marks of the Book, for each decision.

It is the law of margin without what orders and fills change: that is added for each decision, from the tallies. So what
was reckoned for one decision serves the next (`domain.controls.remembered`), until an account, a mark, a listing or the
policy is told anew.
"""

from decimal import Decimal

import msgspec

from domain.account import AccountObserved
from domain.holdings import Kept, kept
from domain.listing import listing_key
from domain.quantity import EXACT, ZERO, Num
from domain.state import Book
from domain.worth import PAR, Worth, exactly, plus, valued, worth


class Standing(msgspec.Struct, frozen=True, gc=False):
    """Hold an account's least equity and its greatest open profit, USD, and which part of gross notional must be kept.

    Both are None where something there has no price. `told` are the positions as told, signed, by symbol; `assets`
    what its balances are worth at most, USD, by asset.
    """

    equity: Decimal | None
    profit: Decimal | None
    rate: Decimal
    told: dict[str, Num]
    assets: dict[str, Decimal]


def stands(book: Book, seen: AccountObserved) -> Standing:
    """Return what an account has that was told so."""
    equity: Decimal | None = ZERO
    assets: dict[str, Decimal] = {}
    for balance in seen.balances:
        if balance.margin:
            unit = _unit(book, balance.asset)
            equity = None if equity is None or unit is None else EXACT.fma(balance.margin, unit.low, equity)
            assets[balance.asset] = ZERO if unit is None else EXACT.multiply(balance.margin, unit.high)
    profit: Decimal | None = ZERO
    there = tuple(each for each in kept(book, seen.venue, seen.account) if each.told is not None and each.told.quantity)
    for each in there:
        unit = each.unit or _unit(book, each.what.settle)
        if each.told is None or unit is None or each.prices is None:
            equity = profit = None
        if equity is not None and profit is not None and each.told is not None and unit is not None:
            equity = EXACT.add(equity, valued(each.won, unit).low)
            profit = EXACT.add(profit, valued(plus(exactly(each.told.unrealised), each.won), unit).high)
    told = {held.symbol: held.quantity for held in seen.positions}
    return Standing(equity, profit, _rate(book, seen, there), told, assets)


def _unit(book: Book, asset: str) -> Worth | None:
    """Return what an asset is worth; a stable that nobody marked yet counts as a dollar."""
    policy = book.policy
    return worth(book, asset) or (PAR if policy is not None and asset in policy.integrity.stables else None)


def _rate(book: Book, seen: AccountObserved, there: tuple[Kept, ...]) -> Decimal:
    """Return which part of gross notional must be kept: as the venue told, else as it lists, else by the policy."""
    by_asset = by_position = before = ZERO
    for balance in seen.balances:
        unit = _unit(book, balance.asset) if balance.maintenance_margin else None
        by_asset += balance.maintenance_margin * (unit.high if unit is not None else ZERO)
    for each in there:
        unit, paid = each.unit or _unit(book, each.what.settle), each.paid or _unit(book, each.what.quote)
        if each.told is not None and unit is not None and paid is not None:
            size = each.told.quantity if each.what.inverse else each.told.quantity * each.told.mark_price
            by_position += each.told.maintenance_margin * unit.high
            before += abs(size) * paid.high
    if before > 0 and (by_asset > 0 or by_position > 0):
        return EXACT.divide(max(by_asset, by_position), before)
    policy = book.policy
    return max(_listed(book, seen), default=policy.routing.margin_rate if policy is not None else ZERO)


def _listed(book: Book, seen: AccountObserved) -> list[Num]:
    """Return the maintenance rates that a venue lists for what the policy trades on an account, of the least size."""
    listings = book.outside.listings
    found = (
        listings.get(listing_key(line.venue, line.symbol))
        for line in book.flow.lines.values()
        if (line.venue, line.account) == (seen.venue, seen.account)
    )
    return [listed.margin_tiers[0].maintenance_rate for listed in found if listed is not None and listed.margin_tiers]
