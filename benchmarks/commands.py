"""Whole commands (NATS request, decide, commit, reply) beside a bare NATS echo, interleaved in one run.

The client is nats-py in a process of its own, with 64 requests in flight; the echo is a nats-py responder in another;
ours is the product's core role with hash chain, kept commands, fsync and the relay on, asked for quotes.
`python -m benchmarks.commands [--json] [--quick]`.
"""

import argparse
import asyncio
import json
import signal
import statistics
import sys
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import nats

from adapters.embedded.nats import EmbeddedNats
from adapters.embedded.postgres import EmbeddedPostgres
from adapters.embedded.supervisor import Supervisor
from adapters.nats.connection import open_connection
from adapters.postgres.migrate import migrate
from adapters.postgres.roles import Login, create_logins, login_dsn
from api.boot import first_limits
from api.settings import Settings, read_settings
from benchmarks.command_core import RELAY_SUBJECT
from benchmarks.market_words import speak
from benchmarks.report import Group, Line, at_least, at_most, machine, report
from domain.codec import encode
from domain.routing.terms import Routing

IN_FLIGHT = 64
# The figure is the least whole command, as the echo is the least request; a quote adds the price's arithmetic.
KINDS = ("limit.set", "quote.issue")
COLUMNS = {"per_s": 0, "p50_ms": 2, "p99_ms": 2}
RATIO_GOAL = 0.35
LAG_MS_GOAL = 50.0
STOP_S_MAX = 60
SETTINGS = Path(__file__).parents[1] / "ballast.toml"


def at_home(settings: Settings) -> Settings:
    """Return settings under which every hedge goes to its pair's own venue, all of it, whatever it holds already.

    What stands in for the venues here is one door, with no account that could be watched.
    """
    homes = {(pair.venue, pair.symbol) for pair in settings.policy.pairs}
    instruments = tuple(each for each in settings.policy.instruments if (each.venue, each.symbol) in homes)
    policy = msgspec.structs.replace(settings.policy, instruments=instruments, routing=Routing(), bands=())
    return msgspec.structs.replace(settings, policy=policy)


@asynccontextmanager
async def servers(root: Path) -> AsyncGenerator[Path]:
    """Run Postgres and NATS as the product embeds them; yield settings for a core on them."""
    postgres, bus = EmbeddedPostgres(root / "postgres"), EmbeddedNats(root / "nats")
    async with Supervisor() as supervisor:
        await supervisor.launch(await postgres.prepare())
        await supervisor.launch(await bus.prepare())
        owner = postgres.dsn()
        await migrate(owner)
        service, auditor = Login("bench_service", "bench-a"), Login("bench_auditor", "bench-b")
        await create_logins(owner, service, auditor)
        settings = at_home(read_settings(SETTINGS))
        services = msgspec.structs.replace(
            settings.services,
            data_dir=str(root),
            postgres_owner=owner,
            postgres_service=login_dsn(owner, service),
            **{f"nats_{user}": bus.url(user) for user in ("core", "api", "worker", "subscriber")},
        )
        path = root / "settings.json"
        path.write_bytes(encode(msgspec.structs.replace(settings, services=services)))
        yield path


