"""Our appends beside the peers', in turn on one server, so that drift falls on both alike."""

import asyncio
import statistics
from collections.abc import Sequence

import msgspec

from adapters.embedded.cluster import installed_binaries
from benchmarks.append_ours import Appended, append_ours
from benchmarks.append_peers import PGBENCH_CLIENTS, STOCK_THREADS, append_pgbench, append_stock
from benchmarks.report import Group, Line, at_least, at_most
from benchmarks.servers import BenchServer

RATIO_64_GOAL = 22.0
RATIO_512_GOAL = 40.0
P99_MS_64_GOAL = 6.0
IN_FLIGHTS = (1, 64, 512)


class Ratios(msgspec.Struct, frozen=True):
    """Say how much to do in one round: the stock recorder's appends per thread, ours in all, seconds of pgbench."""

    rounds: int
    stock_each: int
    ours_total: int
    pgbench_s: int

    def each(self, in_flight: int) -> int:
        """Return the appends per caller: a tenth of the total when one caller does it alone."""
        return max(10, self.ours_total // (10 if in_flight == 1 else in_flight))


async def ratios(server: BenchServer, size: Ratios) -> Group:
    """Measure the stock recorder around each of ours; the ratio of a round is to the stock runs beside it."""
    ours = await server.fresh("bench_ours")
    stock = await server.fresh("bench_stock", migrated=False)
    plain = await server.fresh("bench_plain", migrated=False)
    binaries = installed_binaries().folder
    # The first run of anything pays for files, caches and plans.
    await asyncio.to_thread(append_ours, ours, IN_FLIGHTS[-1], size.each(IN_FLIGHTS[-1]) // 4 + 1)
    await server.settle()
    stock_runs = [await asyncio.to_thread(append_stock, stock, size.stock_each)]
    runs: dict[int, list[Appended]] = {in_flight: [] for in_flight in IN_FLIGHTS}
    found: dict[int, list[float]] = {in_flight: [] for in_flight in IN_FLIGHTS}
    pgbench_runs: list[float] = []
    for _ in range(size.rounds):
        for in_flight in IN_FLIGHTS:
            run = await asyncio.to_thread(append_ours, ours, in_flight, size.each(in_flight))
            stock_runs.append(await asyncio.to_thread(append_stock, stock, size.stock_each))
            runs[in_flight].append(run)
            found[in_flight].append(run.per_s / statistics.mean(stock_runs[-2:]))
        pgbench_runs.append(await asyncio.to_thread(append_pgbench, binaries, plain, size.pgbench_s))
    return _group(runs, found, stock_runs, pgbench_runs)


def _group(
    runs: dict[int, list[Appended]], found: dict[int, list[float]], stock: Sequence[float], pgbench: Sequence[float]
) -> Group:
    lines = [
        Line(
            f"eventsourcing stock recorder, {STOCK_THREADS} threads", (f"{statistics.median(stock):,.0f}", "1", "", "")
        ),
        Line(
            f"pgbench, one row, {PGBENCH_CLIENTS} clients",
            (
                f"{statistics.median(pgbench):,.0f}",
                f"{statistics.median(pgbench) / statistics.median(stock):.1f}",
                "",
                "",
            ),
        ),
    ]
    for in_flight, measured in runs.items():
        cells = (
            f"{_median(measured, 'per_s'):,.0f}",
            f"{statistics.median(found[in_flight]):.1f}",
            f"{_median(measured, 'p50_ms'):.2f}",
            f"{_median(measured, 'p99_ms'):.2f}",
        )
        lines.append(Line(f"ours, {in_flight} in flight", cells))
    return Group(
        title="Durable appends: one event each, ours with a kept command and the hash chain",
        columns=("per s", "to stock", "p50 ms", "p99 ms"),
        lines=tuple(lines),
        figures=(
            at_least("append_ratio_to_stock_64", statistics.median(found[64]), "ratio", RATIO_64_GOAL),
            at_least("append_ratio_to_stock_512", statistics.median(found[512]), "ratio", RATIO_512_GOAL),
            at_most("append_p99_ms_64", _median(runs[64], "p99_ms"), "ms", P99_MS_64_GOAL),
        ),
        peers={
            "stock_recorder_8_threads_per_s": round(statistics.median(stock)),
            "pgbench_single_row_64_clients_per_s": round(statistics.median(pgbench)),
        },
    )


def _median(runs: Sequence[Appended], field: str) -> float:
    return statistics.median(getattr(run, field) for run in runs)
