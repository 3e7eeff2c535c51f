"""Ours and anvil are the same chain to what leans on them."""

import pytest

from tests.contract.chain_node import NodeContract
from tests.support.devchain import BACKENDS


class TestNodes(NodeContract):
    @pytest.fixture(params=BACKENDS)
    def backend(self, request: pytest.FixtureRequest) -> str:
        return str(request.param)
