"""Independent appends from many callers, formed into groups: one transaction, one fsync for all who wait.

The core decides on a state that includes what is not yet committed, so its batches depend on each other and it forms
them itself. Callers here do not depend on each other: one that fails takes no other with it.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import msgspec

from adapters.postgres.failures import AppendConflict
from adapters.postgres.writer import FencedWriter, Standing
from commands.ports import AppendFailed
from domain.log import Batch, KeptCommand, NewEvent

GROUP_ENTRIES_MAX = 2_000
WAITING_MAX = 100_000

# A queue smaller than this is not worth two transactions.
SPLIT_ENTRIES_MIN = 16


Prepare = Callable[[Sequence[NewEvent]], Awaitable[None]]


class Entry(msgspec.Struct, gc=False):
    """Hold one caller's events, perhaps with the command that caused them, and the caller's future."""

    events: Sequence[NewEvent]
    command: KeptCommand | None
    placed: asyncio.Future[int]


def wall_clock_us() -> int:
    """Return the time of day in microseconds since the Unix epoch."""
    return time.time_ns() // 1_000


async def nothing_to_prepare(_events: Sequence[NewEvent]) -> None:
    """Trust the memory of versions and the table's key."""


class GroupCommitter:
    """Form groups out of single appends. The writer must have taken over.

    `prepare` makes the writer remember the streams of events that are tried again after a conflict.
    """

    def __init__(
        self, writer: FencedWriter, prepare: Prepare = nothing_to_prepare, clock_us: Callable[[], int] = wall_clock_us
    ) -> None:
        self._writer = writer
        self._prepare = prepare
        self._clock_us = clock_us
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[Entry] = deque()
        self._flush_due = False
        # Groups to try again one at a time, oldest first, after one of them failed.
        self._again: list[list[Entry]] = []
        self._sorting: asyncio.Task[None] | None = None

    def append(self, events: Sequence[NewEvent], command: KeptCommand | None = None) -> asyncio.Future[int]:
        """Queue one caller's events, all or none; the future brings the position of the first when they are durable.

        A command's sequence and positions are given to it here. Raise AppendConflict when these events stand against
        the log, Fenced when another writer took over.
        """
        placed: asyncio.Future[int] = self._loop.create_future()
        if len(self._waiting) >= WAITING_MAX:
            placed.set_exception(AppendFailed(f"{WAITING_MAX} appends are waiting already"))
            return placed
        self._waiting.append(Entry(events, command, placed))
        if not self._flush_due:
            # The callers that the last group woke append in this turn of the loop; the group is formed after them.
            self._flush_due = True
            self._loop.call_soon(self._flush)
        return placed

    async def close(self) -> None:
        """Wait for the appends queued so far."""
        while self._waiting or self._sorting is not None:
            await asyncio.wait([self._sorting] if self._sorting is not None else [self._waiting[-1].placed])

    def _flush(self) -> None:
        self._flush_due = False
        if self._sorting is not None:
            return
        if self._writer.standing in {Standing.FAILED, Standing.NOT_WRITER}:
            # The writer says why: it answers at once.
            self._commit(self._take(len(self._waiting)))
            return
        while self._waiting and (slots := self._writer.free_slots):
            count = len(self._waiting)
            # With both slots free, halves keep Python and Postgres busy at the same time.
            if slots > 1 and count >= SPLIT_ENTRIES_MIN:
                count = (count + 1) // 2
            self._commit(self._take(min(count, GROUP_ENTRIES_MAX)))

    def _take(self, count: int) -> list[Entry]:
        return [self._waiting.popleft() for _ in range(count)]

    def _commit(self, group: list[Entry]) -> None:
        if group:
            settled = partial(self._settled, group, self._writer.tail.position + 1)
            self._offer(group).add_done_callback(settled)

    def _offer(self, group: list[Entry]) -> asyncio.Future[None]:
        end = self._writer.tail
        position, sequence = end.position, end.sequence
        events: list[NewEvent] = []
        commands: list[KeptCommand] = []
        for entry in group:
            events += entry.events
            if entry.command is not None:
                sequence += 1
                first = position + 1 if entry.events else None
                last = position + len(entry.events) if entry.events else None
                kept = entry.command
                commands.append(
                    KeptCommand(kept.command_id, sequence, kept.kind, kept.command, kept.outcome, first, last)
                )
            position += len(entry.events)
        return self._writer.append(Batch(end.position + 1, tuple(events), tuple(commands), self._clock_us()))

    def _settled(self, group: list[Entry], position: int, outcome: asyncio.Future[None]) -> None:
        failure = outcome.exception()
        if failure is None:
            for entry in group:
                if not entry.placed.done():
                    entry.placed.set_result(position)
                position += len(entry.events)
        elif isinstance(failure, AppendFailed):
            self._again.append(group)
            if self._sorting is None:
                self._sorting = self._loop.create_task(self._sort_out())
        else:
            _fail(group, failure)
        if self._waiting and not self._flush_due and self._sorting is None:
            self._flush_due = True
            self._loop.call_soon(self._flush)

    async def _sort_out(self) -> None:
        """Try the failed groups again, one at a time, halving those that stand against the log."""
        try:
            await self._writer.idle()
            # Those behind the failed one reported in their order, which is the order of their callers.
            while self._again:
                await self._try_again(self._again.pop(0))
        finally:
            self._sorting = None
            if self._waiting and not self._flush_due:
                self._flush_due = True
                self._loop.call_soon(self._flush)

    async def _try_again(self, group: list[Entry]) -> None:
        stack = [group]
        while stack:
            trying = stack.pop()
            self._resume()
            await self._prepare([event for entry in trying for event in entry.events])
            position = self._writer.tail.position + 1
            try:
                await self._offer(trying)
            except AppendConflict as conflict:
                if len(trying) == 1:
                    _fail(trying, conflict)
                else:
                    half = len(trying) // 2
                    stack += [trying[half:], trying[:half]]
            except Exception as failure:  # noqa: BLE001 - whatever it is, its callers hear it
                _fail(trying, failure)
            else:
                for entry in trying:
                    if not entry.placed.done():
                        entry.placed.set_result(position)
                    position += len(entry.events)
        self._resume()

    def _resume(self) -> None:
        if self._writer.can_resume:
            self._writer.resume()


def _fail(group: Sequence[Entry], failure: BaseException) -> None:
    for entry in group:
        if not entry.placed.done():
            entry.placed.set_exception(type(failure)(*failure.args))
