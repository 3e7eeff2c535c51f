"""Suspensions: what is not believed now, and what was once."""

import msgspec

from domain.instant import rfc3339
from domain.market import Law
from domain.suspension import (
    AssetResumed,
    AssetSuspended,
    InstrumentResumed,
    InstrumentSuspended,
    OracleResumed,
    OracleSuspended,
    Resumed,
    Suspended,
    VenueResumed,
    VenueSuspended,
)
from projections.view import Row, Rows, View


class SuspensionLine(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Show a scope that was ever suspended: whether it is now, by which law it was, why, and since when.

    `subject` is the scope's kind: venue, instrument, oracle, asset, or listing (it contradicts the policy).
    """

    scope: str
    subject: str
    suspended: bool
    law: Law
    text: str
    since: str


class Suspensions(Rows[SuspensionLine]):
    """Hold every scope that was ever suspended."""


def _suspended(state: Suspensions, event: Suspended, position: int, at_us: int) -> tuple[Row[SuspensionLine], ...]:
    return _keep(state, event, position, at_us, suspended=True)


def _resumed(state: Suspensions, event: Resumed, position: int, at_us: int) -> tuple[Row[SuspensionLine], ...]:
    return _keep(state, event, position, at_us, suspended=False)


def _keep(
    state: Suspensions, event: Suspended | Resumed, position: int, at_us: int, *, suspended: bool
) -> tuple[Row[SuspensionLine], ...]:
    line = SuspensionLine(
        scope=event.scope,
        subject=event.scope.partition(":")[0],
        suspended=suspended,
        law=event.law,
        text=event.text,
        since=rfc3339(at_us),
    )
    return state.keep(event.scope, position, line)


SUSPENSIONS = View(
    name="suspensions",
    document=SuspensionLine,
    state=Suspensions,
    steps={
        VenueSuspended: _suspended,
        InstrumentSuspended: _suspended,
        OracleSuspended: _suspended,
        AssetSuspended: _suspended,
        VenueResumed: _resumed,
        InstrumentResumed: _resumed,
        OracleResumed: _resumed,
        AssetResumed: _resumed,
    },
    lookups=frozenset({"subject"}),
)
