"""Limits: one person tightens at once; whatever allows more at any time from now on waits for another."""

from itertools import pairwise
from typing import Any

import pytest

from commands.envelope import Reply
from commands.limit import EXPIRY_MAX_US, LIMITS_PER_CHANGE_MAX
from domain.approvals import ApprovalRequested, LimitChange, LimitsFile
from domain.limit import Control, LimitExpired, LimitSet
from domain.limits import CONTROLS, Bound, default_limits
from domain.quantity import Num
from domain.vault import DestinationAdmitted
from tests.support.desk import Desk, reason, tags

A_REASON = "drill"
HOUR_US = 3_600_000_000
ASKED, SET, REMOVED = ["approval.requested"], ["limit.set"], ["limit.removed"]
GRANTED = ["approval.granted", *SET]


def a_desk() -> Desk:
    """Return a desk that has every limit, as a core that began has."""
    desk = Desk()
    for control, scope, value in default_limits():
        if desk.book.limit(control, scope) is None:
            wish(desk, str(value), control=control, scope=scope, actor="system")
    return desk


def wish(desk: Desk, value: str, *, actor: str = "ada", **changes: Any) -> Any:
    body = {"control": "order_notional", "scope": "global", "value": value, "reason": A_REASON}
    return desk.do("limit.set", body | changes, actor=actor)


def drop(desk: Desk, *, actor: str = "ada", **changes: str) -> Any:
    body = {"control": "order_notional", "scope": "global", "reason": A_REASON}
    return desk.do("limit.remove", body | changes, actor=actor)


def in_force(desk: Desk, control: str = "order_notional", scope: str = "global") -> str:
    limit = desk.book.limit(control, scope)
    return "" if limit is None else str(limit.value)


def later(desk: Desk, hours: int) -> int:
    return desk.now_us + hours * HOUR_US


def wait(desk: Desk, hours: int) -> list[str]:
    """Let time pass and what is due be done; return the tags of what happened."""
    return [tag for decision in desk.wake(hours * 3_600_000) for tag in tags(decision.events)]


class TestTightening:
    def test_it_counts_at_once(self):
        desk = a_desk()
        (event,) = wish(desk, "50000").events
        told = (event.unit, event.author, event.reason, str(event.previous), event.approved_by)
        assert told == ("USD", "ada", A_REASON, "100000", "")
        assert in_force(desk) == "50000"
        assert wish(desk, "50000.00").events == ()

    def test_a_minimum_is_tightened_by_raising_it(self):
        desk = a_desk()
        assert tags(wish(desk, "0.995", control="backing_ratio").events) == SET
        assert tags(wish(desk, "0.99", control="backing_ratio").events) == ASKED

    @pytest.mark.parametrize("scope", ["venue:binanceusdm", "asset:ETH", "pair:WETH/USDe"])
    def test_a_narrower_limit_beside_a_wider_one_only_tightens(self, scope: str):
        desk = a_desk()
        assert tags(wish(desk, "7000", scope=scope).events) == SET
        assert in_force(desk, scope=scope) == "7000"
        assert tags(wish(desk, "8000", scope=scope).events) == ASKED
        assert tags(drop(desk, scope=scope).events) == ASKED

    def test_what_is_in_flight_applies_to_every_later_decision(self):
        """The limit is decided and not yet durable; the next command is judged by it all the same."""
        desk = a_desk()
        assert reason(desk.quote("1.5")) == ""
        desk.commit = lambda: None
        assert tags(wish(desk, "1").events) == SET
        assert reason(desk.quote("1.5")) == "ORDER_NOTIONAL"
        assert desk.handler.waiting == 2
        closed = desk.handler.take(desk.now_us, 10)
        assert closed is not None
        assert [each.outcome.status for each in closed.decisions] == ["accepted", "refused"]


