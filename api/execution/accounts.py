"""Every venue account of one process, on one replica of the Book: the log is folded once, and each sees it."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager

from api.execution.worker import Execution
from api.replica import Replica
from commands.ports import Follower


class Accounts:
    """Follow the log for the accounts that are open; they come and go with their venues."""

    def __init__(self, replica: Replica, follower: Follower) -> None:
        self._replica = replica
        self._follower = follower
        self._open: list[Execution] = []

    @contextmanager
    def showing(self, execution: Execution) -> Generator[None]:
        """Let an account see every event from here on; what was open before, its own patrol finds."""
        self._open.append(execution)
        try:
            yield
        finally:
            self._open.remove(execution)

    async def run(self) -> None:
        """Follow until cancelled."""
        while True:
            for recorded in await self._replica.follow(self._follower):
                for execution in self._open:
                    execution.see(recorded)
            await asyncio.sleep(0)  # a long backlog comes without waiting: let the accounts work in between
