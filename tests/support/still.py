"""Around a core in unit tests: a log in which nothing is kept, and a world in which nothing moves."""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from uuid import UUID

from commands.envelope import Reply
from domain.carry import MarkEvidence
from domain.chain import GENESIS
from domain.depth import BookEvidence
from domain.log import Batch, Head, KeptCommand, NewEvent, Snapshot, StoredEvent
from domain.market import Witness
from tests.support.given import START_US


class EmptyLog:
    """Hold nothing; every append is durable at once."""

    async def take_over(self) -> Head:
        return Head(1, 0, 0, GENESIS)

    def append(self, batch: Batch) -> Awaitable[None]:
        durable: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        durable.set_result(None)
        return durable

    async def outcomes(self, command_ids: Sequence[UUID]) -> Mapping[UUID, KeptCommand]:
        return {}

    async def commands(self, after: int, limit: int) -> Sequence[KeptCommand]:
        return ()

    async def read(self, after: int, limit: int) -> Sequence[StoredEvent]:
        return ()

    async def load_snapshot(self, name: str, schema: str) -> Snapshot | None:
        return None

    async def save_snapshot(self, snapshot: Snapshot) -> None:
        return

    async def close(self) -> None:
        return


class Still:
    """Be the clock, the market and the world outside."""

    def now_us(self) -> int:
        return START_US

    def witnesses(self, now_us: int) -> tuple[Witness, ...]:
        del now_us
        return ()

    def marks(self, now_us: int) -> tuple[MarkEvidence, ...]:
        del now_us
        return ()

    def look(self, now_us: int) -> tuple[BookEvidence, ...]:
        return ()

    def offer(self, first_position: int, events: Sequence[NewEvent]) -> None:
        return


class Door:
    """Note what is answered."""

    def __init__(self) -> None:
        self.answers: list[tuple[object, Reply]] = []

    def answer(self, answers: Sequence[tuple[object, Reply]]) -> None:
        self.answers.extend(answers)
