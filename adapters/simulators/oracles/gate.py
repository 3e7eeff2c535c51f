"""What the simulated oracles share: a place on the listener, a clock, bad days over HTTP, prices with faults."""

import asyncio
from collections.abc import Callable, Mapping
from decimal import Decimal

import msgspec
from aiohttp import web

from adapters.simulators.faults import Fault, FaultKind, Faults

PriceOf = Callable[[str], Decimal | None]
ClockMs = Callable[[], int]

BEFORE: tuple[FaultKind, ...] = ("maintenance", "rate_limited", "lost", "disconnect")
AFTER: tuple[FaultKind, ...] = ("timeout", "reset", "bad_gateway", "truncate", "html")
RETRY_AFTER_S = 1
PAGE = "<!DOCTYPE html><html><body><h1>Service unavailable</h1></body></html>"
ATOM = Decimal(10) ** 8

# What the world does not move by itself, as so many of what it does.
DERIVED: Mapping[str, tuple[str, Decimal]] = {
    "stETH": ("ETH", Decimal("0.9995")),
    "wstETH": ("ETH", Decimal("1.2151")),
}


class OracleGate:
    """Stand on the listener for one oracle: its faults, its time, and the answers of its bad days."""

    name: str
    hosts: tuple[str, ...]
    elsewhere: tuple[tuple[str, str], ...] = ()

    def __init__(self, price_of: PriceOf, clock_ms: ClockMs, *, step_ms: int) -> None:
        self.faults = Faults()
        self.clock_ms = clock_ms
        self._price_of = price_of
        self._step_ms = step_ms
        self._step = 0
        self._closed = asyncio.Event()

    def open(self) -> None:
        """Begin with prices of now."""
        self._step = self.clock_ms() // self._step_ms
        self._tick(self._step)

    def close(self) -> None:
        """End streams and answers that never come; idempotent."""
        self._closed.set()

    def step(self) -> None:
        """Prices are looked at when they are told; a step of the world needs nothing."""

    def keep_markets(self) -> None:
        """Hold nothing that must outlive the process: prices come from the world, keys from the seed."""

    def publish(self) -> None:
        """Sign what the world says, when the oracle's own step is due."""
        step = self.clock_ms() // self._step_ms
        if step > self._step:
            self._step = step
            self._tick(step)

    def _tick(self, step: int) -> None:
        raise NotImplementedError(step)

    def _taken(self, kind: FaultKind, on: str) -> Fault | None:
        return self.faults.take((kind,), on, self.clock_ms())

    def _atoms(self, base: str) -> int | None:
        """Return a price in units of 10^-8, moved if a fault says so; None where the world knows none."""
        price = self._price_of(base)
        if price is None and base in DERIVED:
            of, ratio = DERIVED[base]
            whole = self._price_of(of)
            price = None if whole is None else whole * ratio
        if price is None:
            return None
        dislocated = self._taken("dislocate", base)
        return int(price * ATOM * (1 if dislocated is None else dislocated.factor))

    async def _before(self, request: web.Request) -> web.StreamResponse | None:
        """Return the answer of a day on which nothing is done, if it is one."""
        fault = self.faults.take(BEFORE, endpoint(request), self.clock_ms())
        if fault is None:
            return None
        if fault.kind == "maintenance":
            return web.Response(status=503, text=PAGE, content_type="text/html")
        if fault.kind == "rate_limited":
            return web.Response(status=429, text="Too Many Requests", headers={"Retry-After": str(RETRY_AFTER_S)})
        abort(request)
        return web.Response(status=500)

    async def _answer(self, request: web.Request, body: object) -> web.StreamResponse:
        """Answer with JSON, or as a bad day has it."""
        encoded = msgspec.json.encode(body)
        fault = self.faults.take(AFTER, endpoint(request), self.clock_ms())
        match None if fault is None else fault.kind:
            case "timeout":
                await self._closed.wait()
            case "reset":
                abort(request)
            case "bad_gateway":
                return web.Response(status=502, text=PAGE, content_type="text/html")
            case "html":
                return web.Response(text=PAGE, content_type="text/html")
            case "truncate":
                response = web.StreamResponse(headers={"Content-Type": "application/json"})
                response.content_length = len(encoded)
                await response.prepare(request)
                await response.write(encoded[: len(encoded) // 2])
                abort(request)
                return response
            case _:
                pass
        return web.Response(body=encoded, content_type="application/json")


def endpoint(request: web.Request) -> str:
    """Return what faults call the endpoint that is asked."""
    return f"{request.method} {request.path}"


def abort(request: web.Request) -> None:
    """Drop the connection in the middle of whatever it carries."""
    if request.transport is not None:
        request.transport.abort()
