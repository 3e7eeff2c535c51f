"""Releasing: by another person than who stopped, at once; what a trigger holds, by two persons and once it is over."""

from typing import Any
from uuid import UUID

import pytest

from domain.mode import Mode
from tests.support.desk import Desk, reason, tags


def hold(desk: Desk, trigger: str, mode: Mode = Mode.REDUCE_ONLY, scope: str = "global") -> None:
    """Let a trigger hold a scope whose cause is over already."""
    desk.book.mode_causes.setdefault(scope, {})[trigger] = mode
    desk.book.modes[scope] = max(desk.book.mode_causes[scope].values(), key=list(Mode).index)


def asked(desk: Desk, mode: str = "ACTIVE", *, actor: str = "ada", scope: str = "global") -> UUID:
    """Ask for a release that needs another person; return its approval."""
    (event,) = desk.change_mode(mode, actor=actor, scope=scope).events
    told: Any = event
    assert told.TOPIC.startswith("approval.requested")
    return told.approval_id


def grant(desk: Desk, approval: UUID, actor: str = "bob") -> Any:
    return desk.do("approval.decide", {"approval_id": str(approval), "decision": "grant"}, actor=actor)


class TestWhatPeopleStopped:
    def test_another_person_releases_at_once(self):
        desk = Desk()
        desk.change_mode("HALTED")
        (event, *_) = desk.change_mode("ACTIVE", actor="bob").events
        told: Any = event
        assert (told.mode, told.previous, told.author, told.approval_id) == (Mode.ACTIVE, Mode.HALTED, "bob", None)

    def test_whoever_stopped_asks_and_another_grants(self):
        desk = Desk()
        desk.change_mode("HALTED")
        approval = asked(desk)
        assert desk.book.modes == {"global": Mode.HALTED}
        assert reason(grant(desk, approval, "ada")) == "APPROVAL_OWN"
        granted: Any = grant(desk, approval)
        change = next(event for event in granted.events if event.TOPIC.startswith("mode.changed"))
        assert (change.author, change.approved_by, change.approval_id) == ("ada", "bob", approval)
        assert desk.book.modes == {"global": Mode.ACTIVE}

    def test_what_moved_meanwhile_is_not_granted(self):
        desk = Desk()
        desk.change_mode("REDUCE_ONLY")
        approval = asked(desk)
        desk.change_mode("HALTED", actor="eve")
        assert reason(grant(desk, approval)) == "APPROVAL_OVER"
        assert desk.book.modes == {"global": Mode.HALTED}

    def test_what_is_in_another_mode_than_was_asked_about_is_not_granted(self):
        desk = Desk()
        desk.change_mode("REDUCE_ONLY")
        approval = asked(desk)
        hold(desk, "latch", Mode.HALTED)  # as if its own event had not ended the approval
        assert reason(grant(desk, approval)) == "APPROVAL_OVER"

    def test_stopping_never_waits_for_anybody(self):
        desk = Desk()
        hold(desk, "backing")
        (event,) = desk.change_mode("HALTED").events
        told: Any = event
        assert (told.trigger, told.previous, told.mode) == ("", Mode.ACTIVE, Mode.HALTED)

    def test_people_may_hold_as_well_what_a_trigger_holds(self):
        desk = Desk()
        hold(desk, "margin")
        assert tags(desk.change_mode("REDUCE_ONLY").events) == ["mode.changed"]
        assert desk.change_mode("REDUCE_ONLY").events == ()
        assert desk.book.mode_causes["global"] == {"margin": Mode.REDUCE_ONLY, "": Mode.REDUCE_ONLY}


class TestWhatTriggersHold:
    @pytest.mark.parametrize("trigger", ["backing", "reconciliation", "margin", "limit:gross_notional"])
    def test_it_takes_two_persons_whoever_asks(self, trigger: str):
        desk = Desk()
        hold(desk, trigger)
        granted = grant(desk, asked(desk))
        assert "mode.changed" in tags(granted.events)
        assert desk.book.mode_causes["global"] == {}
        assert desk.book.modes["global"] is Mode.ACTIVE

    def test_all_causes_let_go_together(self):
        desk = Desk()
        hold(desk, "backing")
        hold(desk, "limit:stress_loss")
        desk.change_mode("HALTED")
        grant(desk, asked(desk, actor="eve"))
        assert desk.book.mode_causes["global"] == {"": Mode.ACTIVE}

    def test_one_that_would_trip_again_at_once_is_refused_and_says_why(self):
        desk = Desk()
        hold(desk, "dependency", scope="venue:binanceusdm")
        desk.do("dependency.degraded", {"dependency": "binanceusdm", "text": "silent"})
        refused = desk.change_mode("ACTIVE", scope="venue:binanceusdm")
        assert reason(refused) == "HALTED"
        assert "binanceusdm is degraded: silent" in refused.outcome.text

    def test_one_that_broke_again_before_it_was_granted_is_refused_too(self):
        desk = Desk()
        hold(desk, "dependency", scope="venue:binanceusdm")
        approval = asked(desk, scope="venue:binanceusdm")
        desk.do("dependency.degraded", {"dependency": "binanceusdm", "text": "silent"})
        assert reason(grant(desk, approval)) == "HALTED"
        assert desk.book.modes["venue:binanceusdm"] is Mode.REDUCE_ONLY

    def test_a_halt_may_be_released_in_part_and_people_hold_the_rest(self):
        desk = Desk()
        hold(desk, "latch", Mode.HALTED)
        grant(desk, asked(desk, "REDUCE_ONLY"))
        assert desk.book.mode_causes["global"] == {"": Mode.REDUCE_ONLY}
        assert desk.book.modes["global"] is Mode.REDUCE_ONLY
        assert tags(desk.change_mode("ACTIVE", actor="ada").events) == ["approval.requested"]
        assert "mode.changed" in tags(desk.change_mode("ACTIVE", actor="bob").events)

    def test_a_milder_trigger_stays(self):
        desk = Desk()
        hold(desk, "backing", Mode.REDUCE_ONLY)
        hold(desk, "latch", Mode.HALTED)
        grant(desk, asked(desk, "REDUCE_ONLY"))
        assert desk.book.mode_causes["global"] == {"backing": Mode.REDUCE_ONLY, "": Mode.REDUCE_ONLY}


class TestAlerts:
    def test_one_about_a_scope_is_over_when_nothing_holds_it(self):
        desk = Desk()
        desk.change_mode("HALTED")
        hold(desk, "margin")
        raised = {"severity": "critical", "area": "mode", "subject": "global", "text": "", "cause_position": 1}
        desk.do("alert.raise", raised | {"alert_id": str(UUID(int=1))})
        assert "alert.resolved" not in tags(desk.change_mode("REDUCE_ONLY", actor="bob").events)
        assert len(desk.book.alerts) == 1
        released = grant(desk, asked(desk, actor="bob"), "ada")
        assert "alert.resolved" in tags(released.events)
        assert desk.book.alerts == {}

    def test_one_that_comes_after_the_release_is_told_and_over(self):
        desk = Desk()
        raised = {"severity": "critical", "area": "mode", "subject": "global", "text": "", "cause_position": 1}
        assert tags(desk.do("alert.raise", raised | {"alert_id": str(UUID(int=1))}).events) == [
            "alert.raised",
            "alert.resolved",
        ]
