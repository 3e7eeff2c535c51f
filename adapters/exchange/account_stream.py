"""The account's private stream: every order change and fill as it happens, and honesty about when it was not listening.

ccxt keeps the connection; this reads the raw messages off it. A lost connection, an expired listen key, an unreadable
event or a queue that ran over all end as `Disconnected`, and `Connected` when it listens again: its reader sweeps then.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import AsyncGenerator
from typing import Any

from ccxt.base.errors import BaseError, NetworkError

from adapters.exchange import parse
from adapters.exchange.client import Ccxt
from adapters.exchange.failures import venue_code
from adapters.exchange.fields import Unreadable
from adapters.exchange.parse import Account
from domain.venue import AccountEvent, Connected, Disconnected

QUEUE_MAX = 10_000
WATCH_S = 30.0
PAUSE_S = 0.2
PAUSE_S_MAX = 5.0
NO_SUCH_LISTEN_KEY = -1125
_PRIVATE = "/private/"
_log = logging.getLogger(__name__)


class AccountStream:
    """Listen to one account. `run` is its task; `events` hands out what it heard, to one reader at a time."""

    def __init__(self, client: Ccxt, of: Account, *, listen_key_renewal_ms: int) -> None:
        self._client = client
        self._of = of
        self._renewal_s = listen_key_renewal_ms / 1_000
        self._queue: deque[AccountEvent] = deque()
        self._heard = asyncio.Event()
        self._up = False
        self.renewals = 0
        client.tap = self

    @property
    def is_up(self) -> bool:
        """Say whether the stream is connected."""
        return self._up

    async def run(self) -> None:
        """Keep the connection and its listen key alive until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep_connected())
            group.create_task(self._renew())

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
        if _PRIVATE in socket.url and not self._up:
            self._up = True
            self._put(self._now_connected())

    def lost(self, socket: Ccxt, reason: str) -> None:
        """Note that the private socket is down; the next one gets a listen key asked for anew, as this may be why."""
        if _PRIVATE in socket.url and self._up:
            self._up = False
            self._client.options["linear"] = {}
            self._put(self._now_disconnected(reason))

    def message(self, socket: Ccxt, message: Any) -> None:
        """Read an event of the account before ccxt does."""
        if _PRIVATE not in socket.url or not isinstance(message, dict):
            return
        kind = message.get("e")
        if kind == "ORDER_TRADE_UPDATE":
            try:
                fill = parse.fill_event(message, self._of)
                state = parse.order_event(message, self._of)
            except Unreadable as error:
                self._doubt(f"an unreadable event: {error}")
                return
            if fill is not None:
                self._put(fill)
            self._put(state)
        elif kind == "listenKeyExpired":
            self._reconnect("the listen key expired")

    async def _keep_connected(self) -> None:
        pause = PAUSE_S
        while True:
            try:
                async with asyncio.timeout(WATCH_S):
                    await self._client.watch_orders()
                pause = PAUSE_S
            except TimeoutError:
                # ccxt never times a watch out by itself; a quiet account is nothing to worry about.
                pause = PAUSE_S
            except (BaseError, OSError, TypeError, KeyError) as error:
                _log.info("private stream: %s: %s", type(error).__name__, error)
                await asyncio.sleep(pause)
                pause = min(PAUSE_S_MAX, pause * 2)

    async def _renew(self) -> None:
        """Renew the listen key by ourselves: ccxt does so once and then never again."""
        while True:
            await asyncio.sleep(self._renewal_s)
            if not self._up:
                continue
            try:
                await self._client.fapiPrivatePutListenKey()
                self.renewals += 1
            except (BaseError, OSError, TypeError, KeyError) as error:
                _log.warning("listen key not renewed: %s: %s", type(error).__name__, error)
                if venue_code(error) == NO_SUCH_LISTEN_KEY:
                    self._reconnect("the listen key is gone")
                continue
            # ccxt asks for a new key when it believes the old one aged; it has just been renewed.
            held = self._client.options.get("linear", {})
            self._client.options["linear"] = {**held, "lastAuthenticatedTime": self._client.milliseconds()}

    def _reconnect(self, reason: str) -> None:
        """Drop the socket, so that ccxt asks for a listen key and connects anew."""
        for url, client in list(self._client.clients.items()):
            if _PRIVATE in url:
                client.on_error(NetworkError(reason))

    def _doubt(self, reason: str) -> None:
        """Make the reader sweep although the connection stands: something was told that we could not hear."""
        _log.warning("private stream: %s", reason)
        if self._up:
            self._put(self._now_disconnected(reason))
            self._put(self._now_connected())

    def _put(self, event: AccountEvent) -> None:
        if len(self._queue) >= QUEUE_MAX:
            self._queue.clear()
            self._queue.append(self._now_disconnected("more events than the reader took"))
            if self._up:
                self._queue.append(self._now_connected())
        else:
            self._queue.append(event)
        self._heard.set()

    def _now_connected(self) -> Connected:
        return Connected(venue=self._of.venue, account=self._of.account, at_us=time.time_ns() // 1_000)

    def _now_disconnected(self, reason: str) -> Disconnected:
        return Disconnected(
            venue=self._of.venue, account=self._of.account, reason=reason, at_us=time.time_ns() // 1_000
        )
