"""The kill: from the start of `ballast kill` until no order stands or waits at four simulated venues.

The venues are a process of their own, which notes by the machine's clock when the last order was gone: that is what is
judged. What the kill itself tells is beside it: its process' start, loading, and the second empty sweep of the last
venue. Senders, mode, leases and chain are left out: they are no precondition, and the chain is as slow as its blocks.
"""

import asyncio
import itertools
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from pathlib import Path
from typing import Any

import msgspec

from adapters.simulators.admission import OrderRequest
from adapters.simulators.conditional import ConditionalRequest
from adapters.simulators.instruments import Instrument
from adapters.simulators.server import Account, Simulators, SimulatorsSettings
from adapters.simulators.venue import SimulatedVenue
from benchmarks.report import Group, Line, at_most

KILL_SECONDS_GOAL = 2.0
VENUES = ("binanceusdm", "bybit", "okx", "deribit")
ROOT = Path(__file__).parents[1]
KEY, SECRET, OTHER = "k" * 32, "s" * 32, "o" * 32
BELOW = Decimal("0.97")
# How venues call a stop, where not as Binance does.
STOPS = {"bybit": "Stop", "okx": "conditional", "deribit": "stop_market"}
LOOK_S = 0.002
KILL_WITHIN_S = 120.0


class Much(msgspec.Struct, frozen=True):
    """Say how often it is done, and how many orders of each kind stand at each venue."""

    runs: int
    orders: int
    conditional: int


FULL, QUICK = Much(runs=5, orders=50, conditional=10), Much(runs=1, orders=5, conditional=1)


class Taken(msgspec.Struct, frozen=True):
    """Hold the seconds of one kill: until no order stood, and what it told of itself."""

    gone: float
    told: float
    started: float
    loaded: float


def killing(much: Much) -> Group:
    """Kill some times over, and judge the slowest."""
    taken = [_once(much) for _ in range(much.runs)]
    slowest = max(each.gone for each in taken)
    rows = (
        ("no order stands (the venues' own view)", [each.gone for each in taken]),
        ("told silent: twice empty everywhere", [each.started + each.told for each in taken]),
        ("of it the process' start", [each.started for each in taken]),
        ("of it loading", [each.loaded for each in taken]),
    )
    lines = tuple(Line(name, (f"{statistics.median(values):.3f}", f"{max(values):.3f}")) for name, values in rows)
    each = f"{much.orders} orders and {much.conditional} conditional ones at each"
    title = f"`ballast kill`: {len(VENUES)} venues, {each}, {much.runs} runs"
    return Group(
        title=title,
        columns=("from the start of the process", "median s", "slowest s"),
        lines=lines,
        figures=(at_most("kill_seconds", slowest, "s", KILL_SECONDS_GOAL),),
    )


def _once(much: Much) -> Taken:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        world = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.controls_kill", str(place), str(much.orders), str(much.conditional)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            return _killed(world, place)
        finally:
            world.kill()
            world.communicate()


def _killed(world: "subprocess.Popen[str]", place: Path) -> Taken:
    if world.stdout is None:
        raise RuntimeError("the venues' output is not there")
    there = json.loads(world.stdout.readline())
    config = place / "kill.json"
    config.write_text(json.dumps(_config(place, there)))
    command = [sys.executable, "-m", "api.cli", "kill", "--config", str(config), "--reason", "a benchmark"]
    began = time.monotonic()
    done = subprocess.run(
        [*command, "--only", "venues", "--yes", "--json"],
        cwd=ROOT,
        capture_output=True,
        timeout=KILL_WITHIN_S,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"the kill ended with {done.returncode}: {done.stderr.decode()}")
    report, gone = json.loads(done.stdout), json.loads(world.stdout.readline())["gone"]
    return Taken(
        gone=gone - began,
        told=report["silence_ms"] / 1_000,
        started=(report["start_ms"] or 0) / 1_000,
        loaded=(report["load_ms"] or 0) / 1_000,
    )


def _config(place: Path, there: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "kill": {
            "venues": [
                {"name": name, "api_key": OTHER, "api_secret": SECRET, "passphrase": "phrase"} for name in VENUES
            ]
        },
        "services": {"data_dir": str(place)},
        "loopback": {"port": there["port"], "ca": there["ca"]},
    }


async def _be_the_world(place: Path, orders: int, conditional: int) -> None:
    """Run the venues with orders at rest; print where they are, and when the last order was gone."""
    accounts = {
        name: Account(api_key=KEY, api_secret=SECRET, passphrase="phrase", more_keys={OTHER: SECRET})  # noqa: S106 - simulated
        for name in VENUES
    }
    simulators = Simulators(SimulatorsSettings(directory=place / "world", accounts=accounts))
    await simulators.start()
    try:
        for venue in simulators.venues.values():
            rest(venue, orders)
            leave_stops(venue, conditional)
        print(json.dumps({"port": simulators.port, "ca": str(simulators.ca_file)}), flush=True)
        while any(stands(venue) for venue in simulators.venues.values()):  # noqa: ASYNC110 - looked at
            await asyncio.sleep(LOOK_S)
        print(json.dumps({"gone": time.monotonic()}), flush=True)
        await asyncio.to_thread(sys.stdin.read)
    finally:
        await simulators.stop()


def rest(venue: SimulatedVenue, orders: int, prefix: str = "b") -> None:
    """Let buys far below the market rest, spread over the venue's contracts."""
    for number, (instrument, price) in enumerate(_far_below(venue, orders)):
        request = OrderRequest(
            symbol=instrument.symbol,
            side="BUY",
            type="LIMIT",
            quantity=_least(instrument, price),
            price=price,
            client_id=f"{prefix}{number}",
        )
        venue.exchange.place(request, venue.clock_ms())
    venue.commit()


def leave_stops(venue: SimulatedVenue, number: int, prefix: str = "stop") -> None:
    """Let orders wait for a price far below the market, spread over the venue's contracts."""
    for each, (instrument, price) in enumerate(_far_below(venue, number)):
        order = OrderRequest(
            symbol=instrument.symbol,
            side="SELL",
            type="MARKET",
            quantity=_least(instrument, price),
            client_id=f"{prefix}{each}",
        )
        kind = STOPS.get(venue.name, "STOP_MARKET")
        asked = ConditionalRequest(kind=kind, order=order, price=price, way="falls")
        venue.exchange.place_conditional(asked, venue.clock_ms())
    venue.commit()


def stands(venue: SimulatedVenue) -> int:
    """Return how many orders stand at a venue, of either kind."""
    return len(venue.exchange.open_orders(None)) + len(venue.exchange.conditionals.waiting())


def _far_below(venue: SimulatedVenue, number: int) -> Iterator[tuple[Instrument, Decimal]]:
    """Yield so many contracts of a venue in turn, each with a price far below its market, on its tick."""
    contracts = [each for each in venue.exchange.instruments.values() if each.kind != "spot"]
    for instrument in itertools.islice(itertools.cycle(contracts), number):
        ticks = (venue.exchange.mark(instrument.symbol) * BELOW / instrument.tick).to_integral_value(ROUND_FLOOR)
        yield instrument, ticks * instrument.tick


def _least(instrument: Instrument, price: Decimal) -> Decimal:
    """Return the least quantity, in the venue's units, that is surely worth enough."""
    each = instrument.contract_size if instrument.kind == "inverse" else instrument.contract_size * price
    steps = (instrument.notional_min * 2 / each / instrument.step).to_integral_value(ROUND_CEILING)
    return max(instrument.quantity_min, steps * instrument.step)


if __name__ == "__main__":
    asyncio.run(_be_the_world(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
