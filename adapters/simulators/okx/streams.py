"""The simulated OKX's WebSocket side: log-on, subscriptions, text pings; each channel begins with how things stand."""

from collections.abc import Callable
from typing import Any

import msgspec
from aiohttp import web

from adapters.simulators.okx import feeds
from adapters.simulators.okx.errors import OkxError, worded
from adapters.simulators.okx.gate import Gate
from adapters.simulators.refusals import Refused
from adapters.simulators.sockets import Hub, Json, Socket

PUBLIC, PRIVATE, BUSINESS = "/ws/v5/public", "/ws/v5/private", "/ws/v5/business"
PRIVATE_CHANNELS = frozenset({"orders", "account", "positions"})
TOPICS_MAX = 480
_CLOSING = "The connection will soon be closed for a service upgrade. Please reconnect."
# What the gate's refusals are called on a socket.
_LOGIN_CODES = {50102: 60006, 50111: 60005, 50113: 60007, 50105: 60024}
Standing = Callable[[str, str], Json | None]
"""Return what a channel begins with, for a channel and an instrument's name; None when it begins with nothing."""


class Request(msgspec.Struct):
    """Hold what a client asks of a socket."""

    op: str
    args: list[dict[str, Any]] = []


_REQUEST = msgspec.json.Decoder(Request)


class Streams:
    """Serve public and private sockets; `known` are the topics of the public ones."""

    def __init__(
        self, known: frozenset[str], hub: Hub, gate: Gate, standing: Standing, clock_ms: Callable[[], int]
    ) -> None:
        self._known = known
        self._hub = hub
        self._gate = gate
        self._standing = standing
        self._clock_ms = clock_ms
        self._connections = 0

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Serve a socket until its client leaves."""
        if request.path not in {PUBLIC, PRIVATE, BUSINESS}:
            return web.Response(status=404, text="no such path here")
        self._connections += 1
        name = f"{self._connections:08x}"

        def opened(socket: Socket) -> None:
            socket.session.update(path=request.path, name=name)

        return await self._hub.serve(request, self._asked, on_open=opened)

    def tell_account(self, channel: str, instrument: str, row: Json) -> None:
        """Tell an event of the account to who asked for all instruments, and to who asked for this one."""
        for topic, more in ((channel, {}), (f"{channel}:{instrument}", {"instId": instrument})):
            if more and not self._hub.listeners(topic):
                continue
            self._hub.tell_account(topic, channel, private_message(channel, row, more))

    def warn_of_closing(self) -> None:
        """Tell every socket that it will be closed for an upgrade; the true venue does so a minute later."""
        for socket in self._hub.sockets:
            connection = socket.session["name"]
            self._hub.send(socket, {"event": "notice", "code": "64008", "msg": _CLOSING, "connId": connection})

    def _asked(self, socket: Socket, text: str) -> None:
        if text == "ping":
            if not self._hub.frozen:
                socket.send("pong")
            return
        try:
            request = _REQUEST.decode(text)
        except msgspec.DecodeError:
            self._refuse(socket, 60012, f"Illegal request: {text[:200]}")
            return
        match request.op:
            case "login":
                self._log_on(socket, request)
            case "subscribe" | "unsubscribe":
                for argument in request.args:
                    self._change(socket, request.op, argument)
            case _:
                self._refuse(socket, 60012, f"Illegal request: {text[:200]}")

    def _log_on(self, socket: Socket, request: Request) -> None:
        given = request.args[0] if request.args else {}
        words = (str(given.get(name) or "") for name in ("apiKey", "passphrase", "timestamp", "sign"))
        try:
            self._gate.check_login(*words, now_ms=self._clock_ms())
        except (Refused, OkxError) as error:
            said = worded(error)
            self._refuse(socket, _LOGIN_CODES.get(said.code, said.code), said.text)
            return
        socket.session["logged_on"] = True
        self._hub.send(socket, {"event": "login", "code": "0", "msg": "", "connId": socket.session["name"]})

    def _change(self, socket: Socket, operation: str, argument: dict[str, Any]) -> None:
        channel, name = str(argument.get("channel") or ""), str(argument.get("instId") or "")
        topic = f"{channel}:{name}" if name else channel
        if channel in PRIVATE_CHANNELS:
            if socket.session["path"] == PRIVATE and not socket.session.get("logged_on"):
                self._refuse(socket, 60011, "Please log in")
                return
            fits = socket.session["path"] == PRIVATE
        else:
            fits = socket.session["path"] == PUBLIC and topic in self._known
        if not fits or len(socket.topics) >= TOPICS_MAX:
            self._refuse(socket, 60018, f"Wrong URL or channel:{channel},instId:{name} doesn't exist.")
            return
        answer = {"event": operation, "arg": argument, "connId": socket.session["name"]}
        if operation == "unsubscribe":
            socket.topics.discard(topic)
            self._hub.send(socket, answer)
            return
        self._hub.send(socket, answer)
        if topic not in socket.topics:
            # Before the topic is added: what was pending goes to those who listened already.
            first = self._standing(channel, name)
            socket.topics.add(topic)
            if first is not None:
                self._hub.send(socket, first)

    def _refuse(self, socket: Socket, code: int, text: str) -> None:
        connection = socket.session.get("name", "")
        self._hub.send(socket, {"event": "error", "code": str(code), "msg": text, "connId": connection})


def private_message(channel: str, row: Json | list[Json], more: Json | None = None) -> Json:
    """Return a message of a private channel."""
    kind = {} if channel == "account" else {"instType": "ANY"}
    rows = row if isinstance(row, list) else [row]
    return {"arg": {"channel": channel, **kind, **(more or {}), "uid": "1"}, "data": rows}


def known_topics(symbols: list[str], indexes: list[str]) -> frozenset[str]:
    """Return every public topic."""
    named = {feeds.topic(channel, symbol) for channel in feeds.CHANNELS for symbol in symbols}
    return frozenset(named | {feeds.topic(feeds.INDEX_CHANNEL, index) for index in indexes})
