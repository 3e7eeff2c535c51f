from collections.abc import AsyncIterator, Iterator

import pytest

from adapters.nats.connection import Connection
from tests.support.bus import OwnNats, connected, own_nats
from tests.support.servers import NatsServer


@pytest.fixture
async def connection(nats_server: NatsServer) -> AsyncIterator[Connection]:
    async with connected(nats_server.url) as opened:
        yield opened


@pytest.fixture
def mortal() -> Iterator[OwnNats]:
    """Give a NATS server of the test's own, to kill and wipe."""
    with own_nats() as server:
        yield server
