"""What a person is told of limits, latches, modes, approvals, marks, and where collateral may go."""

from typing import Any
from uuid import UUID

import pytest

from domain.approvals import (
    ApprovalDenied,
    ApprovalExpired,
    ApprovalGranted,
    ApprovalRequested,
    Change,
    DestinationAdded,
    LatchRelease,
    LimitChange,
    LimitsFile,
    ModeRelease,
)
from domain.event import CATALOGUE, Event
from domain.latch import ControlLatched, ControlReleased
from domain.limit import Control, LimitExpired, LimitRemoved, LimitSet
from domain.mark import Mark, RiskMarked
from domain.mode import Mode, ModeChanged
from domain.quantity import Num
from domain.vault import DestinationAdmitted, DestinationRemoved, TransferPlanned
from domain.warning import LimitApproached
from projections.alert_limits import RULES
from projections.alert_rules import WATCHED_TOPICS, candidate
from tests.support.desk import Desk, tags

NAME = UUID(int=7)
GROSS = Control.GROSS_NOTIONAL
RAISED = LimitChange(control="gross_notional", scope="global", before=Num(1), value=Num(2), reason="growth")


def mode(trigger: str, to: Mode = Mode.REDUCE_ONLY, **changes: Any) -> ModeChanged:
    return ModeChanged(
        scope="venue:okx", mode=to, previous=Mode.ACTIVE, author="system", reason="low", trigger=trigger, **changes
    )


def near(band: int, before: int = 0, subject: str = "venue:okx") -> LimitApproached:
    return LimitApproached(
        control=GROSS,
        scope="global",
        subject=subject,
        band=band,
        before=before,
        used=Num(9),
        limit=Num(10),
        unit="USD",
    )


def loosened(approved_by: str, previous: Num | None = None) -> LimitSet:
    return LimitSet(
        control=GROSS,
        scope="global",
        value=Num(2),
        unit="USD",
        author="ada",
        reason="growth",
        previous=previous,
        approved_by=approved_by,
    )


def asked(change: Change) -> ApprovalRequested:
    return ApprovalRequested(
        approval_id=NAME, change=change, change_sha256="", author="ada", requested_at_us=1, expires_at_us=2
    )


LIMIT, LATCH = "gross_notional global", "repeated_execution asset:ETH"
TOLD = (
    (mode("integrity"), "warning", "mode", "venue:okx", "from ACTIVE to REDUCE_ONLY by system (integrity): low"),
    (mode("margin"), "critical", "mode", "venue:okx", "(margin)"),
    (mode("backing"), "critical", "mode", "venue:okx", "(backing)"),
    (mode("reconciliation"), "critical", "mode", "venue:okx", "(reconciliation)"),
    (mode("latch", Mode.HALTED), "critical", "mode", "venue:okx", "to HALTED"),
    (mode("margin", Mode.ACTIVE), "info", "mode", "venue:okx", "to ACTIVE"),
    (mode("backing", Mode.ACTIVE, approved_by="bob"), "info", "mode", "venue:okx", "system (backing) with bob"),
    (near(7_000), "info", "limit", LIMIT, "gross_notional of venue:okx is at 70% of its limit or more: 9 of 10 USD"),
    (near(8_500, 7_000), "warning", "limit", LIMIT, "is at 85%"),
    (near(9_500, 8_500, "global"), "critical", "limit", LIMIT, "gross_notional of global is at 95%"),
    (near(10_000, 9_500, ""), "critical", "limit", LIMIT, "of global is beyond its limit"),
    (loosened("bob"), "warning", "limit", LIMIT, "went from none to 2 USD by ada with bob: growth"),
    (loosened("bob", Num(1)), "warning", "limit", LIMIT, "went from 1 to 2 USD"),
    (
        LimitRemoved(control=GROSS, scope="global", author="ada", reason="old", approved_by="bob"),
        "warning",
        "limit",
        LIMIT,
        "is gone by ada with bob, what needs it is refused: old",
    ),
    (LimitRemoved(control=GROSS, scope="global", author="system", reason="old"), "warning", "limit", LIMIT, "system"),
    (
        LimitExpired(control=GROSS, scope="global", value=Num(1), unit="USD", expired=Num(2)),
        "info",
        "limit",
        LIMIT,
        "is 1 USD again: 2 was for a time",
    ),
    (
        ControlLatched(control=Control.REPEATED_EXECUTION, scope="asset:ETH", limit="1", value="2", text="mad"),
        "critical",
        "latch",
        LATCH,
        "stopped asset:ETH until a person enables it again: 2 of 1: mad",
    ),
    (
        ControlReleased(
            control=Control.REPEATED_EXECUTION, scope="asset:ETH", author="ada", reason="mended", approved_by="bob"
        ),
        "info",
        "latch",
        LATCH,
        "enabled by ada with bob: mended",
    ),
    (
        ControlReleased(control=Control.REPEATED_EXECUTION, scope="asset:ETH", author="ada", reason="mended"),
        "info",
        "latch",
        LATCH,
        "enabled by ada: mended",
    ),
    (asked(RAISED), "warning", "approval", str(NAME), "ada asks for another person's grant: gross_notional of global"),
    (asked(LimitsFile(changes=(RAISED,), reason="all")), "warning", "approval", str(NAME), "1 limits at once: all"),
    (
        asked(ModeRelease(scope="global", before=Mode.HALTED, mode=Mode.ACTIVE, reason="calm")),
        "warning",
        "approval",
        str(NAME),
        "global from HALTED to ACTIVE: calm",
    ),
    (
        asked(LatchRelease(control="repeated_execution", scope="asset:ETH", since_us=1, reason="mended")),
        "warning",
        "approval",
        str(NAME),
        "repeated_execution of asset:ETH enabled again",
    ),
    (
        asked(DestinationAdded(destination="venue:okx|main", asset="USDT", reason="margin")),
        "warning",
        "approval",
        str(NAME),
        "USDT may go to venue:okx|main",
    ),
    (ApprovalGranted(approval_id=NAME, change_sha256="", author="bob"), "info", "approval", str(NAME), "by bob"),
    (ApprovalDenied(approval_id=NAME, author="bob"), "info", "approval", str(NAME), "denied by bob"),
    (ApprovalExpired(approval_id=NAME, void=False, text="late"), "info", "approval", str(NAME), "expired: late"),
    (ApprovalExpired(approval_id=NAME, void=True, text="moved"), "info", "approval", str(NAME), "void: moved"),
    (RiskMarked(assets=(), lost=("BTC", "ETH")), "critical", "mark", "BTC, ETH", "nobody has been believed about BTC"),
    (
        TransferPlanned(
            transfer_id=NAME,
            asset="USDT",
            quantity=Num(5),
            notional=Num(5),
            source="custodian:a",
            destination="venue:okx|main",
            author="ada",
            reason="margin",
        ),
        "info",
        "transfer",
        str(NAME),
        "5 USDT (5 USD) are to go from custodian:a to venue:okx|main by ada: margin",
    ),
    (
        DestinationAdmitted(destination="venue:okx|main", asset="USDT", author="ada", reason="new", approved_by="bob"),
        "warning",
        "destination",
        "venue:okx|main",
        "USDT may go there from now on, by ada with bob: new",
    ),
    (
        DestinationAdmitted(destination="venue:okx|main", asset="USDT", author="ada", reason="new"),
        "warning",
        "destination",
        "venue:okx|main",
        "by ada: new",
    ),
    (
        DestinationRemoved(destination="venue:okx|main", asset="USDT", author="ada", reason="old"),
        "info",
        "destination",
        "venue:okx|main",
        "may not go there any more, by ada: old",
    ),
)


