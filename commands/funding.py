"""Funding payments, reported as venues settle them."""

from commands.context import Context
from commands.envelope import Command, command
from domain.book import Book
from domain.event import Event
from domain.funding import FundingPaid, funding_key
from domain.quantity import Num
from domain.refusal import Reason, Refusal

# Sums of funding that the book keeps: an account's instruments and assets.
FUNDINGS_MAX = 1_024
NAME_LENGTH_MAX = 128


@command("funding.record")
class RecordFunding(Command, frozen=True, kw_only=True):
    """Report a funding payment; `amount` is positive when received. Its natural key makes it enter once."""

    venue: str
    account: str
    symbol: str
    payment_id: str
    asset: str
    amount: Num
    paid_at_us: int


def record_funding(book: Book, command: RecordFunding, _context: Context) -> tuple[Event, ...] | Refusal:
    """Decide `RecordFunding`. The command's id is the payment's natural key, so a second report never gets here."""
    names = (command.venue, command.account, command.symbol, command.payment_id, command.asset)
    if any(not name or not name.isprintable() or len(name) > NAME_LENGTH_MAX for name in names):
        return Refusal(reason=Reason.VALUE_INVALID, text="a payment names its venue, account, symbol, id and asset")
    key, held = funding_key(command.venue, command.account, command.symbol, command.asset), book.outside.funding
    if key not in held and len(held) >= FUNDINGS_MAX:
        return Refusal(reason=Reason.VALUE_INVALID, text=f"{FUNDINGS_MAX} sums of funding are kept already")
    return (
        FundingPaid(
            venue=command.venue,
            account=command.account,
            symbol=command.symbol,
            payment_id=command.payment_id,
            asset=command.asset,
            amount=command.amount,
            paid_at_us=command.paid_at_us,
        ),
    )
