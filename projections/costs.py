"""Costs: what trading and carrying cost each day at each venue's instruments. Everything is positive when it cost us.

A hedge counts on the UTC day it ended, funding on the day the venue paid it. A day may change for a week; what is told
of an older one by then counts on the oldest that may.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from domain.cost import AssetSum, Cost, CostRealised, LegCost, summed, total
from domain.event import Event
from domain.fill import FillRecorded
from domain.funding import FundingPaid
from domain.instant import SECOND_US, rfc3339
from domain.surprise import SurpriseClassified, SurpriseKind
from projections.fills import is_surprise
from projections.view import Row, Rows, View

DAY_US = 86_400 * SECOND_US
DATE_DIGITS = 10
DAYS_OPEN = 7
"""A day may change until so many days after it."""


class CostLine(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Show a UTC day of an instrument of an account: `cost` in USD of what hedges traded there.

    `legs` counts what they traded, of which `unknown` stand in no `cost`. By asset: `fees` as charged, of which
    `unconverted` stand in no `cost`; `funding`, negative when received; the fees of trades that nobody here asked for.
    """

    day: str
    venue: str
    account: str
    symbol: str
    legs: int
    unknown: int
    cost: Cost
    fees: tuple[AssetSum, ...]
    unconverted: tuple[AssetSum, ...]
    funding: tuple[AssetSum, ...]
    surprises: int
    surprise_fees: tuple[AssetSum, ...]
    updated_at: str


class Costs(Rows[CostLine]):
    """Hold the lines of the last days; `today` counts days since the Unix epoch.

    `last` is the last fill of an order of ours: what is said of it comes right behind.
    """

    today: int = 0
    last: FillRecorded | None = None


def _date(day: int) -> str:
    return rfc3339(day * DAY_US)[:DATE_DIGITS]


def _passed(state: Costs, position: int, at_us: int) -> tuple[Row[CostLine], ...]:
    """Close the days that are too old to change, once a day."""
    today = max(state.today, at_us // DAY_US)
    if today == state.today:
        return ()
    state.today = today
    oldest, rows = _date(today - DAYS_OPEN), list[Row[CostLine]]()
    for key, row in list(state.rows.items()):
        if row.document.day < oldest:
            rows += state.close(key, position, row.document)
    return tuple(rows)


def _line(state: Costs, day: int, where: tuple[str, str, str], at_us: int) -> CostLine:
    """Return the line of a day, or of the nearest that may change."""
    date = _date(min(max(day, state.today - DAYS_OPEN), state.today))
    venue, account, symbol = where
    held = state.find(_key(date, *where))
    if held is not None:
        return msgspec.structs.replace(held, updated_at=rfc3339(at_us))
    return CostLine(
        day=date,
        venue=venue,
        account=account,
        symbol=symbol,
        legs=0,
        unknown=0,
        cost=Cost(),
        fees=(),
        unconverted=(),
        funding=(),
        surprises=0,
        surprise_fees=(),
        updated_at=rfc3339(at_us),
    )


def _key(day: str, venue: str, account: str, symbol: str) -> str:
    return f"{day}|{venue}|{account}|{symbol}"


def _keep(state: Costs, line: CostLine, position: int, **news: object) -> tuple[Row[CostLine], ...]:
    key = _key(line.day, line.venue, line.account, line.symbol)
    return state.keep(key, position, msgspec.structs.replace(line, **news))


def _realised(state: Costs, event: CostRealised, position: int, at_us: int) -> tuple[Row[CostLine], ...]:
    rows = _passed(state, position, at_us)
    for leg in event.legs:
        line = _line(state, at_us // DAY_US, (leg.venue, leg.account, leg.symbol), at_us)
        rows += _keep(state, line, position, **_with(line, leg))
    return rows


def _with(line: CostLine, leg: LegCost) -> dict[str, object]:
    known = leg.cost is not None
    return {
        "legs": line.legs + 1,
        "unknown": line.unknown + (not known),
        "cost": line.cost if leg.cost is None else total((line.cost, leg.cost)),
        "fees": summed((*line.fees, *leg.fees)),
        "unconverted": summed((*line.unconverted, *(leg.unconverted if known else leg.fees))),
    }


def _funded(state: Costs, event: FundingPaid, position: int, at_us: int) -> tuple[Row[CostLine], ...]:
    rows = _passed(state, position, at_us)
    line = _line(state, event.paid_at_us // DAY_US, (event.venue, event.account, event.symbol), at_us)
    funding = summed((*line.funding, AssetSum(event.asset, -event.amount)))
    return rows + _keep(state, line, position, funding=funding)


def _filled(state: Costs, event: FillRecorded, position: int, at_us: int) -> tuple[Row[CostLine], ...]:
    if not is_surprise(event):
        state.last = event
        return ()
    return _unasked(state, event, position, at_us)


def _classified(state: Costs, event: SurpriseClassified, position: int, at_us: int) -> tuple[Row[CostLine], ...]:
    """Count a late fill, which no hedge counts; an overfill is counted by the hedge of its order."""
    late = state.last if event.kind is SurpriseKind.LATE else None
    if late is None or late.fill_id != event.fill_id:
        return ()
    return _unasked(state, late, position, at_us)


def _unasked(state: Costs, event: FillRecorded, position: int, at_us: int) -> tuple[Row[CostLine], ...]:
    rows = _passed(state, position, at_us)
    line = _line(state, event.traded_at_us // DAY_US, (event.venue, event.account, event.symbol), at_us)
    fees = summed((*line.surprise_fees, AssetSum(event.fee_asset, event.fee)))
    return rows + _keep(state, line, position, surprises=line.surprises + 1, surprise_fees=fees)


_STEPS: dict[type[Event], Callable[..., tuple[Row[Any], ...]]] = {
    CostRealised: _realised,
    FundingPaid: _funded,
    FillRecorded: _filled,
    SurpriseClassified: _classified,
}

COSTS = View(
    name="costs",
    document=CostLine,
    state=Costs,
    steps=_STEPS,
    lookups=frozenset({"day", "symbol", "venue"}),
)
