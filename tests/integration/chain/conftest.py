"""A development chain of each kind, with one endpoint before it or three."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.integration.chain.rig import Rig, rigged
from tests.support.devchain import BACKENDS, devchain


@pytest.fixture(params=BACKENDS)
async def node(request: pytest.FixtureRequest) -> AsyncIterator[Any]:
    async with devchain(request.param) as made:
        yield made


@pytest.fixture
async def rig(node: Any) -> AsyncIterator[Rig]:
    async with rigged(node) as made:
        yield made


@pytest.fixture
async def three(node: Any) -> AsyncIterator[Rig]:
    async with rigged(node, 3) as made:
        yield made
