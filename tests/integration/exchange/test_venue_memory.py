"""A real venue does not forget: the simulated one survives kill -9, and takes its place again."""

import asyncio
import gzip
import json
import signal
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from adapters.exchange.venues import open_account
from adapters.simulators.server import BinanceSimulator, run
from domain.venue import Connected, Disconnected, FillReport
from tests.support.exchange import ETH, listening, order, running, simulator_settings, venue_settings

D = Decimal
PROGRAM = """
import asyncio, sys
from pathlib import Path
from adapters.simulators.server import run
from adapters.simulators.venue import SimulatorSettings

settings = SimulatorSettings(data_dir=Path(sys.argv[1]), api_key="k" * 64, api_secret="s" * 64, step_ms=20)
asyncio.run(run(settings, asyncio.Event(), lambda simulator: print(simulator.port, flush=True)))
"""


@asynccontextmanager
async def process(directory: Path) -> AsyncGenerator[tuple[asyncio.subprocess.Process, int], None]:
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROGRAM, str(directory), stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[3]
    )
    assert child.stdout is not None
    try:
        async with asyncio.timeout(30):
            yield child, int(await child.stdout.readline())
    finally:
        if child.returncode is None:
            child.kill()
        await child.wait()


async def test_acknowledged_orders_survive_kill_9_on_the_same_port(tmp_path: Path) -> None:
    began_us = time.time_ns() // 1_000
    ca_file = tmp_path / "tls/ca.pem"
    resting, cancelled = (order(limit_price=D(2780), time_in_force="gtx") for _ in range(2))
    async with (
        process(tmp_path) as (child, port),
        open_account(venue_settings(port, ca_file)) as venue,
        listening(venue.account_events()) as account,
    ):
        await account.until(Connected)
        approved = order(limit_price=D(2600), quantity=D(30))
        acknowledged = await venue.submit(approved)
        await venue.submit(resting)
        await venue.submit(cancelled)
        await venue.cancel(ETH, cancelled.value.client_order_id)
        before = (await venue.fills_since(ETH, began_us), (await venue.balances())[0].wallet)
        child.send_signal(signal.SIGKILL)
        await child.wait()
        await account.until(Disconnected)
        async with process(tmp_path) as (_, again):
            assert again == port
            await account.until(Connected, after=account.heard.index(account.of(Disconnected)[0]))
            assert (await venue.fills_since(ETH, began_us), (await venue.balances())[0].wallet) == before
            state = await venue.order_state(ETH, approved.value.client_order_id)
            assert state is not None
            assert (state.venue_order_id, state.filled) == (acknowledged.venue_order_id, acknowledged.filled)
            (position,) = await venue.positions()
            assert position.quantity == -acknowledged.filled
            (left,) = await venue.open_orders(ETH)
            assert left.client_order_id == resting.value.client_order_id
            newer = await venue.submit(order(limit_price=D(2600)))
            await account.until(FillReport, lambda fill: fill.venue_order_id == newer.venue_order_id)
            assert int(newer.venue_order_id) > int(left.venue_order_id)
            assert (await venue.cancel(ETH, resting.value.client_order_id)).status == "canceled"


async def test_another_accounts_memory_is_refused(tmp_path: Path) -> None:
    async with running(simulator_settings(tmp_path)):
        pass
    with pytest.raises(ValueError, match="another account"):
        BinanceSimulator(simulator_settings(tmp_path, api_key="x" * 64))


async def test_a_resting_order_that_the_market_passed_while_away_is_filled(tmp_path: Path) -> None:
    async with running(simulator_settings(tmp_path)) as first:
        loopback = venue_settings(first.port, first.ca_file)
        async with open_account(loopback) as venue:
            await venue.submit(order(side="buy", limit_price=D(1990), time_in_force="gtx"))
    kept = (tmp_path / "venue.jsonl").read_text().splitlines()
    market = {"type": "market", "symbol": "ETHUSDT", "mid": 190_000, "funded_until_ms": 0}
    (tmp_path / "venue.jsonl").write_text("\n".join([*kept, json.dumps(market)]) + "\n")
    second = BinanceSimulator(simulator_settings(tmp_path))
    await second.start()
    (trade,) = second.venue.exchange.ledger.trades
    assert trade.quantity == D(1)
    await second.stop()


def recording(path: Path, lines: list[tuple[int, dict[str, Any]]]) -> Path:
    with gzip.open(path, "wb") as file:
        for after_ms, body in lines:
            file.write(f"{1_000_000_000 + after_ms * 1_000_000} {json.dumps(body)}\n".encode())
    return path


def diff(first: int, last: int, previous: int, bids: list[list[str]]) -> dict[str, Any]:
    data = {"e": "depthUpdate", "s": "ETHUSDT", "T": last, "U": first, "u": last, "pu": previous, "b": bids, "a": []}
    return {"stream": "ethusdt@depth@0ms", "data": data}


async def test_a_replay_plays_at_its_own_speed_and_then_the_walk_goes_on(tmp_path: Path) -> None:
    snapshot = {"lastUpdateId": 10, "T": 1, "bids": [["2500.00", "5.000"]], "asks": [["2500.10", "5.000"]]}
    trade = {"e": "trade", "s": "ETHUSDT", "T": 14, "p": "2500.10", "q": "6.000", "X": "MARKET", "m": False}
    file = recording(
        tmp_path / "tape.gz",
        [
            (0, snapshot),
            (200, diff(10, 12, 9, [["2500.05", "1.000"]])),
            (1_500, {"stream": "ethusdt@trade", "data": trade}),
            (2_000, diff(13, 15, 12, [])),
        ],
    )
    settings = simulator_settings(tmp_path / "venue", replay_file=file, step_ms=20)
    simulator = BinanceSimulator(settings)
    began = asyncio.get_running_loop().time()
    await simulator.start()
    async with open_account(venue_settings(simulator.port, simulator.ca_file)) as venue:
        async with listening(venue.account_events()) as account:
            await account.until(Connected)
            approved = order(limit_price=D("2500.10"), time_in_force="gtx", quantity=D(2))
            await venue.submit(approved)
            assert (await venue.mark(ETH)).mark_price < D("2500.10")
            await simulator.replay_over.wait()
            assert asyncio.get_running_loop().time() - began >= 1.9
            state = await venue.order_state(ETH, approved.value.client_order_id)
            assert state is not None
            assert state.filled >= D(1), "the recorded trade of 6 found 5 before us and 1 of ours"
        walked = {(await venue.mark(ETH)).mark_price for _ in range(8)}
        assert len(walked) > 1, "the market goes on"
        assert all(D(2400) < mark < D(2600) for mark in walked)
    await simulator.stop()


async def test_a_broken_recording_stops_the_simulator_aloud(tmp_path: Path) -> None:
    file = recording(tmp_path / "tape.gz", [(0, diff(1, 2, 0, []))])
    with pytest.raises(Exception, match="no snapshot"):
        await run(simulator_settings(tmp_path / "venue", replay_file=file), asyncio.Event())


async def test_run_ends_when_told(tmp_path: Path) -> None:
    stop = asyncio.Event()
    ports: list[int] = []

    def ready(simulator: BinanceSimulator) -> None:
        ports.append(simulator.port)
        stop.set()

    await run(simulator_settings(tmp_path), stop, ready)
    await run(simulator_settings(tmp_path), stop, ready)
    assert len(set(ports)) == 1, "the second comes back where the first was"
