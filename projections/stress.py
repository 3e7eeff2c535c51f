"""Stress: what would be lost if something went wrong, against the reserve; and what leaving a venue would take."""

from typing import Any

import msgspec

from domain.account import account_key
from domain.evacuation import Evacuation, evacuations
from domain.limit import Control
from domain.quantity import BPS, ZERO, Num, divide, multiply
from domain.stress import FUNDING, PRICE_DOWN, PRICE_UP, STABLE, VENUE, Scenario, Stress, stress
from projections.booked import SEEN, Booked
from projections.figures import BPS_STEP, UP, figure, money
from projections.view import Row, View

WORST, EVACUATION = "worst", "evacuation"


class StressLine(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Show a scenario or an evacuation, money in USD; None where something has no price.

    `kind` of a scenario is venue, stable, price_down, price_up or funding, of the worst of them all worst; `loss` is
    what it takes, `share_bps` that part of the reserve, beside its `limit`. An evacuation (of what an account holds)
    tells its `notional`, the orders, the time (ms) and the cost to flat and to hedge again elsewhere, and what no other
    venue may take (`unplaced`).
    """

    kind: str
    scope: str
    text: str = ""
    loss: Num | None = None
    reserve: Num | None = None
    share_bps: Num | None = None
    limit: Num | None = None
    within: bool | None = None
    unknown: tuple[str, ...] = ()
    notional: Num | None = None
    orders: int | None = None
    flat_ms: int | None = None
    flat_cost: Num | None = None
    rehedge_ms: int | None = None
    rehedge_cost: Num | None = None
    unplaced: Num | None = None


class Stresses(Booked[StressLine]):
    """Hold the lines of stress."""


def _scenario(kind: str, scope: str, told: Scenario | None, reserve: Num) -> StressLine:
    loss = ZERO if told is None else told.loss
    share = None if loss is None or reserve <= 0 else divide(multiply(loss, BPS), reserve)
    return StressLine(
        kind=kind,
        scope=scope,
        text="nothing is at risk here" if told is None else told.text,
        loss=money(loss),
        reserve=reserve,
        share_bps=figure(share, BPS_STEP, UP),
    )


def _worst(found: Stress, limit: Num | None) -> StressLine:
    worst = found.worst
    return StressLine(
        kind=WORST,
        scope="" if worst is None else _scope(worst.kind, worst.id),
        text="" if worst is None else worst.text,
        loss=None if worst is None else money(worst.loss),
        reserve=found.reserve,
        share_bps=figure(found.share_bps, BPS_STEP, UP),
        limit=limit,
        within=None if limit is None or found.share_bps is None else found.share_bps <= limit,
        unknown=found.unknown,
    )


def _scope(kind: str, name: str) -> str:
    return f"{kind}:{name}" if name else kind


def _evacuation(key: str, told: Evacuation | None) -> StressLine:
    venue, _, account = key.partition("|")
    if told is None:
        return StressLine(
            kind=EVACUATION,
            scope=f"venue:{venue}|{account}",
            text="nothing is held here",
            notional=ZERO,
            orders=0,
            flat_ms=0,
            flat_cost=ZERO,
            rehedge_ms=0,
            rehedge_cost=ZERO,
            unplaced=ZERO,
        )
    return StressLine(
        kind=EVACUATION,
        scope=f"venue:{venue}|{account}",
        notional=money(told.notional),
        orders=told.orders,
        flat_ms=told.flat_ms,
        flat_cost=money(told.flat_cost),
        rehedge_ms=told.rehedge_ms,
        rehedge_cost=money(told.rehedge_cost),
        unplaced=money(told.unplaced),
    )


def _lines(state: Stresses) -> tuple[Row[Any], ...]:
    seen, book = state.seen, state.book
    if book.policy is None:
        return ()
    found = stress(book)
    told = {(each.kind, each.id): each for each in found.scenarios}
    limit = book.limit(Control.STRESS_LOSS)
    first = seen.adopted_position
    rows: tuple[Row[Any], ...] = state.show(WORST, _worst(found, None if limit is None else limit.value), sort=first)
    wanted = [(FUNDING, "", first)]
    for kinds, names in (
        ((VENUE,), seen.venues),
        ((STABLE,), seen.stables),
        ((PRICE_DOWN, PRICE_UP), seen.underlyings),
    ):
        wanted += [(kind, name, since) for kind in kinds for name, since in names.items()]
    for kind, name, since in wanted:
        scope = _scope(kind, name)
        rows += state.show(scope, _scenario(kind, scope, told.get((kind, name)), found.reserve), sort=since)
    left = {account_key(each.venue, each.account): each for each in evacuations(book)}
    for key, since in seen.accounts.items():
        rows += state.show(f"{EVACUATION}|{key}", _evacuation(key, left.get(key)), sort=since)
    return rows


STRESS = View(
    name="stress",
    document=StressLine,
    state=Stresses,
    steps={},
    lookups=frozenset({"kind"}),
    render=_lines,
    shared=SEEN,
)
