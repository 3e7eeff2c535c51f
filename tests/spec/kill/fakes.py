"""A venue account in memory that is swept, and goes wrong as a test says; a journal that is read afterwards."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import msgspec

from api.killing.ports import Sweep
from api.killing.venues import Terms, VenueSilence
from domain.sweep import OrderKind, PositionLeft, Resting, Standing, Untold

QUICK = Terms(ask_s=0.2, within_s=5, pause_s=0.001)


class Lines:
    """Remember what was noted."""

    def __init__(self) -> None:
        self.notes: list[tuple[str, dict[str, Any]]] = []

    def note(self, what: str, **told: object) -> None:
        self.notes.append((what, told))


class MemoryVenue:
    """Hold open orders. `troubles` are raised, one a call, before a call does anything; `after` once it was done.

    A sweep is made of calls: `look`, and `cancel` where something is found or not told. Orders stand in the part
    `orders` and `stops` in a part of their own; one of the two is not told while `untold` names it.
    """

    def __init__(self, *orders: str, name: str = "okx", stops: Sequence[str] = ()) -> None:
        self.name = name
        self.account = "main"
        self.open = list(orders)
        self.stops = list(stops)
        self.untold: Untold | None = None
        self.ahead_ms = 0
        self.calls: list[str] = []
        self.openings = 0
        self.troubles: dict[str, Sequence[Exception]] = {}
        self.after: dict[str, Sequence[Exception]] = {}
        self.on_call: Callable[[str], None] = lambda _call: None
        self.deaf: set[str] = set()
        self.held = (PositionLeft(venue=name, account="main", market="ETH", quantity=Decimal(-3), unit="base"),)

    async def look(self) -> Standing:
        await self._called("look")
        kept: dict[OrderKind, list[str]] = {"plain": self.open, "conditional": self.stops}
        orders = [self._order(each, kind) for kind, names in kept.items() for each in names]
        self._answered("look")
        if self.untold is None:
            return Standing(orders=tuple(orders))
        return Standing(orders=tuple(each for each in orders if each.part != self.untold.part), untold=(self.untold,))

    async def clear(self, seen: Sequence[Resting]) -> Standing:
        told = await self.look()
        known = [*told.orders, *(order for order in seen if self.untold and order.part == self.untold.part)]
        if not known and not told.untold:
            return told
        try:
            await self._called("cancel")
            named = {order.venue_order_id for order in known}
            self.open = [each for each in self.open if each not in named]
            self.stops = [each for each in self.stops if each not in named]
            self._answered("cancel")
        except Exception as error:  # noqa: BLE001 - a cancel that fails is told beside what was found
            return msgspec.structs.replace(told, failed=(f"{type(error).__name__}: {error}",))
        return told

    async def positions(self) -> Sequence[PositionLeft]:
        await self._called("positions")
        return self.held

    def _order(self, name: str, kind: OrderKind) -> Resting:
        part = "orders" if kind == "plain" else "stops"
        return Resting(venue=self.name, account="main", market="ETH", venue_order_id=name, kind=kind, part=part)

    async def _called(self, call: str) -> None:
        self.calls.append(call)
        self.on_call(call)
        if call in self.deaf:
            await asyncio.Event().wait()
        await asyncio.sleep(0)
        _fail(self.troubles, call)

    def _answered(self, call: str) -> None:
        _fail(self.after, call)

    @asynccontextmanager
    async def opened(self) -> AsyncGenerator[Sweep]:
        self.openings += 1
        _fail(self.troubles, "open")
        yield self


def _fail(troubles: dict[str, Sequence[Exception]], call: str) -> None:
    waiting = troubles.get(call, ())
    if waiting:
        troubles[call] = waiting[1:]
        raise waiting[0]


async def until(holds: Callable[[], object]) -> None:
    """Let others run until something holds."""
    while not holds():  # noqa: ASYNC110 - it comes about in tasks of this loop, which signal nobody
        await asyncio.sleep(0)


def silence(venue: MemoryVenue, terms: Terms = QUICK, journal: Lines | None = None) -> VenueSilence:
    return VenueSilence(venue.name, venue.account, venue.opened, terms, journal or Lines())
