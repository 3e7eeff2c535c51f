"""The simulated venue's WebSocket side: public subscriptions, and the account's stream behind a listen key."""

import asyncio
import secrets
from collections import Counter
from collections.abc import Callable, Iterable

import msgspec
from aiohttp import WSMsgType, web

from adapters.simulators.faults import Faults
from adapters.simulators.feeds import STREAMS, Message
from adapters.simulators.instruments import VenueError
from adapters.simulators.wire import Json

QUEUE_MAX = 20_000
STREAMS_MAX = 200
PING_EVERY_S = 180.0
LISTEN_KEY_TTL_MS = 60 * 60_000
GOING_AWAY = 1001

_ENCODER = msgspec.json.Encoder()


class SocketRequest(msgspec.Struct):
    """Hold what a client asks of a public socket."""

    method: str
    id: int | str | None = None
    params: list[str] = []


_REQUEST = msgspec.json.Decoder(SocketRequest)


class _Socket:
    """One open socket with its own bounded queue: a slow reader is dropped, and slows nobody down."""

    def __init__(self, response: web.WebSocketResponse) -> None:
        self.response = response
        self.streams: set[str] = set()
        self._queue: asyncio.Queue[str | None] = asyncio.Queue(QUEUE_MAX)

    def send(self, text: str) -> None:
        try:
            self._queue.put_nowait(text)
        except asyncio.QueueFull:
            self.drop()

    def drop(self) -> None:
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


class Sockets:
    """Hold every open socket and the listen key."""

    def __init__(self, symbols: Iterable[str], faults: Faults, clock_ms: Callable[[], int]) -> None:
        self._known = frozenset(f"{symbol.lower()}@{stream}" for symbol in symbols for stream in STREAMS)
        self._faults = faults
        self._clock_ms = clock_ms
        self._public: set[_Socket] = set()
        self._private: dict[_Socket, str] = {}
        self._listen_key: str | None = None
        self._listen_key_until_ms = 0
        self._delayed: set[asyncio.TimerHandle] = set()
        self.listen_key_ttl_ms = LISTEN_KEY_TTL_MS
        self.renewals = 0
        self.sent: Counter[str] = Counter()

    def open_listen_key(self, now_ms: int) -> str:
        """Return the key that is valid, renewed, or a new one."""
        if self._listen_key is None or now_ms >= self._listen_key_until_ms:
            self._listen_key = secrets.token_hex(32)
        self._listen_key_until_ms = now_ms + self.listen_key_ttl_ms
        return self._listen_key

    def renew_listen_key(self, now_ms: int) -> str:
        """Renew the key, or refuse when there is none."""
        if self._listen_key is None or now_ms >= self._listen_key_until_ms:
            raise VenueError(-1125, "This listenKey does not exist.")
        self.renewals += 1
        return self.open_listen_key(now_ms)

    def close_listen_key(self) -> None:
        """Forget the key; its sockets fall silent."""
        self._listen_key = None

    def expire_listen_key(self, now_ms: int) -> None:
        """Tell sockets whose key ran out, once; from then on they are told nothing."""
        if self._listen_key is None or now_ms < self._listen_key_until_ms:
            return
        self._listen_key = None
        for socket, key in list(self._private.items()):
            self._send(socket, {"e": "listenKeyExpired", "E": now_ms, "listenKey": key})
            self._private[socket] = ""

    def publish(self, messages: Iterable[Message]) -> None:
        """Send public messages to who subscribed."""
        for stream, message in messages:
            text: str | None = None
            for socket in list(self._public):
                if stream in socket.streams:
                    text = text or _ENCODER.encode(message).decode()
                    socket.send(text)

    def tell_account(self, events: Iterable[Json]) -> None:
        """Send the account's events to its sockets, unless a fault has other plans."""
        for event in events:
            now_ms, kind = self._clock_ms(), str(event["e"])
            if self._faults.take(("drop_user_events",), kind, now_ms):
                continue
            copies = 2 if self._faults.take(("duplicate_user_events",), kind, now_ms) else 1
            delay = self._faults.take(("delay_user_events",), kind, now_ms)
            for _ in range(copies):
                if delay is None:
                    self._tell(event)
                else:
                    self._tell_later(event, delay.delay_ms / 1000)

    def has_account_listener(self) -> bool:
        """Say whether anyone is listening to the account."""
        return any(key == self._listen_key for key in self._private.values())

    def drop_all(self) -> None:
        """Close every socket."""
        for socket in (*self._public, *self._private):
            socket.drop()

    def close(self) -> None:
        """Close every socket and forget delayed events."""
        for handle in self._delayed:
            handle.cancel()
        self._delayed.clear()
        self.drop_all()

    async def serve_public(self, request: web.Request) -> web.WebSocketResponse:
        """Serve subscriptions until the client leaves."""
        socket = await self._open(request)
        self._public.add(socket)
        try:
            await self._run(socket, self._public_request)
        finally:
            self._public.discard(socket)
        return socket.response

    async def serve_private(self, request: web.Request) -> web.StreamResponse:
        """Serve the account's events until the client leaves; a wrong key is told nothing, as on the true venue."""
        key = request.query.get("listenKey", "")
        socket = await self._open(request)
        self._private[socket] = key if key == self._listen_key else ""
        try:
            await self._run(socket, None)
        finally:
            self._private.pop(socket, None)
        return socket.response

    async def _open(self, request: web.Request) -> _Socket:
        response = web.WebSocketResponse(heartbeat=PING_EVERY_S, compress=False)
        await response.prepare(request)
        return _Socket(response)

    async def _run(self, socket: _Socket, answer: Callable[[_Socket, str], None] | None) -> None:
        async with asyncio.TaskGroup() as group:
            writer = group.create_task(socket.write())
            async for message in socket.response:
                if message.type is WSMsgType.TEXT and answer is not None:
                    answer(socket, str(message.data))
            writer.cancel()

    def _public_request(self, socket: _Socket, text: str) -> None:
        try:
            request = _REQUEST.decode(text)
        except msgspec.DecodeError:
            self._send(socket, {"error": {"code": 3, "msg": "Invalid JSON: expected a request"}, "id": None})
            return
        unknown = [stream for stream in request.params if stream not in self._known]
        if unknown or len(socket.streams) + len(request.params) > STREAMS_MAX:
            self._send(socket, {"error": {"code": 2, "msg": "Invalid request: invalid stream"}, "id": request.id})
            return
        match request.method:
            case "SUBSCRIBE":
                socket.streams.update(request.params)
                result = None
            case "UNSUBSCRIBE":
                socket.streams.difference_update(request.params)
                result = None
            case "LIST_SUBSCRIPTIONS":
                result = sorted(socket.streams)
            case _:
                self._send(socket, {"error": {"code": 2, "msg": "Invalid request: unknown method"}, "id": request.id})
                return
        self._send(socket, {"result": result, "id": request.id})

    def _tell(self, event: Json) -> None:
        for socket, key in self._private.items():
            if key and key == self._listen_key:
                self.sent[str(event["e"])] += 1
                self._send(socket, event)

    def _tell_later(self, event: Json, delay_s: float) -> None:
        def tell() -> None:
            self._delayed.discard(handle)
            self._tell(event)

        handle = asyncio.get_running_loop().call_later(delay_s, tell)
        self._delayed.add(handle)

    @staticmethod
    def _send(socket: _Socket, message: Json) -> None:
        socket.send(_ENCODER.encode(message).decode())
