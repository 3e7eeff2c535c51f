"""What the outside told the Book: suspensions, listings, funding, accounts. A part of it, folded the same way.

Bounded by what the policy trades and the market plane watches; deciders refuse what would go beyond.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from domain.account import AccountObserved, account_key
from domain.event import Event
from domain.funding import FundingPaid, funding_key
from domain.indicative import IndicativeSampled
from domain.interest import InterestObserved
from domain.listing import InstrumentChanged, InstrumentListed, Listing, listing_key
from domain.mark import instrument_key
from domain.quantity import ZERO, Num, add
from domain.ratio import RatioObserved
from domain.suspension import (
    AssetResumed,
    AssetSuspended,
    InstrumentResumed,
    InstrumentSuspended,
    OracleResumed,
    OracleSuspended,
    Resumed,
    Suspended,
    Suspension,
    VenueResumed,
    VenueSuspended,
)


class Outside(msgspec.Struct, kw_only=True):
    """Hold what was told of venues, oracles and accounts, by scope or key."""

    suspended: dict[str, Suspension] = {}
    listings: dict[str, Listing] = {}
    funding: dict[str, Num] = {}
    accounts: dict[str, AccountObserved] = {}
    sampled_us: dict[str, int] = {}
    interest: dict[str, Num] = {}  # open interest by `venue|symbol`, in its units
    interest_us: dict[str, int] = {}  # and when it was told
    ratios: dict[str, RatioObserved] = {}  # of tokens that stand for an underlying, by asset


def _suspended(outside: Outside, event: Suspended) -> None:
    outside.suspended[event.scope] = Suspension(event.scope, event.law, event.text, event.observed_at_us)


def _resumed(outside: Outside, event: Resumed) -> None:
    outside.suspended.pop(event.scope, None)


def _listed(outside: Outside, event: InstrumentListed | InstrumentChanged) -> None:
    outside.listings[listing_key(event.listing.venue, event.listing.symbol)] = event.listing


def _funded(outside: Outside, event: FundingPaid) -> None:
    key = funding_key(event.venue, event.account, event.symbol, event.asset)
    outside.funding[key] = add(outside.funding.get(key, ZERO), event.amount)


def _observed(outside: Outside, event: AccountObserved) -> None:
    outside.accounts[account_key(event.venue, event.account)] = event


def _sampled(outside: Outside, event: IndicativeSampled) -> None:
    outside.sampled_us[event.ladder.pair] = event.sampled_at_us


def _interest(outside: Outside, event: InterestObserved) -> None:
    key = instrument_key(event.venue, event.symbol)
    outside.interest[key] = event.quantity
    outside.interest_us[key] = event.observed_at_us


FOLDS: dict[type[Event], Callable[[Outside, Any], None]] = {
    VenueSuspended: _suspended,
    InstrumentSuspended: _suspended,
    OracleSuspended: _suspended,
    AssetSuspended: _suspended,
    VenueResumed: _resumed,
    InstrumentResumed: _resumed,
    OracleResumed: _resumed,
    AssetResumed: _resumed,
    InstrumentListed: _listed,
    InstrumentChanged: _listed,
    FundingPaid: _funded,
    AccountObserved: _observed,
    IndicativeSampled: _sampled,
    InterestObserved: _interest,
}
"""How each of these events is folded."""
