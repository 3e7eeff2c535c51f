"""ccxt's Binance USD-M client with its own hooks used: who connected, who was lost, which message came.

Nothing of ccxt is changed. Its hooks are overridden because it reconnects silently, merges orders into a cache, and
lets an exception in a handler stop the receive loop until the ping timeout.
"""

import asyncio
from typing import Any, Protocol

import aiohttp
import ccxt.pro
from ccxt.base.errors import NetworkError

from adapters.exchange.settings import VenueSettings

# The venue allows 2,400 units of weight a minute.
REQUEST_WEIGHT_MS = 25
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


class HookedBinance(ccxt.pro.binanceusdm):
    """Tell a tap about connections and messages, then do what ccxt does."""

    tap: Tap | None = None

    def on_connected(self, client: Any, message: Any = None) -> None:
        """Tell the tap, after ccxt."""
        super().on_connected(client, message)
        if self.tap is not None:
            self.tap.connected(client)

    def on_error(self, client: Any, error: Any) -> None:
        """Tell the tap, after ccxt; dial again sooner than ccxt would, unless the venue says when."""
        super().on_error(client, error)
        waiting = self.ws_dial_backoff.get(client.url)
        if waiting is not None and client.last_retry_after is None:
            waiting["until"] = min(waiting["until"], self.milliseconds() + DIAL_PAUSE_MS_MAX)
        if self.tap is not None:
            self.tap.lost(client, f"{type(error).__name__}: {error}")

    def on_close(self, client: Any, error: Any) -> None:
        """Tell the tap, after ccxt."""
        super().on_close(client, error)
        if self.tap is not None:
            self.tap.lost(client, f"closed, code {error}")

    def handle_message(self, client: Any, message: Any) -> None:
        """Tell the tap, then let ccxt handle it; a handler that fails costs the connection, at once and seen."""
        if self.tap is not None:
            self.tap.message(client, message)
        try:
            super().handle_message(client, message)
        except Exception as error:  # noqa: BLE001 - any failure inside ccxt means its state cannot be believed
            client.on_error(NetworkError(f"ccxt could not handle a message: {type(error).__name__}: {error}"))


def make_client(settings: VenueSettings, session: aiohttp.ClientSession | None, *, paced: bool) -> Ccxt:
    """Return a client with the options that the venue's traps ask for; one that is not paced queues nothing."""
    config: dict[str, Any] = {
        "apiKey": settings.api_key,
        "secret": settings.api_secret,
        "timeout": settings.timeout_ms,
        "enableRateLimit": paced,
        "rateLimit": REQUEST_WEIGHT_MS,
        "number": str,
        "streaming": {"keepAlive": settings.keep_alive_ms},
        "asyncio_loop": asyncio.get_running_loop(),
        "options": {
            "fetchCurrencies": False,
            "fetchMargins": False,
            "recvWindow": settings.recv_window_ms,
            "adjustForTimeDifference": False,
            "watchPositions": {"fetchPositionsSnapshot": False},
            "warnOnFetchOpenOrdersWithoutSymbol": False,
        },
    }
    if session is not None:
        config["session"] = session
    return HookedBinance(config)  # pyright: ignore[reportArgumentType] - ccxt types its own dictionary of settings