class TestLoosening:
    def test_it_waits_for_another_person(self):
        desk = a_desk()
        asked = wish(desk, "100000.01")
        (event,) = asked.events
        assert isinstance(event, ApprovalRequested)
        assert event.change == LimitChange(
            control="order_notional", scope="global", before=Num(100_000), value=Num("100000.01"), reason=A_REASON
        )
        assert in_force(desk) == "100000"
        granted = desk.granted(asked)
        assert tags(granted.events) == GRANTED
        made = granted.events[1]
        assert isinstance(made, LimitSet)
        assert (made.author, made.approved_by, made.approval_id) == ("ada", "bob", event.approval_id)
        assert in_force(desk) == "100000.01"

    def test_the_first_limit_opens_what_a_missing_one_refuses(self):
        desk = Desk(limits=False)
        assert tags(wish(desk, "1").events) == ASKED
        assert in_force(desk) == ""

    def test_removing_is_loosening_though_it_refuses_all(self):
        desk = a_desk()
        asked = drop(desk)
        assert tags(asked.events) == ASKED
        assert tags(desk.granted(asked).events) == ["approval.granted", *REMOVED]
        assert in_force(desk) == ""
        assert drop(desk).events == ()

    def test_too_many_that_wait_are_a_mistake(self):
        desk = a_desk()
        for number in range(64):
            assert tags(wish(desk, str(200_000 + number)).events) == ASKED
        assert reason(wish(desk, "300000")) == "LOOSENING_NEEDS_APPROVAL"
        assert tags(wish(desk, "90000").events) == [*SET, *["approval.expired"] * 64]


class TestSettings:
    def test_the_process_gives_what_was_never_set(self):
        desk = Desk(limits=False)
        assert tags(wish(desk, "200000", actor="system").events) == SET

    def test_the_process_may_loosen_nothing_that_was_set(self):
        desk = a_desk()
        assert tags(wish(desk, "200000", actor="system").events) == ASKED
        assert tags(drop(desk, actor="system").events) == ASKED
        desk.remove_limit("order_notional")
        assert tags(wish(desk, "200000", actor="system").events) == ASKED


