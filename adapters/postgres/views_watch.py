"""Waiting for read models: Postgres tells of every move of a checkpoint, and whoever waits looks again."""

import asyncio

from adapters.postgres.views_reach import Connection, connect, reaching
from adapters.postgres.views_write import CHANNEL
from projections.ports import NotThereYet, StoreUnreachable

RETRY_S = 0.2
"""So long after a lost connection a waiter tries again."""

_CHECKPOINTS = "select name, position from public.projection_checkpoints"


class PostgresCheckpointWatch:
    """Wait for read models on one listening connection, opened when someone first waits and again when it was lost."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._connection: Connection | None = None
        self._opening = asyncio.Lock()
        self._known: dict[str, int] = {}
        self._moved = asyncio.Event()

    async def close(self) -> None:
        """Stop listening; idempotent."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def wait_for(self, view: str, position: int, timeout_s: float) -> int:
        """See `projections.ports.CheckpointWatch.wait_for`."""
        try:
            async with asyncio.timeout(timeout_s):
                return await self._reached(view, position)
        except TimeoutError:
            raise NotThereYet(view, position, self._known.get(view, 0)) from None

    async def _reached(self, view: str, position: int) -> int:
        while True:
            try:
                await self._listen()
            except StoreUnreachable:
                await asyncio.sleep(RETRY_S)
                continue
            # Taken before looking: what moves from here on sets it.
            moved = self._moved
            known = self._known.get(view, 0)
            if known >= position:
                return known
            await moved.wait()

    async def _listen(self) -> None:
        async with self._opening:
            if self._connection is not None and not self._connection.is_closed():
                return
            connection = await connect(self._dsn)
            self._known.clear()
            with reaching():
                connection.add_termination_listener(self._lost)
                await connection.add_listener(CHANNEL, self._told)
                records = await connection.fetch(_CHECKPOINTS)
            for name, position in records:
                # A move may have been told while this was read.
                self._known[name] = max(position, self._known.get(name, 0))
            self._connection = connection
            self._wake()

    def _told(self, _connection: object, _pid: int, _channel: str, payload: object) -> None:
        for told in str(payload).splitlines():
            name, _, position = told.partition("=")
            self._known[name] = int(position)
        self._wake()

    def _lost(self, _connection: object) -> None:
        self._wake()

    def _wake(self) -> None:
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()
