"""The settlement worker, in virtual time: what it told and nobody heard, it tells again."""

import asyncio
from collections.abc import Sequence

import pytest

from api.replica import Replica
from api.settling import Settling
from commands.ports import LoggedEvent
from domain.refusal import Rejected
from domain.settlement import SettlementSubmissionRequested
from tests.simulation.loop import SimLoop
from tests.support.desk import Desk


class Silent:
    """A log that brings nothing new: the told fact was lost with a wiped inbox."""

    async def next_batch(self, limit: int = 1) -> Sequence[LoggedEvent]:
        await asyncio.Event().wait()
        return ()


class Chain:
    def __init__(self, *, reverts: bool) -> None:
        self.reverts = reverts

    async def settle(self, requested: SettlementSubmissionRequested) -> str:
        if self.reverts:
            raise Rejected("reverted", "the transaction reverted")
        return "0xabc"


class Facts:
    def __init__(self) -> None:
        self.told: list[str] = []

    async def publish(self, source: str, kind: str, natural_key: str, body: bytes) -> object:
        self.told.append(kind)
        return None


class Lease:
    def check(self) -> None:
        return


@pytest.mark.parametrize(("reverts", "kind"), [(False, "settlement.confirmed"), (True, "settlement.reverted")])
def test_an_outcome_that_was_lost_after_it_was_told_is_told_again(reverts: bool, kind: str) -> None:
    desk = Desk()
    desk.accept(desk.quote("100", pair="USDT/USDe"))
    assert desk.book.settlements
    facts = Facts()
    worker = Settling(Replica(desk.book, 1), Silent(), Chain(reverts=reverts), facts, Lease())

    async def main() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(20):
                await worker.run()

    loop = SimLoop()
    loop.run_until_complete(main())
    loop.close()
    assert facts.told.count(kind) >= 2
