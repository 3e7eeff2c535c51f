"""The event store beside its peers, on one embedded server, in one run.

    python -m benchmarks.event_store [--json] [--quick]

Each group of figures is a function of its own module that takes the server and returns a Group. `--quick` only shows
that everything runs: its figures mean nothing.
"""

import argparse
import asyncio
from collections.abc import Awaitable, Callable

from benchmarks.append_flatness import Flatness, flatness
from benchmarks.append_ratios import Ratios, ratios
from benchmarks.rebuild import Rebuilds, rebuilds
from benchmarks.report import Group, machine, report
from benchmarks.servers import BenchServer, bench_server

Measure = Callable[[BenchServer], Awaitable[Group]]

FULL: tuple[Measure, ...] = (
    lambda server: ratios(server, Ratios(rounds=5, stock_each=300, ours_total=100_000, pgbench_s=4)),
    lambda server: rebuilds(server, Rebuilds(events=500_000, rounds=3)),
    lambda server: flatness(server, Flatness(filled=5_000_000, each=2_500, rounds=5)),
)

QUICK: tuple[Measure, ...] = (
    lambda server: ratios(server, Ratios(rounds=1, stock_each=30, ours_total=6_000, pgbench_s=3)),
    lambda server: rebuilds(server, Rebuilds(events=20_000, rounds=1)),
    lambda server: flatness(server, Flatness(filled=20_000, each=50, rounds=1)),
)


async def measure(measures: tuple[Measure, ...]) -> tuple[list[Group], dict[str, object]]:
    """Run the groups one after the other; return what they found and what machine it was."""
    async with bench_server() as server:
        about = machine(server.root)
        return [await each(server) for each in measures], about


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure the event store beside its peers.")
    parser.add_argument("--json", action="store_true", help="end with one line holding one JSON object")
    parser.add_argument("--quick", action="store_true", help="only show that everything runs")
    options = parser.parse_args()
    groups, about = asyncio.run(measure(QUICK if options.quick else FULL))
    report(groups, about, as_json=options.json)


if __name__ == "__main__":
    main()
