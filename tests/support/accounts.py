"""What venues tell of accounts, and the marks that the book values them at."""

from domain.account import AccountObserved, Balance, Held
from domain.mark import InstrumentMark, Mark, RiskMarked
from domain.quantity import Num
from tests.support.given import START_US
from tests.support.venues import SYMBOL, VENUES


def a_mark_of(asset: str, price: str) -> Mark:
    """Return a mark of which everybody is certain."""
    return Mark(asset=asset, low=Num(price), mid=Num(price), high=Num(price))


def marked(price: str = "2000", *, stable: str = "1") -> RiskMarked:
    """Return marks of the underlying, of the stable it is paid in, and of its instruments."""
    return RiskMarked(
        assets=(a_mark_of("ETH", price), a_mark_of("USDT", stable)),
        instruments=tuple(InstrumentMark(venue=venue, symbol=SYMBOL, price=Num(price)) for venue in VENUES),
        marked_at_us=START_US,
    )


def told_account(
    quantity: str = "0", price: str = "2000", *, venue: str = "okx", margin: str = "10000", profit: str = "0"
) -> AccountObserved:
    """Return an account with a margin, a position and its unrealised profit; a hundredth of it must be kept."""
    kept = abs(Num(quantity)) * Num(price) * Num("0.01")
    balance = Balance(
        asset="USDT",
        wallet=Num(margin) - Num(profit),
        margin=Num(margin),
        available=Num(margin),
        initial_margin=Num(0),
        maintenance_margin=Num(0),
    )
    held = Held(
        symbol=SYMBOL,
        quantity=Num(quantity),
        entry_price=Num(price),
        mark_price=Num(price),
        unrealised=Num(profit),
        liquidation_price=Num(0),
        initial_margin=Num(0),
        maintenance_margin=kept,
    )
    return AccountObserved(
        venue=venue,
        account="main",
        balances=(balance,),
        positions=(held,) if held.quantity else (),
        observed_at_us=START_US,
    )