@pytest.mark.parametrize(("event", "severity", "area", "subject", "says"), TOLD)
def test_what_is_told(event: Event, severity: str, area: str, subject: str, says: str):
    found = candidate(event, 17)
    assert found is not None
    assert (found.severity, found.area, found.subject, found.cause_position) == (severity, area, subject, 17)
    assert says in found.text
    assert event.TOPIC in WATCHED_TOPICS


def test_every_rule_is_tried_and_every_event_of_it_known():
    assert {type(event) for event, *_ in TOLD} == set(RULES)
    assert {event_type.TOPIC for event_type in RULES} <= set(CATALOGUE)


@pytest.mark.parametrize(
    "event",
    [
        near(7_000, 8_500),
        near(0, 7_000),
        loosened(""),
        RiskMarked(assets=(Mark(asset="ETH", low=Num(1), mid=Num(1), high=Num(1)),)),
    ],
)
def test_what_is_not(event: Event):
    assert candidate(event, 17) is None


class TestWhenTheyAreOver:
    def raised(self, desk: Desk, area: str, subject: str, number: int = 1) -> list[str]:
        body = {"alert_id": str(UUID(int=number)), "severity": "critical", "area": area, "subject": subject}
        return tags(desk.do("alert.raise", body | {"text": "", "cause_position": 1}).events)

    def test_a_limit_s_alert_is_over_when_another_band_is_told_or_it_is_left(self):
        desk = Desk()
        desk.book.approached["gross_notional|global"] = 8_500
        assert self.raised(desk, "limit", LIMIT) == ["alert.raised"]
        assert over(desk, near(9_500, 8_500)) == ["alert.resolved"]
        assert self.raised(desk, "limit", LIMIT, 2) == ["alert.raised"]
        assert over(desk, near(0, 9_500)) == ["alert.resolved"]
        assert self.raised(desk, "limit", LIMIT, 3) == ["alert.raised", "alert.resolved"]

    def test_a_latch_s_alert_is_over_with_its_release(self):
        desk = Desk()
        latched, released, *_ = (event for event, _, area, *_ in TOLD if area == "latch")
        over(desk, latched)
        assert self.raised(desk, "latch", LATCH) == ["alert.raised"]
        assert "alert.resolved" in over(desk, released)
        assert self.raised(desk, "latch", LATCH, 2) == ["alert.raised", "alert.resolved"]

    def test_an_approval_s_alert_is_over_when_it_is_decided(self):
        desk = Desk()
        over(desk, asked(RAISED))
        assert self.raised(desk, "approval", str(NAME)) == ["alert.raised"]
        assert "alert.resolved" in over(desk, ApprovalDenied(approval_id=NAME, author="bob"))
        assert self.raised(desk, "approval", str(NAME), 2) == ["alert.raised", "alert.resolved"]

    def test_other_areas_stay(self):
        assert self.raised(Desk(), "mark", "ETH") == ["alert.raised"]
        assert self.raised(Desk(), "limit", "nonsense") == ["alert.raised", "alert.resolved"]


def over(desk: Desk, event: Event) -> list[str]:
    """Record an event as if it had been decided; return what else follows from it."""
    events, _ = desk.handler._record((event,))
    return tags(events)[1:]