class TestForATime:
    def test_a_tighter_value_returns_by_itself_to_what_was_approved(self):
        desk = a_desk()
        (event,) = wish(desk, "50000", expires_at_us=later(desk, 1)).events
        assert (str(event.returns_to), event.expires_at_us) == ("100000", later(desk, 1))
        assert in_force(desk) == "50000"
        assert wait(desk, 1) == ["limit.expired"]
        assert in_force(desk) == "100000"
        assert wait(desk, 24) == []

    def test_what_expired_says_what_it_was(self):
        desk = a_desk()
        wish(desk, "50000", expires_at_us=later(desk, 1))
        (decision,) = desk.wake(3_600_000)
        (event,) = decision.events
        assert isinstance(event, LimitExpired)
        assert (str(event.value), str(event.expired), event.unit) == ("100000", "50000", "USD")

    def test_a_looser_value_for_a_time_needs_another_person_and_ends_by_itself(self):
        desk = a_desk()
        asked = wish(desk, "200000", expires_at_us=later(desk, 2))
        assert tags(desk.granted(asked).events) == GRANTED
        assert in_force(desk) == "200000"
        assert wait(desk, 2) == ["limit.expired"]
        assert in_force(desk) == "100000"

    def test_extending_a_looser_value_is_loosening(self):
        desk = a_desk()
        desk.granted(wish(desk, "200000", expires_at_us=later(desk, 2)))
        assert tags(wish(desk, "200000", expires_at_us=later(desk, 3)).events) == ASKED
        assert tags(wish(desk, "200000").events) == ASKED
        assert tags(wish(desk, "150000", expires_at_us=later(desk, 3)).events) == ASKED
        assert tags(wish(desk, "100000.01").events) == ASKED
        assert tags(wish(desk, "200000", expires_at_us=later(desk, 1)).events) == [*SET, *["approval.expired"] * 4]
        assert wait(desk, 1) == ["limit.expired"]

    def test_ending_a_tighter_value_sooner_is_loosening_and_later_is_tightening(self):
        desk = a_desk()
        wish(desk, "50000", expires_at_us=later(desk, 2))
        assert tags(wish(desk, "50000", expires_at_us=later(desk, 1)).events) == ASKED
        assert tags(wish(desk, "60000").events) == ASKED
        assert wish(desk, "50000", expires_at_us=later(desk, 2)).events == ()
        assert tags(wish(desk, "50000", expires_at_us=later(desk, 3)).events)[:1] == SET
        assert tags(wish(desk, "50000").events)[:1] == SET
        assert wait(desk, 24) == []
        assert in_force(desk) == "50000"

    def test_no_chain_of_temporary_values_returns_to_what_nobody_approved(self):
        desk = a_desk()
        wish(desk, "80000")
        wish(desk, "50000", expires_at_us=later(desk, 1))
        wish(desk, "40000", expires_at_us=later(desk, 2))
        assert wait(desk, 1) == []
        assert in_force(desk) == "40000"
        assert wait(desk, 1) == ["limit.expired"]
        assert in_force(desk) == "80000"

    def test_a_granted_value_that_is_already_over_cannot_be_asked_for(self):
        desk = a_desk()
        assert reason(wish(desk, "200000", expires_at_us=desk.now_us)) == "VALUE_INVALID"
        assert reason(wish(desk, "200000", expires_at_us=-5)) == "VALUE_INVALID"
        assert reason(wish(desk, "200000", expires_at_us=later(desk, 0) + EXPIRY_MAX_US + 1)) == "VALUE_INVALID"
        assert tags(wish(desk, "50000", expires_at_us=later(desk, 0) + EXPIRY_MAX_US).events) == SET

    def test_what_was_not_there_has_nothing_to_return_to(self):
        desk = a_desk()
        told = wish(desk, "50", scope="venue:binanceusdm", expires_at_us=later(desk, 1))
        assert reason(told) == "VALUE_INVALID"

    def test_an_end_that_comes_early_is_refused_and_of_another_limit_passed_over(self):
        desk = a_desk()
        wish(desk, "50000", expires_at_us=later(desk, 1))
        body = {"control": "order_notional", "scope": "global", "expires_at_us": later(desk, 1)}
        assert reason(desk.do("limit.expire", body)) == "VALUE_INVALID"
        assert desk.do("limit.expire", body | {"expires_at_us": 5}).events == ()
        assert desk.do("limit.expire", body | {"control": "open_orders"}).events == ()
        assert in_force(desk) == "50000"

    def test_an_approval_lasts_no_longer_than_what_it_is_for(self):
        desk = a_desk()
        wish(desk, "50000", expires_at_us=later(desk, 2))
        (first,) = wish(desk, "70000").events
        (second,) = wish(desk, "70000", expires_at_us=later(desk, 1)).events
        (third,) = wish(desk, "2", control="leverage", scope="venue:binanceusdm").events
        (fourth,) = wish(desk, "6", control="leverage").events
        ends = [getattr(each, "expires_at_us", 0) - desk.now_us for each in (first, second, third, fourth)]
        assert ends == [2 * HOUR_US, HOUR_US, -desk.now_us, 24 * HOUR_US]


