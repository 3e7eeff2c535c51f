"""One venue account brought to silence: sweep after sweep, whatever the answers, until two in a row find nothing.

What is not answered is asked again, and so is the cancel of an order that stands on. Empty sweeps count only once
everything that stops senders was tried: before, an order may still be on its way. And since venues take requests that
are some seconds old, a last sweep begins no sooner than those seconds after.

A part of the account that the venue does not tell is not taken for empty. One that it refuses to tell is given up once
all others are empty: asking on would change nothing, and a person has to know soon.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import msgspec

from api.killing.ports import Journal, OpenSweep, Sweep
from api.killing.report import VenueEnd
from domain.sweep import PositionLeft, Resting, Standing, Untold
from domain.venue import Unknown

EMPTY_SWEEPS = 2
TEXT_MAX = 300
PAUSE_S_MAX = 1.0
# A sweep asks, and then has cancelled; its parts are told in pages.
SWEEP_TIMES = 3

T = TypeVar("T")


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """Bound one venue: an answer, all of it, and the pause between sweeps, which doubles while nothing comes of them.

    `late_s` is how old a request may be that the venue still takes: a last sweep waits for that.
    """

    ask_s: float
    within_s: float
    pause_s: float
    late_s: float = 0


class VenueSilence:
    """Bring one account to silence, or find out what stands there."""

    def __init__(
        self,
        venue: str,
        account: str,
        opening: OpenSweep,
        terms: Terms,
        journal: Journal,
        without: Sequence[str] = (),
    ) -> None:
        self.venue = venue
        self.account = account
        self._opening = opening
        self._terms = terms
        self._journal = journal
        self._without = tuple(without)
        self._seen: dict[str, Resting] = {}
        self._found: Sequence[Resting] = ()
        self._untold: Sequence[Untold] = ()
        self._sweeps = 0
        self._empty = 0
        self._bare = 0
        self._ahead_ms = 0
        self._error = "it was not asked yet"
        self._stopped_at: float | None = None
        self._silent_at: float | None = None
        self._over = False

    @property
    def progress(self) -> str | None:
        """Say in words how it stands; None once all is over."""
        if self._over:
            return None
        if self._silent_at is not None:
            return "no order stands; one last look follows"
        return f"{self._error} ({self._sweeps} sweeps)"

    async def run(self, stopped: asyncio.Event, began: float) -> VenueEnd:
        """Sweep until silence or the bound; `began` is the loop's time at the kill's beginning. Raise nothing."""
        positions: tuple[PositionLeft, ...] | None = None
        try:
            async with asyncio.timeout(self._terms.within_s):
                positions = await self._opened(lambda sweep: self._silence(sweep, stopped))
        except TimeoutError:
            self._silent_at = None
            self._failed(f"not silent within {self._terms.within_s:g} s; lastly: {self._error}")
        silent_ms = None if self._silent_at is None else round((self._silent_at - began) * 1_000)
        end = self._end(silent=self._silent_at is not None, silent_ms=silent_ms, positions=positions)
        self._over = True
        self._journal.note("venue_ended", end=end)
        return end

    async def look(self) -> VenueEnd:
        """Ask once for orders and positions, and change nothing. Raise nothing."""

        async def ask(sweep: Sweep) -> tuple[PositionLeft, ...]:
            told = await self._asked(sweep.look())
            self._remember(told)
            self._ahead_ms = sweep.ahead_ms
            self._error = _of(told.untold)
            return tuple(await self._asked(sweep.positions()))

        positions: tuple[PositionLeft, ...] | None = None
        try:
            async with self._opening() as sweep:
                positions = await ask(sweep)
        except Exception as error:  # noqa: BLE001 - whatever one venue throws, the others are looked at
            self._failed(_text(error))
        self._over = True
        return self._end(silent=positions is not None and not self._untold, silent_ms=None, positions=positions)

    def _end(self, *, silent: bool, silent_ms: int | None, positions: tuple[PositionLeft, ...] | None) -> VenueEnd:
        return VenueEnd(
            venue=self.venue,
            account=self.account,
            silent=silent,
            sweeps=self._sweeps,
            cancelled=len(self._seen),
            conditional=sum(order.kind == "conditional" for order in self._seen.values()),
            untold=() if silent else tuple(self._untold),
            without=self._without,
            silent_ms=silent_ms,
            ahead_ms=self._ahead_ms,
            positions=positions,
            error="" if silent else self._error,
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
        pause, loop = self._terms.pause_s, asyncio.get_running_loop()
        while True:
            if stopped.is_set() and self._stopped_at is None:
                self._stopped_at, pause = loop.time(), self._terms.pause_s
            began, before = loop.time(), self._found
            await self._sweep(sweep, counts=self._stopped_at is not None)
            if self._is_over(began):
                break
            pause = self._terms.pause_s if self._found != before or self._empty else min(2 * pause, PAUSE_S_MAX)
            await self._pause(pause, stopped)
        try:
            return tuple(await self._asked(sweep.positions()))
        except Exception as error:  # noqa: BLE001 - no order stands there any more: what is held is for people to look up
            self._journal.note("positions_unknown", venue=self.venue, account=self.account, text=_text(error))
            return None

    def _is_over(self, began: float) -> bool:
        """Say whether the sweep that began then was the last: late enough, and in a row that is long enough."""
        late = self._stopped_at is not None and began >= self._stopped_at + self._terms.late_s
        return late and max(self._empty, self._bare) >= EMPTY_SWEEPS

    async def _pause(self, pause: float, stopped: asyncio.Event) -> None:
        """Wait a little before the next sweep: until the last may begin, where nothing stands."""
        if self._stopped_at is None:
            waiting = asyncio.ensure_future(stopped.wait())
            await asyncio.wait({waiting}, timeout=pause)
            waiting.cancel()
            return
        if max(self._empty, self._bare) >= EMPTY_SWEEPS:
            last = self._stopped_at + self._terms.late_s
            pause = max(0.0, last - asyncio.get_running_loop().time())
        await asyncio.sleep(pause)

    async def _sweep(self, sweep: Sweep, *, counts: bool) -> None:
        """Look and cancel what is found, once."""
        self._sweeps += 1
        try:
            told = await self._asked(sweep.clear(self._found), SWEEP_TIMES)
        except Exception as error:  # noqa: BLE001 - the next sweep tells what became of it
            self._failed(_text(error))
            self._empty = self._bare = 0
            self._silent_at = None
            return
        self._ahead_ms = sweep.ahead_ms
        self._remember(told)
        for text in told.failed:
            self._failed(text)
        if not told.failed:
            self._error = self._words(counts=counts)
        self._count(told, counts=counts)

    def _remember(self, told: Standing) -> None:
        """Know what stands: of a part that was not told, what stood in it before."""
        parts = {part.part for part in told.untold}
        self._found = (*told.orders, *(order for order in self._found if order.part in parts))
        self._untold = told.untold
        new = [order for order in told.orders if _name(order) not in self._seen]
        if new:
            names = sorted(_name(order) for order in new)
            self._journal.note("orders_found", venue=self.venue, account=self.account, orders=names, found=new)
        if told.untold:
            self._journal.note("not_told", venue=self.venue, account=self.account, untold=told.untold)
        self._seen |= {_name(order): order for order in new}

    def _count(self, told: Standing, *, counts: bool) -> None:
        """Count sweeps in a row that found nothing: in all parts, and in all but those that are refused."""
        nothing = counts and not told.orders and not told.failed
        self._empty = self._empty + 1 if nothing and not told.untold else 0
        refused = bool(told.untold) and all(part.refused for part in told.untold)
        self._bare = self._bare + 1 if nothing and refused else 0
        if self._empty < EMPTY_SWEEPS:
            self._silent_at = None
        elif self._silent_at is None:
            self._silent_at = asyncio.get_running_loop().time()
            self._journal.note("venue_empty", venue=self.venue, account=self.account, sweeps=self._sweeps)

    def _words(self, *, counts: bool) -> str:
        conditional = sum(order.kind == "conditional" for order in self._found)
        stand = f"{len(self._found)} orders stand ({conditional} of them conditional)" if self._found else ""
        said = "; ".join(each for each in (stand, _of(self._untold)) if each)
        return said or ("nothing stands" if counts else "nothing stands; senders were not stopped yet")

    async def _asked(self, work: Awaitable[T], times: int = 2) -> T:
        within_s = times * self._terms.ask_s
        try:
            async with asyncio.timeout(within_s):
                return await work
        except TimeoutError:
            raise Unknown(f"no answer within {within_s:g} s") from None

    def _failed(self, text: str) -> None:
        self._error = text
        self._journal.note("venue_failed", venue=self.venue, account=self.account, text=text)


def _of(untold: Sequence[Untold]) -> str:
    return "; ".join(f"NOT KNOWN: {each.part}: {each.why}" for each in untold)


def _name(order: Resting) -> str:
    return f"{order.market} {order.venue_order_id}"


def _text(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:TEXT_MAX]
