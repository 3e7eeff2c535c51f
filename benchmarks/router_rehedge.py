"""From a liquidation's fill to the hedge that replaces it: the core, Postgres and NATS as they run, fsync on.

A fill that no order of ours accounts for is published into the inbox, as an execution worker publishes it. Measured is
the time until the order that trades its delta again has been committed and the log's relay has brought the event here,
so that the way back to a client is part of it. One surprise at a time; the next waits until the hedge is complete.
"""

import asyncio
import tempfile
import time
from pathlib import Path

import nats
from nats.aio.msg import Msg

from adapters.nats.connection import open_connection
from adapters.nats.inbox import InboxPublisher
from api.settings import Settings, read_settings
from benchmarks.commands import child, servers
from benchmarks.market_words import DOLLARS, speak
from benchmarks.report import Group, Line, at_most, percentile
from benchmarks.rfq import prepared
from benchmarks.rfq_venue import ACCOUNT, VENUE
from commands.order import RecordFill
from domain.codec import encode
from domain.fill import FillKind, FillSource
from domain.order import OrderSide
from domain.quantity import ZERO, Num

SYMBOL = "ETH/USDT:USDT"
REHEDGE_MS_GOAL = 50.0
WARM_UP = 10
WAIT_S_MAX = 10.0
CALM_S = 1.0


def liquidation(number: int) -> RecordFill:
    """Return a fill of one ETH by the venue's own hand, bought and sold in turn."""
    return RecordFill(
        venue=VENUE,
        account=ACCOUNT,
        symbol=SYMBOL,
        trade_id=f"surprise-{number}",
        venue_order_id=f"liquidation-{number}",
        client_order_id="",
        side=OrderSide.BUY if number % 2 else OrderSide.SELL,
        price=Num(DOLLARS["ETH"]),
        quantity=Num(1),
        fee_asset="USDT",
        fee=ZERO,
        kind=FillKind.LIQUIDATION,
        source=FillSource.STREAM,
        traded_at_us=time.time_ns() // 1_000,
    )


class Heard:
    """Wait for what the log's relay tells."""

    def __init__(self) -> None:
        self._asked = asyncio.Event()
        self._done = asyncio.Event()
        self.asked_ns = 0

    def begin(self) -> None:
        """Forget what was heard before."""
        self._asked.clear()
        self._done.clear()

    async def asked(self, _msg: Msg) -> None:
        """Note when an order was asked for; the first counts."""
        if not self._asked.is_set():
            self.asked_ns = time.monotonic_ns()
            self._asked.set()

    async def done(self, _msg: Msg) -> None:
        """Note that a hedge is complete."""
        self._done.set()

    async def both(self) -> None:
        """Wait for the order and for the hedge's end; raise TimeoutError where they do not come."""
        async with asyncio.timeout(WAIT_S_MAX):
            await self._asked.wait()
            await self._done.wait()


async def surprises(settings: Settings, count: int) -> list[float]:
    """Return in milliseconds, sorted, how long each surprise took to its new order."""
    prefix, heard, took = settings.book.prefix, Heard(), list[float]()
    bus = await open_connection(settings.services.nats_worker, name="surprise")
    client = await nats.connect(settings.services.nats_core)
    try:
        await client.subscribe(f"{prefix}.events.order.submission_requested", cb=heard.asked)
        await client.subscribe(f"{prefix}.events.hedge.completed", cb=heard.done)
        await client.flush()
        inbox = InboxPublisher(bus, prefix)
        for number in range(count + WARM_UP):
            command = liquidation(number)
            heard.begin()
            began_ns = time.monotonic_ns()
            await inbox.publish("surprise", RecordFill.KIND, command.trade_id, encode(command))
            await heard.both()
            took.append((heard.asked_ns - began_ns) / 1e6)
    finally:
        await client.close()
        await bus.close()
    return sorted(took[WARM_UP:])


async def fill_to_rehedge(count: int) -> Group:
    """Run the house, surprise it so many times, and judge what was measured."""
    with tempfile.TemporaryDirectory(prefix="ballast-bench-") as folder:
        async with servers(Path(folder)) as path:
            settings = prepared(read_settings(path), Path(folder))
            path.write_bytes(encode(settings))
            async with child("benchmarks.command_core", str(path)), child("benchmarks.rfq_venue", str(path)):
                bus = await open_connection(settings.services.nats_core, name="market")
                speaking = asyncio.create_task(speak(bus, settings.book.prefix))
                try:
                    await asyncio.sleep(CALM_S)
                    took = await surprises(settings, count)
                finally:
                    speaking.cancel()
                    await bus.close()
    shares = (0.5, 0.9, 0.99, 1.0)
    return Group(
        title="From a surprise fill's report to the order that hedges it again, committed and told",
        columns=("surprises", "p50 ms", "p90 ms", "p99 ms", "max ms"),
        lines=(Line("liquidations", (str(count), *(f"{percentile(took, share):.2f}" for share in shares))),),
        figures=(at_most("fill_to_rehedge_p99_ms", percentile(took, 0.99), "ms", REHEDGE_MS_GOAL),),
    )
