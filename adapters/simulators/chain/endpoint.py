"""One endpoint of the chain: JSON-RPC over HTTP, in batches too, and over WebSocket with subscriptions.

Several show one chain, each with faults of its own.
"""

import asyncio
import contextlib
import secrets
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from aiohttp import WSCloseCode, WSMsgType, web
from eth_hash.auto import keccak

from adapters.simulators.chain.chain import Changed
from adapters.simulators.chain.faults import ChainFault, ChainFaults, FaultKind, lied
from adapters.simulators.chain.filters import LogFilter, read_filter
from adapters.simulators.chain.methods import Seen
from adapters.simulators.chain.refused import (
    INVALID_PARAMS,
    INVALID_REQUEST,
    LIMIT_EXCEEDED,
    METHOD_NOT_FOUND,
    PARSE_ERROR,
    Refused,
)
from adapters.simulators.chain.shapes import data, header_json, read_data
from adapters.simulators.chain.transactions import Signed
from adapters.simulators.sockets import Socket, encode
from adapters.simulators.venue import wall_clock_ms

REQUEST_BYTES_MAX = 1 << 20
BATCH_MAX = 100
SOCKETS_MAX = 256
SUBSCRIPTIONS_MAX = 64
SUBSCRIPTION_ID_BYTES = 16
PAGE = "<!DOCTYPE html><html><body><h1>Service unavailable</h1></body></html>"
INTERNAL_ERROR = -32603
BEFORE: tuple[FaultKind, ...] = ("reset", "rate_limited", "error")
AFTER: tuple[FaultKind, ...] = ("timeout", "lost", "html", "truncate")

Ask = Callable[[Seen, str, list[Any]], Awaitable[Any]]


class _Subscription(msgspec.Struct, frozen=True, kw_only=True):
    kind: str
    wanted: LogFilter | None = None


