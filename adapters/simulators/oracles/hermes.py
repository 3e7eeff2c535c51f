"""A simulated Hermes: signed updates of the world's prices over REST and server-sent events.

A slot is a step (400 ms). Streams end when the listener closes or a reader is too slow. `/v2/updates/price/{time}` and
the stream know only what was signed since the start. WebSockets and TWAPs are not here.
"""

import asyncio
import base64
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from aiohttp import web

from adapters.simulators.oracles.gate import ClockMs, OracleGate, PriceOf, abort, endpoint
from adapters.simulators.oracles.keys import Keys
from adapters.simulators.oracles.pyth_wire import EXPONENT, Quote, Snapshot, snapshot, update
from adapters.simulators.venue import wall_clock_ms

HOST = "hermes.pyth.network"
STEP_MS = 400
HISTORY = 2_048
STREAMS_MAX = 64
STREAM_QUEUE_MAX = 32
CONFIDENCE_PARTS = 4_000
"""A price is told as sure to one part in so many: 2.5 bps."""

FEEDS: Mapping[str, str] = {
    "ETH": "ff61491a931112ddf1bd8147cd1b641375f79f5825126d665480874634fd0ace",
    "BTC": "e62df6c8b4a85fe1a67db44dc12de5db330f7ac66b72dc658afedf0f4a415b43",
    "USDT": "2b89b9dc8fdf9f34709a5b106b472f0f39bb6ca9ce04b0fd7f2e971688e2e53b",
    "USDC": "eaa020c61cc479712813461ce153894a96a6c00b21ed0cfc2798d1f9a9e9c94a",
    "USDe": "6ec879b1e9963de5ee97e9c8710b742d6228252a5e2ca12d4ae81d7fe5ee8c5d",
    "stETH": "846ae1bdb6300b817cee5fdee2a6da192775030db5615b94a465f53bd40850b5",
    "wstETH": "6df640f3b8963d8f8358f791f352b8364513f6ab1cca5ed3f1f7b5448980e784",
    "SOL": "ef0d8b6fda2ceba41da15d4095d1da392a0d2f8ed0c6c7bc0f4cfac8c280b56d",
}


