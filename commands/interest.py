"""What a venue tells of its open interest: recorded when it moved, or when what is known grew old."""

from commands.context import Context
from commands.envelope import Command, command
from commands.listing import LISTINGS_MAX, NAME_LENGTH_MAX
from domain.book import Book
from domain.event import Event
from domain.instant import SECOND_US
from domain.interest import InterestObserved
from domain.mark import instrument_key
from domain.quantity import ZERO, Num, multiply, subtract
from domain.refusal import Reason, Refusal

# A part of what was known: less of a move is no news.
MOVED = Num("0.02")
OLD_US = 3_600 * SECOND_US
# Beyond what any market holds, in any unit: not a number to measure ourselves by.
INTEREST_MAX = Num(10**15)


@command("instrument.observe_interest")
class ObserveInterest(Command, frozen=True, kw_only=True):
    """Report the open interest in an instrument: base units, in quote units on inverse contracts."""

    venue: str
    symbol: str
    quantity: Num
    at_us: int


def observe_interest(book: Book, command: ObserveInterest, _context: Context) -> tuple[Event, ...] | Refusal:
    """Decide `ObserveInterest`: nothing where it is known well enough, or was told later already."""
    names = (command.venue, command.symbol)
    if any(not name or "|" in name or not name.isprintable() or len(name) > NAME_LENGTH_MAX for name in names):
        return Refusal(reason=Reason.VALUE_INVALID, text="an instrument has a venue and a symbol")
    if not ZERO <= command.quantity <= INTEREST_MAX:
        return Refusal(reason=Reason.VALUE_INVALID, text=f"open interest is from 0 to {INTEREST_MAX:f}")
    key, outside = instrument_key(command.venue, command.symbol), book.outside
    before, before_us = outside.interest.get(key), outside.interest_us.get(key, 0)
    if before is None and len(outside.interest) >= LISTINGS_MAX:
        return Refusal(reason=Reason.VALUE_INVALID, text=f"the interest in {LISTINGS_MAX} instruments is kept already")
    if before is not None and command.at_us < before_us:
        return ()
    if before is not None and command.at_us < before_us + OLD_US and not _moved(before, command.quantity):
        return ()
    told = InterestObserved(
        venue=command.venue, symbol=command.symbol, quantity=command.quantity, observed_at_us=command.at_us
    )
    return (told,)


def _moved(before: Num, now: Num) -> bool:
    change = subtract(now, before)
    return abs(change) > multiply(before, MOVED) if before else now != before
