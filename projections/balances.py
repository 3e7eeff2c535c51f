"""Balances and margins: what venues say that our accounts hold, as last observed."""

import msgspec

from domain.account import AccountObserved, Balance, Held, account_key
from domain.instant import rfc3339
from domain.quantity import ZERO, Num, Rounding, divide, round_to
from projections.view import Row, Rows, View

RATIO_STEP = Num("0.000001")


class BalanceLine(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Show one asset of an account, in the terms of `domain.account.Balance`; all zero once it is not told any more."""

    venue: str
    account: str
    asset: str
    wallet: Num
    margin: Num
    available: Num
    initial_margin: Num
    maintenance_margin: Num
    observed_at: str


class Balances(Rows[BalanceLine]):
    """Hold every asset of every account that was ever told of."""


class MarginOf(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Show the margin of one asset; `ratio` is the maintenance margin's part of it, None where there is no margin."""

    asset: str
    margin: Num
    initial_margin: Num
    maintenance_margin: Num
    ratio: Num | None


class MarginLine(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Show what an account's positions are margined with, and how near they are to being liquidated."""

    venue: str
    account: str
    assets: tuple[MarginOf, ...]
    positions: tuple[Held, ...]
    observed_at: str


class Margins(Rows[MarginLine]):
    """Hold every account that was ever told of."""


def _balances(state: Balances, event: AccountObserved, position: int, _at_us: int) -> tuple[Row[BalanceLine], ...]:
    told = {balance.asset: balance for balance in event.balances}
    prefix = account_key(event.venue, event.account) + "|"
    known = [key.removeprefix(prefix) for key in state.rows if key.startswith(prefix)]
    gone = [asset for asset in known if asset not in told]
    rows: tuple[Row[BalanceLine], ...] = ()
    for balance in (*event.balances, *map(_nothing, gone)):
        line = BalanceLine(
            venue=event.venue,
            account=event.account,
            asset=balance.asset,
            wallet=balance.wallet,
            margin=balance.margin,
            available=balance.available,
            initial_margin=balance.initial_margin,
            maintenance_margin=balance.maintenance_margin,
            observed_at=rfc3339(event.observed_at_us),
        )
        rows += state.keep(prefix + balance.asset, position, line)
    return rows


def _nothing(asset: str) -> Balance:
    return Balance(asset=asset, wallet=ZERO, margin=ZERO, available=ZERO, initial_margin=ZERO, maintenance_margin=ZERO)


def _margin(state: Margins, event: AccountObserved, position: int, _at_us: int) -> tuple[Row[MarginLine], ...]:
    line = MarginLine(
        venue=event.venue,
        account=event.account,
        assets=tuple(
            MarginOf(
                asset=balance.asset,
                margin=balance.margin,
                initial_margin=balance.initial_margin,
                maintenance_margin=balance.maintenance_margin,
                ratio=_ratio(balance),
            )
            for balance in event.balances
        ),
        positions=event.positions,
        observed_at=rfc3339(event.observed_at_us),
    )
    return state.keep(account_key(event.venue, event.account), position, line)


def _ratio(balance: Balance) -> Num | None:
    if balance.margin <= 0:
        return None
    return round_to(divide(balance.maintenance_margin, balance.margin), RATIO_STEP, Rounding.UP)


BALANCES = View(
    name="balances",
    document=BalanceLine,
    state=Balances,
    steps={AccountObserved: _balances},
    lookups=frozenset({"venue", "asset"}),
)
MARGIN = View(
    name="margin",
    document=MarginLine,
    state=Margins,
    steps={AccountObserved: _margin},
    lookups=frozenset({"venue"}),
)