class TestNonsense:
    @pytest.mark.parametrize(
        ("changes", "told"),
        [
            ({"control": "luck"}, "UNKNOWN_SUBJECT"),
            ({"scope": "asset:DOGE"}, "SCOPE_INVALID"),
            ({"scope": "global:ETH"}, "SCOPE_INVALID"),
            ({"scope": "asset"}, "SCOPE_INVALID"),
            ({"scope": "custodian:x"}, "SCOPE_INVALID"),
            ({"scope": ""}, "SCOPE_INVALID"),
            ({"scope": "venue:"}, "SCOPE_INVALID"),
            ({"scope": "pair:WETH/usde"}, "SCOPE_INVALID"),
            ({"control": "net_delta", "scope": "global"}, "SCOPE_INVALID"),
            ({"control": "net_delta", "scope": "asset:" + "X" * 123}, "SCOPE_INVALID"),
            ({"control": "stable_concentration", "scope": "stable:BUSD"}, "SCOPE_INVALID"),
            ({"control": "custodian_concentration", "scope": "custodian:0x1"}, "SCOPE_INVALID"),
            ({"control": "transfer_notional", "scope": "destination:chain:0x1"}, "SCOPE_INVALID"),
            ({"control": "own_token"}, "VALUE_INVALID"),
            ({"reason": "  "}, "VALUE_INVALID"),
            ({"reason": "x" * 501}, "VALUE_INVALID"),
        ],
    )
    def test_it_is_refused(self, changes: dict[str, str], told: str):
        desk = a_desk()
        assert reason(wish(desk, "1", **changes)) == told
        assert reason(drop(desk, **changes)) == told

    @pytest.mark.parametrize(
        ("control", "value"),
        [
            ("order_notional", "-1"),
            ("order_notional", "-0.000001"),
            ("order_notional", "1000000000000001"),
            ("order_notional", "1.0000000000000000001"),
            ("open_orders", "1.5"),
            ("open_orders", "1000000001"),
            ("quote_age", "86400001"),
            ("quote_age", "0.5"),
            ("price_collar", "100001"),
            ("leverage", "1001"),
            ("net_delta", "1000000000001"),
        ],
    )
    def test_an_absurd_value_is_refused(self, control: str, value: str):
        scope = "asset:ETH" if control == "net_delta" else "global"
        refused = wish(Desk(), value, control=control, scope=scope)
        assert (reason(refused), refused.outcome.control, refused.outcome.scope) == ("VALUE_INVALID", control, scope)

    @pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "sNaN", "1e99", "", "ten", "0x10"])
    def test_what_is_no_number_is_not_read(self, value: str):
        desk = a_desk()
        body = {"control": "order_notional", "scope": "global", "value": value, "reason": A_REASON}
        told = desk.ask("limit.set", body, actor="ada")
        assert isinstance(told, Reply)
        assert told.status == "malformed"

    @pytest.mark.parametrize("control", ["order_notional", "backing_ratio", "open_orders"])
    @pytest.mark.parametrize("value", ["0", "0.0"])
    def test_zero_is_no_limit(self, control: str, value: str):
        refused = wish(Desk(), value, control=control)
        assert (reason(refused), "halt the scope" in refused.outcome.text) == ("VALUE_INVALID", True)

    def test_every_unit_has_a_ceiling_and_every_default_passes(self):
        desk = Desk(limits=False)
        for spec in CONTROLS.values():
            if spec.default is not None:
                assert tags(wish(desk, str(spec.default), control=spec.control, actor="system").events) == SET

    def test_of_several_mistakes_the_first_is_told(self):
        assert reason(wish(Desk(), "-1", control="luck", scope="nowhere", reason="")) == "UNKNOWN_SUBJECT"
        assert reason(wish(Desk(), "-1", scope="nowhere", reason="")) == "SCOPE_INVALID"

    def test_scopes_are_what_the_book_knows(self):
        desk = a_desk()
        assert tags(wish(desk, "5000", control="stable_concentration", scope="stable:USDT").events) == SET
        told = DestinationAdmitted(destination="venue:okx|main", asset="USDT", author="ada", reason="drill")
        desk.handler.replay(told, desk.handler.position + 1, desk.now_us)
        assert tags(wish(desk, "5", control="transfer_notional", scope="destination:venue:okx|main").events) == SET
        desk.book.policy = None
        assert reason(wish(desk, "1", scope="venue:binanceusdm")) == "SCOPE_INVALID"
        assert tags(wish(desk, "1").events) == SET


