"""The kill, in its order: senders stopped, every account swept until silent, the contract shut, and what is left told.

Local senders are killed before anything else. The mode and the leases are then tried at the same time as the sweeps,
each within its bound, and not waited for longer: an account is silent by sweeps that began after both had ended.
Nothing that fails holds up anything else.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import msgspec

from api.killing.ports import Fence, Gate, Halts, Journal
from api.killing.report import KillReport, Senders, Step, VenueEnd, is_silent
from api.killing.venues import VenueSilence

TEXT_MAX = 300

T = TypeVar("T")


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Say who asks for the kill, when, why, and how long it may wait for what is no precondition."""

    by: str
    at: str
    reason: str
    dry_run: bool
    fence_s: float
    chain_s: float


class Killing:
    """Bring everything to silence, or (a dry run) find out whether it could be. A part that is None is not tried."""

    def __init__(
        self,
        asked: Asked,
        venues: Sequence[VenueSilence],
        uncovered: Sequence[VenueEnd],
        *,
        halts: Halts | None,
        fence: Fence | None,
        gate: Gate | None,
        journal: Journal,
    ) -> None:
        self._asked = asked
        self._venues = venues
        self._uncovered = uncovered
        self._halts = halts
        self._fence = fence
        self._gate = gate
        self._journal = journal

    async def run(self, senders: Senders | None, began: float) -> KillReport:
        """Do everything, and return the report; `began` is the loop's time at the beginning. Raise nothing."""
        asked = self._asked
        stopped = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            mode = tasks.create_task(self._mode())
            leases = tasks.create_task(self._leases())
            chain = tasks.create_task(self._chain())
            tasks.create_task(self._stopped(stopped, mode, leases))
            asks = [venue.look() if asked.dry_run else venue.run(stopped, began) for venue in self._venues]
            ends = [tasks.create_task(ask) for ask in asks]
        venues = (*(end.result() for end in ends), *self._uncovered)
        silences = [end.silent_ms for end in venues]
        report = KillReport(
            at=asked.at,
            by=asked.by,
            reason=asked.reason,
            dry_run=asked.dry_run,
            senders=senders,
            halted=mode.result(),
            leases=leases.result(),
            venues=venues,
            chain=chain.result(),
            silence_ms=None if not silences or None in silences else max(each for each in silences if each is not None),
            start_ms=None,
            load_ms=None,
            journal="",
            silent=False,
        )
        return msgspec.structs.replace(report, silent=is_silent(report))

    async def _stopped(self, stopped: asyncio.Event, *steps: asyncio.Task[Step | None]) -> None:
        await asyncio.wait(steps)
        stopped.set()

    async def _mode(self) -> Step | None:
        halts, asked = self._halts, self._asked
        if halts is None:
            return None
        work = halts.look if asked.dry_run else (lambda: halts.halt(asked.reason))
        return await self._step("halt", work, asked.fence_s)

    async def _leases(self) -> Step | None:
        fence, asked = self._fence, self._asked
        if fence is None:
            return None

        async def work() -> str:
            names = await (fence.look() if asked.dry_run else fence.take())
            return f"{'held' if asked.dry_run else 'taken'}: {', '.join(names) or 'none'}"

        return await self._step("leases", work, asked.fence_s)

    async def _chain(self) -> Step | None:
        gate, asked = self._gate, self._asked
        if gate is None:
            return None
        work = gate.look if asked.dry_run else (lambda: gate.shut(asked.reason))
        return await self._step("chain", work, asked.chain_s)

    async def _step(self, name: str, work: Callable[[], Awaitable[str]], within_s: float) -> Step:
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            async with asyncio.timeout(within_s):
                done, text = True, await work()
        except TimeoutError:
            done, text = False, f"no answer within {within_s:g} s"
        except Exception as error:  # noqa: BLE001 - none of it is a precondition of the rest
            done, text = False, f"{type(error).__name__}: {error}"[:TEXT_MAX]
        step = Step(done=done, text=text, ms=round((loop.time() - began) * 1_000))
        self._journal.note(name, step=step)
        return step
