"""Answering from history: a view as it stood at any position, by snapshot and fold. One way for every view.

The rows of a view at a position P are, with S the last snapshot at or before P:
the rows that were closed at or before S, which never change again and stand in the table; and what the snapshot's
state and the events from S to P make of the open ones. So an answer folds at most what lies between two snapshots,
however old P is, and reads only the page that is asked for.
"""

from projections.folding import Fold, Folding
from projections.ports import LogReader, Page, PositionAhead, Query, ViewStore
from projections.query import checked, cut, matching
from projections.view import View

FOLD_EVENTS = 5_000
"""So many positions are folded before others get a turn."""


async def fold_at(view: View, position: int, store: ViewStore, reader: LogReader) -> tuple[int, Fold]:
    """Return the position of the last snapshot at or before a position, and the view folded from there up to it.

    The fold's `changed` holds every row that was open at the snapshot or was written since. Raise `PositionAhead` when
    the log ends before `position`, `CannotFold` for an event that cannot be folded.
    """
    kept = await store.snapshot(view, position)
    begun, state = (0, view.initial()) if kept is None else (kept.position, view.thaw(kept.state))
    fold = Fold(view, state, begun)
    fold.changed = dict(state.rows)
    folding = Folding((fold,))
    while fold.position < position:
        page = await reader.page(fold.position, FOLD_EVENTS, folding.unneeded, position)
        if page.position == fold.position:
            raise PositionAhead(f"the log ends at {page.position}, before {position}")
        folding.fold(page.events, page.position)
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
