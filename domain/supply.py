"""Supply: how many issued dollars there are by the chain's own count, beside what settlements in the log come to.

A count is taken at a final block. Less what settlements moved up to that block it is a difference: dollars that others
minted, or burned. Supply is at any time what settlements issued and that difference, so that a settlement which is
confirmed later moves it by its own amount, once. This holds as long as no count has an open settlement in it: where it
may (`uncertain`), it waits until the log tells what became of that one.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from uuid import UUID

import msgspec

from domain.event import Event, catalogued
from domain.ids import natural_id
from domain.instant import SECOND_US
from domain.settlement import OpenSettlement

# A count that says nothing new is recorded so often: people see that somebody still counts.
EVERY_US = 600 * SECOND_US
# The latest blocks in which settlements moved dollars are kept one by one; no count is taken before the oldest of them.
BLOCKS_MAX = 256
# Transactions of so many senders are looked for in a count.
SENDERS_MAX = 64
# The token counts in a word of the EVM.
TOTAL_END = 1 << 256


class SupplyFrom(StrEnum):
    """Say whose count of the issued dollars the backing is held against."""

    CHAIN = "chain"  # the token's own total: whoever minted, all of it is to be backed
    SETTLEMENTS = "settlements"  # what this book issued: others back the rest of the token


@catalogued
class SupplyObserved(Event, frozen=True, kw_only=True, tag="supply.observed.v1"):
    """A final block shows `total` issued dollars; settlements in the log came to `settled` up to it. All in atoms.

    `before` is by how much the two differed when they were last compared.
    """

    total: int
    settled: int
    before: int
    block_number: int
    block_hash: str
    observed_at_us: int

    @property
    def originator(self) -> UUID:
        """Return the one stream of the supply."""
        return natural_id("supply")

    @property
    def difference(self) -> int:
        """Return what others than this book minted, less what they burned, atoms."""
        return self.total - self.settled


class Supply(msgspec.Struct, kw_only=True):
    """Hold the last count, and what settlements moved in later blocks, atoms by block.

    Up to block `floor` nothing can be told apart any more: no count is taken before it.
    """

    observed: SupplyObserved | None = None
    moved: dict[int, int] = {}
    floor: int = 0

    @property
    def difference(self) -> int:
        """Return what others minted, less what they burned, atoms; none before anybody counted."""
        return 0 if self.observed is None else self.observed.difference

    def move(self, block_number: int, atoms: int) -> None:
        """Note what a confirmed settlement moved in its block."""
        self.moved[block_number] = self.moved.get(block_number, 0) + atoms
        while len(self.moved) > BLOCKS_MAX:
            self._forget(min(self.moved))

    def take(self, event: SupplyObserved) -> None:
        """Take a new count."""
        self.observed = event
        self._forget(event.block_number)

    def _forget(self, block_number: int) -> None:
        self.floor = max(self.floor, block_number)
        self.moved = {number: atoms for number, atoms in self.moved.items() if number > self.floor}

    def settled(self, issued: int, block_number: int) -> int:
        """Return what settlements came to up to a block no older than `floor`, of all that they `issued` so far."""
        return issued - sum(atoms for number, atoms in self.moved.items() if number > block_number)

    def is_news(self, difference: int, observed_at_us: int) -> bool:
        """Say whether a count tells of another difference, or the last one grew old."""
        last = self.observed
        return last is None or difference != last.difference or observed_at_us - last.observed_at_us >= EVERY_US


def uncertain(settlements: Iterable[OpenSettlement], counts: Mapping[str, int], block_number: int) -> bool:
    """Say whether a count at a block may have an open settlement in it.

    `counts` say how many transactions of each sender the chain had included by that block. A nonce that was not used up
    by then is in no count of it; of one that was, a call that failed or a cancel is told. Of all else nobody knows yet.
    """
    return any(_may_count(each, counts, block_number) for each in settlements)


def _may_count(settlement: OpenSettlement, counts: Mapping[str, int], block_number: int) -> bool:
    for transaction in settlement.transactions:
        used = counts.get(transaction.sender)
        if used is not None and transaction.nonce >= used:
            continue
        receipt = settlement.receipt_at(transaction.nonce)
        if used is None or receipt is None or receipt is settlement.settled or receipt.block_number > block_number:
            return True
    return False
