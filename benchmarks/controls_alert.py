"""How soon a breach is told: from a fill, and from a price, to the alert as a subscriber has it over NATS.

The product's own core and watch run as processes of their own on embedded Postgres and NATS, with fsync on. A limit on
gross notional is passed by a fill, or by the price, and passed back again; timed is from the moment the fact or the
price is published to the moment the alert arrives. Beside it stands when the event behind the alert was published.
"""

import asyncio
import statistics
import tempfile
import time
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import nats
from nats.aio.client import Client
from nats.aio.msg import Msg

from adapters.nats.commands import ACTOR_HEADER, COMMAND_ID_HEADER
from adapters.nats.connection import open_connection
from adapters.nats.inbox import InboxPublisher
from api.settings import Settings, read_settings
from benchmarks import market_words
from benchmarks.commands import child, servers
from benchmarks.market_words import EVERY_S, Speaker
from benchmarks.report import Group, Line, at_most, percentile
from domain.codec import encode
from domain.risk_terms import Risk, Triggers

BREACH_TO_ALERT_MS_GOAL = 250.0
FULL, QUICK = 40, 3
TOLD_WITHIN_S = 10.0
CALM = Decimal(2_682)
HIGH = Decimal(3_500)
LIMIT = "100000"
HELD = Decimal(30)
"""ETH held short: 80 % of the limit at the calm price, 105 % at the high one."""
MORE = Decimal(10)
"""What a fill adds: 107 % of the limit."""


class Timed(msgspec.Struct):
    """Collect what was measured, milliseconds."""

    alerts: list[float] = []
    events: list[float] = []


class Bench:
    """Move a book across its limit and back, and time what is told."""

    def __init__(self, client: Client, facts: InboxPublisher, speaker: Speaker, prefix: str) -> None:
        self._client = client
        self._facts = facts
        self._speaker = speaker
        self._prefix = prefix
        self._told: asyncio.Queue[tuple[float, str]] = asyncio.Queue()
        self._moved: asyncio.Queue[tuple[float, dict[str, Any]]] = asyncio.Queue()
        self._fills = 0

    async def listen(self) -> None:
        """Hear alerts about limits, and the events behind them."""
        await self._client.subscribe(f"{self._prefix}.alerts.*.limit", cb=self._hear_alert)
        await self._client.subscribe(f"{self._prefix}.events.limit.approached", cb=self._hear_event)
        await self._client.flush()

    async def _hear_alert(self, msg: Msg) -> None:
        self._told.put_nowait((time.perf_counter(), msg.data.decode()))

    async def _hear_event(self, msg: Msg) -> None:
        event = msgspec.json.decode(msg.data)
        self._moved.put_nowait((time.perf_counter(), event.get("state", event)))

    async def command(self, kind: str, body: dict[str, str]) -> None:
        """Ask for something as a person."""
        headers = {COMMAND_ID_HEADER: str(uuid4()), ACTOR_HEADER: "benchmark"}
        answer = await self._client.request(
            f"{self._prefix}.cmd.{kind}", encode(body), timeout=TOLD_WITHIN_S, headers=headers
        )
        if b'"status":"accepted"' not in answer.data:
            raise RuntimeError(f"{kind}: {answer.data[:300].decode()}")

    async def fill(self, quantity: Decimal) -> None:
        """Let the venue tell of a trade: short when negative."""
        self._fills += 1
        key = f"bench{self._fills}"
        body = {
            "venue": "binanceusdm",
            "account": "main",
            "symbol": "ETH/USDT:USDT",
            "trade_id": key,
            "venue_order_id": key,
            "client_order_id": key,
            "side": "sell" if quantity < 0 else "buy",
            "price": str(CALM),
            "quantity": str(abs(quantity)),
            "fee_asset": "USDT",
            "fee": "0",
            "kind": "trade",
            "source": "stream",
            "traded_at_us": time.time_ns() // 1_000,
        }
        await self._facts.publish("execution", "fill.recorded", key, encode(body))

    async def price(self, dollars: Decimal) -> None:
        """Let every source say another price of ETH."""
        market_words.DOLLARS["ETH"] = dollars
        self._speaker.say()

    async def breach(self, over: Coroutine[Any, Any, None], back: Coroutine[Any, Any, None], timed: Timed) -> None:
        """Pass the limit, time what is told of it, and pass back."""
        _drain(self._told)
        _drain(self._moved)
        began = time.perf_counter()
        await over
        async with asyncio.timeout(TOLD_WITHIN_S):
            timed.events.append((await self._event(lambda band: band >= 10_000) - began) * 1_000)
            timed.alerts.append((await self._alert() - began) * 1_000)
            await back
            await self._event(lambda band: band < 10_000)

    async def _event(self, wanted: Callable[[int], bool]) -> float:
        while True:
            at, event = await self._moved.get()
            if event["control"] == "gross_notional" and wanted(event["band"]):
                return at

    async def _alert(self) -> float:
        while True:
            at, text = await self._told.get()
            if "gross_notional" in text and "beyond its limit" in text:
                return at


