"""Gauges of venue accounts before a decision: margin, leverage, and the profit that was not paid out."""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from domain.account import account_key
from domain.contract import SPOT
from domain.controls.meter import Meter
from domain.controls.positions import Grown
from domain.controls.remembered import There, Traded, standing_of
from domain.controls.standing import Standing
from domain.flow import Contracts
from domain.limit import Control
from domain.mode import GLOBAL
from domain.quantity import BPS, EXACT, ZERO, Num
from domain.state import Book

GONE = Num(1_000_000)
"""What a ratio is called when there is no equity left to divide by."""


def hold_accounts(meter: Meter, grown: Iterable[Grown]) -> None:
    """Hold the margin and the leverage that each account would come to, whatever of its orders fills.

    Where margin is not looked at, an account that no venue ever told counts as nothing; where it is, it is unknown to
    what would be opened there.
    """
    by_account: dict[str, list[Grown]] = {}
    for each in grown:
        line = each.line
        if line.kind != SPOT:
            by_account.setdefault(f"{line.venue}|{line.account}", []).append(each)
    known = meter.memory.standings
    for key, lines in by_account.items():
        stands = known[key] if key in known else standing_of(meter.memory, meter.book, key)
        if stands is None and not _looks(meter):
            continue
        _hold_account(meter, key, lines, stands)


def _looks(meter: Meter) -> bool:
    policy = meter.book.policy
    return policy is not None and policy.routing.margin_rate > 0


def _hold_account(meter: Meter, key: str, grown: list[Grown], stands: Standing | None) -> None:
    line = grown[0].line
    scopes, added = line.scopes[:2], added_notional(meter, grown)
    if added is not None and added <= 0:
        added = ZERO
    equity = None if stands is None else stands.equity
    if stands is None or equity is None or added is None:
        before = (lambda: GONE) if added == ZERO else None
        value = GONE if added == ZERO else None
        meter.hold(Control.MARGIN_RATIO, scopes, value, before, line.venue)
        meter.hold(Control.LEVERAGE, scopes, value, before, line.venue)
        return
    gross, doubt = _now(meter, key, stands)
    least = None if doubt is None else EXACT.subtract(equity, doubt)
    after = None if gross is None else EXACT.add(gross, added)
    for control, rate in ((Control.MARGIN_RATIO, stands.rate), (Control.LEVERAGE, PAR)):
        if after is not None and least is not None:
            needed = after if rate is PAR else EXACT.multiply(after, rate)
            if meter.within(control, scopes, needed, least):
                continue
        meter.hold(control, scopes, _by(after, rate, least), lambda rate=rate: _by(gross, rate, least), line.venue)


def added_notional(meter: Meter, grown: list[Grown]) -> Decimal | None:
    """Return by how much the gross notional of these lines would grow, USD."""
    total: Decimal = ZERO
    for each in grown:
        if each.growth:
            price = meter.prices.of(each.unit)
            if price is None:
                return None
            total = EXACT.fma(each.growth, price, total)
    return total


PAR = Num(1)
_NOTHING = Contracts()


def _now(meter: Meter, key: str, stands: Standing) -> tuple[Decimal | None, Decimal | None]:
    """Return an account's gross notional now, and what was traded since it was told may have cost, USD."""
    book, memory, prices = meter.book, meter.memory, meter.prices
    there = book.flow.accounts.get(key, _NOTHING)
    since = memory.traded.get(key)
    if since is None or since.positions is not there.positions:
        since = memory.traded[key] = Traded(there.positions, _traded(book, key, there, stands.told))
    gross = prices.summed(memory.contracts, key, there.gross)
    traded = prices.summed(memory.since, key, since.units) if since.units else ZERO
    if gross is None or traded is None:
        return None, None
    if not traded:
        return gross, ZERO
    policy = book.policy
    bps = policy.hedge_slippage_bps if policy is not None else ZERO
    return gross, EXACT.divide(EXACT.multiply(traded, bps), BPS)


def _traded(book: Book, key: str, there: Contracts, told: Mapping[str, Num]) -> dict[str, Decimal]:
    """Return by how much positions are other than told, by unit; what no line is of says nothing."""
    found: dict[str, Decimal] = {}
    for symbol in (*there.positions, *(each for each in told if each not in there.positions)):
        line = book.flow.lines.get(f"{key}|{symbol}")
        since = EXACT.subtract(there.positions.get(symbol, ZERO), told.get(symbol, ZERO))
        if since and line is not None and line.kind != SPOT:
            found[line.unit] = EXACT.add(found.get(line.unit, ZERO), EXACT.abs(since))
    return found


def _by(gross: Decimal | None, rate: Decimal, equity: Decimal | None) -> Decimal | None:
    if gross is None or equity is None:
        return None
    needed = gross if rate is PAR else EXACT.multiply(gross, rate)
    if not needed:
        return ZERO
    return GONE if equity <= 0 else min(EXACT.divide(needed, equity), GONE)


def hold_unsettled(meter: Meter, grown: Iterable[Grown]) -> None:
    """Hold the profit that stands at a venue where a mint would be hedged; a redeem only gives back."""
    mint = meter.probe.mint
    for venue in dict.fromkeys([each.line.scopes[1] for each in grown]):
        value = unsettled(meter, venue)
        before = None if mint else lambda value=value: value
        meter.hold(Control.UNSETTLED_PROFIT, (GLOBAL, venue), value, before, venue)


def unsettled(meter: Meter, venue: str) -> Decimal | None:
    """Return the profit that stands open at a venue, or that the log says was won there and not settled, USD."""
    there = meter.memory.there.get(venue)
    if there is None:
        there = meter.memory.there[venue] = _there(meter, venue)
    prices = meter.prices
    won = prices.won(venue, meter.book.flow.sums[venue])
    paid = prices.total(there.settled) if there.settled else ZERO
    if there.profit is None or won is None or paid is None:
        return None
    return max(there.profit, EXACT.subtract(won, paid), ZERO)


def _there(meter: Meter, venue: str) -> There:
    """Return what a venue's accounts tell of open profit, and what of it custodians settled."""
    book = meter.book
    profit: Decimal | None = ZERO
    for account in dict.fromkeys(line.account for line in book.flow.lines.values() if line.scopes[1] == venue):
        stands = standing_of(meter.memory, book, account_key(venue.removeprefix("venue:"), account))
        here = ZERO if stands is None else stands.profit
        profit = None if profit is None or here is None else EXACT.add(profit, max(here, ZERO))
    return There(profit, settled(book, venue))


def settled(book: Book, venue: str) -> dict[str, Num]:
    """Return what custodians told to have settled with a venue, by asset."""
    found: dict[str, Num] = {}
    for key, profit in book.vault.settled.items():
        name, _, asset = key.split("|")
        if f"venue:{name}" == venue:
            found[asset] = found.get(asset, ZERO) + profit
    return found
