"""The supply's watch: reads the issued token's total at final blocks, and tells it where the Book would say another.

A total is told only once nothing that is open could be in it, as far as the replica shows; until then the same reading
is kept, so that it becomes tellable while later settlements come and go. The Book judges it again.
"""

import logging

from api.chain.watched import Watched
from api.replica import Replica
from api.telling import tell
from commands.ports import Clock, Facts
from commands.supply import ObserveSupply
from domain.supply import SupplyFrom, uncertain
from domain.transaction import Block

SOURCE = "chain"
# A reading that stays uncertain over so many heads is given up for a newer one.
HEADS_MAX = 50

_log = logging.getLogger("ballast.supply")


class SupplyWatch:
    """Watch the supply, at heads that somebody else waits for; ask every so many blocks."""

    def __init__(self, replica: Replica, watched: Watched, facts: Facts, clock: Clock) -> None:
        self._replica = replica
        self._watched = watched
        self._facts = facts
        self._clock = clock
        self._next = 0
        self._reading: ObserveSupply | None = None
        self._heads = 0

    async def look(self, head: Block) -> None:
        """Look from a head; raise `Unavailable` when the endpoints do not agree."""
        policy = self._replica.book.policy
        if policy is None or policy.risk.supply is SupplyFrom.SETTLEMENTS:
            return
        if self._reading is None:
            if head.number < self._next or head.number < self._watched.finality_blocks:
                return
            self._reading, self._heads = await self._read(head.number - self._watched.finality_blocks), 0
            self._next = head.number + self._watched.terms_blocks
        await self._consider(self._reading)

    async def _read(self, number: int) -> ObserveSupply:
        """Read the total at a block, and what of our senders' transactions is in it."""
        found = await self._watched.reader.issued(number)
        book = self._replica.book
        senders = {*book.onchain.nonces, *(sent.sender for each in book.settlements.values() for sent in each.live)}
        counts = {sender: await self._watched.reader.transaction_count(sender, number) for sender in sorted(senders)}
        return ObserveSupply(
            total=found.total,
            block_number=found.block_number,
            block_hash=found.block_hash,
            counts=counts,
            observed_at_us=self._clock.now_us(),
        )

    async def _consider(self, reading: ObserveSupply) -> None:
        """Tell a reading if it is news; keep it while it is not certain what is in it."""
        book = self._replica.book
        if uncertain(book.settlements.values(), reading.counts, reading.block_number):
            self._heads += 1
            if self._heads >= HEADS_MAX:
                _log.warning("what settled up to block %s is not told after %s heads", reading.block_number, HEADS_MAX)
                self._reading = None
            return
        self._reading = None
        settled = book.supply.settled(book.issued, reading.block_number)
        if book.supply.is_news(reading.total - settled, reading.observed_at_us):
            key = f"supply|{reading.block_hash}|{self._clock.now_us()}"
            await tell(self._facts, SOURCE, reading.KIND, key, reading)
