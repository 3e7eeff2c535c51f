"""The contract of a sweep, kept at every venue that we may hedge on."""

import pytest

from adapters.exchange.settings import VenueSettings
from adapters.exchange.sweep import open_sweep
from tests.contract.venue_rig import Bench
from tests.contract.venue_sweep import SweepContract
from tests.integration.exchange import (
    test_binance_coinm_account,
    test_binance_spot_account,
    test_binance_usdm_account,
    test_bybit_account,
    test_deribit_account,
    test_okx_account,
)

BENCHES = (
    test_binance_usdm_account.USDM,
    test_binance_coinm_account.COINM,
    test_binance_spot_account.SPOT,
    test_bybit_account.LINEAR,
    test_bybit_account.INVERSE,
    test_okx_account.LINEAR,
    test_deribit_account.INVERSE,
    test_deribit_account.LINEAR,
)


class TestSweeps(SweepContract):
    @pytest.fixture(params=BENCHES, ids=lambda bench: f"{bench.venue}-{bench.market}")
    def bench(self, request: pytest.FixtureRequest) -> Bench:
        return request.param


async def test_a_venue_that_cannot_be_swept_is_refused() -> None:
    settings = VenueSettings(venue="kraken", account="main", api_key="k", api_secret="s", symbols=())
    with pytest.raises(ValueError, match="kraken"):
        async with open_sweep(settings):
            raise AssertionError("opened")
