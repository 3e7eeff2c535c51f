"""A subscription of the `eventsourcing` library: woken by the writer's notification, and once a second by itself."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import asyncpg
from eventsourcing.persistence import ApplicationRecorder, ListenNotifySubscription

from adapters.postgres.loop_thread import LoopClosed, LoopThread
from adapters.postgres.reader import AWAY, CHANNEL, POLL_MS


class LogSubscription(ListenNotifySubscription[ApplicationRecorder]):
    """Iterate over events as they are recorded. The library's thread pulls; the recorder's loop listens."""

    def __init__(
        self,
        recorder: ApplicationRecorder,
        dsn: str,
        thread: LoopThread,
        gt: int | None,
        topics: Sequence[str],
        ended: Callable[["LogSubscription"], None],
    ) -> None:
        self._dsn = dsn
        self._ended = ended
        self._loop_thread = thread
        self._listening: asyncio.Task[None] | None = None
        super().__init__(recorder, gt, topics)
        thread.call(self._start_listening())

    def __exit__(self, *args: object, **kwargs: Any) -> None:
        try:
            super().__exit__(*args, **kwargs)
        finally:
            self.end()

    def end(self) -> None:
        """Stop, and wait until nothing of this subscription runs any more; idempotent."""
        self.stop()
        self._pull_thread.join()
        self._ended(self)
        try:
            self._loop_thread.call(self._stop_listening())
        except LoopClosed:
            return

    async def _start_listening(self) -> None:
        self._listening = asyncio.get_running_loop().create_task(self._listen())

    async def _stop_listening(self) -> None:
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.wait([self._listening])

    async def _listen(self) -> None:
        connection: asyncpg.Connection[asyncpg.Record] | None = None
        try:
            while True:
                try:
                    if connection is None or connection.is_closed():
                        connection = await asyncpg.connect(self._dsn)
                        await connection.add_listener(CHANNEL, lambda *_: self._has_been_notified.set())
                except AWAY:
                    # The server is away: the next turn tries again, and the pull below reports what it meets.
                    connection = None
                self._has_been_notified.set()
                await asyncio.sleep(POLL_MS / 1_000)
        finally:
            if connection is not None:
                connection.terminate()
