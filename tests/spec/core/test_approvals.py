"""Approvals: another person, by person and not by key; bound to the change; over when late, denied or overtaken."""

from typing import Any
from uuid import UUID

import msgspec
import pytest

from commands.asking import change_sha256
from commands.envelope import Reply
from domain.approvals import (
    ApprovalExpired,
    ApprovalGranted,
    ApprovalRequested,
    DestinationAdded,
    LatchRelease,
    LimitChange,
    LimitsFile,
    ModeRelease,
    subjects,
)
from domain.ids import natural_id
from domain.latch import Latch
from domain.limit import Control, limit_key
from domain.mode import Mode
from domain.quantity import Num
from tests.support.desk import Desk, reason, tags

HOUR_MS = 3_600_000


def ask(desk: Desk, value: str = "200000", *, actor: str = "ada") -> ApprovalRequested:
    body = {"control": "order_notional", "scope": "global", "value": value, "reason": "drill"}
    (event,) = desk.do("limit.set", body, actor=actor).events
    assert isinstance(event, ApprovalRequested)
    return event


def decide(desk: Desk, asked: ApprovalRequested, decision: str = "grant", *, actor: str = "bob", **more: str) -> Any:
    return desk.do("approval.decide", {"approval_id": asked.approval_id, "decision": decision} | more, actor=actor)


def in_force(desk: Desk) -> str:
    return str(desk.book.limits["order_notional|global"].value)


class TestGrant:
    def test_another_person_grants_and_the_change_is_made_in_the_same_append(self):
        desk = Desk()
        asked = ask(desk)
        granted = decide(desk, asked)
        assert tags(granted.events) == ["approval.granted", "limit.set"]
        first = granted.events[0]
        assert isinstance(first, ApprovalGranted)
        assert (first.author, first.change_sha256) == ("bob", asked.change_sha256)
        assert in_force(desk) == "200000"
        assert desk.book.approvals == {}

    def test_nobody_grants_what_he_asked_for(self):
        desk = Desk()
        asked = ask(desk)
        assert reason(decide(desk, asked, actor="ada")) == "APPROVAL_OWN"
        assert in_force(desk) == "100000"
        assert asked.approval_id in desk.book.approvals

    def test_it_counts_once(self):
        desk = Desk()
        asked = ask(desk)
        decide(desk, asked)
        for decision in ("grant", "deny"):
            assert reason(decide(desk, asked, decision)) == "APPROVAL_OVER"

    def test_it_binds_the_change(self):
        desk = Desk()
        asked = ask(desk)
        assert asked.change_sha256 == change_sha256(asked.change)
        assert reason(decide(desk, asked, change_sha256="00" * 32)) == "VALUE_INVALID"
        other = msgspec.structs.replace(asked, change_sha256="00" * 32)
        desk.book.approvals[asked.approval_id] = msgspec.structs.replace(
            desk.book.approvals[asked.approval_id], requested=other
        )
        assert reason(decide(desk, asked)) == "APPROVAL_OVER"
        desk.book.approvals[asked.approval_id] = msgspec.structs.replace(
            desk.book.approvals[asked.approval_id], requested=asked
        )
        assert tags(decide(desk, asked, change_sha256=asked.change_sha256).events)[:1] == ["approval.granted"]

    def test_what_cannot_be_made_any_more_is_refused_and_waits_on(self):
        desk = Desk()
        key = limit_key(Control.REPEATED_EXECUTION, "asset:ETH")
        desk.book.latches[key] = Latch(Control.REPEATED_EXECUTION, "asset:ETH", 1, "a loop")
        body = {"control": "repeated_execution", "scope": "asset:ETH", "reason": "the loop was found"}
        (asked,) = desk.do("control.release", body, actor="ada").events
        assert isinstance(asked, ApprovalRequested)
        desk.book.latches[key] = Latch(Control.REPEATED_EXECUTION, "asset:ETH", 2, "it is back")
        assert reason(decide(desk, asked)) == "APPROVAL_OVER"
        assert key in desk.book.latches
        assert asked.approval_id in desk.book.approvals

    def test_nobody_knows_of_any_other(self):
        desk = Desk()
        body = {"approval_id": UUID(int=1), "decision": "grant"}
        assert reason(desk.do("approval.decide", body, actor="bob")) == "UNKNOWN_SUBJECT"

    def test_a_decision_is_one_of_two(self):
        desk = Desk()
        body = {"approval_id": ask(desk).approval_id, "decision": "perhaps"}
        told = desk.ask("approval.decide", body, actor="bob")
        assert isinstance(told, Reply)
        assert told.status == "malformed"

    def test_asking_twice_under_one_id_asks_once(self):
        desk = Desk()
        assert ask(desk).approval_id != ask(desk).approval_id
        assert len(desk.book.approvals) == 2


