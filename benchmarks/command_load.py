"""The two other processes of the command benchmark: a nats-py client that asks, and a nats-py responder that echoes.

`python -m benchmarks.command_load client URL SUBJECT BODY RUN IN_FLIGHT SECONDS` prints one JSON line;
`python -m benchmarks.command_load echo URL SUBJECT` answers until it is terminated.
"""

import asyncio
import gc
import json
import signal
import sys
import time
from collections.abc import Callable
from uuid import UUID

import nats
import uvloop
from nats.aio.client import Client
from nats.aio.msg import Msg

from adapters.nats.commands import ACTOR_HEADER, COMMAND_ID_HEADER

REQUEST_S_MAX = 10
WARM_UP_S = 1.0
TIGHTENINGS_PER_RUN = 10_000_000
LIMIT_THOUSANDTHS = 249_999_000
BENEFACTOR = "0x00000000000000000000000000000000000000ab"


def tighten(run: int, number: int) -> bytes:
    """Ask for the least change that is recorded: a limit, a little lower than with the request before."""
    whole, thousandths = divmod(LIMIT_THOUSANDTHS - run * TIGHTENINGS_PER_RUN - number, 1000)
    text = f'{{"control":"order_notional","reason":"benchmark","scope":"global","value":"{whole}.{thousandths:03d}"}}'
    return text.encode()


def quote(_run: int, number: int) -> bytes:
    """Ask for a price, the busiest command of the house."""
    size = 1000 + number % 1000
    text = f'{{"benefactor":"{BENEFACTOR}","kind":"rfq","pair":"USDT/USDe","side":"MINT","size":"{size}"}}'
    return text.encode()


BODIES: dict[str, Callable[[int, int], bytes]] = {"limit.set": tighten, "quote.issue": quote}


def quantile(ordered: list[float], part: float) -> float:
    """Return the value below which this part of the ordered samples lies."""
    return ordered[min(int(part * len(ordered)), len(ordered) - 1)] if ordered else 0.0


class Load:
    """Ask with a fixed number of requests in flight, each with an id and a body of its own."""

    def __init__(self, client: Client, subject: str, body: Callable[[int, int], bytes], run: int) -> None:
        self.counting = False
        self.stopped = False
        self.answered = 0
        self.unexpected: list[str] = []
        self.took_s: list[float] = []
        self._client = client
        self._subject = subject
        self._body = body
        self._run = run
        self._number = 0

    async def ask(self) -> None:
        """Be one of those in flight."""
        while not self.stopped:
            self._number += 1
            body = self._body(self._run, self._number)
            command_id = UUID(int=(self._run << 64) + self._number)
            headers = {COMMAND_ID_HEADER: str(command_id), ACTOR_HEADER: "benchmark"}
            started = time.perf_counter()
            answer = await self._client.request(self._subject, body, timeout=REQUEST_S_MAX, headers=headers)
            if self.counting:
                self.took_s.append(time.perf_counter() - started)
            self.answered += 1
            if b'"status":"accepted"' not in answer.data and answer.data != body:
                self.unexpected.append(answer.data[:200].decode())
                self.stopped = True


async def ask_for(url: str, subject: str, kind: str, run: int, in_flight: int, seconds: float) -> dict[str, object]:
    """Ask for a while after a warm-up; return the rate, latencies, and what was answered."""
    client = await nats.connect(url)
    load = Load(client, subject, BODIES[kind], run)
    async with asyncio.TaskGroup() as tasks:
        for _ in range(in_flight):
            tasks.create_task(load.ask())
        await asyncio.sleep(WARM_UP_S)
        gc.collect()
        gc.freeze()
        load.counting = True
        started = time.perf_counter()
        await asyncio.sleep(seconds)
        load.counting = False
        elapsed = time.perf_counter() - started
        load.stopped = True
    await client.close()
    took = sorted(load.took_s)
    return {
        "per_s": len(took) / elapsed,
        "p50_ms": quantile(took, 0.5) * 1000,
        "p99_ms": quantile(took, 0.99) * 1000,
        "answered": load.answered,
        "unexpected": load.unexpected[:1],
    }


async def echo(url: str, subject: str) -> None:
    """Answer every request with its own body, as little as a nats-py responder can do."""
    client = await nats.connect(url)

    async def answer(msg: Msg) -> None:
        await client.publish(msg.reply, msg.data)

    await client.subscribe(subject, cb=answer)
    await client.flush()
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    gc.collect()
    gc.freeze()
    print("READY", flush=True)
    await stop.wait()
    await client.close()


def main(arguments: list[str]) -> None:
    """Be the process that the first argument names."""
    if arguments[0] == "echo":
        uvloop.run(echo(arguments[1], arguments[2]))
        return
    url, subject, kind, run, in_flight, seconds = arguments[1:]
    print(json.dumps(uvloop.run(ask_for(url, subject, kind, int(run), int(in_flight), float(seconds)))), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
