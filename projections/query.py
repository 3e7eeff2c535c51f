"""Queries over a listing: where a cursor stands, what is asked for, how a page ends. One way for table and history."""

from collections.abc import Iterable
from typing import Any

import msgspec

from domain.codec import encode
from projections.ports import PAGE_ROWS_MAX, Query, StoredRow
from projections.view import Row, View

SORT_MAX = (1 << 63) - 1

Place = tuple[int, str]


def checked(view: View, query: Query) -> Place | None:
    """Return the place of the query's cursor, None at the beginning.

    Raise ValueError for a page size out of bounds, a cursor that is none, or a field that the view is not asked by.
    """
    if not 1 <= query.limit <= PAGE_ROWS_MAX:
        raise ValueError(f"a page has 1 to {PAGE_ROWS_MAX} rows, not {query.limit}")
    if query.field and query.field not in view.lookups:
        known = ", ".join(sorted(view.lookups)) or "nothing"
        raise ValueError(f"{view.name} can be asked by {known}, not by {query.field!r}")
    if not query.after:
        return None
    sort, dot, key = query.after.partition(".")
    if not dot or not sort.isdecimal() or not sort.isascii() or int(sort) > SORT_MAX:
        raise ValueError(f"not a cursor of a page: {query.after!r}")
    return int(sort), key


def cursor(row: StoredRow) -> str:
    """Return the cursor that stands behind a row."""
    return f"{row.sort}.{row.key}"


def matching(view: View, rows: Iterable[Row[Any]], query: Query) -> list[StoredRow]:
    """Return the first rows, in the order of the listing, that a query asks for: one more than its limit, if there are.

    Only these are encoded.
    """
    place = checked(view, query)
    wanted = [row for row in rows if _beyond(row, place, query) and query.open in {None, row.open}]
    wanted.sort(key=_place, reverse=query.newest_first)
    found: list[StoredRow] = []
    for row in wanted:
        document = encode(row.document)
        if query.field and _text(document, query.field) != query.equals:
            continue
        found.append(StoredRow(row.key, row.sort, row.position, row.open, document))
        if len(found) > query.limit:
            break
    return found


def cut(rows: Iterable[StoredRow], query: Query) -> tuple[list[StoredRow], str]:
    """Return one page of rows, in the order of the listing, and the cursor of the next; empty when there is none."""
    ordered = sorted(rows, key=_place, reverse=query.newest_first)
    page = ordered[: query.limit]
    return page, cursor(page[-1]) if len(ordered) > query.limit else ""


def _place(row: Row[Any] | StoredRow) -> Place:
    return row.sort, row.key


def _beyond(row: Row[Any], place: Place | None, query: Query) -> bool:
    if place is None:
        return True
    return _place(row) < place if query.newest_first else _place(row) > place


def _text(document: bytes, field: str) -> str | None:
    value = msgspec.json.decode(document).get(field)
    return value if isinstance(value, str) else None
