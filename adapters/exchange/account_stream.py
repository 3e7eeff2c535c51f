"""The account's private stream: every order change and fill as it happens, and honesty about when it was not listening.

ccxt keeps the connection; the raw messages are read off it in the venue's dialect. A lost connection, a log-on that
gets no answer, an unreadable event or a queue that ran over all end as `Disconnected`, and `Connected` when the venue
confirms that it tells us again: its reader sweeps then.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import AsyncGenerator
from typing import Any

from ccxt.base.errors import NetworkError

from adapters.exchange.client import Ccxt
from adapters.exchange.dialect import Dialect, Dropped, Listening, Watch
from adapters.exchange.failures import Failures
from adapters.exchange.fields import Unreadable
from domain.venue import AccountEvent, Connected, Disconnected

QUEUE_MAX = 10_000
WATCH_S = 30.0
LOG_ON_S = 10.0
PAUSE_S = 0.2
PAUSE_S_MAX = 5.0
_log = logging.getLogger(__name__)


class AccountStream:
    """Listen to one account. `run` is its task; `events` hands out what it heard, to one reader at a time."""

    def __init__(self, dialect: Dialect, failures: Failures) -> None:
        self._dialect = dialect
        self._client = dialect.private
        self._failures = failures
        self._queue: deque[AccountEvent] = deque()
        self._heard = asyncio.Event()
        self._up = False
        self._client.tap = self

    @property
    def is_up(self) -> bool:
        """Say whether the stream is up."""
        return self._up

    async def run(self) -> None:
        """Keep the connection and what it needs alive until cancelled."""
        async with asyncio.TaskGroup() as group:
            for watch in self._dialect.watches():
                group.create_task(self._keep(watch))
            group.create_task(self._dialect.tend(self))

    async def events(self) -> AsyncGenerator[AccountEvent, None]:
        """Yield what is heard. A reader that comes late is told first that it must sweep."""
        self._queue.clear()
        if self._up:
            self._queue.append(self._now_connected())
        while True:
            while self._queue:
                yield self._queue.popleft()
            self._heard.clear()
            await self._heard.wait()

    def connected(self, socket: Ccxt) -> None:
        """Note that the private socket is up."""
        if self._dialect.connected_is_listening and self._dialect.is_private(socket.url):
            self._listening()

    def lost(self, socket: Ccxt, reason: str) -> None:
        """Note that the private socket is down."""
        if not self._dialect.is_private(socket.url):
            return
        self._dialect.forget()
        if self._up:
            self._up = False
            self.tell(self._now_disconnected(self._failures.redacted(reason)))

    def message(self, socket: Ccxt, message: Any) -> None:
        """Read an event of the account before ccxt does."""
        if not isinstance(message, dict) or not self._dialect.is_private(socket.url):
            return
        try:
            heard = tuple(self._dialect.hear(message))
        except Exception as error:  # noqa: BLE001 - a message that cannot be read may have been a fill
            self._doubt(f"an unreadable event: {self._failures.text(error)}")
            return
        for event in heard:
            match event:
                case Listening():
                    self._listening()
                case Dropped():
                    self.reconnect(event.reason)
                case _:
                    self.tell(event)

    def reconnect(self, reason: str) -> None:
        """Drop the private sockets, so that ccxt logs on anew."""
        for url, client in list(self._client.clients.items()):
            if self._dialect.is_private(url):
                client.on_error(NetworkError(reason))

    def tell(self, event: AccountEvent) -> None:
        """Hand out an event; a reader too slow for the queue is told to sweep."""
        if len(self._queue) >= QUEUE_MAX:
            self._queue.clear()
            self._queue.append(self._now_disconnected("more events than the reader took"))
            if self._up:
                self._queue.append(self._now_connected())
        else:
            self._queue.append(event)
        self._heard.set()

    async def _keep(self, watch: Watch) -> None:
        pause = PAUSE_S
        while True:
            try:
                async with asyncio.timeout(WATCH_S if self._up else LOG_ON_S):
                    await watch()
                pause = PAUSE_S
            except TimeoutError:
                # ccxt never times a watch out by itself. A quiet account is nothing to worry about; a log-on that the
                # venue leaves unanswered is.
                if not self._up:
                    self.reconnect("no answer to the log-on")
                pause = PAUSE_S
            except Unreadable as error:
                self._doubt(f"an unreadable event: {self._failures.text(error)}")
            except Exception as error:  # noqa: BLE001 - ccxt throws anything; whatever it is, listen again
                _log.info("private stream: %s", self._failures.text(error))
                await asyncio.sleep(pause)
                pause = min(PAUSE_S_MAX, pause * 2)

    def _listening(self) -> None:
        if not self._up:
            self._up = True
            self.tell(self._now_connected())

    def _doubt(self, reason: str) -> None:
        """Make the reader sweep although the connection stands: something was told that we could not hear."""
        _log.warning("private stream: %s", reason)
        if self._up:
            self.tell(self._now_disconnected(reason))
            self.tell(self._now_connected())

    def _now_connected(self) -> Connected:
        of = self._dialect.of
        return Connected(venue=of.venue, account=of.account, at_us=time.time_ns() // 1_000)

    def _now_disconnected(self, reason: str) -> Disconnected:
        of = self._dialect.of
        return Disconnected(venue=of.venue, account=of.account, reason=reason, at_us=time.time_ns() // 1_000)
