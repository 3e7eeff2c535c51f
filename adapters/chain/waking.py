"""Hear over WebSockets that there is a new block, and be woken: what it is, is asked of the quorum.

What comes over a socket is never read as a fact: one that lies wakes too often or never, and polling goes on meanwhile.
"""

import asyncio
import contextlib
from collections.abc import Sequence

import aiohttp

from adapters.rpc.endpoints import opened
from adapters.rpc.settings import Endpoint, RpcSettings

MESSAGE_BYTES_MAX = 1 << 18
SUBSCRIBE = '{"jsonrpc":"2.0","id":1,"method":"eth_subscribe","params":["newHeads"]}'
PAUSE_FIRST_S, PAUSE_MOST_S = 0.25, 15.0
HEARTBEAT_S = 20.0
# A line that tells of no block for so long is away, whatever its socket says.
SILENCE_S = 60.0
CLOSING = aiohttp.ClientWSTimeout(ws_receive=None, ws_close=1.0)  # pyright: ignore[reportCallIssue] # attrs' own names


class HeadLines:
    """Keep one subscription an endpoint that has a WebSocket; connect again, ever more slowly, when it breaks."""

    def __init__(self, settings: RpcSettings) -> None:
        self._settings = settings
        self._up: set[str] = set()
        self._changed = asyncio.Event()
        self._told = 0

    @property
    def told(self) -> int:
        """Return how often anything was told: what `wait` is given, taken before the chain is asked."""
        return self._told

    @property
    def up(self) -> Sequence[str]:
        """Return the names of the endpoints that tell of blocks now."""
        return sorted(self._up)

    async def open(self, resources: contextlib.AsyncExitStack) -> None:
        """Start to listen; ends with the stack."""
        tasks = [
            asyncio.create_task(self._listen(endpoint), name=f"newHeads of {endpoint.name}")
            for endpoint in self._settings.endpoints
            if endpoint.ws_url
        ]

        async def stop() -> None:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        resources.push_async_callback(stop)

    async def wait(self, seen: int, timeout_s: float) -> bool:
        """Say whether a block was told of, or a line went up or down, since `seen`; return at once or in time.

        Any number may wait: nobody takes another's wake away.
        """
        if self._told == seen:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout_s):
                    await self._changed.wait()
        return self._told != seen

    def _tell(self) -> None:
        self._told += 1
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def _listen(self, endpoint: Endpoint) -> None:
        pause_s = PAUSE_FIRST_S
        while True:
            try:
                async with opened(self._settings) as session:
                    await self._hear(endpoint, session)
            except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
                pass  # the line is down, which `up` says; polling goes on
            was_up = endpoint.name in self._up
            self._up.discard(endpoint.name)
            if was_up:
                self._tell()
                pause_s = PAUSE_FIRST_S
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, PAUSE_MOST_S)

    async def _hear(self, endpoint: Endpoint, session: aiohttp.ClientSession) -> None:
        async with session.ws_connect(
            endpoint.ws_url,
            max_msg_size=MESSAGE_BYTES_MAX,
            heartbeat=HEARTBEAT_S,
            timeout=CLOSING,
        ) as socket:
            await socket.send_str(SUBSCRIBE)
            while True:
                message = await socket.receive(timeout=SILENCE_S)
                if message.type is not aiohttp.WSMsgType.TEXT:
                    return
                if '"eth_subscription"' in message.data:
                    self._up.add(endpoint.name)
                    self._tell()
