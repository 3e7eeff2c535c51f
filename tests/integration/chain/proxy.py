"""Endpoints of one chain, each with a fault of its own: proxies before a development chain's one door."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import Any

import aiohttp
import msgspec
from aiohttp import web

LOOPBACK = "127.0.0.1"
LAG_BLOCKS = 3
FLOOD_BYTES = 8 << 20
PAGE = "<html><body>502 Bad Gateway</body></html>"

FAULTS = (
    "lie",
    "lag",
    "boast",
    "fork",
    "timeout",
    "html",
    "html_ok",
    "truncate",
    "garbage",
    "error",
    "limited",
    "stranger",
    "flood",
    "nested",
    "other_id",
    "hang_up",
    "amnesia",
)


class Proxy:
    """Hand questions on to `upstream`, or spoil them. `fault` may be changed while it runs."""

    def __init__(self, upstream: str, upstream_ws: str = "") -> None:
        self.fault = ""
        self.asked: list[str] = []
        self.was_asked = asyncio.Event()
        self.frozen: int | None = None  # the newest block it says it has
        self.sockets: set[web.WebSocketResponse] = set()
        self.url = ""
        self.ws_url = ""
        self._upstream = upstream
        self._upstream_ws = upstream_ws
        self._closed = asyncio.Event()
        self._session: aiohttp.ClientSession | None = None

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncGenerator["Proxy"]:
        app = web.Application()
        app.router.add_post("/{path:.*}", self._serve)
        app.router.add_get("/{path:.*}", self._socket)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        await web.TCPSite(runner, LOOPBACK, 0).start()
        port = runner.addresses[0][1]
        self.url, self.ws_url = f"http://{LOOPBACK}:{port}/v3/a-secret-key", f"ws://{LOOPBACK}:{port}/v3/a-secret-key"
        async with aiohttp.ClientSession() as self._session:
            yield self
            self._closed.set()
            for socket in list(self.sockets):
                await socket.close()
            await runner.cleanup()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        asked: Any = msgspec.json.decode(await request.read())
        self.asked.append(asked["method"])
        self.was_asked.set()
        match self.fault:
            case "timeout":
                await self._closed.wait()
            case "html":
                return web.Response(text=PAGE, content_type="text/html", status=502)
            case "html_ok":
                return web.Response(text=PAGE, content_type="text/html")
            case "flood":
                return web.Response(body=b" " * FLOOD_BYTES, content_type="application/json")
            case "nested":
                return web.Response(body=b"[" * 200_000, content_type="application/json")
            case "hang_up":
                if request.transport is not None:
                    request.transport.close()
                return web.Response()
            case _:
                pass
        body = msgspec.json.encode(await self._answer(asked))
        return web.Response(
            body=body[: len(body) // 2] if self.fault == "truncate" else body, content_type="application/json"
        )

    async def _answer(self, asked: dict[str, Any]) -> dict[str, Any]:
        plain = {"jsonrpc": "2.0", "id": asked["id"]}
        if self.fault == "garbage":
            return plain | {"result": {"number": "lots", "topics": 5}}
        if self.fault == "error":
            return plain | {"error": {"code": -32603, "message": f"internal error of {self.url}"}}
        if self.fault == "limited":
            return plain | {"error": {"code": -32005, "message": "limit exceeded"}}
        if self.fault == "amnesia" and asked["method"].startswith(("eth_getTransaction", "eth_getLogs")):
            return plain | {"result": [] if asked["method"] == "eth_getLogs" else None}
        if self.fault == "lag" and await self._beyond(asked):
            return plain | {"result": [] if asked["method"] == "eth_getLogs" else None}
        answer = await self.upstream(asked)
        if self.fault == "other_id":
            answer["id"] = asked["id"] + 1
        elif self.frozen is not None and asked["method"] == "eth_blockNumber":
            answer["result"] = hex(min(int(answer["result"], 16), self.frozen))
        elif "result" in answer:
            answer["result"] = self._spoilt(asked["method"], answer["result"])
        return answer

    async def _beyond(self, asked: dict[str, Any]) -> bool:
        if asked["method"] not in {"eth_getBlockByNumber", "eth_getLogs"}:
            return False
        first = asked["params"][0]
        number = int(first["toBlock"] if isinstance(first, dict) else first, 16)
        head = await self.upstream({"jsonrpc": "2.0", "id": 1, "method": "eth_blockNumber", "params": []})
        return number > int(head["result"], 16) - LAG_BLOCKS

    def _spoilt(self, method: str, result: Any) -> Any:
        match self.fault, method:
            case "stranger", "eth_chainId":
                return "0xdead"
            case "lag", "eth_blockNumber":
                return hex(max(int(result, 16) - LAG_BLOCKS, 0))
            case "boast", "eth_blockNumber":
                return hex(int(result, 16) + 10**6)
            case "fork", "eth_getBlockByNumber":
                return result and result | {"hash": "0x" + "f0" * 32}
            case "lie", "eth_call":
                return "0x" + "ff" * ((len(result) - 2) // 2)
            case "lie", "eth_getTransactionReceipt":
                return result and result | {"status": hex(1 - int(result["status"], 16))}
            case "lie", "eth_getTransactionCount":
                return hex(int(result, 16) + 1)
            case "lie", "eth_getLogs":
                return result[1:]
            case "lie", "eth_estimateGas":
                return hex(29_000_000)
            case _:
                return result

    async def upstream(self, asked: dict[str, Any]) -> dict[str, Any]:
        if self._session is None:
            raise RuntimeError("not running")
        async with self._session.post(self._upstream, json=asked) as response:
            return await response.json(content_type=None)

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        if self.fault or not self._upstream_ws or self._session is None:
            return web.Response(status=503)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.sockets.add(socket)
        try:
            async with self._session.ws_connect(self._upstream_ws) as upstream:
                tasks = [
                    asyncio.create_task(_hand_on(socket, upstream)),
                    asyncio.create_task(_hand_on(upstream, socket)),
                ]
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
        finally:
            self.sockets.discard(socket)
            await socket.close()
        return socket


async def _hand_on(source: Any, target: Any) -> None:
    async for message in source:
        if message.type is aiohttp.WSMsgType.TEXT:
            await target.send_str(message.data)
