"""What custodians report: what they keep for us, and what was settled between them and a venue."""

from commands.context import Context
from commands.envelope import Command, command
from domain.book import Book
from domain.event import Event
from domain.quantity import Num
from domain.refusal import Reason, Refusal
from domain.vault import CustodyBalanceObserved, CustodySettlementObserved, Holding

CUSTODIANS_MAX = 64
HOLDINGS_MAX = 256
NAME_LENGTH_MAX = 64


@command("custody.observe_balance")
class ObserveCustody(Command, frozen=True, kw_only=True):
    """Report what a custodian keeps for us at one moment, all of it."""

    custodian: str
    holdings: tuple[Holding, ...]
    observed_at_us: int


@command("custody.observe_settlement")
class ObserveCustodySettlement(Command, frozen=True, kw_only=True):
    """Report that a venue and a custodian settled; the command's id is the settlement's natural key."""

    settlement_id: str
    custodian: str
    venue: str
    account: str
    asset: str
    profit: Num
    settled_at_us: int


def observe_custody(book: Book, command: ObserveCustody, _context: Context) -> tuple[Event, ...] | Refusal:
    """Decide `ObserveCustody`: an observation that is not younger than the last says nothing."""
    refusal = _check_names(command.custodian) or _check_holdings(book, command)
    if refusal is not None:
        return refusal
    before = book.vault.custody.get(command.custodian)
    if before is not None and command.observed_at_us <= before.observed_at_us:
        return ()
    holdings = tuple(sorted(command.holdings, key=lambda holding: holding.asset))
    return (
        CustodyBalanceObserved(custodian=command.custodian, holdings=holdings, observed_at_us=command.observed_at_us),
    )


def observe_settlement(
    _book: Book, command: ObserveCustodySettlement, _context: Context
) -> tuple[Event, ...] | Refusal:
    """Decide `ObserveCustodySettlement`. A second report of one settlement never gets here."""
    names = (command.settlement_id, command.custodian, command.venue, command.account, command.asset)
    refusal = _check_names(*names)
    if refusal is not None:
        return refusal
    return (
        CustodySettlementObserved(
            settlement_id=command.settlement_id,
            custodian=command.custodian,
            venue=command.venue,
            account=command.account,
            asset=command.asset,
            profit=command.profit,
            settled_at_us=command.settled_at_us,
        ),
    )


def _check_names(*names: str) -> Refusal | None:
    if any(not name or "|" in name or not name.isprintable() or len(name) > NAME_LENGTH_MAX for name in names):
        return Refusal(reason=Reason.VALUE_INVALID, text="a custodian's report has names of 1 to 64 characters")
    return None


def _check_holdings(book: Book, command: ObserveCustody) -> Refusal | None:
    held = command.holdings
    if len({each.asset for each in held}) < len(held) or len(held) > HOLDINGS_MAX:
        return Refusal(reason=Reason.VALUE_INVALID, text=f"each asset is told once, {HOLDINGS_MAX} at most")
    if any(not 0 <= each.mirrored <= each.quantity for each in held):
        text = "a custodian keeps no less than nothing, and mirrors no more than it keeps"
        return Refusal(reason=Reason.VALUE_INVALID, text=text)
    if command.custodian not in book.vault.custody and len(book.vault.custody) >= CUSTODIANS_MAX:
        return Refusal(reason=Reason.VALUE_INVALID, text=f"{CUSTODIANS_MAX} custodians are kept already")
    return None
