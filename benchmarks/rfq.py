"""Requests for quotes and orders over HTTP: latency at a fixed rate, throughput beside a bare route, time to the hedge.

The core, Postgres, NATS and the API's process as the product runs them, fsync on, four venues and two oracles heard; a
client in a process of its own. A quote's latency counts from the moment at which it was meant to be asked for. The bare
route is Litestar's, on the product's server with its settings, answering the same JSON and doing nothing for it.
`python -m benchmarks.rfq [--json] [--quick]`.
"""

import argparse
import asyncio
import json
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import nats

from adapters.nats.connection import open_connection
from api.settings import Settings, read_settings
from benchmarks.commands import child, median, servers
from benchmarks.market_words import speak
from benchmarks.report import Group, Line, at_least, at_most, machine, percentile, report
from benchmarks.rfq_chain import show_contract
from benchmarks.rfq_venue import VENUE_SUBJECT
from domain.codec import encode
from domain.quantity import Num

RATE_PER_S = 500
CONNECTIONS = 64
ORDERS_PER_S = 20
P99_MS_GOAL, HEDGE_MS_GOAL, RATIO_GOAL = 10.0, 50.0, 0.35
UNBOUNDED = 1_000_000
LIMITS = {"net_delta": Num(1_000_000), "order_notional": Num(100_000_000)}
CALM_S = 1.0
NOT_FOUND_MAX = 3
LATENCIES = ("p50_ms", "p90_ms", "p99_ms", "max_ms")


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def prepared(settings: Settings, folder: Path) -> Settings:
    """Return settings under which neither a throttle nor a limit of exposure is what is measured."""
    keys = folder / "keys.json"
    keys.write_text("[]")
    http = msgspec.structs.replace(
        settings.http,
        port=free_port(),
        keys_file=str(keys),
        source_rate_per_s=UNBOUNDED,
        source_burst=UNBOUNDED,
        benefactor_rate_per_s=UNBOUNDED,
        benefactor_burst=UNBOUNDED,
        order_wait_ms=0,  # nothing settles here: what is measured ends at the venue
    )
    limits = tuple(
        msgspec.structs.replace(limit, value=LIMITS.get(limit.control, limit.value)) for limit in settings.limits
    )
    return msgspec.structs.replace(settings, http=http, limits=limits)


async def load(*arguments: str | float) -> dict[str, Any]:
    """Run the client once and return what it measured."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "benchmarks.rfq_load", *map(str, arguments)),
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    if process.returncode != 0:
        raise RuntimeError(f"the client failed: {arguments}")
    measured: dict[str, Any] = json.loads(out.splitlines()[-1])
    return measured


@asynccontextmanager
async def house(folder: Path) -> AsyncGenerator[tuple[Settings, int]]:
    """Run what is measured, with the markets speaking; yield the settings and the bare route's port."""
    async with AsyncExitStack() as stack:
        path = await stack.enter_async_context(servers(folder))
        settings = prepared(read_settings(path), folder)
        path.write_bytes(encode(settings))
        bare = free_port()
        await stack.enter_async_context(child("benchmarks.command_core", str(path)))
        await stack.enter_async_context(child("benchmarks.rfq_venue", str(path)))
        await stack.enter_async_context(child("benchmarks.rfq_api", "api", str(path)))
        await stack.enter_async_context(child("benchmarks.rfq_api", "bare", str(bare)))
        bus = await open_connection(settings.services.nats_core, name="market")
        stack.push_async_callback(bus.close)
        await show_contract(bus, settings)
        speaking = asyncio.create_task(speak(bus, settings.book.prefix))
        stack.callback(speaking.cancel)
        await asyncio.sleep(CALM_S)
        yield settings, bare


async def hedges(settings: Settings, sent_ns: dict[str, int]) -> list[float]:
    """Return in milliseconds, sorted, how long each order took from its sending to its hedge's arrival at the venue."""
    client = await nats.connect(settings.services.nats_core)
    told = await client.request(f"{settings.book.prefix}.{VENUE_SUBJECT}", timeout=10)
    await client.close()
    came_ns: dict[str, int] = json.loads(told.data)
    missing = [order_id for order_id in sent_ns if order_id not in came_ns]
    if missing:
        raise RuntimeError(f"{len(missing)} orders were never hedged: {missing[:NOT_FOUND_MAX]}")
    return sorted((came_ns[order_id] - sent) / 1e6 for order_id, sent in sent_ns.items())


