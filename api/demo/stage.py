"""What scenarios act on: the simulators' door, the book as it is, and what is held in it."""

import asyncio
from decimal import Decimal
from typing import Protocol

from api.demo.door import Door
from domain.book import Book

LOOK_EVERY_S = 0.25


class Stage(Protocol):
    """What a scenario acts on."""

    @property
    def door(self) -> Door:
        """Return the simulators' door."""
        ...

    @property
    def book(self) -> Book:
        """Return the book as it is now."""
        ...

    @property
    def lasts_s(self) -> float:
        """Return for how long troubles of this round may last."""
        ...

    def told(self, what: str) -> None:
        """Note what was done."""
        ...

    def go_mad(self, traders: int) -> None:
        """Let so many traders of one algorithm mint as fast as they can, until the demonstration is over."""
        ...


def venues(book: Book) -> tuple[str, ...]:
    """Return the venues that the policy trades on, in its order."""
    return tuple(dict.fromkeys(item.venue for item in book.policy.instruments)) if book.policy else ()


def held(book: Book) -> list[tuple[Decimal, str, str]]:
    """Return what is held as (dollars at entry, venue, underlying), most first."""
    known = {(item.venue, item.symbol): item.base for item in (book.policy.instruments if book.policy else ())}
    found = [
        (abs(each.quantity * each.entry_price), each.venue, known[each.venue, each.symbol])
        for each in book.positions.values()
        if each.quantity and (each.venue, each.symbol) in known
    ]
    return sorted(found, reverse=True)


async def positions(stage: Stage, at_least: int) -> list[tuple[Decimal, str, str]]:
    """Wait until positions are held at so many venues, for as long as troubles may last; return what is held."""
    waited = 0.0
    while len({venue for _, venue, _ in held(stage.book)}) < at_least and waited < stage.lasts_s:
        await asyncio.sleep(LOOK_EVERY_S)
        waited += LOOK_EVERY_S
    return held(stage.book)
