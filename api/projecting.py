"""The projector's loop: tail the log, fold, write rows and checkpoint together. Asyncio and ports only."""

import asyncio
from collections.abc import Sequence

import msgspec

from projections.folding import Fold, Folding
from projections.history import begin, fold_up_to
from projections.ports import (
    CheckpointMoved,
    EventTail,
    LoggedEvent,
    LogReader,
    OpenTail,
    SchemaChanged,
    StoreUnreachable,
    ViewStore,
)
from projections.view import View

CATCH_UP_EVENTS = 50_000
"""Positions in one transaction while far behind: the upsert dominates, so the larger the better, up to memory."""
LIVE_EVENTS_MAX = 2_000
"""Positions in one transaction while following."""
RETRY_S = 0.5
"""So long after it was unreachable the store is tried again."""


class Progress(msgspec.Struct, frozen=True):
    """Say how far the views of a projector are: the one furthest behind, and what it did so far.

    `recorded_at` is when the last event it followed was recorded, RFC 3339, empty before the first.
    """

    position: int
    recorded_at: str
    transactions: int
    rows: int
    restarts: int


class Projector:
    """Keep read models moving, all of one process together. Run it once; it ends when told to stop or when broken."""

    def __init__(self, views: Sequence[View], reader: LogReader, store: ViewStore, tail: OpenTail) -> None:
        self._views = tuple(views)
        self._reader = reader
        self._store = store
        self._tail = tail
        self._folding: Folding | None = None
        self._transactions = 0
        self._rows = 0
        self._restarts = 0

    @property
    def progress(self) -> Progress:
        """Return how far it is; positions behind are the log's head less this."""
        folding = self._folding
        return Progress(
            position=0 if folding is None else folding.position,
            recorded_at="" if folding is None else folding.recorded_at,
            transactions=self._transactions,
            rows=self._rows,
            restarts=self._restarts,
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Follow the log until `stop` is set; what was begun is finished.

        Begin again from the store when someone else moved a checkpoint or the store cannot be reached. Raise
        `CannotFold` at an event that cannot be folded, `SchemaChanged` when a view must be rebuilt.
        """
        while not stop.is_set():
            try:
                await self._follow(stop)
            except CheckpointMoved:
                self._restarts += 1
            except StoreUnreachable:
                self._restarts += 1
                await pause(stop, RETRY_S)

    async def _follow(self, stop: asyncio.Event) -> None:
        folding = self._folding = Folding(await restore(self._views, self._store, self._reader))
        while not stop.is_set():
            page = await self._reader.page(folding.position, CATCH_UP_EVENTS, folding.unneeded)
            folding.fold(page.events, page.position)
            await self._write(folding)
            if page.last:
                break
        async with self._tail(folding.position) as tail:
            while not stop.is_set():
                batch = await next_batch(tail, stop)
                folding.follow(batch)
                await self._write(folding)

    async def _write(self, folding: Folding) -> None:
        changes = [change for change in folding.take() if change.position > change.before]
        if changes:
            await self._store.apply(changes)
            self._transactions += 1
            self._rows += sum(len(change.rows) for change in changes)


async def restore(views: Sequence[View], store: ViewStore, reader: LogReader) -> list[Fold]:
    """Return each view folded up to its checkpoint, by snapshot and fold, with nothing left to write.

    Raise `SchemaChanged` when a table was written by another version of its view.
    """
    checkpoints = await store.checkpoints([view.name for view in views])
    begun: dict[int, list[Fold]] = {}
    for view in views:
        kept = checkpoints.get(view.name)
        if kept is not None and kept.schema != view.schema:
            raise SchemaChanged(f"{view.name} was written by another version: run `ballast projections rebuild`")
        position = 0 if kept is None else kept.position
        begun.setdefault(position, []).append(await begin(view, position, store))
    restored: dict[str, Fold] = {}
    for position, folds in begun.items():
        snapshots = [fold.position for fold in folds]
        await fold_up_to(Folding(folds), position, reader)
        for fold, snapshot in zip(folds, snapshots, strict=True):
            fold.render()
            restored[fold.view.name] = Fold(fold.view, fold.state, position, snapshot_position=snapshot)
    return [restored[view.name] for view in views]


async def next_batch(tail: EventTail, stop: asyncio.Event, within_s: float | None = None) -> Sequence[LoggedEvent]:
    """Return the next batch, empty when told to stop, or when the time is over, before there is one."""
    batch = asyncio.create_task(tail.next_batch(LIVE_EVENTS_MAX))
    stopped = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait((batch, stopped), timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
        return batch.result() if batch.done() else ()
    finally:
        batch.cancel()
        stopped.cancel()
        await asyncio.gather(batch, stopped, return_exceptions=True)


async def pause(stop: asyncio.Event, seconds: float) -> None:
    """Sleep, or wake when told to stop."""
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
