"""Both oracles, simulated, over real TLS on loopback."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.oracle_world import OracleWorld, oracle_world


@pytest.fixture
async def oracles(tmp_path: Path) -> AsyncIterator[OracleWorld]:
    async with oracle_world(tmp_path) as made:
        yield made