async def measure(rounds: int, seconds: float) -> dict[str, list[dict[str, Any]]]:
    """Interleave the runs; return what each measured."""
    main_task = asyncio.current_task()
    if main_task is not None:  # told to stop, leave no process behind
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, main_task.cancel)
    measured: dict[str, list[dict[str, Any]]] = {name: [] for name in ("at a rate", "full", "bare", "orders", "hedges")}
    with tempfile.TemporaryDirectory(prefix="ballast-bench-") as folder:
        async with house(Path(folder)) as (settings, bare):
            port, chain = settings.http.port, settings.chain
            for _ in range(rounds):
                measured["at a rate"].append(await load("open", port, RATE_PER_S, seconds))
                orders = await load(
                    "orders", port, ORDERS_PER_S, seconds, chain.chain_id, chain.minting_contract.lower()
                )
                await asyncio.sleep(CALM_S)
                took = await hedges(settings, orders.pop("sent_ns"))
                measured["orders"].append(orders)
                spread = {"p50_ms": 0.5, "p90_ms": 0.9, "p99_ms": 0.99, "max_ms": 1.0}
                measured["hedges"].append({name: percentile(took, share) for name, share in spread.items()})
                measured["bare"].append(await load("closed", bare, CONNECTIONS, seconds))
                measured["full"].append(await load("closed", port, CONNECTIONS, seconds))
    return measured


def group(runs: dict[str, list[dict[str, Any]]]) -> Group:
    """Judge what was measured."""
    names = {
        "at a rate": f"/rfq at {RATE_PER_S}/s, from the time that was meant",
        "full": f"/rfq, {CONNECTIONS} connections kept busy",
        "bare": f"a bare Litestar route, {CONNECTIONS} connections kept busy",
        "orders": f"/order at {ORDERS_PER_S}/s",
        "hedges": "from an order's sending to its hedge at the venue",
    }
    lines = tuple(
        Line(
            told,
            (
                f"{median(runs[name], 'per_s'):,.0f}" if "per_s" in runs[name][0] else "",
                *(f"{median(runs[name], latency):,.2f}" for latency in LATENCIES),
                str(sum(run.get("errors", 0) for run in runs[name])),
            ),
        )
        for name, told in names.items()
    )
    errors = sum(run["errors"] for name in ("at a rate", "full", "orders") for run in runs[name])
    bare, full = median(runs["bare"], "per_s"), median(runs["full"], "per_s")
    return Group(
        "Quotes and orders over HTTP, durable when answered (medians of the runs)",
        ("per second", "p50 ms", "p90 ms", "p99 ms", "max ms", "errors"),
        lines,
        (
            at_most("rfq_p99_ms_500", median(runs["at a rate"], "p99_ms"), "ms", P99_MS_GOAL),
            at_most("rfq_errors", errors, "", 0),
            at_most("order_to_hedge_p99_ms", median(runs["hedges"], "p99_ms"), "ms", HEDGE_MS_GOAL),
            at_least("rfq_ratio_to_bare_route", full / bare, "x", RATIO_GOAL),
        ),
        {"bare_route_per_s": bare, "rfq_per_s": full},
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure quotes and orders over HTTP beside a bare route.")
    parser.add_argument("--json", action="store_true", help="end with one line holding one JSON object")
    parser.add_argument("--quick", action="store_true", help="only show that everything runs")
    options = parser.parse_args()
    about = machine()
    runs = asyncio.run(measure(*((1, 2.0) if options.quick else (3, 10.0))))
    for name in ("at a rate", "full", "orders"):
        for run in runs[name]:
            if run["errors"]:
                print(f"{name}: {run['errors']} errors: {run['refused']} {run.get('quotes', {}).get('refused', '')}")
    report([group(runs)], about, as_json=options.json)


if __name__ == "__main__":
    main()
