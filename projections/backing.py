"""Backing: what stands behind the issued dollars at conservative marks, beside what was issued."""

from typing import Any

import msgspec

from domain.backing import ISSUED_DECIMALS, Backing, backing
from domain.backing import BackingLine as Backed
from domain.limit import Control
from domain.quantity import ZERO, Num, to_units
from projections.booked import SEEN, Booked
from projections.figures import DOWN, RATIO_STEP, ends, figure
from projections.view import Row, View

TOTAL = "total"
ASSET = "asset"


class BackingLine(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Show the whole backing (`kind` total) or one asset of it, values in USD; None where something has no price.

    Of an asset: `units` as they could be with open requests settling or not, `certain` as they are. Of the whole:
    `profit` of the hedges, all assets and profit as `value`, `supply` of issued dollars, the least `ratio` that may be
    true at conservative marks; `middle` is the ratio at middles with nothing open, `at_risk` the one if unsettled
    profit were never paid, `held` what is held against the `limit`: the ratio, but of no less supply than the policy's
    floor. A ratio of None with nothing `unknown`: nothing is issued. `supply_from` is `settlements`, or `chain`: then
    its total was read at `supply_block`, and `unexplained` dollars of it no settlement minted (below zero: burned).
    """

    kind: str
    asset: str
    units_low: Num | None = None
    units_high: Num | None = None
    certain: Num | None = None
    value_low: Num | None = None
    value_high: Num | None = None
    profit_low: Num | None = None
    profit_high: Num | None = None
    supply: Num | None = None
    supply_from: str = ""
    supply_block: int | None = None
    unexplained: Num | None = None
    ratio: Num | None = None
    middle: Num | None = None
    at_risk: Num | None = None
    held: Num | None = None
    reserve: Num | None = None
    limit: Num | None = None
    within: bool | None = None
    unknown: tuple[str, ...] = ()


class Backings(Booked[BackingLine]):
    """Hold the lines of the backing."""


def _asset(asset: str, here: Backed | None) -> BackingLine:
    if here is None:
        return BackingLine(
            kind=ASSET, asset=asset, units_low=ZERO, units_high=ZERO, certain=ZERO, value_low=ZERO, value_high=ZERO
        )
    low, high = ends(here.value)
    return BackingLine(
        kind=ASSET,
        asset=asset,
        units_low=here.units.low,
        units_high=here.units.high,
        certain=here.certain,
        value_low=low,
        value_high=high,
    )


def _total(here: Backing, limit: Num | None, reserve: Num, unexplained: Num) -> BackingLine:
    low, high = ends(here.value)
    profit_low, profit_high = ends(here.profit)
    return BackingLine(
        kind=TOTAL,
        asset="",
        value_low=low,
        value_high=high,
        profit_low=profit_low,
        profit_high=profit_high,
        supply=here.supply,
        supply_from=here.supply_from,
        supply_block=here.supply_block,
        unexplained=unexplained,
        ratio=figure(here.ratio, RATIO_STEP, DOWN),
        middle=figure(here.middle, RATIO_STEP, DOWN),
        at_risk=figure(here.at_risk, RATIO_STEP, DOWN),
        held=figure(here.held, RATIO_STEP, DOWN),
        reserve=reserve,
        limit=limit,
        within=None if limit is None or here.held is None else here.held >= limit,
        unknown=here.unknown,
    )


def _lines(state: Backings) -> tuple[Row[Any], ...]:
    seen, book = state.seen, state.book
    if book.policy is None:
        return ()
    here = backing(book)
    limit = book.limit(Control.BACKING_RATIO)
    found = {each.asset: each for each in here.assets}
    total = _total(
        here,
        None if limit is None else limit.value,
        book.policy.risk.reserve,
        to_units(book.supply.difference, ISSUED_DECIMALS),
    )
    rows: tuple[Row[Any], ...] = state.show(TOTAL, total, sort=seen.adopted_position)
    for asset, since in seen.assets.items():
        rows += state.show(asset, _asset(asset, found.get(asset)), sort=since)
    return rows


BACKING = View(
    name="backing",
    document=BackingLine,
    state=Backings,
    steps={},
    lookups=frozenset({"kind"}),
    render=_lines,
    shared=SEEN,
)
