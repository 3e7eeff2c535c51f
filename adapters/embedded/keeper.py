"""Keep one child running: notice its death, pause, start it again, give it up if it only ever dies."""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Protocol

from adapters.embedded.account import AccountUnusable
from adapters.embedded.child import Child, ChildFailed, Process
from adapters.embedded.guardian import Guardian

DEATHS_MAX = 10
DEATHS_WITHIN_S = 60.0
SETTLED_S = 2.0  # a run that was ready for longer than this was no crash at start, and begins the count anew
PAUSE_S_FIRST = 0.1
PAUSE_S_MAX = 2.0


class Reports(Protocol):
    """Hear what happens to a role."""

    def started(self, role: str, pid: int) -> None:
        """Hear that a role is ready."""
        ...

    def died(self, role: str, code: int) -> None:
        """Hear of an unwanted death."""
        ...

    def failed(self, role: str, why: str) -> None:
        """Hear that a role is given up."""
        ...


class Keeper:
    """Own the runs of one child. `begin` once, then `keep` in a task, then `end`."""

    def __init__(
        self, child: Child, foundations: Sequence[asyncio.Event], guardian: Guardian, reports: Reports
    ) -> None:
        self.child = child
        self.up = asyncio.Event()
        self._foundations = foundations
        self._guardian = guardian
        self._reports = reports
        self._process: Process | None = None
        self._ready_since = 0.0
        self._deaths: deque[float] = deque(maxlen=DEATHS_MAX + 1)

    @property
    def pid(self) -> int | None:
        """Return the process id while the child is up."""
        return self._process.pid if self._process is not None and self.up.is_set() else None

    async def begin(self) -> int:
        """Start the child, wait until it is ready and return its process id; leave nothing behind on failure."""
        process = await Process.spawn(self.child, self._guardian)
        self._process = process
        try:
            await process.until_ready()
        except BaseException:
            await process.stop()
            self._process = None
            raise
        self._ready_since = asyncio.get_running_loop().time()
        self.up.set()
        self._reports.started(self.child.role, process.pid)
        return process.pid

    async def keep(self) -> None:
        """Start the child again after each death, until cancelled or given up."""
        while self._process is not None:
            code = await self._process.wait()
            self.up.clear()
            await self._process.stop()
            self._process = None
            now = asyncio.get_running_loop().time()
            if now - self._ready_since > SETTLED_S:
                self._deaths.clear()
            self._deaths.append(now)
            self._reports.died(self.child.role, code)
            await self._restart(f"it ended with code {code}")

    async def _restart(self, why: str) -> None:
        """Try to start until it works; return without a process if the role is given up."""
        while not self._hopeless():
            await asyncio.sleep(min(PAUSE_S_FIRST * 2 ** (len(self._deaths) - 1), PAUSE_S_MAX))
            for foundation in self._foundations:
                await foundation.wait()
            try:
                await self.begin()
            except (ChildFailed, AccountUnusable, OSError) as error:
                why = str(error)
                self._deaths.append(asyncio.get_running_loop().time())
            else:
                return
        self._reports.failed(self.child.role, f"{len(self._deaths)} deaths in {DEATHS_WITHIN_S:g} s, lastly: {why}")

    def _hopeless(self) -> bool:
        recent_from = asyncio.get_running_loop().time() - DEATHS_WITHIN_S
        return sum(1 for death in self._deaths if death > recent_from) > DEATHS_MAX

    async def end(self) -> None:
        """Stop the child for good. Call after the task of `keep` ended."""
        self.up.clear()
        if self._process is not None:
            await self._process.stop()
            self._process = None
