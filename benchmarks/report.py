"""What a benchmark says: a table for people, one JSON object for programs, the machine beside both."""

import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

FSYNC_TRIES = 300
FSYNC_BYTES = 8192


class Figure(msgspec.Struct, frozen=True):
    """Hold one figure that an issue names. `goal` says what is to be reached, in words; `met` whether it is."""

    name: str
    value: float
    unit: str
    goal: str
    met: bool


class Line(msgspec.Struct, frozen=True):
    """Hold one line of the table: what was measured, and its cells as they are to be printed."""

    name: str
    cells: tuple[str, ...]


class Group(msgspec.Struct, frozen=True):
    """Hold what one part of a benchmark found: figures, what peers did in the same run, and a table of its own."""

    title: str
    columns: tuple[str, ...]
    lines: tuple[Line, ...]
    figures: tuple[Figure, ...] = ()
    peers: dict[str, float] = {}


def at_least(name: str, value: float, unit: str, goal: float) -> Figure:
    """Judge a figure that must reach a goal."""
    return Figure(name, _rounded(value), unit, f">= {goal:g}", value >= goal)


def at_most(name: str, value: float, unit: str, goal: float) -> Figure:
    """Judge a figure that must stay below a goal."""
    return Figure(name, _rounded(value), unit, f"<= {goal:g}", value <= goal)


def within(name: str, value: float, unit: str, low: float, high: float) -> Figure:
    """Judge a figure that must lie between two bounds."""
    return Figure(name, _rounded(value), unit, f"{low:g} to {high:g}", low <= value <= high)


def percentile(sorted_values: Sequence[float], share: float) -> float:
    """Return the value below which `share` of the sorted values lie."""
    return sorted_values[min(len(sorted_values) - 1, int(len(sorted_values) * share))]


def machine(directory: Path | None = None) -> dict[str, object]:
    """Describe this machine: cores, and the median time of an fdatasync in microseconds where the data lies."""
    return {
        "cores": len(os.sched_getaffinity(0)),
        "fsync_us": round(_fsync_us(directory or Path(tempfile.gettempdir()))),
        "load_1m": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
    }


def report(groups: Sequence[Group], about: dict[str, object], *, as_json: bool) -> None:
    """Print the tables and the figures; with `as_json` end with one line holding one JSON object."""
    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else 120)
    for group in groups:
        console.print(f"\n{group.title}", highlight=False)
        table = Table("", *group.columns)
        for line in group.lines:
            table.add_row(line.name, *line.cells)
        console.print(table)
    figures = [figure for group in groups for figure in group.figures]
    console.print("\nFigures")
    table = Table("figure", "value", "unit", "goal", "met")
    for figure in figures:
        table.add_row(figure.name, f"{figure.value:g}", figure.unit, figure.goal, "yes" if figure.met else "NO")
    console.print(table)
    console.print("machine: " + ", ".join(f"{name} {value}" for name, value in about.items()), highlight=False)
    if as_json:
        peers = {name: value for group in groups for name, value in group.peers.items()}
        document = {"figures": [msgspec.to_builtins(figure) for figure in figures], "peers": peers, "machine": about}
        print(json.dumps(document), flush=True)


def _fsync_us(directory: Path) -> float:
    block = os.urandom(FSYNC_BYTES)
    times: list[float] = []
    with tempfile.NamedTemporaryFile(dir=directory) as file:
        # Overwrites in place, as a log file that was allocated ahead does.
        file.write(block * FSYNC_TRIES)
        file.flush()
        os.fsync(file.fileno())
        for number in range(FSYNC_TRIES):
            os.pwrite(file.fileno(), block, number * FSYNC_BYTES)
            started = time.perf_counter()
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - started)
    return statistics.median(times) * 1e6


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")
