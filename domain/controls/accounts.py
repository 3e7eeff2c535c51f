"""Gauges of venue accounts before a decision: margin, leverage, and the profit that was not paid out."""

from collections.abc import Iterable
from decimal import Decimal

from domain.controls.meter import Meter
from domain.controls.positions import SPOT, Grown
from domain.controls.standing import Standing, standing
from domain.flow import Line
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
    by_account: dict[tuple[str, str], list[Grown]] = {}
    for each in grown:
        if each.line.kind != SPOT:
            by_account.setdefault((each.line.venue, each.line.account), []).append(each)
    for (venue, account), lines in by_account.items():
        stands = standing(meter.book, venue, account)
        if stands is None and not _looks(meter):
            continue
        _hold_account(meter, lines, stands)


def _looks(meter: Meter) -> bool:
    policy = meter.book.policy
    return policy is not None and policy.routing.margin_rate > 0


def _hold_account(meter: Meter, grown: list[Grown], stands: Standing | None) -> None:
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
    gross, doubt = _now(meter, line, stands)
    least = None if doubt is None else EXACT.subtract(equity, doubt)
    after = None if gross is None else EXACT.add(gross, added)
    for control, rate in ((Control.MARGIN_RATIO, stands.rate), (Control.LEVERAGE, Num(1))):
        meter.hold(control, scopes, _by(after, rate, least), lambda rate=rate: _by(gross, rate, least), line.venue)


def added_notional(meter: Meter, grown: list[Grown]) -> Decimal | None:
    """Return by how much the gross notional of these lines would grow, USD."""
    total: Decimal | None = ZERO
    for each in grown:
        more = meter.prices.value(each.line.unit, EXACT.subtract(each.gross, each.line.gross))
        total = None if total is None or more is None else EXACT.add(total, more)
    return total


def _now(meter: Meter, line: Line, stands: Standing) -> tuple[Decimal | None, Decimal | None]:
    """Return an account's gross notional now, and what was traded since it was told may have cost, USD."""
    gross: Decimal = ZERO
    traded: Decimal = ZERO
    policy, prices = meter.book.policy, meter.prices
    for each in meter.book.flow.lines.values():
        if each.venue != line.venue or each.account != line.account or each.kind == SPOT:
            continue
        since = EXACT.subtract(each.position, stands.told.get(each.symbol, ZERO))
        if not since and not each.gross:
            continue
        price = prices.of(each.unit)
        if price is None:
            return None, None
        gross = EXACT.fma(each.gross, price, gross)
        if since:
            traded = EXACT.fma(EXACT.abs(since), price, traded)
    bps = policy.hedge_slippage_bps if policy is not None else ZERO
    return gross, EXACT.divide(EXACT.multiply(traded, bps), BPS) if traded else ZERO


def _by(gross: Decimal | None, rate: Decimal, equity: Decimal | None) -> Decimal | None:
    if gross is None or equity is None:
        return None
    needed = EXACT.multiply(gross, rate)
    if not needed:
        return ZERO
    return GONE if equity <= 0 else min(EXACT.divide(needed, equity), GONE)


def hold_unsettled(meter: Meter, grown: Iterable[Grown]) -> None:
    """Hold the profit that stands at a venue where a mint would be hedged; a redeem only gives back."""
    for venue in dict.fromkeys(each.line.scopes[1] for each in grown):
        value = unsettled(meter, venue)
        scopes = (GLOBAL, venue)
        before = None if meter.probe.mint else lambda value=value: value
        meter.hold(Control.UNSETTLED_PROFIT, scopes, value, before, venue)


def unsettled(meter: Meter, venue: str) -> Decimal | None:
    """Return the profit that stands open at a venue, or that the log says was won there and not settled, USD."""
    told: Decimal | None = ZERO
    for account in dict.fromkeys(line.account for line in meter.book.flow.lines.values() if line.scopes[1] == venue):
        stands = standing(meter.book, venue.removeprefix("venue:"), account)
        profit = ZERO if stands is None else stands.profit
        told = None if told is None or profit is None else EXACT.add(told, max(profit, ZERO))
    won = meter.prices.won(meter.book.flow.sums[venue])
    paid = meter.prices.total(settled(meter.book, venue))
    if told is None or won is None or paid is None:
        return None
    return max(told, EXACT.subtract(won, paid), ZERO)


def settled(book: Book, venue: str) -> dict[str, Num]:
    """Return what custodians told to have settled with a venue, by asset."""
    found: dict[str, Num] = {}
    for key, profit in book.vault.settled.items():
        name, _, asset = key.split("|")
        if f"venue:{name}" == venue:
            found[asset] = found.get(asset, ZERO) + profit
    return found
