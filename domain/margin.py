"""Margin: what an account has, what it must have, how far it is from being closed by its venue, and what stands unpaid.

A venue's own word is where it starts from. From there it goes with the marks of the log and with what was filled since,
so that it is as new as the Book, however old the sweep is.
"""

import msgspec

from domain.account import AccountObserved, account_key
from domain.holdings import Kept, accounts, balances, kept, moved, open_profit, slack, unpaid, unpriced
from domain.listing import listing_key
from domain.quantity import BPS, ZERO, Interval, Num, add, divide, multiply, subtract
from domain.state import Book
from domain.worth import exactly, plus, worth

# What a ratio is called when there is no equity left to divide by.
GONE = Num(1_000_000)


class Margin(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Show an account, USD: None where something that it holds has no price (`unknown` names it) or nobody saw it.

    `ratio` is maintenance by the least equity, `leverage` is `gross` by it: `GONE` where none is left. `gross` counts
    whatever of its orders fills, spot left out. `distance_bps` is by how much the mark of `nearest` may move before it
    is liquidated, None where nothing is held. `rank` is the worst for auto-deleveraging, `unsettled` the profit that
    stands at the venue and was not paid out. `observed_at_us` is 0 where the venue never told the account.
    """

    venue: str
    account: str
    observed_at_us: int = 0
    equity: Interval | None = None
    maintenance: Num | None = None
    gross: Num | None = None
    ratio: Num | None = None
    leverage: Num | None = None
    distance_bps: Num | None = None
    nearest: str = ""
    rank: Num = ZERO
    unsettled: Num | None = None
    unknown: tuple[str, ...] = ()


def margins(book: Book) -> tuple[Margin, ...]:
    """Return the margin of every account."""
    return tuple(margin(book, venue, account) for venue, account in accounts(book))


def margin(book: Book, venue: str, account: str) -> Margin:
    """Return the margin of one account."""
    return margin_of(book, venue, account, kept(book, venue, account))


def margin_of(book: Book, venue: str, account: str, there: tuple[Kept, ...]) -> Margin:
    """Return the margin of an account that holds this."""
    seen = book.outside.accounts.get(account_key(venue, account))
    missing = unpriced(book, seen, there)
    if missing:
        told = seen.observed_at_us if seen is not None else 0
        return Margin(venue=venue, account=account, observed_at_us=told, unknown=missing)
    gross = ZERO
    for each in there:
        gross = add(gross, each.notional(each.most))
    owed = max(unpaid(book, venue, account, there), ZERO)
    if seen is None:
        return Margin(venue=venue, account=account, gross=gross, unsettled=owed)
    equity = plus(balances(book, seen.balances), plus(moved(there), slack(book, there)))
    maintenance = _maintenance(book, seen, there, gross)
    near = min(_distances(there, _room_bps(equity, maintenance, gross)), default=None)
    return Margin(
        venue=venue,
        account=account,
        observed_at_us=seen.observed_at_us,
        equity=equity,
        maintenance=maintenance,
        gross=gross,
        ratio=_by(maintenance, equity.low),
        leverage=_by(gross, equity.low),
        distance_bps=None if near is None else near[0],
        nearest="" if near is None else near[1],
        rank=_rank(there, equity),
        unsettled=max(owed, open_profit(there).high),
    )


def _maintenance(book: Book, seen: AccountObserved, there: tuple[Kept, ...], gross: Num) -> Num:
    """Return what must be kept for all that may be held, USD: at the venue's own rate, or that of its tiers if more.

    Where neither is told, the rate of margin that the policy counts with stands for it.
    """
    by_position = by_asset = before = tiers = ZERO
    for each in there:
        told = each.standing
        if told is not None:
            before = add(before, _as_told(each))
            by_position = add(by_position, each.usd(exactly(told.maintenance_margin)).high)
        tiers = add(tiers, _tiered(book, seen.venue, each))
    for balance in seen.balances:
        unit = worth(book, balance.asset) if balance.maintenance_margin else None
        if unit is not None:
            by_asset = add(by_asset, multiply(balance.maintenance_margin, unit.high))
    told_in_all = max(by_position, by_asset)
    if told_in_all and before:
        return max(told_in_all, divide(multiply(told_in_all, gross), before), tiers)
    if gross and not told_in_all and not tiers and book.policy is not None:
        return multiply(gross, book.policy.routing.margin_rate)
    return max(told_in_all, tiers)


def _as_told(each: Kept) -> Num:
    """Return what a position was worth when its venue marked it, USD."""
    told = each.standing
    if told is None or each.paid is None:
        return ZERO
    value = told.quantity if each.what.inverse else multiply(told.quantity, told.mark_price)
    return multiply(abs(value), each.paid.high)


def _tiered(book: Book, venue: str, each: Kept) -> Num:
    """Return the maintenance margin of a contract by the tiers that its venue lists, USD."""
    listed = book.outside.listings.get(listing_key(venue, each.symbol)) if book.outside.listings else None
    most, prices = each.most, each.prices
    if listed is None or not listed.margin_tiers or not most or prices is None:
        return ZERO
    size = divide(most, prices.low) if each.what.inverse else multiply(most, prices.high)
    rate = max((tier.maintenance_rate for tier in listed.margin_tiers if tier.notional_from <= size), default=ZERO)
    return multiply(each.notional(most), rate)


def _by(part: Num, equity: Num) -> Num:
    if not part:
        return ZERO
    return GONE if equity <= ZERO else min(divide(part, equity), GONE)


def _room_bps(equity: Interval, maintenance: Num, gross: Num) -> Num:
    """Return the move against everything held, bps, that leaves just the margin that must be kept."""
    if not gross:
        return ZERO
    return divide(multiply(max(subtract(equity.low, maintenance), ZERO), BPS), add(gross, maintenance))


def _distances(there: tuple[Kept, ...], room_bps: Num) -> list[tuple[Num, str]]:
    """Return how far each position is from its liquidation, bps of its mark: as its venue tells, else by our count.

    What a venue told of a position that has turned since says nothing of the one that is there now.
    """
    found: list[tuple[Num, str]] = []
    for each in there:
        if not each.quantity or each.prices is None:
            continue
        turned = each.told is not None and (each.told.quantity < ZERO) != (each.quantity < ZERO)
        end = ZERO if each.told is None or turned else each.told.liquidation_price
        if end <= ZERO:
            found.append((room_bps, each.symbol))
            continue
        short = each.quantity < ZERO
        at = each.prices.high if short else each.prices.low
        away = subtract(end, at) if short else subtract(at, end)
        found.append((divide(multiply(max(away, ZERO), BPS), at), each.symbol))
    return found


def _rank(there: tuple[Kept, ...], equity: Interval) -> Num:
    """Return the worst rank for auto-deleveraging as venues count it: profit by entry value, times leverage."""
    if equity.low <= ZERO:
        return ZERO
    worst = ZERO
    for each in there:
        told = each.standing
        if told is None or told.entry_price <= ZERO:
            continue
        won = add(told.unrealised, each.won.high)
        entered = abs(
            divide(told.quantity, told.entry_price) if each.what.inverse else multiply(told.quantity, told.entry_price)
        )
        leverage = divide(each.notional(told.quantity), equity.low)
        worst = max(worst, multiply(divide(won, entered), leverage))
    return worst
