"""From a frame's receipt to the book that a decision reads: four venues, a thousand messages a second each.

Three processes beside a real NATS server: one speaks the four venues over TLS, one follows them with the product's
feeds and publishes as the market process does, one hears as the core does and reads its view after every message. The
time of a frame is from its receipt until a book as new as it was read in the other process; both use one clock.
"""

import asyncio
import contextlib
import datetime as dt
import random
import sys
import tempfile
import time
from bisect import bisect_left
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import msgspec
import uvloop
from aiohttp import web

from adapters.embedded.nats import EmbeddedNats
from adapters.embedded.supervisor import Supervisor
from adapters.exchange.feeds.binance import BinanceUsdm
from adapters.exchange.feeds.bybit import Bybit
from adapters.exchange.feeds.deribit import Deribit
from adapters.exchange.feeds.dialect import Acts, Dialect
from adapters.exchange.feeds.feed import VenueFeed
from adapters.exchange.feeds.okx import Okx
from adapters.exchange.feeds.settings import FeedSettings
from adapters.exchange.settings import Loopback
from adapters.nats.connection import open_connection
from adapters.nats.signals import MarketMessage, Signals
from adapters.simulators.certificates import ensure_certificates
from api.collecting import calm_collector
from api.market.feeding import Feeding
from api.market.markets import BOOK, Markets
from benchmarks.feeds_streams import SCRIPTS, Market, Script
from benchmarks.report import percentile

VENUES = {"binanceusdm": BinanceUsdm, "bybit": Bybit, "okx": Okx, "deribit": Deribit}
HOSTS = {
    "fstream.binance.com": "binanceusdm",
    "fapi.binance.com": "binanceusdm",
    "stream.bybit.com": "bybit",
    "api.bybit.com": "bybit",
    "ws.okx.com": "okx",
    "www.okx.com": "okx",
    "www.deribit.com": "deribit",
}
PER_S = 1_000
WARM_S = 2.0
FIRST_ID = 1_000
PREFIX = "ballast"
BINANCE_ACK = '{"result":null,"id":1}'
HURRY_MAX = 50
# Venues tell in small bursts. A shorter pause makes the speaker itself the load that is measured.
PAUSE_S = 0.002


class Latency(msgspec.Struct, frozen=True):
    """Hold what was found: milliseconds, frames measured, their rate over all venues, books published a second."""

    p50_ms: float
    p99_ms: float
    frames: int
    frames_per_s: float
    books_per_s: float
    follower_cpu_percent: float


class Plan(msgspec.Struct, frozen=True):
    """Tell the processes where things are."""

    port: int
    ca_file: str
    nats: str
    seconds: float


class Heard(msgspec.Struct):
    """Hold one process' notes: receipt times by venue, or (receipt, read) times by venue."""

    frames: dict[str, list[int]] = {}
    reads: dict[str, list[tuple[int, int]]] = {}
    cpu_s: float = 0.0


