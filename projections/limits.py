"""Limits: the values in force, and those that were removed."""

import msgspec

from domain.instant import rfc3339
from domain.limit import Control, LimitRemoved, LimitSet, limit_key
from domain.limits import CONTROLS
from domain.quantity import Num
from projections.view import Row, Rows, View


class LimitLine(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Show a limit; one that is not in force has no value, and what needs it is refused."""

    control: Control
    scope: str
    value: Num | None
    unit: str
    in_force: bool
    author: str
    reason: str
    since: str


class Limits(Rows[LimitLine]):
    """Hold every limit that was ever set: a removed one may be set again."""


def _set(state: Limits, event: LimitSet, position: int, at_us: int) -> tuple[Row[LimitLine], ...]:
    line = LimitLine(
        control=event.control,
        scope=event.scope,
        value=event.value,
        unit=event.unit,
        in_force=True,
        author=event.author,
        reason=event.reason,
        since=rfc3339(at_us),
    )
    return state.keep(limit_key(event.control, event.scope), position, line)


def _removed(state: Limits, event: LimitRemoved, position: int, at_us: int) -> tuple[Row[LimitLine], ...]:
    line = LimitLine(
        control=event.control,
        scope=event.scope,
        value=None,
        unit=CONTROLS[event.control].unit,
        in_force=False,
        author=event.author,
        reason=event.reason,
        since=rfc3339(at_us),
    )
    return state.keep(limit_key(event.control, event.scope), position, line)


LIMITS = View(name="limits", document=LimitLine, state=Limits, steps={LimitSet: _set, LimitRemoved: _removed})
