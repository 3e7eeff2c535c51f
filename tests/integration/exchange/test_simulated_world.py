"""One world for every venue: same seed, same prices; venues agree, remember, follow a recording, and share a port."""

import gzip
import json
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.simulators.binance.errors import SPOT_WORDS, WORDS
from adapters.simulators.binance.instruments import COINM, SPOT, USDM
from adapters.simulators.market import LEVELS, Crowd, shape_of
from adapters.simulators.matching import Book
from adapters.simulators.refusals import Refusal
from adapters.simulators.server import KINDS, Account, Simulators, SimulatorsSettings
from adapters.simulators.world import HABITS, World
from tests.support.exchange import KEY, SECRET

D = Decimal


def walked(seed: int, steps: int = 500) -> World:
    world = World(seed)
    for _ in range(steps):
        world.step()
    return world


def prices(world: World) -> list[Decimal | None]:
    return [world.price_of(asset) for asset in HABITS]


def test_same_seed_same_world() -> None:
    assert prices(walked(1)) == prices(walked(1))
    assert prices(walked(1)) != prices(walked(2))


def test_the_world_stays_near_its_home_and_stables_near_one() -> None:
    world = walked(3, 20_000)
    for asset, home in (("ETH", 2682), ("BTC", 61_700)):
        price = world.price_of(asset)
        assert price is not None
        assert abs(price / home - 1) < D("0.05")
    for stable in ("USDT", "USDC", "USDe", "USDE"):
        price = world.price_of(stable)
        assert price is not None
        assert abs(price - 1) < D("0.001")
    assert world.pair("stETH", "ETH") == world.pair("stETH", "USD") / world.pair("ETH", "USD")
    assert world.price_of("DOGE") is None
    with pytest.raises(KeyError, match="DOGE"):
        world.pair("DOGE", "USD")


def test_what_is_led_does_not_walk_until_it_is_released() -> None:
    world = World(1)
    world.lead("ETH", D(3000))
    world.step()
    assert world.price_of("ETH") == D(3000)
    world.release("ETH")
    world.step()
    assert world.price_of("ETH") != D(3000)


def test_a_world_is_moved_evenly_and_is_at_home_there_then() -> None:
    world, calm = World(1), World(1)
    before = world.price_of("ETH")
    assert before is not None
    world.move("eth", D("1.2"), 100)
    halfway = D(0)
    for step in range(1_000):
        world.step()
        calm.step()
        halfway = world.pair("ETH", "USD") if step == 49 else halfway
    assert abs(halfway / before - D("1.1")) < D("0.01")
    assert abs(world.pair("ETH", "USD") / before - D("1.2")) < D("0.02")
    assert world.price_of("BTC") == calm.price_of("BTC")


@pytest.mark.parametrize(
    ("asset", "factor", "steps"),
    [("DOGE", "1.1", 1), ("ETH", "0.01", 1), ("ETH", "21", 1), ("ETH", "NaN", 1), ("ETH", "1.1", 0)],
)
def test_what_is_no_move_is_refused(asset: str, factor: str, steps: int) -> None:
    with pytest.raises(ValueError, match="a known asset moves"):
        World(1).move(asset, D(factor), steps)


@pytest.mark.parametrize("instrument", [*USDM, *COINM, *SPOT], ids=lambda each: f"{each.kind} {each.symbol}")
@given(moves=st.lists(st.integers(-400, 400), min_size=1, max_size=40), seed=st.integers(0, 50))
@settings(max_examples=15, deadline=None)
def test_a_crowd_stands_around_its_middle_and_never_crosses(instrument: Any, moves: list[int], seed: int) -> None:
    price = World(1).pair(instrument.base, instrument.quote)
    shape = shape_of(instrument, price)
    crowd, book, middle = Crowd(shape, str(seed)), Book(), int(price / instrument.tick)
    book.set_levels([(middle - 5, 10), (middle - 900, 3)], [(middle + 5, 10)])
    crowd.adopt(book.prices("BUY"), book.prices("SELL"))
    for move in moves:
        middle += move
        step = crowd.step(middle)
        book.set_levels(step.bids, step.asks)
        assert list(book.uncross()) == []
        bid, ask = book.best("BUY"), book.best("SELL")
        assert bid is not None
        assert ask is not None
        assert middle - shape.half_spread_max <= bid < middle < ask <= middle + shape.half_spread_max
        assert len(book.prices("BUY")) == len(book.prices("SELL")) == LEVELS


def test_every_refusal_has_words() -> None:
    never = {Refusal.BAD_PASSPHRASE}
    assert set(Refusal) - set(WORDS) == never
    assert set(SPOT_WORDS) == set(WORDS)


@asynccontextmanager
async def all_of(directory: Path, **changes: Any) -> AsyncGenerator[Simulators, None]:
    accounts = {name: Account(api_key=KEY, api_secret=SECRET) for name in KINDS}
    fields: dict[str, Any] = {"directory": directory, "accounts": accounts, "step_ms": 0, "admin_token": "let me in"}
    simulators = Simulators(SimulatorsSettings(**(fields | changes)))
    await simulators.start()
    try:
        yield simulators
    finally:
        await simulators.stop()


def marks(simulators: Simulators, base: str) -> dict[str, Decimal]:
    return {
        name: venue.exchange.mark(symbol)
        for name, venue in simulators.venues.items()
        for symbol, instrument in venue.exchange.instruments.items()
        if instrument.base == base
    }


def assert_agreed(found: dict[str, Decimal], price: Decimal) -> None:
    assert found
    for name, mark in found.items():
        assert abs(mark / price - 1) < D("0.001"), name


