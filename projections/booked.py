"""What several views are read off: the domain's own Book, folded once for all of them.

It leaves out what no measure of risk rests on: quotes, indicative ladders, alerts, refusals and proposals. Used nonces
never end and say nothing about risk: the core's own Book keeps them.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from domain.account import AccountObserved, account_key
from domain.book import Book, evolve
from domain.catalogue import EVENTS
from domain.claims import stables
from domain.event import Event
from domain.fill import FillRecorded
from domain.indicative import IndicativeSampled
from domain.policy import PolicyAdopted
from domain.quote import QuoteIssued, QuoteUsed
from domain.rebalancing.rebalance import RebalanceHeld, RebalanceProposed, RebalanceStarted
from domain.settlement import SettlementSubmissionRequested
from domain.stable import StableHeld, StableProposed
from domain.treasury import CustodyProposed
from domain.vault import CustodyBalanceObserved
from domain.watch import AlertAcknowledged, AlertRaised, AlertResolved, ControlRefused
from projections.view import Row, Rows, Shared

D = TypeVar("D")

LEFT_OUT: frozenset[type[Event]] = frozenset(
    {
        QuoteIssued,
        QuoteUsed,
        IndicativeSampled,
        AlertRaised,
        AlertAcknowledged,
        AlertResolved,
        ControlRefused,
        RebalanceHeld,
        RebalanceProposed,
        RebalanceStarted,
        StableHeld,
        StableProposed,
    }
)
"""The events that the Book of views does not fold."""


class Seen(msgspec.Struct, kw_only=True):
    """Hold the Book, when it last moved, and what it ever dealt with: lines of these stay, whatever the policy names.

    Each is held with the position at which it was first heard of, in that order: those of every policy so far, and the
    accounts (`venue|account`), venues and custodians that were told of without one.
    """

    book: Book = msgspec.field(default_factory=Book)
    moved_position: int = 0
    moved_us: int = 0
    adopted_position: int = 0  # of the first policy
    assets: dict[str, int] = msgspec.field(default_factory=dict[str, int])
    underlyings: dict[str, int] = msgspec.field(default_factory=dict[str, int])
    stables: dict[str, int] = msgspec.field(default_factory=dict[str, int])
    venues: dict[str, int] = msgspec.field(default_factory=dict[str, int])
    accounts: dict[str, int] = msgspec.field(default_factory=dict[str, int])
    custodians: dict[str, int] = msgspec.field(default_factory=dict[str, int])


class Booked(Rows[D]):
    """Hold a view's rows, and the Book that they are read off, which other views may share."""

    seen: Seen = msgspec.field(default_factory=Seen)

    @property
    def book(self) -> Book:
        """Return the Book as far as it is folded."""
        return self.seen.book

    def show(self, key: str, document: D, *, sort: int) -> tuple[Row[D], ...]:
        """Write a line that follows from the Book, if it says something else than before.

        Its place and its position are where its subject was first heard of: the same however long the runs are that
        are folded.
        """
        held = self.rows.get(key)
        if held is not None and held.document == document:
            return ()
        return self.keep(key, sort if held is None else held.position, document, sort=sort)


def _seen(seen: Seen, event: Event, position: int, at_us: int) -> None:
    evolve(seen.book, event, at_us)
    seen.book.nonces.clear()
    seen.moved_position, seen.moved_us = position, at_us


def _policy(seen: Seen, event: PolicyAdopted, position: int, at_us: int) -> None:
    _seen(seen, event, position, at_us)
    policy = event.policy
    seen.adopted_position = seen.adopted_position or position
    named = {asset.underlying for asset in policy.assets} | {item.base for item in policy.instruments}
    for known, names in (
        (seen.assets, {asset.symbol for asset in policy.assets}),
        (seen.underlyings, named),
        (seen.stables, stables(policy)),
        (seen.venues, {item.venue for item in policy.instruments}),
        (seen.accounts, {account_key(item.venue, item.account) for item in policy.instruments}),
        (seen.custodians, {each.address for each in policy.custodians}),
    ):
        for name in sorted(names):
            known.setdefault(name, position)


def _dealt(seen: Seen, event: AccountObserved | FillRecorded, position: int, at_us: int) -> None:
    _seen(seen, event, position, at_us)
    seen.venues.setdefault(event.venue, position)
    seen.accounts.setdefault(account_key(event.venue, event.account), position)


def _kept(seen: Seen, event: CustodyBalanceObserved, position: int, at_us: int) -> None:
    _seen(seen, event, position, at_us)
    seen.custodians.setdefault(event.custodian, position)


def _sent(seen: Seen, event: SettlementSubmissionRequested | CustodyProposed, position: int, at_us: int) -> None:
    _seen(seen, event, position, at_us)
    for custodian in event.custodians:
        seen.custodians.setdefault(custodian, position)


_OWN: dict[type[Event], Callable[[Seen, Any, int, int], None]] = {
    PolicyAdopted: _policy,
    AccountObserved: _dealt,
    FillRecorded: _dealt,
    CustodyBalanceObserved: _kept,
    SettlementSubmissionRequested: _sent,
    CustodyProposed: _sent,
}


def _followed() -> dict[type[Event], Callable[[Seen, Any, int, int], None]]:
    return {event_type: _seen for event_type in EVENTS.values() if event_type not in LEFT_OUT} | _OWN


SEEN = Shared(field="seen", steps=_followed())
"""What views of the Book share."""