class TestFile:
    def apply(self, desk: Desk, *wanted: tuple[str, str, str | None], **changes: Any) -> Any:
        limits = [{"control": control, "scope": scope, "value": value} for control, scope, value in wanted]
        return desk.do("limit.apply", {"limits": limits, "reason": A_REASON} | changes, actor="ada")

    def test_what_only_tightens_counts_at_once_and_together(self):
        desk = a_desk()
        done = self.apply(desk, ("order_notional", "global", "5"), ("leverage", "global", "2"))
        assert tags(done.events) == [*SET, *SET]
        assert (in_force(desk), in_force(desk, "leverage")) == ("5", "2")

    def test_one_that_loosens_lets_all_wait(self):
        desk = a_desk()
        asked = self.apply(
            desk,
            ("order_notional", "global", "5"),
            ("leverage", "global", "6"),
            ("open_orders", "global", None),
            ("price_collar", "global", "100"),
        )
        (event,) = asked.events
        assert isinstance(event.change, LimitsFile)
        assert [each.control for each in event.change.changes] == ["order_notional", "leverage", "open_orders"]
        assert in_force(desk) == "100000"
        assert tags(desk.granted(asked).events) == ["approval.granted", *SET, *SET, *REMOVED]
        assert (in_force(desk), in_force(desk, "leverage"), in_force(desk, "open_orders")) == ("5", "6", "")

    def test_any_of_its_limits_that_moves_makes_it_void(self):
        desk = a_desk()
        asked = self.apply(desk, ("order_notional", "global", "5"), ("leverage", "global", "6"))
        assert tags(wish(desk, "7").events) == [*SET, "approval.expired"]
        assert reason(desk.granted(asked)) == "APPROVAL_OVER"
        assert in_force(desk, "leverage") == "5"

    def test_one_that_makes_no_sense_refuses_all(self):
        desk = a_desk()
        refused = self.apply(desk, ("order_notional", "global", "5"), ("leverage", "venue:nowhere", "2"))
        assert (reason(refused), refused.outcome.control) == ("SCOPE_INVALID", "leverage")
        assert in_force(desk) == "100000"
        twice = self.apply(desk, ("order_notional", "global", "5"), ("order_notional", "global", "6"))
        assert reason(twice) == "VALUE_INVALID"
        many = [("order_notional", f"asset:{number}", "1") for number in range(LIMITS_PER_CHANGE_MAX + 1)]
        assert reason(self.apply(desk, *many)) == "VALUE_INVALID"
        assert reason(self.apply(desk, ("order_notional", "global", "5"), reason=" ")) == "VALUE_INVALID"
        gone = [{"control": "order_notional", "scope": "global", "value": None, "expires_at_us": later(desk, 1)}]
        assert reason(self.apply(desk, limits=gone)) == "VALUE_INVALID"

    def test_what_changes_nothing_is_nothing(self):
        desk = a_desk()
        assert self.apply(desk, ("order_notional", "global", "100000")).events == ()
        assert self.apply(desk).events == ()

    def test_limits_for_a_time_end_one_by_one(self):
        desk = a_desk()
        limits = [
            {"control": control, "scope": "global", "value": "1", "expires_at_us": later(desk, hours)}
            for control, hours in (("order_notional", 1), ("leverage", 2))
        ]
        self.apply(desk, limits=limits)
        assert wait(desk, 1) == ["limit.expired"]
        assert wait(desk, 1) == ["limit.expired"]
        assert (in_force(desk), in_force(desk, "leverage")) == ("100000", "5")


def test_the_law_of_looseness_is_an_order():
    """Whatever the bound, of two values one is looser, and no limit at all is looser to leave than to keep."""
    for spec in CONTROLS.values():
        if spec.bound is Bound.RULE or spec.default is None:
            continue
        values = [spec.default - 1, spec.default, spec.default + 1]
        for less, more in pairwise(values):
            assert spec.looser(less, more) is not spec.looser(more, less)
            assert not spec.looser(less, less)
        assert spec.looser(spec.default, None)
    assert Control.OWN_TOKEN in CONTROLS
