"""A venue account in memory that is swept, and goes wrong as a test says; a journal that is read afterwards."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

from api.killing.venues import Terms, VenueSilence
from commands.ports import Sweep
from domain.sweep import PositionLeft, Resting

QUICK = Terms(ask_s=0.2, within_s=5, pause_s=0.001)


class Lines:
    """Remember what was noted."""

    def __init__(self) -> None:
        self.notes: list[tuple[str, dict[str, Any]]] = []

    def note(self, what: str, **told: object) -> None:
        self.notes.append((what, told))


class MemoryVenue:
    """Hold open orders. `troubles` are raised, one a call, before a call does anything; `after` once it was done."""

    def __init__(self, *orders: str, name: str = "okx") -> None:
        self.name = name
        self.account = "main"
        self.open = list(orders)
        self.calls: list[str] = []
        self.openings = 0
        self.troubles: dict[str, Sequence[Exception]] = {}
        self.after: dict[str, Sequence[Exception]] = {}
        self.on_call: Callable[[str], None] = lambda _call: None
        self.deaf: set[str] = set()
        self.held = (PositionLeft(venue=name, account="main", market="ETH", quantity=Decimal(-3), unit="base"),)

    async def open_orders(self) -> Sequence[Resting]:
        await self._called("open_orders")
        found = [Resting(venue=self.name, account="main", market="ETH", venue_order_id=each) for each in self.open]
        self._answered("open_orders")
        return found

    async def cancel_all(self, found: Sequence[Resting]) -> None:
        await self._called("cancel_all")
        named = {order.venue_order_id for order in found}
        self.open = [each for each in self.open if each not in named]
        self._answered("cancel_all")

    async def positions(self) -> Sequence[PositionLeft]:
        await self._called("positions")
        return self.held

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
