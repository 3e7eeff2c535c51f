"""Stables: whether one that backs the dollar is better held, or bought into spot and sold short against it."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from domain.event import Event, catalogued
from domain.ids import natural_id
from domain.quantity import Num
from domain.routing.certificate import RoutedLeg


@catalogued
class StableProposed(Event, frozen=True, kw_only=True, tag="stable.proposed.v1"):
    """A stable would earn more as spot that is bought with it and sold short; nothing is traded by it.

    `legs` are the spot that a first step buys and the shorts against it. Money is USD of all `units` of the stable at
    the rates of that step: `cost` of going in and out again, `earned` from funding and basis over `horizon_ms`.
    """

    asset: str
    units: Num
    underlying: str
    legs: tuple[RoutedLeg, ...]
    cost: Num
    earned: Num
    horizon_ms: int
    text: str

    @property
    def originator(self) -> UUID:
        """Return the stream of the stable."""
        return natural_id("stable", self.asset)


@catalogued
class StableHeld(Event, frozen=True, kw_only=True, tag="stable.held.v1"):
    """What was proposed for a stable would not earn more any longer than holding it."""

    asset: str
    underlying: str
    text: str

    @property
    def originator(self) -> UUID:
        """Return the stream of the stable."""
        return natural_id("stable", self.asset)


Stables = dict[str, StableProposed]
"""What is proposed, by stable and underlying."""


def stable_key(asset: str, underlying: str) -> str:
    """Return the key of what is proposed for a stable."""
    return f"{asset}|{underlying}"


def fold(stables: Stables, event: Event) -> None:
    """Fold one of these events."""
    FOLDS[type(event)](stables, event)


def _proposed(stables: Stables, event: StableProposed) -> None:
    stables[stable_key(event.asset, event.underlying)] = event


def _held(stables: Stables, event: StableHeld) -> None:
    stables.pop(stable_key(event.asset, event.underlying), None)


FOLDS: dict[type[Event], Callable[[Stables, Any], None]] = {StableProposed: _proposed, StableHeld: _held}
"""How each of these events is folded."""