class SimulatedHermes(OracleGate):
    """Be Hermes. With an `api_key`, only its bearer is answered."""

    name = "pyth"
    hosts = (HOST,)

    def __init__(
        self,
        price_of: PriceOf,
        *,
        seed: int = 7,
        clock_ms: ClockMs = wall_clock_ms,
        step_ms: int = STEP_MS,
        api_key: str = "",
    ) -> None:
        super().__init__(price_of, clock_ms, step_ms=step_ms)
        self._keys = Keys(self.name, seed)
        self._api_key = api_key
        self._history: deque[Snapshot] = deque(maxlen=HISTORY)
        self._streams: set[asyncio.Queue[tuple[Snapshot, ...]]] = set()

    def signer_set(self) -> bytes:
        """Return its signers as Ballast reads them."""
        return self._keys.signer_set()

    def close(self) -> None:
        """End streams and answers that never come; idempotent."""
        super().close()
        self.end_streams()

    def end_streams(self) -> None:
        """End every stream in order, as Hermes does with each after a day."""
        for stream in self._streams:
            _push(stream, ())

    async def route(self, request: web.Request) -> web.StreamResponse:
        """Serve Hermes' paths."""
        if request.path in {"/live", "/ready"}:
            return web.Response(text="OK")
        if (spoiled := await self._before(request)) is not None:
            return spoiled
        if self._api_key and request.headers.get("Authorization") != f"Bearer {self._api_key}":
            return web.Response(status=401, text="Unauthorized")
        if request.method != "GET":
            return web.Response(status=405)
        if request.path == "/v2/price_feeds":
            return await self._answer(request, self._listed(request.query.get("query", "")))
        head, _, last = request.path.rpartition("/")
        if head != "/v2/updates/price":
            return web.Response(status=404, text="no such path")
        ids = [each.removeprefix("0x").lower() for each in request.query.getall("ids[]", [])]
        if refused := self._refused(ids):
            return refused
        if last == "stream":
            return await self._stream(request, ids)
        found = self._history[-1] if last == "latest" else self._at(last)
        if found is None:
            return web.Response(status=404, text="no update at that time")
        return await self._answer(request, _body(found, ids, request))

    def _refused(self, ids: Sequence[str]) -> web.Response | None:
        if not ids:
            return web.Response(status=400, text="Failed to deserialize query string: missing field `ids`")
        known = {quote.feed_id for quote in self._history[-1].quotes}
        unknown = [each for each in ids if each not in known]
        if unknown:
            return web.Response(status=404, text=f"Price ids not found: {', '.join(f'0x{each}' for each in unknown)}")
        return None

    def _at(self, text: str) -> Snapshot | None:
        if not text.isascii() or not text.isdigit():
            return None
        wanted = int(text)
        return next((each for each in self._history if each.quotes[0].publish_time >= wanted), None)

    def _listed(self, wanted: str) -> list[dict[str, Any]]:
        return [
            {
                "id": feed,
                "attributes": {
                    "symbol": f"Crypto.{base.upper()}/USD",
                    "asset_type": "Crypto",
                    "base": base.upper(),
                    "quote_currency": "USD",
                },
            }
            for base, feed in FEEDS.items()
            if wanted.lower() in base.lower()
        ]

    def _tick(self, step: int) -> None:
        before = self._history[-1] if self._history else None
        skew = self._taken("clock_skew", "*")
        now_s = (self.clock_ms() + (0 if skew is None else skew.skew_ms)) // 1_000
        quotes = [quote for base in FEEDS if (quote := self._quote(base, now_s, before)) is not None]
        spoiled = self._taken("bad_signature", "*") is not None
        made = snapshot(step, quotes, self._keys, timestamp_s=now_s, spoiled=spoiled)
        self._history.append(made)
        if self._taken("silence", "*") is not None:
            return
        told: tuple[Snapshot, ...] = (made,)
        if self._taken("duplicate", "*") is not None:
            told = (made, made)
        if before is not None and self._taken("reorder", "*") is not None:
            told = (made, before)
        for stream in self._streams:
            _push(stream, told)

    def _quote(self, base: str, now_s: int, before: Snapshot | None) -> Quote | None:
        feed = FEEDS[base]
        last = None if before is None else next((each for each in before.quotes if each.feed_id == feed), None)
        if last is not None and self._taken("freeze", base) is not None:
            return last
        price = self._atoms(base)
        if price is None:
            return None
        return Quote(
            feed_id=feed,
            price=price,
            conf=price // CONFIDENCE_PARTS,
            publish_time=now_s,
            prev_publish_time=now_s if last is None else min(last.publish_time, now_s),
        )

    async def _stream(self, request: web.Request, ids: Sequence[str]) -> web.StreamResponse:
        if len(self._streams) >= STREAMS_MAX:
            return web.Response(status=429, text="too many streams")
        if self.faults.take(("html",), endpoint(request), self.clock_ms()) is not None:
            return web.Response(text="<html><body>not a stream</body></html>", content_type="text/html")
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"})
        await response.prepare(request)
        stream: asyncio.Queue[tuple[Snapshot, ...]] = asyncio.Queue(STREAM_QUEUE_MAX)
        self._streams.add(stream)
        try:
            while told := await stream.get():
                if not await self._send(response, request, [_event(each, ids, request) for each in told]):
                    break
        except ConnectionError:
            pass  # the reader is gone
        finally:
            self._streams.discard(stream)
        return response

    async def _send(self, response: web.StreamResponse, request: web.Request, events: Sequence[bytes]) -> bool:
        """Write events; return False after a fault that ended the connection."""
        for event in events:
            fault = self.faults.take(("disconnect", "truncate"), endpoint(request), self.clock_ms())
            if fault is not None:
                if fault.kind == "truncate":
                    await response.write(event[: len(event) // 2])
                abort(request)
                return False
            await response.write(event)
        return True


def _push(stream: asyncio.Queue[tuple[Snapshot, ...]], told: tuple[Snapshot, ...]) -> None:
    if stream.full():  # a reader who is so slow is let go: nothing told ends its stream
        stream.get_nowait()
        told = ()
    stream.put_nowait(told)


def _event(of: Snapshot, ids: Sequence[str], request: web.Request) -> bytes:
    return b"data:" + msgspec.json.encode(_body(of, ids, request)) + b"\n\n"


def _body(of: Snapshot, ids: Sequence[str], request: web.Request) -> dict[str, Any]:
    encoding = request.query.get("encoding", "hex")
    data = update(of, ids)
    text = base64.b64encode(data).decode() if encoding == "base64" else data.hex()
    body: dict[str, Any] = {"binary": {"encoding": encoding, "data": [text]}}
    if request.query.get("parsed", "true") == "true":
        body["parsed"] = [_parsed(quote, of.slot) for quote in of.quotes if quote.feed_id in ids]
    return body


def _parsed(quote: Quote, slot: int) -> dict[str, Any]:
    price = {
        "price": str(quote.price),
        "conf": str(quote.conf),
        "expo": EXPONENT,
        "publish_time": quote.publish_time,
    }
    metadata = {
        "slot": slot,
        "proof_available_time": quote.publish_time + 1,
        "prev_publish_time": quote.prev_publish_time,
    }
    return {"id": quote.feed_id, "price": price, "ema_price": price, "metadata": metadata}
