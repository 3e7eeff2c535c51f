"""The WebSocket on which Deribit is given orders that may rest: its end cancels them.

The venue's only dead-man's switch, cancel-on-disconnect, covers the orders made on the very connection that asked for
it, and no others: an order sent over REST would stand for ever. ccxt cannot trade there, and gives a connection up on
the first refusal, which would cancel everything; so this one is our own. It logs on, asks for heartbeats (a connection
that leaves two unanswered is ended by the venue) and for cancel-on-disconnect, and takes orders only then. What it
raises reads like ccxt's own errors, so that `Failures` knows them.
"""

import asyncio
import hashlib
import hmac
import itertools
import json
import logging
import secrets
import time
from collections.abc import Mapping
from typing import Any

import aiohttp
import msgspec
from ccxt.base.errors import ExchangeError, NetworkError, RequestTimeout

from adapters.exchange.failures import Failures
from adapters.exchange.settings import VenueSettings
from domain.venue import Unavailable

URL = "wss://www.deribit.com/ws/api/v2"
HEARTBEAT_S = 10
"""How long the venue hears nothing before it asks; after as long again without an answer it hangs up."""
RENEWED_AFTER = 0.8
PAUSE_S, PAUSE_S_MAX = 0.2, 5.0
MESSAGE_BYTES_MAX = 4 * 1024 * 1024
# Prices and sizes are JSON numbers here, spelt exactly as they are.
_ENCODER = msgspec.json.Encoder(decimal_format="number")
_log = logging.getLogger(__name__)


class TradingSession:
    """Keep one connection whose end cancels its orders. `run` is its task; `call` asks on it."""

    def __init__(self, http: Any, settings: VenueSettings, failures: Failures) -> None:
        self._http = http
        self._settings = settings
        self._failures = failures
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._ready = asyncio.Event()
        self._asked: dict[int, asyncio.Future[Any]] = {}
        self._ids = itertools.count(1)

    async def run(self) -> None:
        """Keep the connection until cancelled."""
        pause = PAUSE_S
        while True:
            try:
                async with self._http.ws_connect(URL, max_msg_size=MESSAGE_BYTES_MAX) as socket:
                    pause = PAUSE_S
                    await self._serve(socket)
            except Exception as error:  # noqa: BLE001 - whatever ended it, its orders are cancelled: begin again
                _log.info("trading session: %s", self._failures.text(error))
            finally:
                self._gone()
            await asyncio.sleep(pause)
            pause = min(2 * pause, PAUSE_S_MAX)

    async def wait(self, within_s: float) -> bool:
        """Wait until orders can be given, at most so long; say whether they can."""
        try:
            async with asyncio.timeout(within_s):
                await self._ready.wait()
        except TimeoutError:
            return False
        return True

    async def call(self, method: str, params: Mapping[str, Any]) -> Any:
        """Ask on the connection whose end cancels; `Unavailable` while there is none."""
        if not self._ready.is_set():
            raise Unavailable("not sent: the connection whose end cancels our orders is not up")
        return await self._call(method, params)

    async def _serve(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        """Log on, arm the switch, and stay; raise when the connection ends."""
        self._socket = socket
        reading = asyncio.create_task(self._read(socket))
        keeping = asyncio.create_task(self._keep())
        try:
            done, _ = await asyncio.wait((reading, keeping), return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            reading.cancel()
            keeping.cancel()
            await asyncio.gather(reading, keeping, return_exceptions=True)

    async def _keep(self) -> None:
        lives_s = await self._log_on()
        await self._call("public/set_heartbeat", {"interval": HEARTBEAT_S})
        await self._call("private/enable_cancel_on_disconnect", {"scope": "connection"})
        self._ready.set()
        while True:
            await asyncio.sleep(lives_s * RENEWED_AFTER)
            lives_s = await self._log_on()

    async def _log_on(self) -> float:
        """Log on and return how long that lasts, in seconds."""
        at_ms, nonce = time.time_ns() // 1_000_000, secrets.token_hex(8)
        said = f"{at_ms}\n{nonce}\n"
        signature = hmac.new(self._settings.api_secret.encode(), said.encode(), hashlib.sha256).hexdigest()
        told = await self._call(
            "public/auth",
            {
                "grant_type": "client_signature",
                "client_id": self._settings.api_key,
                "timestamp": at_ms,
                "nonce": nonce,
                "data": "",
                "signature": signature,
            },
        )
        return float(told["expires_in"])

    async def _call(self, method: str, params: Mapping[str, Any]) -> Any:
        socket = self._socket
        if socket is None:
            raise Unavailable("not sent: no connection")
        number = next(self._ids)
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._asked[number] = answer
        try:
            request = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
            async with asyncio.timeout(self._settings.timeout_ms / 1_000):
                await socket.send_str(_ENCODER.encode(request).decode())
                return await answer
        except TimeoutError:
            raise RequestTimeout(f"deribit {method}: no answer in time") from None
        except (ConnectionError, aiohttp.ClientError) as error:
            raise NetworkError(f"deribit {method}: the connection was lost: {type(error).__name__}") from None
        finally:
            self._asked.pop(number, None)

    async def _read(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for message in socket:
            if message.type is not aiohttp.WSMsgType.TEXT:
                break
            told = json.loads(message.data)
            if told.get("method") == "heartbeat" and told["params"].get("type") == "test_request":
                beat = {"jsonrpc": "2.0", "id": next(self._ids), "method": "public/test", "params": {}}
                await socket.send_str(json.dumps(beat))
            answer = self._asked.get(told.get("id"))
            if answer is None or answer.done():
                continue
            if "error" in told:
                answer.set_exception(ExchangeError(f"deribit {json.dumps(told['error'])}"))
            else:
                answer.set_result(told["result"])
        raise NetworkError("the venue ended the connection")

    def _gone(self) -> None:
        """Let whoever waits for an answer know that none comes: what became of an order is not known."""
        self._socket = None
        self._ready.clear()
        for answer in self._asked.values():
            if not answer.done():
                answer.set_exception(NetworkError("deribit: the connection was lost before an answer came"))
