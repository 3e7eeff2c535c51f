"""The Book: everything one decision may need, folded from the log. Owned by one fold, updated in place.

`evolve` never refuses: history happened. What it holds is in `domain.state`; each subject folds its own events.
"""

from collections.abc import Callable
from typing import Any

from domain import approvals
from domain import mark as marks
from domain import onchain as chains
from domain import outside as outsides
from domain import stable as stables
from domain import tally as tallies
from domain import treasury as treasuries
from domain import vault as vaults
from domain.account import AccountObserved
from domain.cost import CostRealised
from domain.difference import compare
from domain.event import Event
from domain.fill import FillRecorded
from domain.folds import controls as folds_controls
from domain.folds import flow as folds_flow
from domain.folds import hedges as folds_hedges
from domain.folds import orders as folds_orders
from domain.folds import ratios as folds_ratios
from domain.folds import requests as folds_requests
from domain.folds.controls import ALERTS_MAX
from domain.folds.orders import venue_order_key
from domain.folds.requests import QUOTE_RETENTION_US
from domain.funding import FundingPaid
from domain.ids import position_key
from domain.order_state import OpenOrder
from domain.quantity import Num
from domain.rebalancing import rebalance as rebalances
from domain.state import NONCE_MASK, NONCE_SLOT_BITS, Book, underlying_exposure
from domain.supply import SupplyObserved
from domain.surprise import SurpriseClassified
from domain.vault import CustodySettlementObserved

__all__ = [
    "ALERTS_MAX",
    "NONCE_MASK",
    "NONCE_SLOT_BITS",
    "QUOTE_RETENTION_US",
    "Book",
    "evolve",
    "position_key",
    "remaining",
    "underlying_exposure",
    "venue_order_key",
]


# Each is a stream of one event that is never continued: no version of it need be kept.
ONCE = FillRecorded | FundingPaid | CostRealised | SurpriseClassified | CustodySettlementObserved


def evolve(book: Book, event: Event, at_us: int) -> None:
    """Fold one event that was recorded at `at_us`; its stream's version counts up."""
    book.at_us = max(book.at_us, at_us)
    if not isinstance(event, ONCE):
        originator = event.originator
        book.versions[originator] = book.versions.get(originator, 0) + 1
    apply = _APPLY.get(type(event))
    if apply is None:
        raise TypeError(f"the Book does not know {type(event).__name__}")
    apply(book, event, at_us)


def _told(book: Book, event: Event, _at_us: int) -> None:
    outsides.FOLDS[type(event)](book.outside, event)
    if isinstance(event, AccountObserved) and book.policy is not None:
        compare(book.differences, event, book.policy.instruments, book.positions)


def _mirrored(book: Book, event: Event, _at_us: int) -> None:
    chains.FOLDS[type(event)](book.onchain, event)


def _approved(book: Book, event: Event, _at_us: int) -> None:
    approvals.FOLDS[type(event)](book.approvals, event)
    if event.originator not in book.approvals:
        book.disarm(event.originator)


Apply = Callable[[Book, Any, int], None]


def _tallied(apply: Apply | None) -> Apply:
    def counted(book: Book, event: Event, at_us: int) -> None:
        tallies.fold(book.costs, event, book.policy)
        if apply is not None:
            apply(book, event, at_us)

    return counted


_BOOKED: dict[type[Event], Apply] = {
    **folds_requests.FOLDS,
    **folds_hedges.FOLDS,
    **folds_orders.FOLDS,
    **folds_controls.FOLDS,
    **folds_ratios.FOLDS,
    **dict.fromkeys(outsides.FOLDS, _told),
    **dict.fromkeys(treasuries.FOLDS, lambda book, event, _: treasuries.fold(book.treasury, event, book.onchain)),
    **dict.fromkeys(chains.FOLDS, _mirrored),
    SupplyObserved: lambda book, event, _: book.supply.take(event),
    **dict.fromkeys(rebalances.FOLDS, lambda book, event, at_us: rebalances.fold(book.rebalancing, event, at_us)),
    **dict.fromkeys(stables.FOLDS, lambda book, event, _: stables.fold(book.stables, event)),
    **dict.fromkeys(approvals.FOLDS, _approved),
    **dict.fromkeys(marks.FOLDS, lambda book, event, _: marks.FOLDS[type(event)](book.marks, event)),
    **dict.fromkeys(vaults.FOLDS, lambda book, event, at_us: vaults.FOLDS[type(event)](book.vault, event, at_us)),
}
# What hedges cost is counted beside what their events mean for the Book.
_COUNTED = _BOOKED | {counted: _tallied(_BOOKED.get(counted)) for counted in tallies.FOLDS}
# What is open and what was sent is tallied around it all.
_APPLY = {event_type: folds_flow.following(event_type, apply) for event_type, apply in _COUNTED.items()}


def remaining(order: OpenOrder) -> Num:
    """Return the signed quantity that an open order may still trade."""
    return order.left * order.direction
