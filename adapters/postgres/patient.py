"""Read the log through restarts of its server: for followers, who lose nothing by waiting.

The core must not wait so: what it cannot read makes it stop and replay. A follower only falls behind meanwhile.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from adapters.postgres.event_log import PostgresEventLog
from adapters.postgres.failures import LogUnreachable
from adapters.postgres.reader import AWAY
from domain.log import Snapshot, StoredEvent

AWAY_MS_MAX = 60_000
PAUSE_MS = 200

Answer = TypeVar("Answer")


class PatientLog:
    """Read what `PostgresEventLog` reads; ask again while the server is away, up to a bound."""

    def __init__(self, log: PostgresEventLog, away_ms_max: int = AWAY_MS_MAX) -> None:
        self._log = log
        self._away_ms_max = away_ms_max

    async def read(self, after: int, limit: int) -> Sequence[StoredEvent]:
        """Return up to `limit` committed events after a position; raise LogUnreachable when the server stays away."""
        return await self._patiently(lambda: self._log.read(after, limit))

    async def load_snapshot(self, name: str, schema: str) -> Snapshot | None:
        """Return the newest snapshot of that name and schema; raise LogUnreachable when the server stays away."""
        return await self._patiently(lambda: self._log.load_snapshot(name, schema))

    async def _patiently(self, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        loop = asyncio.get_running_loop()
        away_since: float | None = None
        while True:
            try:
                return await ask()
            except AWAY as error:
                away_since = away_since or loop.time()
                if loop.time() - away_since > self._away_ms_max / 1_000:
                    raise LogUnreachable(f"the log cannot be read: {error}") from error
                await asyncio.sleep(PAUSE_MS / 1_000)
