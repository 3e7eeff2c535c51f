"""An event loop in a thread of its own, for callers that know no asyncio: the library's recorders."""

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import CancelledError
from typing import Any, TypeVar

T = TypeVar("T")

JOIN_MS_MAX = 30_000


class LoopClosed(Exception):
    """Say that the loop has been closed and runs nothing more."""


class LoopThread:
    """Run coroutines on a loop in a daemon thread, from any other thread."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._closing = threading.Lock()
        self._closed = False
        self._thread.start()

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end and return what it returns; raise LoopClosed after `close`."""
        if self._closed:
            work.close()
            raise LoopClosed("this recorder is closed")
        try:
            return asyncio.run_coroutine_threadsafe(work, self._loop).result()
        except CancelledError as error:
            raise LoopClosed("this recorder was closed meanwhile") from error

    def close(self, last: Coroutine[Any, Any, None]) -> None:
        """Run a last coroutine, cancel what else is running, end the thread; idempotent, `last` runs once."""
        with self._closing:
            if self._closed:
                last.close()
                return
            try:
                asyncio.run_coroutine_threadsafe(last, self._loop).result()
            finally:
                self._closed = True
                self._loop.call_soon_threadsafe(self._loop.stop)
                self._thread.join(JOIN_MS_MAX / 1_000)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
            running = asyncio.all_tasks(self._loop)
            for task in running:
                task.cancel()
            self._loop.run_until_complete(asyncio.gather(*running, return_exceptions=True))
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        finally:
            asyncio.set_event_loop(None)
            self._loop.close()
