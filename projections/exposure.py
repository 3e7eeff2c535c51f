"""Exposure: what each underlying could do to the book at worst, beside its limit. Folded with the domain's own Book."""

from collections.abc import Callable
from typing import Any

import msgspec

from domain import exposure as law
from domain.book import Book, evolve
from domain.event import Event
from domain.fill import FillRecorded
from domain.hedge import HedgeAbandoned, HedgeCompleted, HedgePlanned, HedgeRerouted
from domain.instant import rfc3339
from domain.limit import Control, LimitRemoved, LimitSet
from domain.order import (
    OrderAcknowledged,
    OrderAttempted,
    OrderClosed,
    OrderOutcomeUnknown,
    OrderSubmissionRequested,
)
from domain.policy import PolicyAdopted
from domain.quantity import Num
from domain.request import RequestAccepted, RequestCancelled, RequestCompleted, RequestSettlementFailed
from domain.settlement import (
    SettlementConfirmed,
    SettlementIncluded,
    SettlementReorged,
    SettlementReplaced,
    SettlementReverted,
    SettlementSubmissionRequested,
    SettlementSubmitted,
)
from projections.view import Row, Rows, View


class ExposureLine(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Show an underlying in base units: backing plus positions for certain, and the interval of what may be true.

    `worst` is the greatest absolute value in the interval. `limit` and `within` are None when no limit is set.
    """

    underlying: str
    backing: Num
    position: Num
    certain: Num
    low: Num
    high: Num
    worst: Num
    carry: Num
    limit: Num | None
    within: bool | None
    updated_at: str


class Exposures(Rows[ExposureLine]):
    """Hold the Book as far as exposure needs it, and when it last moved."""

    book: Book = msgspec.field(default_factory=Book)
    moved_position: int = 0
    moved_us: int = 0


def underlyings(book: Book) -> tuple[str, ...]:
    """Return the underlyings of the policy's assets and instruments, sorted."""
    policy = book.policy
    if policy is None:
        return ()
    assets = {asset.underlying for asset in policy.assets}
    return tuple(sorted(assets | {instrument.base for instrument in policy.instruments}))


def line(book: Book, underlying: str, at_us: int) -> ExposureLine:
    """Return the line of one underlying."""
    here = law.exposure(book, underlying)
    limit = book.limit(Control.NET_DELTA, f"asset:{underlying}")
    worst = here.interval.worst
    return ExposureLine(
        underlying=underlying,
        backing=here.backing,
        position=here.position,
        certain=here.certain,
        low=here.interval.low,
        high=here.interval.high,
        worst=worst,
        carry=here.carry,
        limit=None if limit is None else limit.value,
        within=None if limit is None else worst <= limit.value,
        updated_at=rfc3339(at_us),
    )


def _evolve(state: Exposures, event: Event, position: int, at_us: int) -> tuple[Row[Any], ...]:
    evolve(state.book, event, at_us)
    # Used nonces never end and say nothing about exposure: the core's own Book keeps them.
    state.book.nonces.clear()
    state.moved_position, state.moved_us = position, at_us
    return ()


def _policy(state: Exposures, event: PolicyAdopted, position: int, at_us: int) -> tuple[Row[Any], ...]:
    _evolve(state, event, position, at_us)
    # A line takes its place in the listing with the policy that names it, however long the run being folded is.
    return _lines(state)


def _lines(state: Exposures) -> tuple[Row[Any], ...]:
    rows: tuple[Row[Any], ...] = ()
    for underlying in underlyings(state.book):
        rows += state.keep(underlying, state.moved_position, line(state.book, underlying, state.moved_us))
    return rows


_FOLLOWED: tuple[type[Event], ...] = (
    RequestAccepted,
    RequestCompleted,
    RequestSettlementFailed,
    RequestCancelled,
    HedgePlanned,
    HedgeRerouted,
    HedgeCompleted,
    HedgeAbandoned,
    OrderSubmissionRequested,
    OrderAttempted,
    OrderAcknowledged,
    OrderOutcomeUnknown,
    OrderClosed,
    FillRecorded,
    SettlementSubmissionRequested,
    SettlementSubmitted,
    SettlementReplaced,
    SettlementIncluded,
    SettlementReorged,
    SettlementConfirmed,
    SettlementReverted,
    LimitSet,
    LimitRemoved,
)
_STEPS: dict[type[Event], Callable[..., tuple[Row[Any], ...]]] = dict.fromkeys(_FOLLOWED, _evolve)

EXPOSURE = View(
    name="exposure",
    document=ExposureLine,
    state=Exposures,
    steps=_STEPS | {PolicyAdopted: _policy},
    render=_lines,
)
