"""What a venue says an account holds, as sweeps ask for it: recorded when it changed, and now and then."""

from commands.context import Context
from commands.envelope import Command, command
from domain.account import AccountObserved, Balance, Held, account_key
from domain.book import Book
from domain.event import Event
from domain.instant import SECOND_US
from domain.refusal import Reason, Refusal

# Marks and margins move all the time: without another wallet or quantity they are recorded this often.
OBSERVED_EVERY_US = 60 * SECOND_US
ACCOUNTS_MAX = 64
LINES_MAX = 256
NAME_LENGTH_MAX = 64


@command("account.observe")
class ObserveAccount(Command, frozen=True, kw_only=True):
    """Report the balances and positions of one account at one moment."""

    venue: str
    account: str
    balances: tuple[Balance, ...]
    positions: tuple[Held, ...]
    observed_at_us: int


def observe_account(book: Book, command: ObserveAccount, _context: Context) -> tuple[Event, ...] | Refusal:
    """Decide `ObserveAccount`: an observation older than the last one says nothing."""
    refusal = _check(book, command)
    if refusal is not None:
        return refusal
    observed = AccountObserved(
        venue=command.venue,
        account=command.account,
        balances=tuple(sorted(command.balances, key=lambda balance: balance.asset)),
        positions=tuple(sorted(command.positions, key=lambda held: held.symbol)),
        observed_at_us=command.observed_at_us,
    )
    before = book.outside.accounts.get(account_key(command.venue, command.account))
    if before is None:
        return (observed,)
    since_us = command.observed_at_us - before.observed_at_us
    if since_us <= 0 or (observed.owned == before.owned and since_us < OBSERVED_EVERY_US):
        return ()
    return (observed,)


def _check(book: Book, command: ObserveAccount) -> Refusal | None:
    names = (command.venue, command.account)
    if any(not name or "|" in name or not name.isprintable() or len(name) > NAME_LENGTH_MAX for name in names):
        return Refusal(reason=Reason.VALUE_INVALID, text="an account has a venue and a name")
    assets = {balance.asset for balance in command.balances}
    symbols = {held.symbol for held in command.positions}
    if len(assets) < len(command.balances) or len(symbols) < len(command.positions):
        return Refusal(reason=Reason.VALUE_INVALID, text="each asset and each symbol is told once")
    if len(assets) > LINES_MAX or len(symbols) > LINES_MAX:
        return Refusal(reason=Reason.VALUE_INVALID, text=f"an account has at most {LINES_MAX} assets or positions")
    accounts = book.outside.accounts
    if account_key(command.venue, command.account) not in accounts and len(accounts) >= ACCOUNTS_MAX:
        return Refusal(reason=Reason.VALUE_INVALID, text=f"{ACCOUNTS_MAX} accounts are kept already")
    return None