class Speaker:
    """Tell one venue's made-up market to whoever subscribes, from the beginning each time. It is all written before."""

    def __init__(self, venue: str, messages: int) -> None:
        rng = random.Random(venue)
        self.script: Script = SCRIPTS[venue]()
        market = Market(rng)
        self.snapshot = self.script.snapshot(FIRST_ID, market.sides)
        self._deltas = [
            self.script.delta(number, number + 1, market.change()).decode()
            for number in range(FIRST_ID, FIRST_ID + messages)
        ]

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Answer a subscription and go on telling, at a steady pace."""
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        async for message in socket:
            text = str(message.data)
            if "subscribe" in text.lower() and "heartbeat" not in text:
                break
        binance = self.script.venue == "binanceusdm"
        await socket.send_str(BINANCE_ACK if binance else self.snapshot.decode())
        with contextlib.suppress(ConnectionError):  # the follower hangs up when it has heard enough
            await self._tell(socket)
        return socket

    async def _tell(self, socket: web.WebSocketResponse) -> None:
        loop = asyncio.get_running_loop()
        began, told = loop.time(), 0
        while told < len(self._deltas) and not socket.closed:
            due = min(len(self._deltas), int((loop.time() - began) * PER_S), told + HURRY_MAX)
            for delta in self._deltas[told:due]:
                await socket.send_str(delta)
            told = due
            await asyncio.sleep(PAUSE_S)


async def speak(directory: Path, seconds: float) -> None:
    """Serve the four venues until terminated; say the port when it is open."""
    certificates = ensure_certificates(directory, HOSTS, now=dt.datetime.now(dt.UTC))
    messages = int((WARM_S + seconds + 1.0) * PER_S)
    speakers = {venue: Speaker(venue, messages) for venue in VENUES}

    async def route(request: web.Request) -> web.StreamResponse:
        speaker = speakers[HOSTS[request.host.partition(":")[0]]]
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await speaker.serve(request)
        if request.path.endswith("/depth"):
            return web.Response(body=speaker.snapshot, content_type="application/json")
        now_ms = time.time_ns() // 1_000_000
        body = {"serverTime": now_ms, "time": now_ms, "data": [{"ts": str(now_ms)}], "result": now_ms}
        return web.Response(body=msgspec.json.encode(body), content_type="application/json")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", route)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=certificates.server_context())
    await site.start()
    port = runner.addresses[0][1]
    calm_collector()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


async def follow(plan: Plan) -> Heard:
    """Follow the venues and publish, as the market process does; note when each frame was received."""
    heard = Heard(frames={venue: [] for venue in VENUES})
    for venue, kind in VENUES.items():
        _note_frames(kind, heard.frames[venue])
    async with AsyncExitStack() as stack:
        bus = await open_connection(plan.nats, name="market")
        stack.push_async_callback(bus.close)
        feeding = Feeding(Markets(), Signals(bus, PREFIX))
        loopback = Loopback(port=plan.port, ca_file=Path(plan.ca_file))
        tasks: list[asyncio.Task[None]] = []
        for venue in VENUES:
            listing = SCRIPTS[venue]().listing()
            settings = FeedSettings(venue=venue, loopback=loopback, trades=False, marks=False)
            feed = await stack.enter_async_context(VenueFeed(settings, [listing]))
            tasks.append(asyncio.create_task(feeding.hear_venue(feed, [listing])))
        calm_collector()
        began_s = time.process_time()
        await asyncio.wait(tasks, timeout=WARM_S + plan.seconds, return_when=asyncio.FIRST_EXCEPTION)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        heard.cpu_s = time.process_time() - began_s
    return heard


def _note_frames(kind: type[Dialect], times: list[int]) -> None:
    receive = kind.receive

    def noted(self: Dialect, payload: bytes, at_us: int) -> Acts:
        times.append(at_us)
        return receive(self, payload, at_us)

    setattr(kind, "receive", noted)  # noqa: B010 - a tap on the product's own method, put in from outside


async def read(plan: Plan) -> Heard:
    """Hear the books and read each from the view, as the core does before it decides."""
    heard = Heard(reads={venue: [] for venue in VENUES})
    bus = await open_connection(plan.nats, name="core")
    markets = Markets()

    def hear(message: MarketMessage) -> None:
        markets.receive(message.venue, message.symbol, message.kind, message.data)
        for evidence in markets.look(time.time_ns() // 1_000):
            if evidence.venue == message.venue:
                heard.reads[message.venue].append((evidence.received_at_us, time.time_ns() // 1_000))

    await Signals(bus, PREFIX).on_market(hear, kind=BOOK)
    calm_collector()
    # It began to listen before the other began to tell, and goes on until after it ended.
    await asyncio.sleep(WARM_S + plan.seconds + 1.0)
    await bus.close()
    return heard


async def receive_to_ladder(seconds: float) -> Latency:
    """Run the three processes beside NATS and join their notes."""
    with tempfile.TemporaryDirectory(prefix="ballast-bench-") as folder:
        root = Path(folder)
        nats = EmbeddedNats(root / "nats")
        async with Supervisor() as supervisor:
            await supervisor.launch(await nats.prepare())
            speaker = await _start("speak", str(root), str(seconds))
            try:
                assert speaker.stdout is not None  # noqa: S101 - asked for when it was started
                port = int(await speaker.stdout.readline())
                plan = Plan(port=port, ca_file=str(root / "ca.pem"), nats=nats.url("core"), seconds=seconds)
                (root / "plan").write_bytes(msgspec.json.encode(plan))
                reader = await _start("read", str(root))
                await asyncio.sleep(1.0)
                follower = await _start("follow", str(root))
                if await follower.wait() or await reader.wait():
                    raise RuntimeError("a process of the benchmark failed: its error is above")
            finally:
                speaker.terminate()
                await speaker.wait()
        followed = msgspec.json.decode((root / "follow.json").read_bytes(), type=Heard)
        reads = msgspec.json.decode((root / "read.json").read_bytes(), type=Heard).reads
    return _joined(followed, reads, seconds)


def _joined(followed: Heard, reads: dict[str, list[tuple[int, int]]], seconds: float) -> Latency:
    """Find for each frame when a book as new as it was first read, the first seconds left out."""
    found: list[float] = []
    books = 0
    for venue, frames in followed.frames.items():
        if not frames or not reads.get(venue):
            raise RuntimeError(f"nothing of {venue} came through")
        newest = [as_of for as_of, _ in reads[venue]]
        from_us = frames[0] + int(WARM_S * 1e6)
        books += sum(as_of >= from_us for as_of in newest)
        for at_us in frames:
            where = bisect_left(newest, at_us)
            if at_us >= from_us and where < len(newest):
                found.append((reads[venue][where][1] - at_us) / 1_000)
    found.sort()
    return Latency(
        percentile(found, 0.5),
        percentile(found, 0.99),
        len(found),
        len(found) / seconds,
        books / seconds,
        followed.cpu_s / (WARM_S + seconds) * 100,
    )


async def _start(role: str, *arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.feeds_latency", role, *arguments, stdout=asyncio.subprocess.PIPE
    )


def main() -> None:
    """Be one of the processes."""
    role, root = sys.argv[1], Path(sys.argv[2])
    if role == "speak":
        uvloop.run(speak(root, float(sys.argv[3])))
        return
    plan = msgspec.json.decode((root / "plan").read_bytes(), type=Plan)
    work: Callable[[Plan], Coroutine[Any, Any, Heard]] = {"follow": follow, "read": read}[role]
    heard = uvloop.run(work(plan))
    (root / f"{role}.json").write_bytes(msgspec.json.encode(heard))


if __name__ == "__main__":
    main()
