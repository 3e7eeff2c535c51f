"""A simulated venue and an account on it, over real TLS on loopback."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.exchange.account import VenueAccount
from adapters.exchange.venues import open_account
from adapters.simulators.server import BinanceSimulator
from tests.support.exchange import running, simulator_settings, venue_settings


@pytest.fixture
async def simulator(tmp_path: Path) -> AsyncIterator[BinanceSimulator]:
    async with running(simulator_settings(tmp_path / "venue")) as made:
        yield made


@pytest.fixture
async def venue(simulator: BinanceSimulator) -> AsyncIterator[VenueAccount]:
    async with open_account(venue_settings(simulator.port, simulator.ca_file, timeout_ms=1_500)) as made:
        yield made
