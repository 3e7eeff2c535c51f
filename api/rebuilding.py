"""Rebuilding a read model from the log, beside the one in use."""

from collections.abc import Callable

import msgspec

from api.projecting import CATCH_UP_EVENTS
from projections.folding import Folding, start
from projections.ports import LogReader, Shadow
from projections.view import View


class Rebuilt(msgspec.Struct, frozen=True):
    """Say how far a rebuild is: positions folded, rows written, and the log's head as last seen."""

    position: int
    rows: int
    head: int


async def rebuild(
    view: View, reader: LogReader, shadow: Shadow, progress: Callable[[Rebuilt], None] | None = None
) -> Rebuilt:
    """Fold the whole log into a new table and put it in place of the old one, in one transaction.

    Readers see the old table until then. A projector that runs meanwhile goes on; if the new table is ahead of it, it
    begins again from there. `progress` is called after each stretch.
    """
    folding = Folding((start(view),))
    fold = folding.folds[0]
    rows = 0
    await shadow.begin(view)
    while True:
        page = await reader.page(fold.position, CATCH_UP_EVENTS, folding.unneeded)
        folding.fold(page.events, page.position)
        change = fold.take()
        await shadow.apply(change)
        rows += len(change.rows)
        if progress is not None:
            progress(Rebuilt(fold.position, rows, await reader.head()))
        if page.last:
            break
    async with shadow.swap(view) as swap:
        while fold.position < swap.live_position:
            page = await reader.page(fold.position, CATCH_UP_EVENTS, folding.unneeded, swap.live_position)
            folding.fold(page.events, page.position)
        change = fold.take()
        await swap.apply(change)
    return Rebuilt(fold.position, rows + len(change.rows), await reader.head())
