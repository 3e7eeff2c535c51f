"""The contract of a dead-man's switch, kept at every venue that has one, and what each asks for."""

import pytest

from tests.contract.venue_rig import Bench
from tests.contract.venue_switch import SwitchContract
from tests.integration.exchange import (
    test_binance_coinm_account,
    test_binance_usdm_account,
    test_bybit_account,
    test_deribit_account,
    test_okx_account,
)

BENCHES = (
    test_binance_usdm_account.USDM,
    test_binance_coinm_account.COINM,
    test_bybit_account.LINEAR,
    test_okx_account.LINEAR,
    test_deribit_account.INVERSE,
)


class TestSwitches(SwitchContract):
    @pytest.fixture(params=BENCHES, ids=lambda bench: bench.venue)
    def bench(self, request: pytest.FixtureRequest) -> Bench:
        return request.param
