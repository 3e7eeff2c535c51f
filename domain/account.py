"""Accounts: what a venue says that one of our accounts holds, as a sweep asked for it."""

from uuid import UUID

import msgspec

from domain.event import Event, catalogued
from domain.ids import natural_id
from domain.quantity import Num


class Balance(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Hold one asset: `wallet` leaves unrealised profit out, `margin` has it in, `available` may be used for orders."""

    asset: str
    wallet: Num
    margin: Num
    available: Num
    initial_margin: Num
    maintenance_margin: Num


class Held(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Hold one position, negative when short; prices are zero where the venue tells none."""

    symbol: str
    quantity: Num
    entry_price: Num
    mark_price: Num
    unrealised: Num
    liquidation_price: Num
    initial_margin: Num
    maintenance_margin: Num


@catalogued
class AccountObserved(Event, frozen=True, kw_only=True, tag="account.observed.v1"):
    """A venue said that an account holds this, by asset and by symbol."""

    venue: str
    account: str
    balances: tuple[Balance, ...]
    positions: tuple[Held, ...]
    observed_at_us: int

    @property
    def originator(self) -> UUID:
        """Return the account's stream."""
        return natural_id("account", self.venue, self.account)

    @property
    def owned(self) -> tuple[tuple[tuple[str, Num], ...], tuple[tuple[str, Num], ...]]:
        """Return what only trading and paying change: wallets and quantities, not marks and margins."""
        wallets = tuple((balance.asset, balance.wallet) for balance in self.balances)
        return wallets, tuple((held.symbol, held.quantity) for held in self.positions)


def account_key(venue: str, account: str) -> str:
    """Return the key of an account in the book."""
    return f"{venue}|{account}"
