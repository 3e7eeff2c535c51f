"""The example subscriber, as its own process, on a real server."""

import asyncio
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

from adapters.nats.alerts import AlertPublisher
from api.alerting import Told
from domain.codec import encode
from domain.watch import Severity
from tests.support.bus import connected
from tests.support.servers import NatsServer

SCRIPT = Path(__file__).parents[3] / "examples" / "alert_subscriber.py"


def alert(number: int, severity: Severity = Severity.CRITICAL) -> Told:
    return Told(
        alert_id=UUID(int=number),
        severity=severity,
        area="exposure",
        subject="ETH",
        text=f"number {number}",
        cause_position=number,
        position=number + 1,
    )


@asynccontextmanager
async def subscriber(server: NatsServer, prefix: str, *options: str) -> AsyncGenerator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(SCRIPT), "--nats", server.url, "--prefix", prefix, *options, stdout=asyncio.subprocess.PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def read(process: asyncio.subprocess.Process, lines: int) -> list[str]:
    assert process.stdout is not None
    async with asyncio.timeout(60):
        return [(await process.stdout.readline()).decode().strip() for _ in range(lines)]


async def test_a_subscriber_that_was_killed_misses_nothing(nats_server: NatsServer, nats_prefix: str):
    async with connected(nats_server.url) as connection:
        publisher = AlertPublisher(connection, nats_prefix)
        await publisher.ensure()

        async def publish(*alerts: Told) -> None:
            for each in alerts:
                await publisher.publish(each.severity, each.area, str(each.alert_id), encode(each))

        await publish(alert(1), alert(2, Severity.INFO))
        async with subscriber(nats_server, nats_prefix, "--durable", "pager", "--from-start") as process:
            first, second = await read(process, 2)
            assert first == (
                "CRITICAL exposure: ETH: number 1 (caused by event 1, alert 00000000-0000-0000-0000-000000000001)"
            )
            assert second.startswith("INFO     exposure: ETH: number 2")
            await publish(alert(3))
            assert "number 3" in (await read(process, 1))[0]
        await publish(alert(4), alert(5), alert(4))
        async with subscriber(nats_server, nats_prefix, "--durable", "pager", "--count", "2") as process:
            four, five = await read(process, 2)
            assert ("number 4" in four, "number 5" in five) == (True, True)
            assert await process.wait() == 0
        picky = ("--durable", "picky", "--severity", "info", "--from-start", "--count", "1")
        async with subscriber(nats_server, nats_prefix, *picky) as process:
            assert "number 2" in (await read(process, 1))[0]
            assert await process.wait() == 0
