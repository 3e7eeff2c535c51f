"""The settlement worker: settles what was asked for, once by its id, and tells when it is final."""

import asyncio
from uuid import UUID

from api.replica import Replica
from api.telling import readable, tell
from commands.ports import Facts, Follower, Lease, Settlements
from commands.settlement import RecordConfirmed, RecordReverted
from domain.refusal import Rejected, Unavailable, Unknown
from domain.settlement import SettlementSubmissionRequested

PATROL_S = 1.0
# A settlement that was told and is still open after this long is told again: its fact was lost with a wiped inbox.
TOLD_S = 5.0
SOURCE = "chain"


class Settling:
    """Settle the open settlements of one book, as their only lease-holder."""

    def __init__(
        self, replica: Replica, follower: Follower, settlements: Settlements, facts: Facts, lease: Lease
    ) -> None:
        self._replica = replica
        self._follower = follower
        self._settlements = settlements
        self._facts = facts
        self._lease = lease
        self._busy: set[UUID] = set()

    async def run(self) -> None:
        """Follow and patrol until cancelled; raise what broke."""
        async with asyncio.TaskGroup() as tasks:
            self._take_up(tasks)
            tasks.create_task(self._patrol(tasks))
            while True:
                await self._replica.follow(self._follower)
                self._take_up(tasks)

    def _take_up(self, tasks: asyncio.TaskGroup) -> None:
        for settlement_id, open_settlement in self._replica.book.settlements.items():
            if settlement_id not in self._busy:
                self._busy.add(settlement_id)
                tasks.create_task(self._settle(open_settlement.requested))

    async def _settle(self, requested: SettlementSubmissionRequested) -> None:
        key = str(requested.settlement_id)
        try:
            self._lease.check()
            reference = await self._settlements.settle(requested)
        except Rejected as error:
            reverted = RecordReverted(settlement_id=requested.settlement_id, text=readable(str(error)))
            await tell(self._facts, SOURCE, "settlement.reverted", f"reverted|{key}", reverted)
        except (Unavailable, Unknown):
            self._busy.discard(requested.settlement_id)  # settling again is harmless by its id: the patrol does
            return
        else:
            confirmed = RecordConfirmed(settlement_id=requested.settlement_id, reference=reference)
            await tell(self._facts, SOURCE, "settlement.confirmed", f"confirmed|{key}", confirmed)
        await asyncio.sleep(TOLD_S)
        self._busy.discard(requested.settlement_id)

    async def _patrol(self, tasks: asyncio.TaskGroup) -> None:
        """Settle again what stayed open: a told fact may have been lost with a wiped inbox."""
        while True:
            await asyncio.sleep(PATROL_S)
            self._take_up(tasks)
