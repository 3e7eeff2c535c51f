"""Marks: what the book values everything at between two decisions, as conservative ends around a middle.

They are facts of the log, so that exposure, margin and backing can be told at any position of the past. The core looks
at the market several times a second and records marks when one moved by enough, or is old.
"""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import msgspec

from domain.event import Event, catalogued
from domain.ids import natural_id
from domain.quantity import Num


class Mark(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Hold what a unit of an asset is worth, USD: the least, the middle and the most of all who vouch for it."""

    asset: str
    low: Num
    mid: Num
    high: Num


class InstrumentMark(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Hold the price at which a venue marks an instrument, quote per base."""

    venue: str
    symbol: str
    price: Num


@catalogued
class RiskMarked(Event, frozen=True, kw_only=True, tag="risk.marked.v1"):
    """The book values what it holds at these from here on; what is not named stays as it was.

    `lost` names the assets for which nobody can be believed now: they have no mark until one is told.
    """

    assets: tuple[Mark, ...]
    instruments: tuple[InstrumentMark, ...] = ()
    lost: tuple[str, ...] = ()
    marked_at_us: int = 0

    @property
    def originator(self) -> UUID:
        """Return the one stream of marks."""
        return natural_id("risk", "marks")


class Marks(msgspec.Struct, kw_only=True):
    """Hold the marks in force by asset, and by instrument (`venue|symbol`). Bounded by what the policy names."""

    assets: dict[str, Mark] = {}
    instruments: dict[str, Num] = {}
    marked_at_us: int = 0


def instrument_key(venue: str, symbol: str) -> str:
    """Return the key of an instrument's mark."""
    return f"{venue}|{symbol}"


def _marked(marks: Marks, event: RiskMarked) -> None:
    for mark in event.assets:
        marks.assets[mark.asset] = mark
    for asset in event.lost:
        marks.assets.pop(asset, None)
    for each in event.instruments:
        marks.instruments[instrument_key(each.venue, each.symbol)] = each.price
    marks.marked_at_us = event.marked_at_us


def after(marks: Marks, event: RiskMarked) -> Marks:
    """Return the marks as they would be after an event; those given stay as they are."""
    found = Marks(assets=dict(marks.assets), instruments=dict(marks.instruments), marked_at_us=marks.marked_at_us)
    _marked(found, event)
    return found


FOLDS: dict[type[Event], Callable[[Marks, Any], None]] = {RiskMarked: _marked}
"""How each of these events is folded."""
