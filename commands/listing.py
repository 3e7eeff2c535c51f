"""What a venue lists: recorded when it is new or changed; what contradicts the policy is suspended until it fits."""

from commands.context import Context
from commands.envelope import Command, command
from domain.book import Book
from domain.event import Event
from domain.listing import InstrumentChanged, InstrumentListed, Listing, contradictions, listing_key
from domain.market import Law
from domain.policy import Instrument
from domain.refusal import Reason, Refusal
from domain.suspension import InstrumentResumed, InstrumentSuspended

# Instruments whose listings the book keeps.
LISTINGS_MAX = 1_024
NAME_LENGTH_MAX = 64
TIERS_MAX = 64


@command("instrument.observe")
class ObserveInstrument(Command, frozen=True, kw_only=True):
    """Report how a venue lists an instrument and what it bills us there."""

    listing: Listing
    at_us: int


def observe_instrument(book: Book, command: ObserveInstrument, _context: Context) -> tuple[Event, ...] | Refusal:
    """Decide `ObserveInstrument`."""
    listing, key = command.listing, listing_key(command.listing.venue, command.listing.symbol)
    refusal = _check(listing)
    if refusal is not None:
        return refusal
    before = book.outside.listings.get(key)
    if before is None and len(book.outside.listings) >= LISTINGS_MAX:
        return Refusal(reason=Reason.VALUE_INVALID, text=f"{LISTINGS_MAX} listings are kept already")
    news: tuple[Event, ...] = ()
    if before is None:
        news = (InstrumentListed(listing=listing, observed_at_us=command.at_us),)
    elif before != listing:
        changed = tuple(name for name in Listing.__struct_fields__ if getattr(before, name) != getattr(listing, name))
        news = (InstrumentChanged(listing=listing, changed=changed, observed_at_us=command.at_us),)
    return news + _fit(book, command)


def _check(listing: Listing) -> Refusal | None:
    names = (listing.venue, listing.symbol)
    if any(not name or "|" in name or not name.isprintable() or len(name) > NAME_LENGTH_MAX for name in names):
        return Refusal(reason=Reason.VALUE_INVALID, text="a listing has a venue and a symbol")
    if listing.tick <= 0 or listing.step <= 0 or listing.contract_size <= 0:
        return Refusal(reason=Reason.VALUE_INVALID, text="ticks, steps and contracts are above zero")
    if len(listing.margin_tiers) > TIERS_MAX:
        return Refusal(reason=Reason.VALUE_INVALID, text=f"a listing has at most {TIERS_MAX} margin tiers")
    return None


def _traded(book: Book, listing: Listing) -> Instrument | None:
    try:
        return book.instrument(listing.venue, listing.symbol)
    except KeyError:
        return None


def _fit(book: Book, command: ObserveInstrument) -> tuple[Event, ...]:
    """Suspend what the policy trades otherwise than it is listed; let it come back when it fits."""
    listing = command.listing
    instrument = _traded(book, listing)
    wrong = contradictions(instrument, listing) if instrument is not None else ()
    suspended = f"listing:{listing.venue}|{listing.symbol}" in book.outside.suspended
    if bool(wrong) is suspended:
        return ()
    venue, symbol, law, at_us = listing.venue, listing.symbol, Law.REFERENCE_DATA, command.at_us
    if wrong:
        text = f"the policy contradicts the venue's listing in {', '.join(wrong)}"
        return (InstrumentSuspended(venue=venue, symbol=symbol, law=law, text=text, observed_at_us=at_us),)
    text = "the policy fits the venue's listing"
    return (InstrumentResumed(venue=venue, symbol=symbol, law=law, text=text, observed_at_us=at_us),)
