"""The simulated venue's REST side: check, do, keep, answer; and every way in which the answer can get lost."""

import asyncio
import contextlib
import hmac
from collections.abc import Callable
from typing import Any, Protocol

import msgspec
from aiohttp import web

from adapters.simulators.endpoints import ENDPOINTS, NEW_ORDER, Venue
from adapters.simulators.faults import AFTER, BEFORE, Fault, Faults
from adapters.simulators.gate import Gate, read_parameters
from adapters.simulators.instruments import VenueError
from adapters.simulators.wire import error_row

NEVER_S = 60.0
_ENCODER = msgspec.json.Encoder()
_PAGE = "<html><head><title>Binance</title></head><body>Just a moment...</body></html>"


class Committing(Venue, Protocol):
    """A venue that keeps and tells what happened."""

    def commit(self) -> None:
        """Keep what happened on disk, then tell it."""
        ...


class Rest:
    """Answer REST requests for a venue."""

    def __init__(
        self, venue: Committing, gate: Gate, faults: Faults, clock_ms: Callable[[], int], admin_token: str | None
    ) -> None:
        self._venue = venue
        self._gate = gate
        self._faults = faults
        self._clock_ms = clock_ms
        self._admin_token = admin_token
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Let go of requests that are held unanswered."""
        self._stopping.set()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Do what a request asks and answer it as the true venue does, or as an armed fault says."""
        body = await request.text()
        name = f"{request.method} {request.path}"
        early = self._faults.take(BEFORE, name, self._clock_ms())
        if early is not None:
            return await self._before(request, early)
        try:
            status, row = 200, self._do(name, request, body)
        except VenueError as error:
            status, row = error.status, error_row(error.code, error.message)
        late = self._faults.take(AFTER, name, self._clock_ms())
        response = self._response(status, row)
        return response if late is None else await self._after(request, late, response)

    async def answer_admin(self, request: web.Request) -> web.StreamResponse:
        """Arm, list or clear faults: POST, GET, DELETE /admin/faults with the token as bearer."""
        given = request.headers.get("Authorization", "")
        if self._admin_token is None or not hmac.compare_digest(given.encode(), f"Bearer {self._admin_token}".encode()):
            return web.Response(status=401, text="admin token, please")
        if request.path != "/admin/faults":
            return web.Response(status=404, text="no such path")
        match request.method:
            case "POST":
                try:
                    fault = msgspec.json.decode(await request.read(), type=Fault)
                    self._faults.arm(fault, self._clock_ms())
                except (msgspec.DecodeError, ValueError) as error:
                    return web.Response(status=400, text=str(error))
            case "DELETE":
                self._faults.clear()
            case "GET":
                pass
            case _:
                return web.Response(status=405, text="GET, POST or DELETE")
        return web.Response(body=_ENCODER.encode(dict(self._faults.counts)), content_type="application/json")

    def _do(self, name: str, request: web.Request, body: str) -> Any:
        now_ms = self._clock_ms()
        endpoint = ENDPOINTS.get(name)
        if endpoint is None:
            raise VenueError(-5000, f"Path {request.path}, Method {request.method} is invalid", 404)
        self._gate.count(endpoint.weight, now_ms)
        query, key = request.rel_url.raw_query_string, request.headers.get("X-MBX-APIKEY")
        if endpoint.security == "signed":
            parameters = self._gate.check_signed(key, query, body, now_ms)
        else:
            parameters = read_parameters(query) | read_parameters(body)
            if endpoint.security == "key":
                self._gate.check_key(key)
        if name == NEW_ORDER:
            self._gate.count_order(now_ms)
        row = endpoint.answer(self._venue, parameters, now_ms)
        self._venue.commit()
        return row

    def _response(self, status: int, row: Any) -> web.Response:
        return web.Response(
            status=status,
            body=_ENCODER.encode(row),
            content_type="application/json",
            headers={"X-MBX-USED-WEIGHT-1M": str(self._gate.weight_used)},
        )

    async def _before(self, request: web.Request, fault: Fault) -> web.StreamResponse:
        if fault.kind == "maintenance":
            return web.Response(status=503, text="<html><body>Service unavailable</body></html>")
        if fault.kind == "rate_limited":
            row = error_row(-1003, "Too many requests; please use the websocket for live updates.")
            return web.Response(status=429, body=_ENCODER.encode(row), content_type="application/json")
        return _dropped(request)

    async def _after(self, request: web.Request, fault: Fault, response: web.Response) -> web.StreamResponse:
        match fault.kind:
            case "timeout":
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), NEVER_S)
                return _dropped(request)
            case "bad_gateway":
                return web.Response(status=502, text="<html><body>502 Bad Gateway</body></html>")
            case "html":
                return web.Response(status=200, text=_PAGE, content_type="text/html")
            case "truncate":
                return await _truncated(request, response)
            case _:
                return _dropped(request)


def _dropped(request: web.Request) -> web.Response:
    """Drop the connection without an answer. The response returned is never seen."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)


async def _truncated(request: web.Request, response: web.Response) -> web.StreamResponse:
    """Promise the whole body, send half of it and drop the connection."""
    body = response.body if isinstance(response.body, bytes) else b""
    half = web.StreamResponse(status=response.status, headers={"Content-Type": "application/json"})
    half.content_length = len(body)
    await half.prepare(request)
    await half.write(body[: len(body) // 2])
    if request.transport is not None:
        request.transport.close()
    return half
