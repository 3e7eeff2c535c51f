"""Balances: what venues say that our accounts hold, as last observed."""

import msgspec

from domain.account import AccountObserved, Balance, account_key
from domain.instant import rfc3339
from domain.quantity import ZERO, Num
from projections.view import Row, Rows, View


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


BALANCES = View(
    name="balances",
    document=BalanceLine,
    state=Balances,
    steps={AccountObserved: _balances},
    lookups=frozenset({"venue", "asset"}),
)
