"""Modes and alerts: people may always stop; releasing needs another person, and says so."""

from typing import Any
from uuid import UUID

import pytest

from domain.mode import Mode, strictest
from tests.support.desk import Desk, reason, tags
from tests.support.given import a_policy


class TestModes:
    def test_whoever_stopped_may_not_release(self):
        desk = Desk()
        (event,) = desk.change_mode("HALTED").events
        told: Any = event
        assert (told.previous, told.mode, told.author) == ("ACTIVE", "HALTED", "ada")
        assert tags(desk.change_mode("ACTIVE").events) == ["approval.requested"]
        assert tags(desk.change_mode("REDUCE_ONLY").events) == ["approval.requested"]
        assert desk.book.modes == {"global": Mode.HALTED}
        assert "mode.changed" in tags(desk.change_mode("ACTIVE", actor="bob").events)

    def test_whoever_released_in_part_may_not_release_the_rest(self):
        desk = Desk()
        desk.change_mode("HALTED")
        desk.change_mode("REDUCE_ONLY", actor="bob")
        assert tags(desk.change_mode("ACTIVE", actor="bob").events) == ["approval.requested"]
        assert desk.book.modes == {"global": Mode.REDUCE_ONLY}
        assert "mode.changed" in tags(desk.change_mode("ACTIVE", actor="ada").events)

    def test_anyone_may_stop_more(self):
        desk = Desk()
        desk.change_mode("REDUCE_ONLY")
        assert reason(desk.change_mode("HALTED")) == ""
        assert desk.change_mode("HALTED", actor="bob").events == ()
        assert desk.book.mode_authors == {"global": "ada"}

    @pytest.mark.parametrize("scope", ["venue:nowhere", "asset:DOGE", "pair:DOGE/USDe", "", "x" * 65])
    def test_a_scope_is_one_of_the_policy(self, scope: str):
        assert reason(Desk().change_mode("HALTED", scope=scope)) == "SCOPE_INVALID"

    def test_the_whole_book_can_be_halted_before_it_has_a_policy(self):
        desk = Desk()
        desk.book.policy = None
        assert reason(desk.change_mode("HALTED")) == ""
        assert reason(desk.change_mode("HALTED", scope="asset:ETH")) == "SCOPE_INVALID"

    @pytest.mark.parametrize("text", ["", " ", "x" * 501])
    def test_it_needs_a_reason(self, text: str):
        refused = Desk().do("mode.change", {"scope": "global", "mode": "HALTED", "reason": text}, actor="ada")
        assert reason(refused) == "VALUE_INVALID"

    def test_a_mode_is_one_of_three(self):
        assert reason(Desk().change_mode("SLOW")) == "VALUE_INVALID"
        assert reason(Desk().change_mode("halted")) == "VALUE_INVALID"

    def test_the_strictest_of_the_scopes_counts(self):
        modes = {"global": Mode.REDUCE_ONLY, "asset:ETH": Mode.HALTED}
        assert strictest(modes, "global", "asset:BTC") is Mode.REDUCE_ONLY
        assert strictest(modes, "global", "asset:ETH") is Mode.HALTED
        assert strictest({}, "global") is Mode.ACTIVE


class TestDependencies:
    def test_each_loss_and_return_is_told_once(self):
        desk = Desk()
        lost = {"dependency": "binanceusdm", "text": "silent"}
        assert tags(desk.do("dependency.degraded", lost).events) == ["dependency.degraded"]
        assert desk.do("dependency.degraded", lost).events == ()
        assert tags(desk.do("dependency.restored", lost).events) == ["dependency.restored"]
        assert desk.do("dependency.restored", lost).events == ()


class TestAlerts:
    def raised(self, desk: Desk, number: int = 1, cause: int = 7) -> Any:
        body = {
            "alert_id": UUID(int=number),
            "severity": "critical",
            "area": "order",
            "subject": "17",
            "text": "unknown",
            "cause_position": cause,
        }
        return desk.do("alert.raise", body)

    def test_it_is_raised_once_and_taken_up_once(self):
        desk = Desk()
        assert tags(self.raised(desk).events) == ["alert.raised"]
        assert self.raised(desk).events == ()
        answer = {"alert_id": UUID(int=1), "text": "on it"}
        (event,) = desk.do("alert.acknowledge", answer, actor="ada").events
        told: Any = event
        assert (told.author, told.text) == ("ada", "on it")
        assert desk.do("alert.acknowledge", answer, actor="bob").events == ()
        assert desk.book.alerts[UUID(int=1)].acknowledged_by == "ada"

    def test_what_was_never_raised_cannot_be_taken_up(self):
        refused = Desk().do("alert.acknowledge", {"alert_id": UUID(int=9), "text": ""}, actor="ada")
        assert reason(refused) == "UNKNOWN_SUBJECT"

    def test_the_oldest_leave_the_book_first(self):
        desk = Desk()
        for number in range(1, 1_002):
            self.raised(desk, number, cause=number)
        assert len(desk.book.alerts) == 1_000
        assert UUID(int=1) not in desk.book.alerts
        assert UUID(int=1) not in desk.book.versions


class TestPolicy:
    def test_one_in_force_changes_nothing(self):
        desk = Desk()
        assert desk.do("policy.adopt", {"policy": a_policy()}, actor="system").events == ()
        changed = desk.do("policy.adopt", {"policy": a_policy(hedge_orders_max=9)}, actor="system")
        assert tags(changed.events) == ["policy.adopted"]

    @pytest.mark.parametrize("dropped", ["assets", "pairs", "instruments"])
    def test_what_may_be_held_is_not_forgotten(self, dropped: str):
        policy = a_policy()
        refused = Desk().do("policy.adopt", {"policy": a_policy(**{dropped: getattr(policy, dropped)[1:]})})
        assert reason(refused) == "VALUE_INVALID"

    def test_the_issued_dollar_stays_what_it_is(self):
        assert reason(Desk().do("policy.adopt", {"policy": a_policy(issued="USDx")})) == "VALUE_INVALID"
