"""Any ccxt.pro client with its own hooks used: who connected, who was lost, which message came.

Nothing of ccxt is changed. Its hooks are overridden because it reconnects silently, merges orders into a cache, and
lets an exception in a handler stop the receive loop until the ping timeout.
"""

import asyncio
import ssl
from collections.abc import Mapping
from functools import cache
from typing import Any, Protocol

import aiohttp
import ccxt.pro
from ccxt.base.errors import NetworkError

from adapters.exchange.settings import VenueSettings

DIAL_PAUSE_MS_MAX = 3_000

# ccxt's own annotations call its coroutines dictionaries and lists; what comes back is checked by the parsers instead.
Ccxt = Any


class Tap(Protocol):
    """Hear what happens on a client's sockets, ccxt's objects with `url` and `subscriptions`; never raise or wait."""

    def connected(self, socket: Ccxt) -> None:
        """Hear that a socket is up."""
        ...

    def lost(self, socket: Ccxt, reason: str) -> None:
        """Hear that a socket is down."""
        ...

    def message(self, socket: Ccxt, message: Any) -> None:
        """Hear a message before ccxt does."""
        ...


class _Hooks:
    """Tell a tap about connections and messages, then do what ccxt does. Mixed in before a class of ccxt.pro."""

    tap: Tap | None = None

    def on_connected(self, client: Any, message: Any = None) -> None:
        _ccxt(super()).on_connected(client, message)
        if self.tap is not None:
            self.tap.connected(client)

    def on_error(self, client: Any, error: Any) -> None:
        _ccxt(super()).on_error(client, error)
        me: Ccxt = self
        waiting = me.ws_dial_backoff.get(client.url)
        if waiting is not None and client.last_retry_after is None:
            # Dial again sooner than ccxt would, unless the venue says when.
            waiting["until"] = min(waiting["until"], me.milliseconds() + DIAL_PAUSE_MS_MAX)
        if self.tap is not None:
            self.tap.lost(client, f"{type(error).__name__}: {error}")

    def on_close(self, client: Any, error: Any) -> None:
        _ccxt(super()).on_close(client, error)
        if self.tap is not None:
            self.tap.lost(client, f"closed, code {error}")

    def handle_message(self, client: Any, message: Any) -> None:
        if self.tap is not None:
            self.tap.message(client, message)
        try:
            _ccxt(super()).handle_message(client, message)
        except Exception as error:  # noqa: BLE001 - any failure inside ccxt means its state cannot be believed
            client.on_error(NetworkError(f"ccxt could not handle a message: {type(error).__name__}: {error}"))


def _ccxt(parent: Any) -> Ccxt:
    return parent


@cache
def hooked(ccxt_id: str) -> type[Any]:
    """Return ccxt.pro's class of that id with the hooks in it."""
    if ccxt_id not in ccxt.pro.exchanges:
        raise ValueError(f"ccxt.pro knows no {ccxt_id!r}")
    return type(f"Hooked{ccxt_id.capitalize()}", (_Hooks, getattr(ccxt.pro, ccxt_id)), {})


def make_client(
    ccxt_id: str, settings: VenueSettings, own: Mapping[str, Any], session: aiohttp.ClientSession | None, *, paced: bool
) -> Ccxt:
    """Return a client with a venue's own settings; one that is not paced queues nothing.

    `number: str` makes the unified markets exact; the account's payloads are read raw.
    """
    config: dict[str, Any] = {
        "apiKey": settings.api_key,
        "secret": settings.api_secret,
        "password": settings.passphrase,
        "timeout": settings.timeout_ms,
        "enableRateLimit": paced,
        "number": str,
        "streaming": {"keepAlive": settings.keep_alive_ms},
        "asyncio_loop": asyncio.get_running_loop(),
        **own,
    }
    if session is not None:
        config["session"] = session
    client = hooked(ccxt_id)(config)
    client.ssl_context = _trust(client.cafile)
    return client


@cache
def _trust(authorities: str) -> ssl.SSLContext:
    """Return the context that every client of this process shares: to read the authorities takes long."""
    return ssl.create_default_context(cafile=authorities)
