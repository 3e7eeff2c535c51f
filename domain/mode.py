"""Modes: what the book may do, per scope (global, venue:<id>, asset:<symbol>, pair:<name>), and who holds it there.

People and triggers each are a cause of their own; a scope is in the strictest mode of all its causes, so that what one
of them releases stays stopped for the others.
"""

from enum import StrEnum, unique
from uuid import UUID

from domain.event import Event, catalogued
from domain.ids import natural_id
from domain.refusal import Reason, Refusal

GLOBAL = "global"


@unique
class Mode(StrEnum):
    """ACTIVE does all; REDUCE_ONLY no new mints; HALTED only cancels and queries. What each permits: `PERMITS`."""

    ACTIVE = "ACTIVE"
    REDUCE_ONLY = "REDUCE_ONLY"
    HALTED = "HALTED"


SEVERITY = {Mode.ACTIVE: 0, Mode.REDUCE_ONLY: 1, Mode.HALTED: 2}


@unique
class Action(StrEnum):
    """Name what a mode permits or does not."""

    MINT = "mint"  # be quoted or accepted
    REDEEM = "redeem"
    OPEN = "open"  # send what may raise worst-case |delta| and completes nothing that was accepted
    REDUCE = "reduce"  # send what only lowers it
    COMPLETE = "complete"  # send the orders and transactions of an accepted obligation
    MOVE = "move"  # bring hedges to another venue at the same delta
    TRANSFER = "transfer"  # bring collateral to a custodian or a venue
    CANCEL = "cancel"
    QUERY = "query"


PERMITS: dict[Mode, frozenset[Action]] = {
    Mode.ACTIVE: frozenset(Action),
    Mode.REDUCE_ONLY: frozenset(Action) - {Action.MINT, Action.OPEN, Action.MOVE},
    Mode.HALTED: frozenset({Action.CANCEL, Action.QUERY}),
}
"""What may be done in each mode; what is not named is not done."""


def permits(mode: Mode, action: Action) -> bool:
    """Say whether a mode permits an action."""
    return action in PERMITS[mode]


_REFUSED = {Mode.REDUCE_ONLY: Reason.REDUCE_ONLY, Mode.HALTED: Reason.HALTED}


def forbid(mode: Mode, action: Action, text: str, scope: str = "") -> Refusal | None:
    """Return the refusal that a mode is to an action, told in `text`; None where it is permitted."""
    return None if permits(mode, action) else Refusal(reason=_REFUSED[mode], text=text, scope=scope)


PEOPLE = ""
"""The cause of a mode that people set; every other cause is a trigger's."""


@unique
class Trigger(StrEnum):
    """Name what stops a scope without people; ids are stable, they stand in the log. The laws: `domain.triggers`."""

    INTEGRITY = "integrity"  # nobody can be believed about an asset, or a venue's market data
    DEPENDENCY = "dependency"  # what trading rests on does not answer
    MARGIN = "margin"  # a venue account is too near to its liquidation
    BACKING = "backing"  # less stands behind the issued dollars than must
    RECONCILIATION = "reconciliation"  # a venue tells what the log does not explain
    LATCH = "latch"  # a control tripped that only people enable again


RETURNS = frozenset({Trigger.INTEGRITY, Trigger.DEPENDENCY, Trigger.MARGIN})
"""The triggers that let go by themselves, once what tripped them was sound for a while; the others wait for people."""


@catalogued
class ModeChanged(Event, frozen=True, kw_only=True, tag="mode.changed.v2"):
    """A cause holds a scope in this mode from here on: people (`trigger` empty), or what watches by itself.

    The scope is in the strictest mode of all its causes. `previous` is what the same cause held it in.
    """

    scope: str
    mode: Mode
    previous: Mode
    author: str
    reason: str
    trigger: str = PEOPLE
    approval_id: UUID | None = None
    approved_by: str = ""

    @property
    def originator(self) -> UUID:
        """Return the stream of this scope."""
        return natural_id("mode", self.scope)


def strictest(modes: dict[str, Mode], *scopes: str) -> Mode:
    """Return the most severe mode of these scopes; a scope without one is ACTIVE."""
    return max((modes.get(scope, Mode.ACTIVE) for scope in scopes), key=SEVERITY.__getitem__, default=Mode.ACTIVE)


def mildest(modes: dict[str, Mode], *scopes: str) -> Mode:
    """Return the least severe mode of these scopes; a scope without one, and no scope at all, is ACTIVE."""
    return min((modes.get(scope, Mode.ACTIVE) for scope in scopes), key=SEVERITY.__getitem__, default=Mode.ACTIVE)


def held_in(causes: dict[str, Mode]) -> Mode:
    """Return the mode that a scope is in by all its causes."""
    return max(causes.values(), key=SEVERITY.__getitem__, default=Mode.ACTIVE)