class TestDeny:
    @pytest.mark.parametrize("actor", ["ada", "bob"])
    def test_anybody_denies_also_who_asked(self, actor: str):
        desk = Desk()
        asked = ask(desk)
        assert tags(decide(desk, asked, "deny", actor=actor).events) == ["approval.denied"]
        assert in_force(desk) == "100000"
        assert reason(decide(desk, asked)) == "APPROVAL_OVER"
        assert desk.book.wakes == {}


class TestExpiry:
    def test_it_ends_by_itself(self):
        desk = Desk()
        asked = ask(desk)
        assert desk.wake(24 * HOUR_MS - 1) == []
        (decision,) = desk.wake(1)
        (event,) = decision.events
        assert isinstance(event, ApprovalExpired)
        assert (event.approval_id, event.void) == (asked.approval_id, False)
        assert reason(decide(desk, asked)) == "APPROVAL_OVER"
        assert desk.book.wakes == {}

    def test_it_is_over_though_the_clock_did_not_fire_yet(self):
        desk = Desk()
        asked = ask(desk)
        desk.now_us += 24 * HOUR_MS * 1_000
        for decision in ("grant", "deny"):
            assert reason(decide(desk, asked, decision)) == "APPROVAL_OVER"

    def test_an_end_that_comes_early_is_refused_and_a_second_passed_over(self):
        desk = Desk()
        asked = ask(desk)
        body = {"approval_id": asked.approval_id}
        assert reason(desk.do("approval.expire", body)) == "VALUE_INVALID"
        decide(desk, asked, "deny")
        assert desk.do("approval.expire", body).events == ()


class TestVoid:
    def test_what_moved_meanwhile_is_granted_no_more(self):
        desk = Desk()
        first, second = ask(desk), ask(desk, "300000")
        granted = decide(desk, second)
        assert tags(granted.events) == ["approval.granted", "limit.set", "approval.expired"]
        over = granted.events[2]
        assert isinstance(over, ApprovalExpired)
        assert (over.approval_id, over.void, over.text) == (first.approval_id, True, "limit.set came first")
        assert reason(decide(desk, first)) == "APPROVAL_OVER"
        assert in_force(desk) == "300000"

    def test_there_and_back_is_moved_too(self):
        desk = Desk()
        first = ask(desk)
        desk.set_limit("order_notional", "5")
        desk.set_limit("order_notional", "100000")
        assert reason(decide(desk, first)) == "APPROVAL_OVER"

    def test_other_limits_move_freely(self):
        desk = Desk()
        asked = ask(desk)
        desk.set_limit("leverage", "2")
        desk.set_limit("order_notional", "5", scope="asset:ETH")
        assert tags(decide(desk, asked).events) == ["approval.granted", "limit.set"]

    def test_an_expiry_of_the_limit_moves_it(self):
        desk = Desk()
        body = {"control": "order_notional", "scope": "global", "value": "5", "reason": "drill"}
        desk.do("limit.set", body | {"expires_at_us": desk.now_us + HOUR_MS * 1_000}, actor="ada")
        asked = ask(desk, "6")
        assert asked.expires_at_us == desk.now_us + HOUR_MS * 1_000
        told = [tags(decision.events) for decision in desk.wake(HOUR_MS)]
        assert sorted(tag for each in told for tag in each) == ["approval.expired", "limit.expired"]


def test_every_change_says_what_it_would_move():
    limit = LimitChange(control="leverage", scope="global", before=None, value=Num(1), reason="r")
    assert subjects(limit) == (natural_id("limit", "leverage", "global"),)
    assert subjects(LimitsFile(changes=(limit, limit), reason="r")) == subjects(limit) * 2
    mode = ModeRelease(scope="global", before=Mode.HALTED, mode=Mode.ACTIVE, reason="r")
    assert subjects(mode) == (natural_id("mode", "global"),)
    latch = LatchRelease(control="repeated_execution", scope="asset:ETH", since_us=1, reason="r")
    assert subjects(latch) == (natural_id("control", "repeated_execution", "asset:ETH"),)
    place = DestinationAdded(destination="venue:okx|main", asset="USDT", reason="r")
    assert subjects(place) == (natural_id("destination", "venue:okx|main", "USDT"),)
