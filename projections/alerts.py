"""Alerts: what people were told, who took it up, and what is over."""

from enum import StrEnum
from uuid import UUID

import msgspec

from domain.instant import rfc3339
from domain.watch import AlertAcknowledged, AlertRaised, AlertResolved, Severity
from projections.view import Row, Rows, View

OPEN_ALERTS_MAX = 10_000
"""So many alerts can still change; ten times what the Book keeps, so that every one it lets be answered is here."""


class AlertState(StrEnum):
    """Say what became of an alert. LAPSED: so many came after it that nobody can answer it any more."""

    RAISED = "raised"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"
    LAPSED = "lapsed"


class AlertLine(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Show an alert; `cause_position` is the event that brought it about, 0 when none did."""

    alert_id: UUID
    severity: Severity
    area: str
    subject: str
    text: str
    cause_position: int
    state: AlertState
    acknowledged_by: str
    answer: str
    raised_at: str
    updated_at: str


class Alerts(Rows[AlertLine]):
    """Hold the alerts that are not over, at most `OPEN_ALERTS_MAX`."""


def _raised(state: Alerts, event: AlertRaised, position: int, at_us: int) -> tuple[Row[AlertLine], ...]:
    at = rfc3339(at_us)
    line = AlertLine(
        alert_id=event.alert_id,
        severity=event.severity,
        area=event.area,
        subject=event.subject,
        text=event.text,
        cause_position=event.cause_position,
        state=AlertState.RAISED,
        acknowledged_by="",
        answer="",
        raised_at=at,
        updated_at=at,
    )
    rows = state.keep(str(event.alert_id), position, line)
    if len(state.rows) > OPEN_ALERTS_MAX:
        key, oldest = next(iter(state.rows.items()))
        lapsed = msgspec.structs.replace(oldest.document, state=AlertState.LAPSED, updated_at=at)
        rows += state.close(key, position, lapsed)
    return rows


def _acknowledged(state: Alerts, event: AlertAcknowledged, position: int, at_us: int) -> tuple[Row[AlertLine], ...]:
    key = str(event.alert_id)
    line = state.find(key)
    if line is None:
        return ()
    taken = msgspec.structs.replace(
        line,
        state=AlertState.ACKNOWLEDGED,
        acknowledged_by=event.author,
        answer=event.text,
        updated_at=rfc3339(at_us),
    )
    return state.keep(key, position, taken)


def _resolved(state: Alerts, event: AlertResolved, position: int, at_us: int) -> tuple[Row[AlertLine], ...]:
    key = str(event.alert_id)
    line = state.find(key)
    if line is None:
        return ()
    over = msgspec.structs.replace(line, state=AlertState.RESOLVED, answer=event.text, updated_at=rfc3339(at_us))
    return state.close(key, position, over)


ALERTS = View(
    name="alerts",
    document=AlertLine,
    state=Alerts,
    steps={AlertRaised: _raised, AlertAcknowledged: _acknowledged, AlertResolved: _resolved},
    lookups=frozenset({"severity"}),
)