class Endpoint:
    """Be one endpoint. `ask` runs a method on the chain's thread."""

    def __init__(self, name: str, ask: Ask, faults: ChainFaults, *, private: bool) -> None:
        self.name = name
        self._ask = ask
        self._faults = faults
        self._private = private
        self._sockets: dict[Socket, dict[str, _Subscription]] = {}
        self._closed = asyncio.Event()

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Serve a request, or a WebSocket's whole life."""
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._serve_socket(request)
        if request.method != "POST":
            return web.Response(status=405, text="POST, or a WebSocket")
        body = await request.read()
        answer, spoiled = await self._answer(body)
        match None if spoiled is None else spoiled.kind:
            case "timeout":
                await self._closed.wait()
            case "reset" | "lost":
                _abort(request)
            case "html":
                return web.Response(text=PAGE, content_type="text/html")
            case "rate_limited":
                return web.Response(status=429, body=answer, content_type="application/json")
            case "truncate":
                return await _half(request, answer)
            case _:
                pass
        return web.Response(body=answer, content_type="application/json")

    def tell(self, changed: Changed) -> None:
        """Tell subscribers what became of the head."""
        if not self._sockets or self._fault(("lag",), "eth_subscribe") is not None:
            return
        if self._fault(("refuse_websocket",), ANY_SOCKET) is not None:
            self._drop_sockets()
        for socket, subscriptions in tuple(self._sockets.items()):
            for name, subscription in subscriptions.items():
                for told in _told(subscription, changed):
                    self._notify(socket, name, told)

    def tell_pooled(self, signed: Signed) -> None:
        """Tell subscribers of a transaction that waits."""
        for socket, subscriptions in tuple(self._sockets.items()):
            for name, subscription in subscriptions.items():
                if subscription.kind == "newPendingTransactions":
                    self._notify(socket, name, data(signed.tx_hash))

    def close(self) -> None:
        """End every socket and every answer that never comes; idempotent."""
        self._closed.set()
        self._drop_sockets()

    def _drop_sockets(self) -> None:
        for socket in self._sockets:
            socket.drop()

    def _notify(self, socket: Socket, name: str, told: Any) -> None:
        params = {"subscription": name, "result": told}
        socket.send(encode({"jsonrpc": "2.0", "method": "eth_subscription", "params": params}))

    def _fault(self, kinds: tuple[FaultKind, ...], method: str) -> ChainFault | None:
        return self._faults.take(kinds, self.name, method, wall_clock_ms())

    async def _answer(self, body: bytes, socket: Socket | None = None) -> tuple[bytes, ChainFault | None]:
        """Return the answer's bytes, and what spoils it."""
        try:
            asked = msgspec.json.decode(body)
        except (msgspec.DecodeError, RecursionError):
            return _encoded(_error(None, Refused("parse error", code=PARSE_ERROR))), None
        if not isinstance(asked, list):
            answer, spoiled = await self._one(asked, socket)
            return _encoded(answer), spoiled
        if not 0 < len(asked) <= BATCH_MAX:
            text = "empty batch" if not asked else f"batch too large: at most {BATCH_MAX}"
            return _encoded(_error(None, Refused(text, code=INVALID_REQUEST))), None
        answers = [await self._one(each, socket) for each in asked]
        spoiled = next((fault for _, fault in answers if fault is not None), None)
        return _encoded([answer for answer, _ in answers]), spoiled

    async def _one(self, asked: Any, socket: Socket | None) -> tuple[dict[str, Any], ChainFault | None]:
        match asked:
            case {"method": str() as method}:
                number, params = asked.get("id"), asked.get("params", [])
            case _:
                return _error(None, Refused("invalid request", code=INVALID_REQUEST)), None
        if not isinstance(params, list):
            return _error(number, Refused("non-array args", code=INVALID_PARAMS)), None
        before = self._fault(BEFORE, method)
        if before is not None:
            text, code = _SPOILED.get(before.kind, ("", INTERNAL_ERROR))
            return _error(number, Refused(text, code=code)), before
        try:
            result = await self._result(method, params, socket)
        except Refused as refused:
            return _error(number, refused), self._fault(AFTER, method)
        return {"jsonrpc": "2.0", "id": number, "result": result}, self._fault(AFTER, method)

    async def _result(self, method: str, params: list[Any], socket: Socket | None) -> Any:
        if method in {"eth_subscribe", "eth_unsubscribe"}:
            if socket is None:
                raise Refused("notifications not supported", code=METHOD_NOT_FOUND)
            return self._subscribed(method, params, socket)
        if method in {"eth_sendRawTransaction", "eth_sendPrivateTransaction"}:
            if method == "eth_sendPrivateTransaction":
                if not self._private:
                    raise Refused(f"the method {method} does not exist/is not available", code=METHOD_NOT_FOUND)
                params = _raw_of(params)
            method = "eth_sendRawTransaction"
            if self._fault(("swallow",), method) is not None:
                return data(keccak(read_data(*params[:1])))
        lag = self._fault(("lag",), method)
        seen = Seen(lag_blocks=0 if lag is None else lag.lag_blocks, private=self._private)
        result = await self._ask(seen, method, params)
        if method in {"eth_chainId", "net_version"} and self._fault(("stranger",), method) is not None:
            other = int(result, 0) + 1
            return hex(other) if method == "eth_chainId" else str(other)
        return result if self._fault(("lie",), method) is None else lied(method, result)

    def _subscribed(self, method: str, params: list[Any], socket: Socket) -> Any:
        subscriptions = self._sockets[socket]
        if method == "eth_unsubscribe":
            return subscriptions.pop(str(params[0]), None) is not None if params else False
        if len(subscriptions) >= SUBSCRIPTIONS_MAX:
            raise Refused("too many subscriptions", code=LIMIT_EXCEEDED)
        match params:
            case ["newHeads" | "newPendingTransactions" as kind, *_]:
                subscription = _Subscription(kind=kind)
            case ["logs", *rest]:
                subscription = _Subscription(kind="logs", wanted=read_filter(rest[0] if rest else {}))
            case _:
                raise Refused("no such subscription", code=INVALID_PARAMS)
        name = data(secrets.token_bytes(SUBSCRIPTION_ID_BYTES))
        subscriptions[name] = subscription
        return name

    async def _serve_socket(self, request: web.Request) -> web.StreamResponse:
        if self._fault(("refuse_websocket",), ANY_SOCKET) is not None or len(self._sockets) >= SOCKETS_MAX:
            return web.Response(status=503, text=PAGE, content_type="text/html")
        response = web.WebSocketResponse(compress=False, max_msg_size=REQUEST_BYTES_MAX)
        await response.prepare(request)
        socket = Socket(response)
        self._sockets[socket] = {}
        writer = asyncio.create_task(socket.write())
        try:
            async for message in response:
                if message.type in {WSMsgType.TEXT, WSMsgType.BINARY}:
                    raw = message.data.encode() if isinstance(message.data, str) else message.data
                    await self._answer_on(socket, request, raw)
        finally:
            del self._sockets[socket]
            writer.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await writer
        await response.close(code=WSCloseCode.GOING_AWAY)
        return response

    async def _answer_on(self, socket: Socket, request: web.Request, raw: bytes) -> None:
        answer, spoiled = await self._answer(raw, socket)
        match None if spoiled is None else spoiled.kind:
            case "timeout":
                return
            case "reset" | "lost":
                _abort(request)
            case "html":
                socket.send(PAGE)
            case "truncate":
                socket.send(answer[: len(answer) // 2].decode(errors="ignore"))
            case _:
                socket.send(answer.decode())


ANY_SOCKET = "websocket"
_SPOILED = {
    "rate_limited": ("rate limited", LIMIT_EXCEEDED),
    "error": ("internal error", INTERNAL_ERROR),
}


def _told(subscription: _Subscription, changed: Changed) -> list[Any]:
    if subscription.kind == "newHeads":
        return [header_json(block) for block in changed.added]
    if subscription.wanted is None:
        return []
    gone = [log for block in changed.removed for log in subscription.wanted.found(block, removed=True)]
    return gone + [log for block in changed.added for log in subscription.wanted.found(block)]


def _raw_of(params: list[Any]) -> list[Any]:
    """Return the raw transaction of `eth_sendPrivateTransaction`'s parameter, an object."""
    match params:
        case [{"tx": str() as raw}, *_]:
            return [raw]
        case _:
            raise Refused("missing tx", code=INVALID_PARAMS)


def _error(number: Any, refused: Refused) -> dict[str, Any]:
    error: dict[str, Any] = {"code": refused.code, "message": refused.message}
    if refused.data is not None:
        error["data"] = refused.data
    return {"jsonrpc": "2.0", "id": number, "error": error}


def _encoded(answer: Any) -> bytes:
    return msgspec.json.encode(answer)


async def _half(request: web.Request, answer: bytes) -> web.StreamResponse:
    """Promise a whole answer, send half of it, and drop the connection."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    response.content_length = len(answer)
    await response.prepare(request)
    await response.write(answer[: len(answer) // 2])
    _abort(request)
    return response


def _abort(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()
