"""Exposure: what each underlying could do to the book at worst, beside its limit. Read off the domain's own Book."""

from typing import Any

import msgspec

from domain import exposure as law
from domain.book import Book
from domain.instant import rfc3339
from domain.limit import Control
from domain.quantity import Num
from projections.booked import SEEN, Booked
from projections.view import Row, View


class ExposureLine(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Show an underlying in base units: backing plus positions for certain, and the interval of what may be true.

    `worst` is the greatest absolute value in the interval. `limit` and `within` are None when no limit is set.
    """

    kind: str
    scope: str
    unit: str
    underlying: str
    backing: Num
    position: Num
    certain: Num
    low: Num
    high: Num
    worst: Num
    carry: Num
    limit: Num | None
    within: bool | None
    updated_at: str


class Exposures(Booked[ExposureLine]):
    """Hold the lines of exposure."""


def underlyings(book: Book) -> tuple[str, ...]:
    """Return the underlyings of the policy's assets and instruments, sorted."""
    policy = book.policy
    if policy is None:
        return ()
    assets = {asset.underlying for asset in policy.assets}
    return tuple(sorted(assets | {instrument.base for instrument in policy.instruments}))


def line(book: Book, underlying: str, at_us: int) -> ExposureLine:
    """Return the line of one underlying."""
    here = law.exposure(book, underlying)
    limit = book.limit(Control.NET_DELTA, f"asset:{underlying}")
    worst = here.interval.worst
    return ExposureLine(
        kind="underlying",
        scope=f"asset:{underlying}",
        unit=underlying,
        underlying=underlying,
        backing=here.backing,
        position=here.position,
        certain=here.certain,
        low=here.interval.low,
        high=here.interval.high,
        worst=worst,
        carry=here.carry,
        limit=None if limit is None else limit.value,
        within=None if limit is None else worst <= limit.value,
        updated_at=rfc3339(at_us),
    )


def _lines(state: Exposures) -> tuple[Row[Any], ...]:
    rows: tuple[Row[Any], ...] = ()
    for underlying, since in state.seen.underlyings.items():
        rows += state.show(underlying, line(state.book, underlying, state.seen.moved_us), sort=since)
    return rows


EXPOSURE = View(
    name="exposure",
    document=ExposureLine,
    state=Exposures,
    steps={},
    lookups=frozenset({"kind"}),
    render=_lines,
    shared=SEEN,
)
