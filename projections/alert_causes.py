"""An alert that is to be raised, and how one is named after its cause."""

from uuid import UUID

import msgspec

from domain.ids import natural_id
from domain.watch import Severity


class Candidate(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Say what to raise; it is the body of the fact `alert.raise`. `area` can stand in a subject."""

    alert_id: UUID
    severity: Severity
    area: str
    subject: str
    text: str
    cause_position: int


def caused(position: int, severity: Severity, area: str, subject: str, text: str) -> Candidate:
    """Return the alert that the event at a position brings about; the same cause names the same alert."""
    return Candidate(
        alert_id=natural_id("alert", str(position), area, subject.replace("\n", " ")),
        severity=severity,
        area=area,
        subject=subject,
        text=text,
        cause_position=position,
    )
