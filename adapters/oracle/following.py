"""What every oracle client is: a task that follows its feeds until closed, and a reader of what it found."""

import abc
import asyncio
import contextlib
from collections.abc import AsyncGenerator, Mapping
from typing import Self

from adapters.oracle.outbox import Outbox
from domain.oracle import OracleEvent


class Following(abc.ABC):
    """Follow feeds. Use as `async with`, or `open` and `close`; it reconnects by itself, and every loss is told.

    `feeds` names each feed's oracle. What an oracle sends is verified before it becomes an event.
    """

    def __init__(self, feeds: Mapping[str, str]) -> None:
        self._outbox = Outbox(feeds)
        self._resources = contextlib.AsyncExitStack()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Open."""
        await self.open()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        """Close."""
        await self.close()

    async def open(self) -> None:
        """Start to follow; a host that cannot be reached yet is a loss, not an error."""
        await self._prepare(self._resources)
        self._task = asyncio.create_task(self._run(), name=type(self).__name__)

    async def close(self) -> None:
        """Stop, and close every connection; idempotent."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._resources.aclose()

    async def failed(self) -> None:
        """Wait until following fails for a reason of our own, and raise it. What the outside does is told as losses."""
        if self._task is None:
            raise RuntimeError("open first")
        await asyncio.shield(self._task)

    def events(self) -> AsyncGenerator[OracleEvent, None]:
        """Stream the newest verified price of each feed and every loss before it, to one reader."""
        return self._outbox.events()

    @property
    def overlooked(self) -> int:
        """Return how many prices came late or twice, and were left out."""
        return self._outbox.overlooked

    @abc.abstractmethod
    async def _prepare(self, resources: contextlib.AsyncExitStack) -> None:
        """Open what is needed; it is closed with the stack."""

    @abc.abstractmethod
    async def _run(self) -> None:
        """Follow for ever."""
