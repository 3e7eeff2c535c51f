"""Modes: what the book may do, per scope (global, venue:<id>, asset:<symbol>, pair:<name>)."""

from enum import StrEnum, unique
from uuid import UUID

from domain.event import Event, catalogued
from domain.ids import natural_id

GLOBAL = "global"


@unique
class Mode(StrEnum):
    """ACTIVE does all; REDUCE_ONLY no new mints; HALTED only cancels and queries."""

    ACTIVE = "ACTIVE"
    REDUCE_ONLY = "REDUCE_ONLY"
    HALTED = "HALTED"


SEVERITY = {Mode.ACTIVE: 0, Mode.REDUCE_ONLY: 1, Mode.HALTED: 2}


PEOPLE = ""
"""The cause of a mode that people set; every other cause is a trigger's."""


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