async def test_venues_agree_with_the_world_and_each_other(tmp_path: Path) -> None:
    async with all_of(tmp_path) as simulators:
        for _ in range(300):
            simulators.world.step()
            for venue in simulators.venues.values():
                venue.step()
        for base in ("ETH", "BTC"):
            assert_agreed(marks(simulators, base), simulators.world.pair(base, "USD"))
        assert len(set(marks(simulators, "ETH").values())) > 1, "but not to the last cent"
        simulators.world.set_price("ETH", D(3333))
        for venue in simulators.venues.values():
            venue.step()
    async with all_of(tmp_path) as again:
        assert again.port == simulators.port
        assert_agreed(marks(again, "ETH"), D(3333))


async def test_one_port_many_venues_and_faults_by_name(tmp_path: Path) -> None:
    async with all_of(tmp_path) as simulators:
        await arm_by_name(simulators)


async def arm_by_name(simulators: Simulators) -> None:
    context = ssl.create_default_context(cafile=str(simulators.ca_file))
    base = f"https://localhost:{simulators.port}/admin/faults"
    bearer = {"Authorization": "Bearer let me in"}
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context), headers=bearer) as session:

        async def arm(**fault: Any) -> int:
            async with session.post(base, json=fault) as answer:
                return answer.status

        assert await arm(kind="gap") == 400, "whose?"
        assert await arm(venue="kraken", kind="gap") == 400
        assert await arm(venue="binance", kind="dislocate", factor="-1") == 400
        assert await arm(venue="binance", kind="dislocate", factor="0.65", on="ETH", for_ms=60_000) == 200
        for venue in simulators.venues.values():
            venue.step()
        away = marks(simulators, "ETH")
        assert abs(away.pop("binance") / 2682 - D("0.65")) < D("0.001")
        assert_agreed(away, D(2682))
        async with session.get(base) as counted:
            counts = await counted.json()
        assert counts["binance"] == {"dislocate": 1}
        assert counts["binanceusdm"] == {}
        async with session.delete(base) as cleared:
            assert cleared.status == 200
        for host, path in (("dapi.binance.com", "/dapi/v1/ping"), ("api.binance.com", "/api/v3/ping")):
            url = f"https://localhost:{simulators.port}{path}"
            async with session.get(url, headers={"Host": host}) as answer:
                assert answer.status == 200
        async with session.get(f"https://localhost:{simulators.port}/", headers={"Host": "example.com"}) as nobody:
            assert nobody.status == 404


async def test_the_door_moves_the_world_for_every_venue(tmp_path: Path) -> None:
    async with all_of(tmp_path) as simulators, aiohttp.ClientSession() as session:
        context = ssl.create_default_context(cafile=str(simulators.ca_file))
        door: dict[str, Any] = {"url": f"https://localhost:{simulators.port}/admin/world", "ssl": context}
        bearer = {"Authorization": "Bearer let me in"}
        before = D(simulators.world.pair("ETH", "USD"))
        async with session.post(json={"asset": "DOGE", "factor": "2"}, headers=bearer, **door) as refused:
            assert refused.status == 400
        async with session.post(json={"asset": "ETH", "factor": "1.1"}, headers=bearer, **door) as moved:
            assert moved.status == 200
        async with session.delete(headers=bearer, **door) as strange:
            assert strange.status == 405
        simulators.world.step()
        for venue in simulators.venues.values():
            venue.step()
        assert_agreed(marks(simulators, "ETH"), before * D("1.1"))
        async with session.get(headers=bearer, **door) as told:
            assert abs(D((await told.json())["ETH"]) / before - D("1.1")) < D("0.001")


async def test_a_recording_leads_the_world_and_a_dislocated_market_comes_back_to_it(tmp_path: Path) -> None:
    file = tmp_path / "tape.gz"
    snapshot = {"lastUpdateId": 10, "T": 1, "bids": [["2500.00", "5.000"]], "asks": [["2500.10", "5.000"]]}

    def diff(last: int, previous: int, bids: list[list[str]]) -> dict[str, Any]:
        data = {"e": "depthUpdate", "s": "ETHUSDT", "T": last, "U": previous + 1, "u": last, "pu": previous}
        return {"data": data | {"b": bids, "a": []}}

    lines = [(0, snapshot), (400, diff(11, 10, [["2500.05", "1.000"]])), (800, diff(12, 11, [["2499.00", "2.000"]]))]
    with gzip.open(file, "wb") as out:
        for after_ms, body in lines:
            out.write(f"{1_000_000_000 + after_ms * 1_000_000} {json.dumps(body)}\n".encode())
    async with all_of(tmp_path / "venues", replay_file=file, step_ms=20) as simulators:
        await replay_with_a_fault(simulators)


async def replay_with_a_fault(simulators: Simulators) -> None:
    usdm = simulators.venues["binanceusdm"]
    async with aiohttp.ClientSession() as session:
        context = ssl.create_default_context(cafile=str(simulators.ca_file))
        fault = {"venue": "binanceusdm", "kind": "dislocate", "factor": "0.8", "on": "ETH", "for_ms": 500}
        base = f"https://localhost:{simulators.port}/admin/faults"
        async with session.post(base, json=fault, ssl=context, headers={"Authorization": "Bearer let me in"}) as armed:
            assert armed.status == 200
    await simulators.replay_over.wait()
    assert usdm.faults.counts["dislocate"] > 5
    assert abs(usdm.exchange.mark("ETHUSDT") / D("2500.075") - 1) < D("0.0005")
    assert_agreed({"binance": simulators.venues["binance"].exchange.mark("ETHUSDT")}, D(2500))
