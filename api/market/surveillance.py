"""Watching over the market data: the laws are applied several times a second, and what changes is told to the book.

A loss that was over before the next look counts all the same. What the book still has wrong after a while is told
again: a report can be lost with a wiped inbox.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from api.replica import Replica
from api.telling import readable, tell
from commands.ports import Clock, Facts
from domain.market import Witness
from domain.oracle import OracleEvent
from domain.quantity import ZERO
from domain.surveillance import Transition, begin, survey, untold
from domain.venue import BookLost, FeedEvent

SURVEY_EVERY_S = 0.1
# Reports on their way at once; what is beyond is found again by `untold`.
TELLING_MAX = 256
TOLD_AGAIN_S = 5.0
SOURCE = "market"


class View(Protocol):
    """Show what every source says."""

    def witnesses(self, now_us: int) -> tuple[Witness, ...]:
        """Return it, with ages at `now_us`."""
        ...


class Surveillance:
    """Apply the laws to what is heard, and report who is suspended and who is back."""

    def __init__(self, replica: Replica, view: View, facts: Facts, clock: Clock) -> None:
        self.suspended = 0
        self._replica = replica
        self._view = view
        self._facts = facts
        self._clock = clock
        self._watch = begin(replica.book.outside.suspended, clock.now_us())
        self._lost: dict[tuple[str, str], str] = {}
        self._reports: asyncio.Queue[Transition] = asyncio.Queue(TELLING_MAX)

    def take(self, event: FeedEvent | OracleEvent) -> None:
        """Note a lost book until the next look, though it may be back by then."""
        if isinstance(event, BookLost):
            self._lost[event.venue, event.symbol] = readable(event.reason) or "lost"

    async def run(self) -> None:
        """Watch until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._tell())
            tasks.create_task(self._survey())
            tasks.create_task(self._tell_again())

    def look(self) -> Sequence[Transition]:
        """Apply the laws once and return what changed."""
        policy = self._replica.book.policy
        if policy is None:
            return ()
        now_us = self._clock.now_us()
        seen = _with_losses(self._view.witnesses(now_us), self._lost)
        self._lost.clear()
        self._watch, changed = survey(self._watch, seen, policy.integrity, now_us, policy.valued)
        return changed

    async def _survey(self) -> None:
        while True:
            self._queue(self.look())
            await asyncio.sleep(SURVEY_EVERY_S)

    async def _tell_again(self) -> None:
        while True:
            await asyncio.sleep(TOLD_AGAIN_S)
            if self._reports.empty():
                self._queue(untold(self._watch, self._replica.book.outside.suspended))

    def _queue(self, changed: Sequence[Transition]) -> None:
        for transition in changed:
            if not self._reports.full():
                self._reports.put_nowait(transition)

    async def _tell(self) -> None:
        while True:
            transition = await self._reports.get()
            await tell(self._facts, SOURCE, transition.kind, transition.natural_key, transition)


def _with_losses(witnesses: tuple[Witness, ...], lost: Mapping[tuple[str, str], str]) -> tuple[Witness, ...]:
    if not lost:
        return witnesses
    return tuple(
        msgspec.structs.replace(witness, bid=ZERO, ask=ZERO, lost=lost[witness.source, witness.symbol])
        if (witness.source, witness.symbol) in lost
        else witness
        for witness in witnesses
    )
