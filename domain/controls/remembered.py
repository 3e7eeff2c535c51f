"""What is remembered between decisions: whatever is measured of the Book alone, at its marks and under its limits.

It follows from the Book, and decides nothing otherwise. Each thing is kept with what it was reckoned from, which is
replaced when it changes and never changed in place: limits (`Book.limits`), sums by scope and by account
(`domain.flow`). What accounts, marks, listings, custodians and the policy tell is counted in `Flow.told`: one more, and
all but the limits is forgotten. It is of one Book, that which was asked about last, and bounded by what that names.
"""

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from domain.account import account_key
from domain.controls.standing import Standing, stands
from domain.limit import Control, Limit
from domain.quantity import Num
from domain.state import Book

# More kinds of scopes together than one policy names; what comes beyond is found anew.
BOUNDS_MAX = 8_192

Scopes = tuple[str, ...]
Valued = dict[str, tuple[Mapping[str, Decimal], Decimal | None]]
"""What quantities by unit are worth at the marks, by name, with them; None where one of them has no mark."""
Won = tuple[Mapping[str, Decimal], Mapping[str, Decimal], Decimal | None]
"""Positions by base, cash by quote, and what they are worth together; None where something has no mark."""


class InForce(dict[tuple[Control, Scopes], tuple[Limit, ...]]):
    """Tell the limits of a control that are set in some scopes, in their order."""

    def __init__(self, limits: Mapping[str, Limit]) -> None:
        super().__init__()
        self.limits = limits

    def __missing__(self, key: tuple[Control, Scopes]) -> tuple[Limit, ...]:
        """Find them."""
        control, scopes = key
        named = [self.limits.get(f"{control.value}|{scope}") for scope in scopes]
        found = tuple([each for each in named if each is not None])
        if len(self) < BOUNDS_MAX:
            self[key] = found
        return found


class Bounds(dict[tuple[Control, Scopes], Num | None]):
    """Tell the strictest maximum of a control in some scopes; None where the first of them has no limit."""

    def __init__(self, limits: Mapping[str, Limit]) -> None:
        super().__init__()
        self.limits_in = InForce(limits)

    def __missing__(self, key: tuple[Control, Scopes]) -> Num | None:
        """Find it."""
        found = self.limits_in[key]
        bound = min([each.value for each in found]) if found and found[0].scope == key[1][0] else None
        if len(self) < BOUNDS_MAX:
            self[key] = bound
        return bound


class Traded(msgspec.Struct, frozen=True, gc=False):
    """Hold by how much an account's positions are other than its venue told last, by unit, and what they were then."""

    positions: Mapping[str, Num]
    units: Mapping[str, Decimal]


class There(msgspec.Struct, frozen=True, gc=False):
    """Hold what stands at a venue by its own word: open profit, USD (None: unknown), and what of it was settled."""

    profit: Decimal | None
    settled: Mapping[str, Num]


class Owned(msgspec.Struct, frozen=True, gc=False):
    """Hold what accounts have, USD: all of it (None: unknown), by venue, and by stable."""

    total: Decimal | None
    venues: dict[str, Decimal]
    stables: dict[str, Decimal]


class Collateral(msgspec.Struct, frozen=True, gc=False):
    """Say how a collateral is valued: as so many (`ratio`) of a unit that has a mark, itself or its underlying."""

    symbol: str
    decimals: int
    unit: str
    ratio: Num


class Backed(msgspec.Struct, frozen=True, gc=False):
    """Hold what there is of each collateral, atoms, and what that is together, by the unit that it is valued in."""

    atoms: tuple[int, ...]
    units: dict[str, Decimal]


class Remembered:
    """Remember what was measured of a Book, until something of it is told anew."""

    __slots__ = (
        "_count",
        "_flow",
        "_lines",
        "_marks",
        "_outside",
        "_told",
        "_vault",
        "all_told",
        "backed",
        "collateral",
        "contracts",
        "gross",
        "owned",
        "reaches",
        "since",
        "standings",
        "there",
        "total",
        "traded",
        "value",
        "won",
    )

    def __init__(self, book: Book) -> None:
        flow = book.flow
        self._flow, self._told, self._lines, self._count = flow, flow.told, flow.lines, len(flow.lines)
        self._marks, self._outside, self._vault = book.marks, book.outside, book.vault
        self.gross: Valued = {}
        self.value: Valued = {}
        self.total: Valued = {}
        self.won: dict[str, Won] = {}
        self.contracts: Valued = {}
        self.since: Valued = {}
        self.standings: dict[str, Standing | None] = {}
        self.traded: dict[str, Traded] = {}
        self.there: dict[str, There] = {}
        self.reaches: dict[str, tuple[Num, Num]] = {}
        self.owned: Owned | None = None
        self.all_told: bool | None = None
        self.collateral: tuple[Collateral, ...] | None = None
        self.backed: Backed | None = None

    def holds(self, book: Book) -> bool:
        """Say whether it is of this Book, and nothing was told since."""
        flow = book.flow
        return (
            self._flow is flow
            and self._told == flow.told
            and self._lines is flow.lines
            and self._count == len(flow.lines)
            and self._marks is book.marks
            and self._outside is book.outside
            and self._vault is book.vault
        )


class _Latest:
    """Hold what was remembered last."""

    __slots__ = ("bounds", "measured")

    def __init__(self) -> None:
        self.bounds = Bounds({})
        self.measured = Remembered(Book())


_LATEST = _Latest()


def remembered(book: Book) -> Remembered:
    """Return what is remembered of a Book."""
    found = _LATEST.measured
    if not found.holds(book):
        found = _LATEST.measured = Remembered(book)
    return found


def bounds(book: Book) -> Bounds:
    """Return the strictest limits of a Book, as they were found so far."""
    found = _LATEST.bounds
    if found.limits_in.limits is not book.limits:
        found = _LATEST.bounds = Bounds(book.limits)
    return found


def standing(book: Book, venue: str, account: str) -> Standing | None:
    """Return what an account has; None where its venue never told it."""
    return standing_of(remembered(book), book, account_key(venue, account))


def standing_of(memory: Remembered, book: Book, key: str) -> Standing | None:
    """Return what an account has, by its key."""
    found = memory.standings
    if key not in found:
        seen = book.outside.accounts.get(key)
        found[key] = None if seen is None else stands(book, seen)
    return found[key]
