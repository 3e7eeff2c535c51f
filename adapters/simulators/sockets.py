"""The simulated venues' WebSocket side, in no dialect: sockets with bounded queues, topics, the account's faults."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from aiohttp import WSMsgType, web

from adapters.simulators.faults import Faults

QUEUE_MAX = 20_000
PING_EVERY_S = 180.0
GOING_AWAY = 1001

Json = dict[str, Any]
_ENCODER = msgspec.json.Encoder()


def encode(message: Any) -> str:
    """Return a message as JSON text."""
    return _ENCODER.encode(message).decode()


class Socket:
    """Hold one open socket with its own bounded queue: a slow reader is dropped, and slows nobody down.

    `topics` are what it is told; `session` is for the dialect (who logged on, what it asked for).
    """

    def __init__(self, response: web.WebSocketResponse) -> None:
        self.response = response
        self.topics: set[str] = set()
        self.session: dict[str, Any] = {}
        self._queue: asyncio.Queue[str | None] = asyncio.Queue(QUEUE_MAX)

    def send(self, text: str) -> None:
        """Queue a text, or drop the socket when its reader is too slow."""
        try:
            self._queue.put_nowait(text)
        except asyncio.QueueFull:
            self.drop()

    def drop(self) -> None:
        """Close the socket without sending what waits."""
        while not self._queue.empty():
            self._queue.get_nowait()
        self._queue.put_nowait(None)

    async def write(self) -> None:
        """Send until told to drop, then close."""
        while (text := await self._queue.get()) is not None:
            try:
                await self.response.send_str(text)
            except ConnectionError:
                return
        await self.response.close(code=GOING_AWAY)


class Hub:
    """Hold the open sockets of one venue. While `frozen`, they stay open and nothing is said on them."""

    def __init__(self, faults: Faults, clock_ms: Callable[[], int]) -> None:
        self._faults = faults
        self._clock_ms = clock_ms
        self._delayed: set[asyncio.TimerHandle] = set()
        self.sockets: set[Socket] = set()
        self.frozen = False
        self.sent: Counter[str] = Counter()

    async def serve(
        self,
        request: web.Request,
        on_text: Callable[[Socket, str], None],
        *,
        on_open: Callable[[Socket], None] | None = None,
        on_close: Callable[[Socket], None] | None = None,
        ping_every_s: float = PING_EVERY_S,
    ) -> web.WebSocketResponse:
        """Serve a socket until its client leaves; `on_text` gets each text, `on_close` the socket that is gone."""
        response = web.WebSocketResponse(heartbeat=ping_every_s, compress=False)
        await response.prepare(request)
        socket = Socket(response)
        self.sockets.add(socket)
        if on_open is not None:
            on_open(socket)
        try:
            async with asyncio.TaskGroup() as group:
                writer = group.create_task(socket.write())
                async for message in response:
                    if message.type is WSMsgType.TEXT:
                        on_text(socket, str(message.data))
                writer.cancel()
        finally:
            self.sockets.discard(socket)
            if on_close is not None:
                on_close(socket)
        return response

    def send(self, socket: Socket, message: Any) -> None:
        """Send one socket a message as JSON."""
        if not self.frozen:
            socket.send(encode(message))

    def publish(self, topic: str, message: Any) -> None:
        """Send a message to every socket that is told of a topic; encoded once."""
        if self.frozen:
            return
        text: str | None = None
        for socket in tuple(self.sockets):
            if topic in socket.topics:
                text = text or encode(message)
                socket.send(text)

    def listeners(self, topic: str) -> list[Socket]:
        """Return the sockets that are told of a topic."""
        return [socket for socket in self.sockets if topic in socket.topics]

    def tell_account(self, topic: str, name: str, message: Any) -> None:
        """Publish an event of the account, unless a fault on `name` drops, doubles or delays it."""
        now_ms = self._clock_ms()
        if self._faults.take(("drop_user_events",), name, now_ms):
            return
        copies = 2 if self._faults.take(("duplicate_user_events",), name, now_ms) else 1
        delay = self._faults.take(("delay_user_events",), name, now_ms)
        for _ in range(copies):
            if delay is None:
                self._tell(topic, name, message)
            else:
                self._later(delay.delay_ms / 1000, lambda: self._tell(topic, name, message))

    def drop_all(self) -> None:
        """Close every socket."""
        for socket in self.sockets:
            socket.drop()

    def close(self) -> None:
        """Close every socket and forget delayed events."""
        for handle in self._delayed:
            handle.cancel()
        self._delayed.clear()
        self.drop_all()

    def _tell(self, topic: str, name: str, message: Any) -> None:
        self.sent[name] += len(self.listeners(topic))
        self.publish(topic, message)

    def _later(self, delay_s: float, act: Callable[[], None]) -> None:
        def run() -> None:
            self._delayed.discard(handle)
            act()

        handle = asyncio.get_running_loop().call_later(delay_s, run)
        self._delayed.add(handle)


def rows(levels: Iterable[tuple[Any, Any]], word: Callable[[Any], str]) -> list[list[str]]:
    """Return levels as pairs of words."""
    return [[word(price), word(size)] for price, size in levels]
