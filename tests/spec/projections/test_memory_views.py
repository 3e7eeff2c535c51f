"""The store that other tests use in memory keeps the contract of the real one."""

from collections.abc import Sequence

import pytest

from domain.log import StoredEvent
from tests.support.memory_views import MemoryLog, MemoryViewStore
from tests.support.view_store_contract import ViewStoreContract


class MemoryWorld:
    def __init__(self) -> None:
        self.reader = MemoryLog()
        self.store = MemoryViewStore(self.reader)

    async def append(self, events: Sequence[StoredEvent]) -> None:
        self.reader.extend(events)

    async def wait_for(self, view: str, position: int, timeout_s: float) -> int:
        return await self.store.wait_for(view, position, timeout_s)


class TestMemoryViews(ViewStoreContract):
    @pytest.fixture
    def world(self) -> MemoryWorld:
        return MemoryWorld()
