"""Modes: what the book may do, by scope, and what holds it there. Each scope that the policy knows is listed."""

import msgspec

from domain.instant import rfc3339
from domain.latch import ControlLatched, ControlReleased
from domain.limit import Control
from domain.mode import PEOPLE, SEVERITY, Mode, ModeChanged
from domain.policy import PolicyAdopted
from domain.triggers import mode_scopes
from projections.view import Row, Rows, View


class CauseLine(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Show what holds a scope in a mode: people (`trigger` empty) or a trigger, by its name."""

    trigger: str
    mode: Mode
    author: str
    approved_by: str
    reason: str
    since: str


class LatchedLine(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Show a control that tripped in a scope: what it guards is refused until a person releases it."""

    control: Control
    limit: str
    value: str
    text: str
    since: str


class ModeLine(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Show the mode that a scope is in: the strictest of its causes, whose author, reason and time it shows.

    Where nothing holds it, author and reason are of the last change, empty while there was none. `previous` is what it
    was in before that change.
    """

    scope: str
    mode: Mode
    previous: Mode
    author: str
    reason: str
    since: str
    causes: tuple[CauseLine, ...] = ()
    latched: tuple[LatchedLine, ...] = ()


class Modes(Rows[ModeLine]):
    """Hold every scope that the policy ever knew, or that had a mode set or a control latched."""


def _strictest(causes: tuple[CauseLine, ...]) -> CauseLine | None:
    """Return the cause that holds a scope: the most severe, and of those the one that has held it longest."""
    holding = [cause for cause in causes if cause.mode is not Mode.ACTIVE]
    return max(holding, key=lambda cause: SEVERITY[cause.mode], default=None)


def _adopted(state: Modes, event: PolicyAdopted, position: int, at_us: int) -> tuple[Row[ModeLine], ...]:
    rows: tuple[Row[ModeLine], ...] = ()
    for scope in sorted(mode_scopes(event.policy) - state.rows.keys()):
        rows += state.keep(scope, position, _untouched(scope, rfc3339(at_us)))
    return rows


def _changed(state: Modes, event: ModeChanged, position: int, at_us: int) -> tuple[Row[ModeLine], ...]:
    before = state.find(event.scope) or _untouched(event.scope, rfc3339(at_us))
    told = CauseLine(
        trigger=event.trigger,
        mode=event.mode,
        author=event.author,
        approved_by=event.approved_by,
        reason=event.reason,
        since=rfc3339(at_us),
    )
    causes = tuple(cause for cause in before.causes if cause.trigger != event.trigger)
    if event.mode is not Mode.ACTIVE:
        causes = (*causes, told)
    holding = _strictest(causes) or told
    line = msgspec.structs.replace(
        before,
        mode=holding.mode,
        previous=before.mode,
        author=holding.author,
        reason=holding.reason,
        since=holding.since,
        causes=causes,
    )
    return state.keep(event.scope, position, line)


def _untouched(scope: str, since: str) -> ModeLine:
    return ModeLine(scope=scope, mode=Mode.ACTIVE, previous=Mode.ACTIVE, author=PEOPLE, reason="", since=since)


def _latched(state: Modes, event: ControlLatched, position: int, at_us: int) -> tuple[Row[ModeLine], ...]:
    before = state.find(event.scope) or _untouched(event.scope, rfc3339(at_us))
    latch = LatchedLine(
        control=event.control, limit=event.limit, value=event.value, text=event.text, since=rfc3339(at_us)
    )
    others = tuple(each for each in before.latched if each.control != event.control)
    return state.keep(event.scope, position, msgspec.structs.replace(before, latched=(*others, latch)))


def _released(state: Modes, event: ControlReleased, position: int, _at_us: int) -> tuple[Row[ModeLine], ...]:
    before = state.rows[event.scope].document  # a log is folded from its beginning: what is released had latched
    others = tuple(each for each in before.latched if each.control != event.control)
    return state.keep(event.scope, position, msgspec.structs.replace(before, latched=others))


MODES = View(
    name="mode",
    document=ModeLine,
    state=Modes,
    steps={PolicyAdopted: _adopted, ModeChanged: _changed, ControlLatched: _latched, ControlReleased: _released},
)
