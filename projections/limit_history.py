"""Who set which limit when, to what, why and until when: a row for every change, the one in force open."""

import msgspec

from domain.instant import rfc3339
from domain.limit import Control, LimitExpired, LimitRemoved, LimitSet, limit_key
from domain.limits import CONTROLS
from domain.quantity import Num
from projections.view import Row, Rows, View


class LimitChangeLine(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Show a change: `what` is set, removed or expired; from `since` to `until` (empty: still) this value was in force.

    A value of None refuses what needs the limit. `loosens` says whether it allows more than what was in force (None:
    nothing was), `author` is empty where a value expired. `expires_at` is what was asked for, `returns_to` the value
    that comes back then.
    """

    control: Control
    scope: str
    what: str
    value: Num | None
    previous: Num | None
    unit: str
    loosens: bool | None
    author: str
    approved_by: str
    approval_id: str
    reason: str
    since: str
    until: str
    expires_at: str
    returns_to: Num | None


class LimitHistory(Rows[LimitChangeLine]):
    """Hold the change in force of each limit: its row's key, by the limit's."""

    in_force: dict[str, str] = msgspec.field(default_factory=dict[str, str])


Written = tuple[Row[LimitChangeLine], ...]


def _put(state: LimitHistory, line: LimitChangeLine, position: int, at_us: int) -> Written:
    limit = limit_key(line.control, line.scope)
    before = state.in_force.get(limit)
    ended: Written = ()
    if before is not None:
        over = msgspec.structs.replace(state.rows[before].document, until=rfc3339(at_us))
        ended = state.close(before, position, over)
    key = state.in_force[limit] = f"{limit}|{position}"
    return (*ended, *state.keep(key, position, line))


def _set(state: LimitHistory, event: LimitSet, position: int, at_us: int) -> Written:
    line = LimitChangeLine(
        control=event.control,
        scope=event.scope,
        what="set",
        value=event.value,
        previous=event.previous,
        unit=event.unit,
        loosens=None if event.previous is None else CONTROLS[event.control].looser(event.previous, event.value),
        author=event.author,
        approved_by=event.approved_by,
        approval_id="" if event.approval_id is None else str(event.approval_id),
        reason=event.reason,
        since=rfc3339(at_us),
        until="",
        expires_at=rfc3339(event.expires_at_us) if event.expires_at_us else "",
        returns_to=event.returns_to,
    )
    return _put(state, line, position, at_us)


def _removed(state: LimitHistory, event: LimitRemoved, position: int, at_us: int) -> Written:
    line = LimitChangeLine(
        control=event.control,
        scope=event.scope,
        what="removed",
        value=None,
        previous=event.previous,
        unit=CONTROLS[event.control].unit,
        loosens=True,
        author=event.author,
        approved_by=event.approved_by,
        approval_id="" if event.approval_id is None else str(event.approval_id),
        reason=event.reason,
        since=rfc3339(at_us),
        until="",
        expires_at="",
        returns_to=None,
    )
    return _put(state, line, position, at_us)


def _expired(state: LimitHistory, event: LimitExpired, position: int, at_us: int) -> Written:
    line = LimitChangeLine(
        control=event.control,
        scope=event.scope,
        what="expired",
        value=event.value,
        previous=event.expired,
        unit=event.unit,
        loosens=CONTROLS[event.control].looser(event.expired, event.value),
        author="",
        approved_by="",
        approval_id="",
        reason="it was set until now",
        since=rfc3339(at_us),
        until="",
        expires_at="",
        returns_to=None,
    )
    return _put(state, line, position, at_us)


LIMIT_HISTORY = View(
    name="limit_history",
    document=LimitChangeLine,
    state=LimitHistory,
    steps={LimitSet: _set, LimitRemoved: _removed, LimitExpired: _expired},
    lookups=frozenset({"control", "scope", "author"}),
)
