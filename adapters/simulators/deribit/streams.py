"""The simulated Deribit's WebSocket side: JSON-RPC in, answers out; heartbeats that a client has to answer.

Every method of REST can be called here too, once logged on. With cancel-on-disconnect, the end of a connection cancels
the orders that were made on it, and no others.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from adapters.simulators.deribit.errors import envelope, refused
from adapters.simulators.deribit.gate import Gate
from adapters.simulators.refusals import Refusal, Refused
from adapters.simulators.sockets import Hub, Json, Socket

PRIVATE_PREFIX = "user."
HEARTBEAT_MIN_S = 10
TOKEN_S = 900
CHANNELS_MAX = 500


class Unanswered(Exception):
    """Say that a call gets no answer."""


class Call(msgspec.Struct):
    """Hold what a client calls."""

    method: str
    params: dict[str, Any] = {}
    id: int | str | None = None


_CALL = msgspec.json.Decoder(Call)


class Streams:
    """Answer what clients call. `greet` sends what a new subscription begins with; `known` says what can be heard."""

    def __init__(
        self,
        hub: Hub,
        gate: Gate,
        known: frozenset[str],
        greet: Callable[[Socket, str], None],
        clock_ms: Callable[[], int],
        act: Callable[[Socket, Call], Any],
    ) -> None:
        self._hub = hub
        self._act = act
        self._ends_orders = False
        self._gate = gate
        self._known = known
        self._greet = greet
        self._clock_ms = clock_ms
        self._methods: dict[str, Callable[[Socket, Call], Any]] = {
            "public/auth": self._log_on,
            "public/set_heartbeat": self._set_heartbeat,
            "public/disable_heartbeat": self._disable_heartbeat,
            "public/test": lambda _socket, _call: {"version": "1.2.26"},
            "public/get_time": lambda _socket, _call: self._clock_ms(),
            "public/subscribe": self._subscribe,
            "public/unsubscribe": self._unsubscribe,
            "private/subscribe": self._subscribe,
            "private/enable_cancel_on_disconnect": lambda socket, call: self._end_orders(socket, call, wanted=True),
            "private/disable_cancel_on_disconnect": lambda socket, call: self._end_orders(socket, call, wanted=False),
            "private/get_cancel_on_disconnect": self._tell_ending,
            "private/unsubscribe": self._unsubscribe,
        }

    def hear(self, socket: Socket, text: str) -> None:
        """Answer one call: the answer first, then what a subscription begins with."""
        socket.session["heard"] = True
        try:
            call = _CALL.decode(text)
        except msgspec.DecodeError:
            self._say(socket, None, error={"message": "Parse error", "code": -32700})
            return
        try:
            result = self._method(call)(socket, call)
        except Refused as error:
            self._say(socket, call.id, error=refused(error)[1])
            return
        except Unanswered:
            return
        self._say(socket, call.id, result=result)
        if call.method.endswith("/subscribe"):
            for channel in result:
                self._greet(socket, channel)
                socket.topics.add(channel)

    def opened(self, socket: Socket) -> None:
        """Begin a connection as the account is set up."""
        socket.session |= {"ends_orders": self._ends_orders, "orders": set[int]()}

    def beat(self, now_ms: int) -> None:
        """Ask those who are quiet whether they are there, and hang up on those who did not answer."""
        for socket in tuple(self._hub.sockets):
            interval_ms = socket.session.get("heartbeat_ms")
            if interval_ms is None or now_ms - socket.session["beat_ms"] < interval_ms:
                continue
            if socket.session.get("asked") and not socket.session["heard"]:
                socket.drop()
                continue
            socket.session |= {"beat_ms": now_ms, "asked": not socket.session["heard"], "heard": False}
            kind = "test_request" if socket.session["asked"] else "heartbeat"
            self._hub.send(socket, {"jsonrpc": "2.0", "method": "heartbeat", "params": {"type": kind}})

    def _method(self, call: Call) -> Callable[[Socket, Call], Any]:
        return self._methods.get(call.method, self._act)

    def _end_orders(self, socket: Socket, call: Call, *, wanted: bool) -> str:
        """Let the end of this connection, or of every one that is opened from now on, cancel its orders, or not."""
        if not socket.session.get("known"):
            raise Refused(Refusal.NO_SESSION)
        match call.params.get("scope", "connection"):
            case "connection":
                socket.session["ends_orders"] = wanted
            case "account":
                self._ends_orders = wanted
            case _:
                raise Refused(Refusal.MALFORMED, "scope")
        return "ok"

    def _tell_ending(self, socket: Socket, call: Call) -> Json:
        if not socket.session.get("known"):
            raise Refused(Refusal.NO_SESSION)
        scope = call.params.get("scope", "connection")
        return {"scope": scope, "enabled": self._ends_orders if scope == "account" else socket.session["ends_orders"]}

    def _log_on(self, socket: Socket, call: Call) -> Json:
        asked = call.params
        if asked.get("grant_type") != "client_signature":
            raise Refused(Refusal.MALFORMED, "grant_type")
        words = [str(asked.get(name, "")) for name in ("client_id", "timestamp", "signature", "nonce", "data")]
        key, timestamp, signature, nonce, data = words
        if not timestamp.isascii() or not timestamp.isdigit():
            raise Refused(Refusal.MALFORMED, "timestamp")
        self._gate.check_session(key, timestamp, signature, f"{nonce}\n{data}", self._clock_ms())
        socket.session["known"] = True
        return {
            "access_token": "simulated",
            "refresh_token": "simulated",
            "token_type": "bearer",
            "scope": "connection mainaccount trade:read_write",
            "expires_in": TOKEN_S,
        }

    def _set_heartbeat(self, socket: Socket, call: Call) -> str:
        interval = call.params.get("interval")
        if not isinstance(interval, int) or interval < HEARTBEAT_MIN_S:
            raise Refused(Refusal.MALFORMED, "interval")
        socket.session |= {"heartbeat_ms": interval * 1_000, "beat_ms": self._clock_ms(), "asked": False}
        return "ok"

    def _disable_heartbeat(self, socket: Socket, _call: Call) -> str:
        socket.session.pop("heartbeat_ms", None)
        return "ok"

    def _subscribe(self, socket: Socket, call: Call) -> list[str]:
        """Return what is subscribed to: channels that do not exist are left out without a word."""
        channels = _channels(call)
        private = call.method.startswith("private/")
        if private and not socket.session.get("known"):
            raise Refused(Refusal.NO_SESSION)
        heard = [each for each in channels if each in self._known and (private or not each.startswith(PRIVATE_PREFIX))]
        return list(dict.fromkeys(heard))

    def _unsubscribe(self, socket: Socket, call: Call) -> list[str]:
        gone = [each for each in _channels(call) if each in socket.topics]
        socket.topics.difference_update(gone)
        return gone

    def _say(self, socket: Socket, identity: int | str | None, **told: object) -> None:
        self._hub.send(socket, envelope(self._clock_ms(), id=identity, **told))


def _channels(call: Call) -> list[str]:
    channels = call.params.get("channels")
    if not isinstance(channels, list) or len(channels) > CHANNELS_MAX:  # pyright: ignore[reportUnknownArgumentType] - JSON
        raise Refused(Refusal.MALFORMED, "channels")
    return [str(each) for each in channels]  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType] - JSON
