"""The gate before new orders: a worker that begins first asks about all that it found open.

What is open when a worker begins may have been sent by whoever acted before it. Until the venue has answered for each
of these, once at least, nothing new is sent: a venue that does not answer is not traded on, and what was sent twice
would be seen before more is added.
"""

import asyncio
from collections.abc import Iterable
from uuid import UUID


class Gate:
    """Be shut until every order that is waited for was answered for; then stay open."""

    def __init__(self) -> None:
        self._begun = False
        self._unanswered: set[UUID] = set()
        self._open = asyncio.Event()

    @property
    def unanswered(self) -> int:
        """Return how many orders the venue has not answered for."""
        return len(self._unanswered)

    @property
    def is_open(self) -> bool:
        """Say whether new orders may pass."""
        return self._open.is_set()

    def begin(self, order_ids: Iterable[UUID]) -> None:
        """Wait for these; with none of them the gate is open."""
        self._begun = True
        self._unanswered.update(order_ids)
        self._look()

    def answered(self, order_id: UUID) -> None:
        """Take it that the venue has answered for an order, or that the order is over."""
        self._unanswered.discard(order_id)
        self._look()

    async def passes(self, within_s: float) -> bool:
        """Wait until the gate is open, at most so long; say whether it is."""
        if not self.is_open and within_s > 0:
            try:
                async with asyncio.timeout(within_s):
                    await self._open.wait()
            except TimeoutError:
                return False
        return self.is_open

    def _look(self) -> None:
        if self._begun and not self._unanswered:
            self._open.set()
