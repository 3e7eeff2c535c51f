"""Keep named children running: start in order, restart what dies, stop in reverse order.

A child that dies is started again after a tenth of a second the first time, then after pauses that double up to a
bound, so that one death is healed well within five seconds. A role that only ever dies is given up and reported (bounds
in `keeper`). Children launched after a foundation (Postgres, NATS) are restarted only while it is up, so that its
recovery does not count against them.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self

from adapters.embedded.child import Child
from adapters.embedded.guardian import Guardian
from adapters.embedded.keeper import Keeper

logger = logging.getLogger(__name__)


class Supervisor:
    """Run children inside `async with`: leaving the block stops them all, last launched first.

    Callbacks run in the event loop and must not block: `on_started(role, pid)` when a child is ready, first or again;
    `on_died(role, code)` at each unwanted death; `on_failed(role, why)` when a role is given up. When a foundation is
    given up, what stands on it waits for ever once it dies: the caller should stop then.
    """

    def __init__(
        self,
        *,
        on_started: Callable[[str, int], None] | None = None,
        on_died: Callable[[str, int], None] | None = None,
        on_failed: Callable[[str, str], None] | None = None,
    ) -> None:
        self._on_started = on_started
        self._on_died = on_died
        self._on_failed = on_failed
        self._kept: dict[str, tuple[Keeper, asyncio.Task[None]]] = {}
        self._guardian: Guardian | None = None
        self._tasks = asyncio.TaskGroup()

    @property
    def pids(self) -> Mapping[str, int]:
        """Return the process ids of the children that are up now, by role."""
        return {role: keeper.pid for role, (keeper, _) in self._kept.items() if keeper.pid is not None}

    async def launch(self, child: Child) -> int:
        """Start a child, wait until it is ready, keep it running from now on, and return its process id.

        Raise `ChildFailed` if its first start fails; nothing of it is left then.
        """
        if self._guardian is None:
            raise RuntimeError("launch children inside `async with supervisor`")
        if child.role in self._kept:
            raise ValueError(f"the role {child.role} is launched already")
        foundations = [keeper.up for keeper, _ in self._kept.values() if keeper.child.foundation]
        keeper = Keeper(child, foundations, self._guardian, self)
        pid = await keeper.begin()
        self._kept[child.role] = (keeper, self._tasks.create_task(keeper.keep(), name=f"keep {child.role}"))
        return pid

    async def retire(self, role: str) -> None:
        """Stop one child for good."""
        keeper, task = self._kept.pop(role)
        task.cancel()
        await asyncio.wait((task,))
        await keeper.end()

    async def stop(self) -> None:
        """Stop every child, last launched first; idempotent."""
        while self._kept:
            await self.retire(next(reversed(self._kept)))

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        self._guardian = Guardian()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            await self.stop()
        finally:
            if self._guardian is not None:
                # Ends whatever an interrupted stop left.
                await asyncio.to_thread(self._guardian.close)
                self._guardian = None
            # The block's own error leaves as it is; only a keeper's (a defect of ours) comes as the group's.
            if isinstance(error, asyncio.CancelledError):
                await self._tasks.__aexit__(kind, error, traceback)
            else:
                await self._tasks.__aexit__(None, None, None)

    def started(self, role: str, pid: int) -> None:
        """Report a child that is ready."""
        logger.info("%s is up as process %d", role, pid)
        if self._on_started is not None:
            self._on_started(role, pid)

    def died(self, role: str, code: int) -> None:
        """Report an unwanted death."""
        logger.warning("%s died with code %d", role, code)
        if self._on_died is not None:
            self._on_died(role, code)

    def failed(self, role: str, why: str) -> None:
        """Report a role that is given up."""
        logger.error("%s is given up: %s", role, why)
        if self._on_failed is not None:
            self._on_failed(role, why)
