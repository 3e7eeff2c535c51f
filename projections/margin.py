"""Margin: what each account's positions are margined with, and how near they are to being liquidated.

What the venue said stands as it was last observed; what follows from it moves with the book's marks.
"""

from typing import Any

import msgspec

from domain.account import AccountObserved, Balance, Held, account_key
from domain.instant import rfc3339
from domain.margin import Margin, margins
from domain.quantity import Num, divide, round_to
from projections.booked import SEEN, Booked
from projections.figures import BPS_STEP, DOWN, RATIO_STEP, UP, ends, figure, money
from projections.view import Row, View


class MarginOf(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Show the margin of one asset; `ratio` is the maintenance margin's part of it, None where there is no margin."""

    asset: str
    margin: Num
    initial_margin: Num
    maintenance_margin: Num
    ratio: Num | None


class MarginLine(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Show an account: what its venue said, and in USD at the book's marks what that comes to.

    `ratio` is maintenance by the least of equity, `leverage` gross notional by it (parts of one),
    `liquidation_distance_bps` how far the mark of the `nearest` position may move, `rank` that of the position which
    auto-deleveraging would take first (profit by leverage), `unsettled` profit that was not paid out. None where it is
    not known, for want of a price of what `unknown` names, or for a venue that never told of the account: then
    `observed_at` is empty.
    """

    venue: str
    account: str
    assets: tuple[MarginOf, ...]
    positions: tuple[Held, ...]
    equity: Num | None
    equity_high: Num | None
    maintenance: Num | None
    gross: Num | None
    ratio: Num | None
    leverage: Num | None
    liquidation_distance_bps: Num | None
    nearest: str
    rank: Num | None
    unsettled: Num | None
    unknown: tuple[str, ...]
    observed_at: str


class Margins(Booked[MarginLine]):
    """Hold every account that a policy named or a venue ever told of."""


def _assets(told: AccountObserved | None) -> tuple[MarginOf, ...]:
    return tuple(
        MarginOf(
            asset=balance.asset,
            margin=balance.margin,
            initial_margin=balance.initial_margin,
            maintenance_margin=balance.maintenance_margin,
            ratio=_ratio(balance),
        )
        for balance in (told.balances if told is not None else ())
    )


def _ratio(balance: Balance) -> Num | None:
    if balance.margin <= 0:
        return None
    return round_to(divide(balance.maintenance_margin, balance.margin), RATIO_STEP, UP)


def _line(venue: str, account: str, told: AccountObserved | None, found: Margin | None) -> MarginLine:
    found = Margin(venue=venue, account=account) if found is None else found
    low, high = ends(found.equity)
    return MarginLine(
        venue=venue,
        account=account,
        assets=_assets(told),
        positions=told.positions if told is not None else (),
        equity=low,
        equity_high=high,
        maintenance=money(found.maintenance),
        gross=money(found.gross),
        ratio=figure(found.ratio, RATIO_STEP, UP),
        leverage=figure(found.leverage, RATIO_STEP, UP),
        liquidation_distance_bps=figure(found.distance_bps, BPS_STEP, DOWN),
        nearest=found.nearest,
        rank=figure(found.rank, RATIO_STEP, UP),
        unsettled=money(found.unsettled),
        unknown=found.unknown,
        observed_at=rfc3339(told.observed_at_us) if told is not None else "",
    )


def _lines(state: Margins) -> tuple[Row[Any], ...]:
    found = {account_key(each.venue, each.account): each for each in margins(state.book)}
    rows: tuple[Row[Any], ...] = ()
    for key, since in state.seen.accounts.items():
        venue, _, account = key.partition("|")
        told = state.book.outside.accounts.get(key)
        rows += state.show(key, _line(venue, account, told, found.get(key)), sort=since)
    return rows


MARGIN = View(
    name="margin",
    document=MarginLine,
    state=Margins,
    steps={},
    lookups=frozenset({"venue"}),
    render=_lines,
    shared=SEEN,
)
