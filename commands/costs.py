"""Costs: the process that writes down what a hedge cost, once it is over."""

from commands.process import Message, Record
from domain.book import Book
from domain.cost import CostRealised, whole
from domain.hedge import HedgeAbandoned, HedgeCompleted
from domain.instant import rfc3339
from domain.tally import leg_costs

DATE_DIGITS = 10


def react_ended(book: Book, event: HedgeCompleted | HedgeAbandoned, at_us: int) -> tuple[Message, ...]:
    """Record what a hedge cost; of one that traded nothing there is nothing to say."""
    tally = book.costs.ended
    legs = leg_costs(tally) if tally is not None and tally.hedge_id == event.hedge_id else ()
    if tally is None or not legs:
        return ()
    realised = CostRealised(
        hedge_id=event.hedge_id,
        request_id=event.request_id,
        purpose=tally.purpose,
        underlying=tally.underlying,
        day=rfc3339(at_us)[:DATE_DIGITS],
        completed=isinstance(event, HedgeCompleted),
        filled=event.filled,
        legs=legs,
        total=whole(legs),
        certificates=tally.certificates,
    )
    return (Record(realised),)