def _drain(queue: "asyncio.Queue[Any]") -> None:
    while not queue.empty():
        queue.get_nowait()


def _quick_to_return(path: Path) -> Settings:
    """Return the settings under which a limit is let go of as soon as it is passed back, and write them."""
    settings = read_settings(path)
    risk = Risk(triggers=Triggers(resume_after_ms=1))
    policy = msgspec.structs.replace(settings.policy, risk=risk)
    settings = msgspec.structs.replace(settings, policy=policy)
    path.write_bytes(encode(settings))
    return settings


@asynccontextmanager
async def _running() -> AsyncGenerator[Bench]:
    """Run the servers, the core and the watch; yield what moves the book."""
    with tempfile.TemporaryDirectory(prefix="ballast-bench-") as folder:
        async with servers(Path(folder)) as path:
            settings = _quick_to_return(path)
            services, prefix = settings.services, settings.book.prefix
            async with child("benchmarks.command_core", str(path)), child("benchmarks.controls_watch", str(path)):
                client = await nats.connect(services.nats_core)
                bus = await open_connection(services.nats_core, name="bench")
                speaker = Speaker(bus, prefix)
                bench = Bench(client, InboxPublisher(bus, prefix), speaker, prefix)
                speaking = asyncio.create_task(_keep_saying(speaker))
                await bench.listen()
                yield bench
                speaking.cancel()
                await bus.close()
                await client.close()


async def _keep_saying(speaker: Speaker) -> None:
    while True:
        speaker.say()
        await asyncio.sleep(EVERY_S)


async def _measure(rounds: int) -> tuple[Timed, Timed]:
    of_fills, of_prices = Timed(), Timed()
    async with _running() as bench:
        # Nothing is traded by it: what is measured is the telling.
        await bench.command("mode.change", {"scope": "global", "mode": "HALTED", "reason": "to measure"})
        limit = {"control": "gross_notional", "scope": "global", "value": LIMIT, "reason": "to measure"}
        await bench.command("limit.set", limit)
        await bench.fill(-HELD)
        await asyncio.sleep(1.0)
        for _ in range(rounds):
            await bench.breach(bench.fill(-MORE), bench.fill(MORE), of_fills)
            await bench.breach(bench.price(HIGH), bench.price(CALM), of_prices)
    return of_fills, of_prices


def alerting(rounds: int) -> Group:
    """Measure from a breach to the alert, as often as asked, and judge the worse of both ways."""
    of_fills, of_prices = asyncio.run(_measure(rounds))
    ways = {"from a fill": of_fills, "from a price": of_prices}
    p99 = max(percentile(sorted(timed.alerts), 0.99) for timed in ways.values())
    events = max(percentile(sorted(timed.events), 0.99) for timed in ways.values())
    lines = tuple(
        Line(f"{name}, {what}", tuple(f"{value:,.0f}" for value in _three(values)))
        for name, timed in ways.items()
        for what, values in (("to its event", timed.events), ("to its alert", timed.alerts))
    )
    return Group(
        f"A breach, until a subscriber has it over NATS ({rounds} each way, core and watch whole, fsync on)",
        ("median ms", "p99 ms", "max ms"),
        lines,
        (at_most("breach_to_alert_ms", p99, "ms", BREACH_TO_ALERT_MS_GOAL),),
        {"breach_to_event_ms": events},
    )


def _three(values: list[float]) -> tuple[float, float, float]:
    return statistics.median(values), percentile(sorted(values), 0.99), max(values)
