"""Readings: what a gauge returns of a Book that is looked at between decisions."""

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any, NamedTuple, TypeVar

from domain.controls.prices import Prices
from domain.flow import Line
from domain.folds.flow import windows
from domain.mode import GLOBAL
from domain.quantity import Num
from domain.state import Book

T = TypeVar("T")


class Reading(NamedTuple):
    """Hold one measurement: of which subject (a scope), and its value; None where nobody can tell."""

    subject: str
    value: Num | None


class Look:
    """Look at a Book at an instant."""

    def __init__(self, book: Book, at_us: int) -> None:
        self.book = book
        self.at_us = max(book.at_us, at_us)
        self.prices = Prices(book)
        self.spans = windows(book)
        self._found: dict[str, Any] = {}

    def once(self, name: str, find: Callable[[], T]) -> T:
        """Return what several gauges read, found once."""
        if name not in self._found:
            self._found[name] = find()
        return self._found[name]

    def lines(self, scope: str) -> list[Line]:
        """Return the lines of a scope."""
        return [line for line in self.book.flow.lines.values() if scope in line.scopes]

    def venues(self, scope: str) -> list[str]:
        """Return the scopes of venues that a scope names: of `global` all."""
        known = [each for each in self.book.flow.sums if each.startswith("venue:")]
        return known if scope == GLOBAL else [each for each in known if each == scope]


def read(subject: str, value: Decimal | None) -> Reading:
    """Return a reading of a plain decimal."""
    return Reading(subject, None if value is None else Num(value))


Gauge = Callable[[Look, str], Iterable[Reading]]
