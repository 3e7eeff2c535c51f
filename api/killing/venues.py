"""One venue account brought to silence: sweep after sweep, whatever the answers, until two in a row find nothing.

What is not answered is asked again, and so is the cancel of an order that stands on. Empty sweeps
count only once everything that stops senders was tried: before, an order may still be on its way.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import msgspec

from api.killing.ports import Journal, OpenSweep
from api.killing.report import VenueEnd
from commands.ports import Sweep
from domain.sweep import PositionLeft, Resting
from domain.venue import Unknown

EMPTY_SWEEPS = 2
TEXT_MAX = 300
PAUSE_S_MAX = 1.0

T = TypeVar("T")


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """Bound one venue: an answer, all of it, and the pause between sweeps, which doubles while nothing is answered."""

    ask_s: float
    within_s: float
    pause_s: float


class VenueSilence:
    """Bring one account to silence, or find out what stands there."""

    def __init__(self, venue: str, account: str, opening: OpenSweep, terms: Terms, journal: Journal) -> None:
        self._venue = venue
        self._account = account
        self._opening = opening
        self._terms = terms
        self._journal = journal
        self._seen: set[str] = set()
        self._found: Sequence[Resting] = ()
        self._sweeps = 0
        self._empty = 0
        self._error = "it was not asked yet"
        self._silent_at: float | None = None

    async def run(self, stopped: asyncio.Event, began: float) -> VenueEnd:
        """Sweep until silence or the bound; `began` is the loop's time at the kill's beginning. Raise nothing."""
        positions: tuple[PositionLeft, ...] | None = None
        try:
            async with asyncio.timeout(self._terms.within_s):
                positions = await self._opened(lambda sweep: self._silence(sweep, stopped))
        except TimeoutError:
            self._failed(f"not silent within {self._terms.within_s:g} s; lastly: {self._error}")
        silent = self._silent_at is not None
        end = VenueEnd(
            venue=self._venue,
            account=self._account,
            silent=silent,
            sweeps=self._sweeps,
            cancelled=len(self._seen),
            silent_ms=None if self._silent_at is None else round((self._silent_at - began) * 1_000),
            positions=positions,
            error="" if silent else self._error,
        )
        self._journal.note("venue_ended", end=end)
        return end

    async def look(self) -> VenueEnd:
        """Ask once for orders and positions, and change nothing. Raise nothing."""

        async def ask(sweep: Sweep) -> tuple[PositionLeft, ...]:
            self._found = await self._asked(sweep.open_orders())
            self._seen |= {_name(order) for order in self._found}
            self._error = ""
            return tuple(await self._asked(sweep.positions()))

        positions: tuple[PositionLeft, ...] | None = None
        try:
            async with asyncio.timeout(self._terms.ask_s * 2):
                async with self._opening() as sweep:
                    positions = await ask(sweep)
        except TimeoutError:
            self._failed(f"no answer within {2 * self._terms.ask_s:g} s")
        except Exception as error:  # noqa: BLE001 - whatever one venue throws, the others are looked at
            self._failed(_text(error))
        return VenueEnd(
            venue=self._venue,
            account=self._account,
            silent=positions is not None,
            cancelled=len(self._seen),
            positions=positions,
            error=self._error,
        )

    async def _opened(self, work: Callable[[Sweep], Awaitable[T]]) -> T:
        """Open the account and work on it; open it anew when that breaks."""
        pause = self._terms.pause_s
        while True:
            try:
                async with self._opening() as sweep:
                    return await work(sweep)
            except Exception as error:  # noqa: BLE001 - whatever it is, there is nothing better to do than to try again
                self._failed(_text(error))
            await asyncio.sleep(pause)
            pause = min(2 * pause, PAUSE_S_MAX)

    async def _silence(self, sweep: Sweep, stopped: asyncio.Event) -> tuple[PositionLeft, ...] | None:
        pause = self._terms.pause_s
        while self._silent_at is None:
            answered = await self._sweep(sweep, counts=stopped.is_set())
            if self._silent_at is None:
                pause = self._terms.pause_s if answered else min(2 * pause, PAUSE_S_MAX)
                await asyncio.sleep(pause)
        try:
            return tuple(await self._asked(sweep.positions()))
        except Exception as error:  # noqa: BLE001 - no order stands there any more: what is held is for people to look up
            self._journal.note("positions_unknown", venue=self._venue, account=self._account, text=_text(error))
            return None

    async def _sweep(self, sweep: Sweep, *, counts: bool) -> bool:
        """Look once and cancel what is found; say whether the venue answered to all of it."""
        self._sweeps += 1
        answered = True
        try:
            self._found = await self._asked(sweep.open_orders())
        except Exception as error:  # noqa: BLE001 - not being able to look is no reason to leave what was seen
            self._failed(_text(error))
            self._empty, answered = 0, False
        else:
            self._take(counts=counts)
            if not self._found:
                return True
        try:
            await self._asked(sweep.cancel_all(self._found))
        except Exception as error:  # noqa: BLE001 - the next sweep tells what became of it
            self._failed(_text(error))
            return False
        return answered

    def _take(self, *, counts: bool) -> None:
        found = {_name(order) for order in self._found}
        if found - self._seen:
            self._journal.note("orders_found", venue=self._venue, account=self._account, orders=sorted(found))
        self._seen |= found
        self._empty = self._empty + 1 if counts and not found else 0
        self._error = f"{len(found)} orders stand" if found else "senders were not stopped yet"
        if self._empty == EMPTY_SWEEPS:
            self._silent_at = asyncio.get_running_loop().time()

    async def _asked(self, work: Awaitable[T]) -> T:
        try:
            async with asyncio.timeout(self._terms.ask_s):
                return await work
        except TimeoutError:
            raise Unknown(f"no answer within {self._terms.ask_s:g} s") from None

    def _failed(self, text: str) -> None:
        self._error = text
        self._journal.note("venue_failed", venue=self._venue, account=self._account, text=text)


def _name(order: Resting) -> str:
    return f"{order.market} {order.venue_order_id}"


def _text(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:TEXT_MAX]
