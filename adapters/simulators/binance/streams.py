"""The simulated Binance's WebSocket side: public subscriptions, and the account's stream behind a listen key."""

import secrets
from collections.abc import Iterable

import msgspec
from aiohttp import web

from adapters.simulators.refusals import Refusal, Refused
from adapters.simulators.sockets import Hub, Json, Socket

STREAMS_MAX = 200
LISTEN_KEY_TTL_MS = 60 * 60_000
LISTEN_KEY_CHARS = 64


class SocketRequest(msgspec.Struct):
    """Hold what a client asks of a public socket."""

    method: str
    id: int | str | None = None
    params: list[str] = []


_REQUEST = msgspec.json.Decoder(SocketRequest)


class Streams:
    """Hold what sockets are told, and the listen key: the account's topic is the key itself."""

    def __init__(self, known: Iterable[str], hub: Hub, listen_key_ttl_ms: int = LISTEN_KEY_TTL_MS) -> None:
        self._known = frozenset(known)
        self._hub = hub
        self._listen_key: str | None = None
        self._listen_key_until_ms = 0
        self.listen_key_ttl_ms = listen_key_ttl_ms
        self.renewals = 0

    def is_listen_key(self, word: str) -> bool:
        """Say whether a word looks like a listen key, known or not: what it is told depends on whether it is."""
        return len(word) == LISTEN_KEY_CHARS

    def open_listen_key(self, now_ms: int) -> str:
        """Return the key that is valid, renewed, or a new one."""
        if self._listen_key is None or now_ms >= self._listen_key_until_ms:
            self._listen_key = secrets.token_hex(LISTEN_KEY_CHARS // 2)
        self._listen_key_until_ms = now_ms + self.listen_key_ttl_ms
        return self._listen_key

    def renew_listen_key(self, now_ms: int) -> str:
        """Renew the key, or refuse when there is none."""
        if self._listen_key is None or now_ms >= self._listen_key_until_ms:
            raise Refused(Refusal.NO_SESSION)
        self.renewals += 1
        return self.open_listen_key(now_ms)

    def close_listen_key(self) -> None:
        """Forget the key; its sockets fall silent."""
        self._listen_key = None

    def expire_listen_key(self, now_ms: int) -> None:
        """Tell sockets whose key ran out, once; from then on they are told nothing."""
        key = self._listen_key
        if key is None or now_ms < self._listen_key_until_ms:
            return
        self._listen_key = None
        for socket in self._hub.listeners(key):
            self._hub.send(socket, {"e": "listenKeyExpired", "E": now_ms, "listenKey": key})
            socket.topics.clear()

    def tell_account(self, events: Iterable[Json]) -> None:
        """Send the account's events to the sockets behind the key, unless a fault has other plans."""
        for event in events:
            # Without a key nobody listens, but a fault that waits for the event has happened all the same.
            self._hub.tell_account(self._listen_key or "", str(event["e"]), event)

    def drop_all(self) -> None:
        """Close every socket."""
        self._hub.drop_all()

    async def serve_public(self, request: web.Request) -> web.WebSocketResponse:
        """Serve subscriptions until the client leaves."""
        return await self._hub.serve(request, self._asked)

    async def serve_private(self, request: web.Request, key: str) -> web.WebSocketResponse:
        """Serve the account's events until the client leaves; a wrong key is told nothing, as on the true venue."""

        def listen(socket: Socket) -> None:
            if key and key == self._listen_key:
                socket.topics.add(key)

        return await self._hub.serve(request, _ignored, on_open=listen)

    def _asked(self, socket: Socket, text: str) -> None:
        try:
            request = _REQUEST.decode(text)
        except msgspec.DecodeError:
            self._refuse(socket, 3, "Invalid JSON: expected a request", None)
            return
        unknown = [stream for stream in request.params if stream not in self._known]
        if unknown or len(socket.topics) + len(request.params) > STREAMS_MAX:
            self._refuse(socket, 2, "Invalid request: invalid stream", request.id)
            return
        match request.method:
            case "SUBSCRIBE":
                socket.topics.update(request.params)
                result = None
            case "UNSUBSCRIBE":
                socket.topics.difference_update(request.params)
                result = None
            case "LIST_SUBSCRIPTIONS":
                result = sorted(socket.topics)
            case _:
                self._refuse(socket, 2, "Invalid request: unknown method", request.id)
                return
        self._hub.send(socket, {"result": result, "id": request.id})

    def _refuse(self, socket: Socket, code: int, text: str, request_id: int | str | None) -> None:
        self._hub.send(socket, {"error": {"code": code, "msg": text}, "id": request_id})


def _ignored(_socket: Socket, _text: str) -> None:
    """Read nothing from the account's own sockets."""