@asynccontextmanager
async def child(*arguments: str) -> AsyncGenerator[None]:
    """Run a module until the block is left; it says READY when it is."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", *arguments, stdout=asyncio.subprocess.PIPE)
    if process.stdout is None or (await process.stdout.readline()).strip() != b"READY":
        raise RuntimeError(f"{arguments[0]} did not start")
    try:
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        async with asyncio.timeout(STOP_S_MAX):
            await process.wait()


class Loads:
    """Run client processes, each against one subject, and refuse what was not answered as it should be."""

    def __init__(self, url: str, seconds: float) -> None:
        self._url = url
        self._seconds = seconds
        self._run = 0

    async def run(self, subject: str, kind: str) -> dict[str, Any]:
        """Ask `subject` for `kind` for a while; return what was measured."""
        self._run += 1
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "benchmarks.command_load", "client", self._url, subject, kind),
            *(str(self._run), str(IN_FLIGHT), str(self._seconds)),
            stdout=asyncio.subprocess.PIPE,
        )
        out, _ = await process.communicate()
        if process.returncode != 0:
            raise RuntimeError(f"the client failed against {subject}")
        measured: dict[str, Any] = json.loads(out.splitlines()[-1])
        if measured["unexpected"]:
            raise RuntimeError(f"unexpected replies: {measured['unexpected']}")
        return measured


async def check_log(dsn: str, answered: dict[str, int], stream_head: int, boot_limits: int) -> None:
    """Refuse a run in which a command was acknowledged and is not in the log, or the relay ended elsewhere."""
    connection = await asyncpg.connect(dsn)
    try:
        head = await connection.fetchval("select max(notification_id) from stored_events")
        rows = await connection.fetch(
            "select kind, count(*) from command_outcomes where kind = any($1) and first_position > 0 group by 1",
            list(answered),
        )
    finally:
        await connection.close()
    # The limits of an empty book are set at its start, besides those that were asked for.
    kept = {kind: number - (boot_limits if kind == "limit.set" else 0) for kind, number in rows}
    if kept != answered or stream_head != head:
        raise RuntimeError(f"acknowledged {answered}, kept {kept}; the log ends at {head}, EVENTS at {stream_head}")


def _cancel(task: "asyncio.Task[Any] | None") -> None:
    if task is not None:
        task.cancel()


async def measure(rounds: int, seconds: float) -> dict[str, list[dict[str, Any]]]:
    """Interleave the runs; return what each measured."""
    # Told to stop, leave no process behind.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, _cancel, asyncio.current_task())
    measured: dict[str, list[dict[str, Any]]] = {name: [] for name in ("echo", *KINDS, "relay")}
    with tempfile.TemporaryDirectory(prefix="ballast-bench-") as folder:
        async with servers(Path(folder)) as path:
            settings = read_settings(path)
            url, prefix = settings.services.nats_core, settings.book.prefix
            loads = Loads(url, seconds)
            async with (
                child("benchmarks.command_load", "echo", url, "bench.echo"),
                child("benchmarks.command_core", str(path)),
            ):
                client = await nats.connect(url)
                bus = await open_connection(url, name="market")
                speaking = asyncio.create_task(speak(bus, prefix))
                for _ in range(rounds):
                    for kind in KINDS:
                        measured["echo"].append(await loads.run("bench.echo", kind))
                        await client.request(f"{prefix}.{RELAY_SUBJECT}", timeout=10)
                        measured[kind].append(await loads.run(f"{prefix}.cmd.{kind}", kind))
                        told = await client.request(f"{prefix}.{RELAY_SUBJECT}", timeout=10)
                        measured["relay"].append(json.loads(told.data))
                stream = await client.jetstream().stream_info("EVENTS")
                speaking.cancel()
                await bus.close()
                await client.close()
            answered = {kind: sum(run["answered"] for run in measured[kind]) for kind in KINDS}
            await check_log(
                settings.services.postgres_owner, answered, stream.state.last_seq, len(first_limits(settings.limits))
            )
    return measured


def median(runs: list[dict[str, Any]], name: str) -> float:
    """Return the median of one number over runs."""
    return statistics.median(run[name] for run in runs)


def group(runs: dict[str, list[dict[str, Any]]]) -> Group:
    """Judge what was measured."""
    lines = tuple(
        Line(name, tuple(f"{median(runs[name], number):,.{digits}f}" for number, digits in COLUMNS.items()))
        for name in ("echo", *KINDS)
    )
    echo = median(runs["echo"], "per_s")
    ratios = {kind: median(runs[kind], "per_s") / echo for kind in KINDS}
    lag = max(run["lag_p99_ms"] for run in runs["relay"])
    return Group(
        f"Whole commands beside a bare NATS echo, {IN_FLIGHT} in flight, relay on (medians; relay: the worst run)",
        ("per second", "p50 ms", "p99 ms"),
        lines,
        (
            at_least("command_ratio_to_echo_64", ratios["limit.set"], "x", RATIO_GOAL),
            at_most("relay_lag_p99_ms", lag, "ms", LAG_MS_GOAL),
        ),
        {
            "echo_per_s": echo,
            "quote_ratio_to_echo_64": ratios["quote.issue"],
            **{f"{kind}_per_s": median(runs[kind], "per_s") for kind in KINDS},
        },
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure whole commands beside a bare NATS echo.")
    parser.add_argument("--json", action="store_true", help="end with one line holding one JSON object")
    parser.add_argument("--quick", action="store_true", help="only show that everything runs")
    options = parser.parse_args()
    about = machine()
    runs = asyncio.run(measure(*((1, 1.0) if options.quick else (5, 5.0))))
    report([group(runs)], about, as_json=options.json)


if __name__ == "__main__":
    main()
