"""Limits, modes and alerts: people may always tighten; loosening needs another person, and says so."""

from typing import Any
from uuid import UUID

import pytest

from domain.mode import Mode, strictest
from tests.support.desk import Desk, a_policy, reason, tags

A_REASON = "drill"


class TestLimits:
    def set(self, desk: Desk, value: str, *, actor: str = "ada", **changes: str) -> Any:
        body = {"control": "order_notional", "scope": "global", "value": value, "reason": A_REASON}
        return desk.do("limit.set", body | changes, actor=actor)

    def remove(self, desk: Desk, *, actor: str = "ada", **changes: str) -> Any:
        body = {"control": "order_notional", "scope": "global", "reason": A_REASON}
        return desk.do("limit.remove", body | changes, actor=actor)

    def test_tightening_counts_at_once(self):
        desk = Desk()
        (event,) = self.set(desk, "50000").events
        assert (event.unit, event.author, event.reason) == ("USD", "ada", A_REASON)
        assert str(desk.book.limits["order_notional|global"].value) == "50000"
        assert self.set(desk, "50000.00").events == ()

    def test_loosening_is_refused_to_one_person(self):
        desk = Desk()
        refused = self.set(desk, "100000.01")
        assert (reason(refused), refused.outcome.limit, refused.outcome.value) == (
            "LOOSENING_NEEDS_APPROVAL",
            "100000",
            "100000.01",
        )
        assert reason(self.set(Desk(limits=False), "1")) == "LOOSENING_NEEDS_APPROVAL"
        assert reason(self.remove(desk)) == "LOOSENING_NEEDS_APPROVAL"
        assert str(desk.book.limits["order_notional|global"].value) == "100000"

    def test_the_settings_of_the_process_may_loosen(self):
        desk = Desk()
        assert tags(self.set(desk, "200000", actor="system").events) == ["limit.set"]
        assert tags(self.remove(desk, actor="system").events) == ["limit.removed"]
        assert self.remove(desk, actor="system").events == ()
        assert desk.book.limit("order_notional") is None

    @pytest.mark.parametrize(
        ("changes", "told"),
        [
            ({"control": "luck"}, "UNKNOWN_SUBJECT"),
            ({"scope": "asset:ETH"}, "SCOPE_INVALID"),
            ({"control": "net_delta", "scope": "global"}, "SCOPE_INVALID"),
            ({"control": "net_delta", "scope": "asset:" + "X" * 59}, "SCOPE_INVALID"),
            ({"reason": "  "}, "VALUE_INVALID"),
            ({"reason": "x" * 501}, "VALUE_INVALID"),
        ],
    )
    def test_what_makes_no_sense_is_refused(self, changes: dict[str, str], told: str):
        desk = Desk()
        assert reason(self.set(desk, "1", **changes)) == told
        assert reason(self.remove(desk, **changes)) == told

    def test_a_limit_is_never_below_zero(self):
        assert reason(self.set(Desk(), "-1")) == "VALUE_INVALID"
        assert reason(self.set(Desk(), "0")) == ""

    def test_of_several_mistakes_the_first_is_told(self):
        told = reason(self.set(Desk(), "-1", control="luck", scope="nowhere", reason=""))
        assert told == "UNKNOWN_SUBJECT"
        assert reason(self.set(Desk(), "-1", scope="nowhere", reason="")) == "SCOPE_INVALID"


class TestModes:
    def test_whoever_stopped_may_not_release(self):
        desk = Desk()
        (event,) = desk.change_mode("HALTED").events
        told: Any = event
        assert (told.previous, told.mode, told.author) == ("ACTIVE", "HALTED", "ada")
        assert reason(desk.change_mode("ACTIVE")) == "LOOSENING_NEEDS_APPROVAL"
        assert reason(desk.change_mode("REDUCE_ONLY")) == "LOOSENING_NEEDS_APPROVAL"
        assert tags(desk.change_mode("ACTIVE", actor="bob").events) == ["mode.changed"]

    def test_whoever_released_in_part_may_not_release_the_rest(self):
        desk = Desk()
        desk.change_mode("HALTED")
        desk.change_mode("REDUCE_ONLY", actor="bob")
        assert reason(desk.change_mode("ACTIVE", actor="bob")) == "LOOSENING_NEEDS_APPROVAL"
        assert reason(desk.change_mode("ACTIVE", actor="ada")) == ""

    def test_anyone_may_stop_more(self):
        desk = Desk()
        desk.change_mode("REDUCE_ONLY")
        assert reason(desk.change_mode("HALTED")) == ""
        assert desk.change_mode("HALTED", actor="bob").events == ()

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
            "area": "mode",
            "subject": "global",
            "text": "halted",
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
