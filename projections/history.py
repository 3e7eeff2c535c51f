"""Answering from history: a view as it stood at any position, by snapshot and fold. One way for every view.

The rows of a view at a position P are, with S the last snapshot at or before P:
the rows that were closed at or before S, which never change again and stand in the table; and what the snapshot's
state and the events from S to P make of the open ones. So an answer folds at most what lies between two snapshots,
however old P is, and reads only the page that is asked for.
"""

from projections.folding import Fold, Folding, start
from projections.ports import LogReader, Page, PositionAhead, Query, ViewStore
from projections.query import checked, cut, matching
from projections.view import View

FOLD_EVENTS = 5_000
"""So many positions are folded before others get a turn."""


async def begin(view: View, position: int, store: ViewStore) -> Fold:
    """Return a view as it stood at the last snapshot at or before a position."""
    kept = await store.snapshot(view, position)
    return start(view) if kept is None else Fold(view, view.thaw(kept.state), kept.position)


async def fold_up_to(folding: Folding, position: int, reader: LogReader) -> None:
    """Fold views up to a position of the log. Raise `PositionAhead` and `CannotFold` as `fold_at` does."""
    while folding.position < position:
        before = folding.position
        page = await reader.page(before, FOLD_EVENTS, folding.unneeded, position)
        if page.position == before:
            raise PositionAhead(f"the log ends at {page.position}, before {position}")
        folding.fold(page.events, page.position)


async def fold_at(view: View, position: int, store: ViewStore, reader: LogReader) -> tuple[int, Fold]:
    """Return the position of the last snapshot at or before a position, and the view folded from there up to it.

    The fold's `changed` holds every row that was open at the snapshot or was written since. Raise `PositionAhead` when
    the log ends before `position`, `CannotFold` for an event that cannot be folded.
    """
    fold = await begin(view, position, store)
    begun = fold.position
    fold.changed = dict(fold.state.rows)
    await fold_up_to(Folding((fold,)), position, reader)
    fold.render()
    return begun, fold


async def as_of(view: View, position: int, query: Query, store: ViewStore, reader: LogReader) -> Page:
    """Answer a query from a view as it stood at a position.

    Raise `PositionAhead` when the log ends before it, ValueError for a query that the view cannot answer.
    """
    checked(view, query)
    if position < 0:
        raise ValueError(f"a position is not negative: {position}")
    begun, fold = await fold_at(view, position, store, reader)
    rows = matching(view, fold.changed.values(), query)
    if begun > 0 and query.open is not True:
        rows += await store.closed_before(view, begun, query)
    page, following = cut(rows, query)
    recorded_at = await reader.recorded_at_us(position) if position else None
    return Page(rows=page, next=following, as_of_position=position, as_of_us=recorded_at)
