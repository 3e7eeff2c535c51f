"""Samples of the indicative prices, as the market worker published them."""

from commands.context import Context
from commands.envelope import Command, command
from domain.book import Book
from domain.event import Event
from domain.indicative import IndicativeSampled, Ladder
from domain.instant import SECOND_US
from domain.ladder import STEPS_MAX
from domain.refusal import Reason, Refusal

# A pair is sampled no more often.
SAMPLED_EVERY_US = SECOND_US
SOURCES_MAX = 64


@command("indicative.sample")
class SampleIndicative(Command, frozen=True, kw_only=True):
    """Report a ladder as it was published."""

    ladder: Ladder
    at_us: int


def sample_indicative(book: Book, command: SampleIndicative, _context: Context) -> tuple[Event, ...] | Refusal:
    """Decide `SampleIndicative`: at most one a second for each pair of the book."""
    ladder = command.ladder
    pair = book.pair(ladder.pair)
    if pair is None or pair.name != ladder.pair:
        return Refusal(reason=Reason.UNKNOWN_SUBJECT, text=f"{ladder.pair!r} is not a pair of this book")
    if max(len(ladder.mint), len(ladder.redeem)) > STEPS_MAX or len(ladder.sources) > SOURCES_MAX:
        return Refusal(reason=Reason.VALUE_INVALID, text="a ladder has no more steps and sources than are published")
    last_us = book.outside.sampled_us.get(pair.name)
    if last_us is not None and command.at_us < last_us + SAMPLED_EVERY_US:
        return ()
    return (IndicativeSampled(ladder=ladder, sampled_at_us=command.at_us),)
