"""The simulated Bybit's WebSocket side: what clients say on public and private sockets, and what they are answered."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from adapters.simulators.bybit.gate import Gate
from adapters.simulators.bybit.protection import GUARDS
from adapters.simulators.sockets import Hub, Json, Socket

PRIVATE_TOPICS = frozenset({"order", "execution", "position", "wallet", *GUARDS})
TOPICS_MAX = 300
AUTH_ARGS = 3


class Said(msgspec.Struct):
    """Hold what a client says."""

    op: str
    args: list[Any] = []
    req_id: str | int | None = None


_SAID = msgspec.json.Decoder(Said)


class Streams:
    """Answer what clients say. `greet` sends what a new subscription begins with; `known` are topics by category."""

    def __init__(
        self,
        hub: Hub,
        gate: Gate,
        known: Mapping[str, frozenset[str]],
        greet: Callable[[Socket, str], None],
        clock_ms: Callable[[], int],
    ) -> None:
        self._hub = hub
        self._gate = gate
        self._known = known
        self._greet = greet
        self._clock_ms = clock_ms
        self._connections = 0

    def opened(self, socket: Socket) -> None:
        """Name a new connection."""
        self._connections += 1
        socket.session["conn_id"] = f"simulated-{self._connections}"

    def listener(self, category: str) -> Callable[[Socket, str], None]:
        """Return what hears a public socket of a category."""
        known = self._known[category]

        def hear(socket: Socket, text: str) -> None:
            said = self._read(socket, text)
            if said is None:
                return
            if said.op == "ping":
                self._hub.send(socket, self._answer(socket, said, text="pong"))
            else:
                self._subscribe(socket, said, known)

        return hear

    def hear_private(self, socket: Socket, text: str) -> None:
        """Hear a private socket: nothing is told on it before it logged on."""
        said = self._read(socket, text)
        if said is None:
            return
        if said.op == "ping":
            pong: Json = {"op": "pong", "args": [str(self._clock_ms())], "conn_id": socket.session["conn_id"]}
            self._hub.send(socket, pong if said.req_id is None else {"req_id": str(said.req_id), **pong})
        elif said.op == "auth":
            self._log_on(socket, said)
        elif not socket.session.get("known"):
            self._hub.send(socket, self._answer(socket, said, text="Request not authorized", success=False))
        else:
            self._subscribe(socket, said, PRIVATE_TOPICS)

    def _log_on(self, socket: Socket, said: Said) -> None:
        words = [str(each) for each in said.args]
        known = len(words) == AUTH_ARGS and self._gate.opens_stream(words[0], words[1], words[2], self._clock_ms())
        socket.session["known"] = known
        text = "" if known else "Your api key has expired or its signature is wrong"
        # It names neither the request nor a code, not even when it refuses.
        self._hub.send(socket, self._answer(socket, Said(op="auth"), text=text, success=known))

    def _subscribe(self, socket: Socket, said: Said, known: frozenset[str]) -> None:
        topics = [str(each) for each in said.args]
        strange = [topic for topic in topics if topic not in known]
        match said.op:
            case "subscribe":
                again = [topic for topic in topics if topic in socket.topics]
                if strange:
                    text = f"error:handler not found,topic:{strange[0]}"
                elif again:
                    text = f"error:already subscribed,topic:{again[0]}"
                elif len(socket.topics) + len(topics) > TOPICS_MAX:
                    text = "error:too many topics"
                else:
                    self._hub.send(socket, self._answer(socket, said))
                    for topic in topics:
                        self._greet(socket, topic)
                        socket.topics.add(topic)
                    return
            case "unsubscribe":
                socket.topics.difference_update(topics)
                self._hub.send(socket, self._answer(socket, said))
                return
            case _:
                text = "error:invalid op"
        self._hub.send(socket, self._answer(socket, said, text=text, success=False))

    def _read(self, socket: Socket, text: str) -> Said | None:
        try:
            return _SAID.decode(text)
        except msgspec.DecodeError:
            self._hub.send(socket, self._answer(socket, Said(op=""), text="error:invalid json", success=False))
            return None

    def _answer(self, socket: Socket, said: Said, *, text: str = "", success: bool = True) -> Json:
        answer: Json = {"success": success, "ret_msg": text, "conn_id": socket.session["conn_id"], "op": said.op}
        return answer if said.req_id is None else {**answer, "req_id": str(said.req_id)}
