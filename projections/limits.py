"""Limits: the values in force with what is used of each, and those that were removed."""

import msgspec

from domain.controls import Usage, usages
from domain.instant import rfc3339
from domain.limit import Control, LimitExpired, LimitRemoved, LimitSet, limit_key
from domain.limits import CONTROLS, Bound
from domain.quantity import Num
from projections.booked import SEEN, Booked
from projections.figures import DOWN, UP, figure
from projections.view import Row, View

USED_STEP = Num("0.00000001")


class LimitLine(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Show a limit; one that is not in force has no value, and what needs it is refused.

    `used` is what the book comes to in `subject`, the scope that is nearest to the limit, in `unit`: None where it
    is unknown or measured of single orders only. `share_bps` says how much of the limit that is, `band` the band of
    warning it is in (bps of the limit, 0 below all). `expires_at` and `returns_to` are of a value set for a time.
    """

    control: Control
    scope: str
    value: Num | None
    unit: str
    bound: Bound
    used: Num | None
    share_bps: int | None
    subject: str
    band: int
    in_force: bool
    author: str
    approved_by: str
    reason: str
    since: str
    expires_at: str
    returns_to: Num | None


class Limits(Booked[LimitLine]):
    """Hold every limit that was ever set: a removed one may be set again."""


Written = tuple[Row[LimitLine], ...]


def _line(control: Control, scope: str, author: str, reason: str, at_us: int) -> LimitLine:
    return LimitLine(
        control=control,
        scope=scope,
        value=None,
        unit=CONTROLS[control].unit,
        bound=CONTROLS[control].bound,
        used=None,
        share_bps=None,
        subject="",
        band=0,
        in_force=False,
        author=author,
        approved_by="",
        reason=reason,
        since=rfc3339(at_us),
        expires_at="",
        returns_to=None,
    )


def _set(state: Limits, event: LimitSet, position: int, at_us: int) -> Written:
    line = msgspec.structs.replace(
        _line(event.control, event.scope, event.author, event.reason, at_us),
        value=event.value,
        unit=event.unit,
        in_force=True,
        approved_by=event.approved_by,
        expires_at=rfc3339(event.expires_at_us) if event.expires_at_us else "",
        returns_to=event.returns_to,
    )
    return state.keep(limit_key(event.control, event.scope), position, line)


def _removed(state: Limits, event: LimitRemoved, position: int, at_us: int) -> Written:
    line = _line(event.control, event.scope, event.author, event.reason, at_us)
    approved = msgspec.structs.replace(line, approved_by=event.approved_by)
    return state.keep(limit_key(event.control, event.scope), position, approved)


def _expired(state: Limits, event: LimitExpired, position: int, at_us: int) -> Written:
    key = limit_key(event.control, event.scope)
    # A log is folded from its beginning: what expired was set, and by whom it was stays told.
    line = msgspec.structs.replace(
        state.rows[key].document,
        value=event.value,
        since=rfc3339(at_us),
        reason="the value that was set for a time is over",
        expires_at="",
        returns_to=None,
    )
    return state.keep(key, position, line)


def _used(state: Limits) -> Written:
    """Write the limits of which more or less is used than before."""
    nearest: dict[str, Usage] = {}
    for usage in usages(state.book, state.seen.moved_us):
        nearest.setdefault(limit_key(usage.control, usage.scope), usage)
    rows: Written = ()
    for key, row in state.rows.items():
        if not row.document.in_force:
            continue
        usage = nearest[key]
        line = msgspec.structs.replace(
            row.document,
            used=figure(usage.used, USED_STEP, UP if usage.bound is Bound.MAXIMUM else DOWN),
            share_bps=usage.share_bps,
            subject="" if usage.subject == usage.scope else usage.subject,
            band=state.book.approached.get(key, 0),
        )
        rows += state.show(key, line, sort=row.sort)
    return rows


LIMITS = View(
    name="limits",
    document=LimitLine,
    state=Limits,
    steps={LimitSet: _set, LimitRemoved: _removed, LimitExpired: _expired},
    lookups=frozenset({"control", "scope"}),
    render=_used,
    shared=SEEN,
)
