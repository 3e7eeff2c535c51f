"""The simulated venues' REST side, in no dialect: every way in which an answer can get lost, around the true answer."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import msgspec
from aiohttp import web

from adapters.simulators.faults import AFTER, BEFORE, ORDERS, Fault, Faults

NEVER_S = 60.0
_ENCODER = msgspec.json.Encoder()
_PAGE = "<html><head><title>{name}</title></head><body>Just a moment...</body></html>"


class Answer(msgspec.Struct, frozen=True):
    """Hold an answer in a dialect's own words: `row` goes out as JSON."""

    status: int
    row: Any
    headers: Mapping[str, str] = {}


class Answering(Protocol):
    """Do what a request asks, keep it, and say so in the venue's dialect."""

    @property
    def name(self) -> str:
        """Return the venue's name."""
        ...

    @property
    def new_orders(self) -> frozenset[str]:
        """Return the endpoints, as "METHOD /path", that take new orders."""
        ...

    def answer(self, request: web.Request, body: str) -> Answer:
        """Do what a request asks; refusals are answers too."""
        ...

    def overloaded(self) -> Answer:
        """Say that there were too many requests."""
        ...


class Rest:
    """Answer REST requests for a dialect, or as an armed fault says.

    A fault is `on` "METHOD /path", or `on` "orders". `drop_sockets` lets go of everyone who listens, unheard.
    """

    def __init__(
        self, dialect: Answering, faults: Faults, clock_ms: Callable[[], int], drop_sockets: Callable[[], None]
    ) -> None:
        self._dialect = dialect
        self._faults = faults
        self._clock_ms = clock_ms
        self._drop_sockets = drop_sockets
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Let go of requests that are held unanswered."""
        self._stopping.set()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Do what a request asks and answer it as the true venue does, or as an armed fault says."""
        body = await request.text()
        name = f"{request.method} {request.path}"
        names = (name, ORDERS) if name in self._dialect.new_orders else (name,)
        early = self._faults.take(BEFORE, names, self._clock_ms())
        if early is not None:
            return self._before(request, early)
        answer = self._dialect.answer(request, body)
        late = self._faults.take(AFTER, names, self._clock_ms())
        response = worded(answer)
        return response if late is None else await self._after(request, late, response)

    def _before(self, request: web.Request, fault: Fault) -> web.StreamResponse:
        if fault.kind == "maintenance":
            return closed()
        if fault.kind == "rate_limited":
            return worded(self._dialect.overloaded())
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
                page = _PAGE.format(name=self._dialect.name)
                return web.Response(status=200, text=page, content_type="text/html")
            case "truncate":
                return await _truncated(request, response)
            case "vanish":
                self._faults.arm(Fault(kind="lost", for_ms=fault.delay_ms), self._clock_ms())
                self._drop_sockets()
                return _dropped(request)
            case _:
                return _dropped(request)


def closed() -> web.Response:
    """Answer as a venue in maintenance does."""
    return web.Response(status=503, text="<html><body>Service unavailable</body></html>")


def worded(answer: Answer) -> web.Response:
    """Return an answer as it goes out."""
    return web.Response(
        status=answer.status,
        body=_ENCODER.encode(answer.row),
        content_type="application/json",
        headers=dict(answer.headers),
    )


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
