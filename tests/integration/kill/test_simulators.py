"""The kill's sweeps against four simulated venues over their true wires: lost answers, a venue in maintenance."""

import asyncio
import functools
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from adapters.exchange.settings import Loopback, VenueSettings
from adapters.exchange.sweep import open_sweep
from adapters.simulators.binance.endpoints import USDM_ENDPOINTS
from adapters.simulators.binance.errors import BinanceError
from adapters.simulators.binance.order_endpoints import Endpoint
from adapters.simulators.faults import Fault
from adapters.simulators.server import Account, Simulators, SimulatorsSettings
from api.killing.report import VenueEnd
from api.killing.venues import Terms, VenueSilence
from benchmarks.controls_kill import leave_stops, rest, stands
from tests.spec.kill.fakes import Lines

VENUES = ("binanceusdm", "bybit", "okx", "deribit")
EACH, STOPS = 7, 3
ALGO = "GET /fapi/v1/openAlgoOrders"
TERMS = Terms(ask_s=1, within_s=30, pause_s=0.01)


@pytest.fixture
async def simulators(tmp_path: Path) -> AsyncIterator[Simulators]:
    accounts = {
        name: Account(api_key="k" * 32, api_secret="s" * 32, passphrase="phrase", more_keys={"o" * 32: "z" * 32})
        for name in VENUES
    }
    running = Simulators(SimulatorsSettings(directory=tmp_path, accounts=accounts))
    await running.start()
    try:
        for venue in running.venues.values():
            rest(venue, EACH)
            leave_stops(venue, STOPS)
        yield running
    finally:
        await running.stop()


def silence(simulators: Simulators, name: str, terms: Terms = TERMS) -> VenueSilence:
    settings = VenueSettings(
        venue=name,
        account="main",
        api_key="o" * 32,
        api_secret="z" * 32,
        passphrase="phrase",
        symbols=(),
        loopback=Loopback(port=simulators.port, ca_file=simulators.ca_file),
        timeout_ms=1_000,
    )
    return VenueSilence(name, "main", functools.partial(open_sweep, settings), terms, Lines())


async def killed(simulators: Simulators, **terms: Any) -> dict[str, VenueEnd]:
    stopped = asyncio.Event()
    stopped.set()
    began = asyncio.get_running_loop().time()
    ends = await asyncio.gather(
        *(silence(simulators, name, terms.get(name, TERMS)).run(stopped, began) for name in VENUES)
    )
    return {end.venue: end for end in ends}


def standing(simulators: Simulators, name: str) -> int:
    return stands(simulators.venues[name])


def arm(simulators: Simulators, name: str, kind: Any, on: str = "*", times: int = 1) -> None:
    simulators.venues[name].faults.arm(Fault(kind=kind, on=on, times=times), time.time_ns() // 1_000_000)


async def test_every_order_at_four_venues_is_gone_by_keys_of_the_kills_own(simulators: Simulators) -> None:
    assert {name: standing(simulators, name) for name in VENUES} == dict.fromkeys(VENUES, EACH + STOPS)
    ends = await killed(simulators)
    assert {name: standing(simulators, name) for name in VENUES} == dict.fromkeys(VENUES, 0)
    assert {name: (end.silent, end.cancelled, end.conditional) for name, end in ends.items()} == dict.fromkeys(
        VENUES, (True, EACH + STOPS, STOPS)
    )
    assert all(end.positions == () for end in ends.values())


@pytest.mark.parametrize("kind", ["reset", "bad_gateway", "html", "truncate", "timeout", "rate_limited"])
async def test_answers_that_are_lost_or_are_none_are_asked_for_again(simulators: Simulators, kind: str) -> None:
    for name in VENUES:
        arm(simulators, name, kind, times=2)
    ends = await killed(simulators)
    assert all(end.silent for end in ends.values()), ends
    assert {name: standing(simulators, name) for name in VENUES} == dict.fromkeys(VENUES, 0)


async def test_one_venue_that_is_away_holds_up_no_other_and_is_not_called_silent(simulators: Simulators) -> None:
    arm(simulators, "bybit", "maintenance", times=1_000_000)
    ends = await killed(simulators, bybit=Terms(ask_s=0.5, within_s=3, pause_s=0.01))
    assert {name: end.silent for name, end in ends.items()} == {name: name != "bybit" for name in VENUES}
    assert {name: standing(simulators, name) for name in VENUES} == {
        name: EACH + STOPS if name == "bybit" else 0 for name in VENUES
    }
    assert ends["bybit"].positions is None


async def test_what_a_sender_places_meanwhile_is_gone_as_well(simulators: Simulators) -> None:
    venue, stopped = simulators.venues["okx"], asyncio.Event()
    running = asyncio.create_task(silence(simulators, "okx").run(stopped, 0))
    async with asyncio.timeout(20):
        while standing(simulators, "okx"):  # noqa: ASYNC110 - the venue's own view
            await asyncio.sleep(0.01)
    rest(venue, 3, prefix="late")
    stopped.set()
    end = await running
    assert (end.silent, end.cancelled, standing(simulators, "okx")) == (True, EACH + STOPS + 3, 0)


async def test_a_key_that_may_not_ask_for_conditional_orders_makes_no_silence(simulators: Simulators) -> None:
    """What the venue refuses to tell is given up long before the bound, and named; the rest is emptied."""
    venue = simulators.venues["binanceusdm"]
    refusing = {**USDM_ENDPOINTS, ALGO: Endpoint("signed", 40, _refuse)}
    venue.endpoints = refusing  # pyright: ignore[reportAttributeAccessIssue] - Binance's own
    stopped = asyncio.Event()
    stopped.set()
    end = await silence(simulators, "binanceusdm", Terms(ask_s=1, within_s=3_600, pause_s=0.01)).run(stopped, 0)
    assert (end.silent, end.silent_ms) == (False, None)
    assert [(part.part, part.refused) for part in end.untold] == [("algo orders", True)]
    assert not venue.exchange.open_orders(None)
    assert len(venue.exchange.conditionals.waiting()) == STOPS


def _refuse(*_asked: object) -> object:
    raise BinanceError(-2015, "Invalid API-key, IP, or permissions for action.", 401)
