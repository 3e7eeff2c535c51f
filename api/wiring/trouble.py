"""What befalls a demonstration on purpose: faults and scenarios, at the simulators' own door."""

import asyncio
import contextlib
import ssl
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from api.demo.checks import Verdict
from api.demo.door import Door
from api.demo.faults import BEGINS, Armed, DemoFault, arm, judge_fault, lasts_s
from api.demo.risk_scenarios import RISK_SCENARIOS
from api.demo.scenario_checks import judge_befell, judge_scenario
from api.demo.scenarios import SCENARIOS, Act, round_of
from api.replica import Recorded
from api.settings import Settings, SettingsError
from api.wiring.house import ADMIN_TOKEN, SIMULATOR
from domain.book import Book


@asynccontextmanager
async def open_door(settings: Settings) -> AsyncGenerator[Door]:
    """Open the simulators' own door."""
    trust = ssl.create_default_context(cafile=settings.loopback.ca)
    token = (settings.data_dir / SIMULATOR / ADMIN_TOKEN).read_text().strip()
    async with aiohttp.ClientSession() as session:
        yield Door(session, f"https://localhost:{settings.loopback.port}", token, trust)


class Trouble:
    """Make the trouble that was asked for, and judge what the house did about it; it is a scenario's stage."""

    def __init__(
        self,
        settings: Settings,
        door: Door,
        book: Callable[[], Book],
        *,
        faults: Sequence[DemoFault],
        scenario: str,
        seconds: float | None,
        mad: Callable[[int], Coroutine[Any, Any, None]],
    ) -> None:
        self._mad = mad
        self._going_mad: list[asyncio.Task[None]] = []
        self._settings = settings
        self._book = book
        self._faults = faults
        self._scenario = scenario
        self._seconds = seconds
        self._begins_s, self.lasts_s, self._round_s = round_of(seconds)
        self._armed: list[Armed] = []
        self._acts: list[Act] = []
        self.door = door

    @property
    def book(self) -> Book:
        """Return the book as it is now."""
        return self._book()

    def told(self, what: str) -> None:
        """Note what was done to the house."""
        self._acts.append(Act(what=what, at_us=time.time_ns() // 1_000))

    def go_mad(self, traders: int) -> None:
        """Let so many traders of one algorithm mint as fast as they can, until the demonstration is over."""
        self._going_mad.append(asyncio.create_task(self._mad(traders)))

    async def run(self, over: asyncio.Event) -> None:
        """Make trouble until it is done or the demonstration is over; then there is none any more."""
        work = asyncio.gather(self._arm_faults(), self._play())
        waiting = asyncio.create_task(over.wait())
        try:
            await asyncio.wait((work, waiting), return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                work.result()
            if self._scenario in RISK_SCENARIOS:  # what befell lasts to the end: there is no recovering from it
                await over.wait()
        finally:
            for each in (work, waiting, *self._going_mad):
                each.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await work
            await asyncio.gather(*self._going_mad, return_exceptions=True)
        if self._scenario:
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                await self.door.disarm()

    async def judge(self, book: Book, log: Sequence[Recorded]) -> list[Verdict]:
        """Return the verdicts of every fault and of the scenario."""
        verdicts = [judge_fault(each, [recorded.event for recorded in log]) for each in self._armed]
        if self._scenario:
            orders, counts = await self.door.orders(), await self.door.counts()
            verdicts += judge_scenario(self._scenario, book, log, orders)
            if self._seconds is not None:  # one that was stopped may not have come to it yet
                verdicts.append(judge_befell(self._scenario, log, self._acts, counts))
        return verdicts

    async def _arm_faults(self) -> None:
        """Arm the faults that were asked for, all at once, in good time for what follows from them."""
        if not self._faults or self._seconds is None:
            return
        await asyncio.sleep(self._seconds * BEGINS)
        for fault in self._faults:
            for_s = lasts_s(fault, self._seconds, self._settings.policy.integrity)
            self._armed.append(await arm(self.door, fault, for_s, time.time_ns() // 1_000))

    async def _play(self) -> None:
        """Play rounds of the scenario: one where the demonstration has a time."""
        while self._scenario:
            await asyncio.sleep(self._begins_s)
            try:
                await SCENARIOS[self._scenario](self)
            except (aiohttp.ClientError, TimeoutError, SettingsError) as error:
                self.told(f"the simulators' door did not do it: {error!r}")
            if self._seconds is not None:
                return
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                await self.door.disarm()
            await asyncio.sleep(self._round_s - self._begins_s - self.lasts_s)
