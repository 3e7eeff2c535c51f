"""Rebalancing: moving hedges to where they cost less or are safer, at the same delta."""

from collections.abc import Callable
from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec

from domain.event import Event, catalogued
from domain.ids import natural_id
from domain.quantity import ZERO, Num
from domain.rebalancing.terms import DAY_US
from domain.routing.certificate import Certificate, RoutedLeg


class Cause(StrEnum):
    """Say why a position should not stay where it is; all but the first do not ask what moving it saves."""

    CARRY = "carry"  # funding, basis, concentration and rank are better elsewhere
    UNSETTLED = "unsettled"  # more unrealised profit stands at the venue than may
    CAP = "cap"  # the venue account holds more than it may


class Move(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Describe a move of `quantity` base units, in steps of which the next consists of two legs of opposite sign.

    `leave` reduces what is held, `enter` builds the same elsewhere. Money is USD, of the whole quantity at the rates of
    that step: `cost` in spread, depth and fees, `saving` in funding, basis and penalties over the horizon.
    """

    cause: Cause
    quantity: Num
    leave: RoutedLeg
    enter: RoutedLeg
    cost: Num
    saving: Num

    @property
    def step(self) -> Num:
        """Return the base quantity of the next step, positive."""
        return abs(self.leave.base)

    @property
    def places(self) -> tuple[str, str, str, str]:
        """Return from where to where it goes: venue and symbol, twice."""
        return self.leave.venue, self.leave.symbol, self.enter.venue, self.enter.symbol


def rebalancing_id(underlying: str) -> UUID:
    """Return the stream of an underlying's rebalancing."""
    return natural_id("rebalancing", underlying)


@catalogued
class RebalanceHeld(Event, frozen=True, kw_only=True, tag="rebalance.held.v1"):
    """The hedges of an underlying were looked at, and `text` says why nothing is moved or proposed anew.

    `proposed` says that what was proposed before still stands.
    """

    underlying: str
    text: str
    proposed: bool = False

    @property
    def originator(self) -> UUID:
        """Return the stream of the underlying's rebalancing."""
        return rebalancing_id(self.underlying)


@catalogued
class RebalanceProposed(Event, frozen=True, kw_only=True, tag="rebalance.proposed.v1"):
    """The hedges of an underlying should be moved so; nothing is traded by it.

    `ideal` shows how the router would place the whole position with nothing traded yet, every book as deep as it takes
    and nothing paid for trading. Money is USD, all moves together, over `horizon_ms`.
    """

    rebalance_id: UUID
    underlying: str
    moves: tuple[Move, ...]
    cost: Num
    saving: Num
    horizon_ms: int
    ideal: Certificate
    text: str

    @property
    def originator(self) -> UUID:
        """Return the stream of the underlying's rebalancing."""
        return rebalancing_id(self.underlying)


@catalogued
class RebalanceStarted(Event, frozen=True, kw_only=True, tag="rebalance.started.v1"):
    """One step of a move is made by a hedge with a leg on either side.

    Money is USD, of this step: `worst` is what it costs if every leg trades at its limit price, and `spent` that of all
    steps of the UTC day (counted from the epoch), this one with them, within the day's `budget`.
    """

    rebalance_id: UUID
    hedge_id: UUID
    underlying: str
    move: Move
    worst: Num
    day: int
    spent: Num
    budget: Num
    horizon_ms: int

    @property
    def originator(self) -> UUID:
        """Return the stream of the underlying's rebalancing."""
        return rebalancing_id(self.underlying)


class Rebalances(msgspec.Struct, kw_only=True):
    """Hold, by underlying, when hedges were looked at and what is proposed; and what the day's steps may have cost."""

    looked_us: dict[str, int] = {}
    proposals: dict[str, RebalanceProposed] = {}
    working: dict[str, UUID] = {}  # the hedge of the last step, open or over
    day: int = 0
    spent: Num = ZERO

    def spent_on(self, day: int) -> Num:
        """Return what the steps of a day may have cost so far."""
        return self.spent if self.day == day else ZERO


def day_of(at_us: int) -> int:
    """Return the UTC day of an instant, counted from the epoch."""
    return at_us // DAY_US


def _held(rebalances: Rebalances, event: RebalanceHeld, at_us: int) -> None:
    rebalances.looked_us[event.underlying] = at_us
    if not event.proposed:
        rebalances.proposals.pop(event.underlying, None)


def _proposed(rebalances: Rebalances, event: RebalanceProposed, at_us: int) -> None:
    rebalances.looked_us[event.underlying] = at_us
    rebalances.proposals[event.underlying] = event


def _started(rebalances: Rebalances, event: RebalanceStarted, at_us: int) -> None:
    rebalances.looked_us[event.underlying] = at_us
    rebalances.proposals.pop(event.underlying, None)
    rebalances.working[event.underlying] = event.hedge_id
    rebalances.day, rebalances.spent = event.day, event.spent


def fold(rebalances: Rebalances, event: Event, at_us: int) -> None:
    """Fold an event of rebalancing that was recorded at `at_us`."""
    FOLDS[type(event)](rebalances, event, at_us)


FOLDS: dict[type[Event], Callable[[Rebalances, Any, int], None]] = {
    RebalanceHeld: _held,
    RebalanceProposed: _proposed,
    RebalanceStarted: _started,
}
"""How each of these events is folded."""
