"""Dependencies: what the book leans on, and whether it holds."""

import msgspec

from domain.instant import rfc3339
from domain.watch import DependencyDegraded, DependencyRestored
from projections.view import Row, Rows, View


class DependencyLine(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Show a dependency that was ever lost: whether it answers now, and since when."""

    dependency: str
    degraded: bool
    text: str
    since: str


class Dependencies(Rows[DependencyLine]):
    """Hold every dependency that was ever lost."""


def _degraded(
    state: Dependencies, event: DependencyDegraded, position: int, at_us: int
) -> tuple[Row[DependencyLine], ...]:
    return _keep(state, event, position, at_us, degraded=True)


def _restored(
    state: Dependencies, event: DependencyRestored, position: int, at_us: int
) -> tuple[Row[DependencyLine], ...]:
    return _keep(state, event, position, at_us, degraded=False)


def _keep(
    state: Dependencies, event: DependencyDegraded | DependencyRestored, position: int, at_us: int, *, degraded: bool
) -> tuple[Row[DependencyLine], ...]:
    held = state.find(event.dependency)
    # Told again that it is down: it has been down since the first time.
    since = held.since if held is not None and held.degraded is degraded else rfc3339(at_us)
    line = DependencyLine(dependency=event.dependency, degraded=degraded, text=event.text, since=since)
    return state.keep(event.dependency, position, line)


DEPENDENCIES = View(
    name="dependencies",
    document=DependencyLine,
    state=Dependencies,
    steps={DependencyDegraded: _degraded, DependencyRestored: _restored},
)
