"""Modes: what the book may do, by scope. A scope that is not listed is ACTIVE."""

import msgspec

from domain.instant import rfc3339
from domain.mode import Mode, ModeChanged
from projections.view import Row, Rows, View


class ModeLine(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Show a scope's mode, who set it and why."""

    scope: str
    mode: Mode
    previous: Mode
    author: str
    reason: str
    since: str


class Modes(Rows[ModeLine]):
    """Hold every scope that ever had a mode set."""


def _changed(state: Modes, event: ModeChanged, position: int, at_us: int) -> tuple[Row[ModeLine], ...]:
    line = ModeLine(
        scope=event.scope,
        mode=event.mode,
        previous=event.previous,
        author=event.author,
        reason=event.reason,
        since=rfc3339(at_us),
    )
    return state.keep(event.scope, position, line)


MODES = View(name="mode", document=ModeLine, state=Modes, steps={ModeChanged: _changed})
