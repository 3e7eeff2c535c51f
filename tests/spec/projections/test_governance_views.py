"""Given what people asked for, granted and set: modes with causes, latches, approvals, and who set which limit."""

from typing import Any
from uuid import UUID

import pytest

from benchmarks.mint_log import START_US
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
from domain.event import Event
from domain.latch import ControlLatched, ControlReleased
from domain.limit import Control, LimitExpired, LimitRemoved, LimitSet
from domain.mode import Mode, ModeChanged
from domain.policy import PolicyAdopted
from domain.quantity import Num
from domain.triggers import mode_scopes
from projections.approvals import APPROVALS
from projections.limit_history import LIMIT_HISTORY
from projections.limits import LIMITS
from projections.modes import MODES
from tests.support.given import a_policy
from tests.support.told import lines, table

ZERO = "2026-09-21T14:13:20.000000Z"
ONE = "2026-09-21T14:13:21.000000Z"
TWO = "2026-09-21T14:13:22.000000Z"
THREE = "2026-09-21T14:13:23.000000Z"
ID = UUID(int=7)


def mode(to: Mode, trigger: str = "", author: str = "ada", **more: Any) -> ModeChanged:
    scope = more.pop("scope", "global")
    reason = more.pop("reason", f"{trigger or 'people'} say {to}")
    return ModeChanged(
        scope=scope, mode=to, previous=Mode.ACTIVE, author=author, reason=reason, trigger=trigger, **more
    )


class TestModes:
    def test_each_scope_that_the_policy_knows_is_listed_from_its_adoption(self):
        policy = a_policy()
        told = {line["scope"]: line for line in lines(MODES, PolicyAdopted(policy=policy))}
        assert set(told) == mode_scopes(policy)
        assert {(line["mode"], line["author"], line["reason"]) for line in told.values()} == {("ACTIVE", "", "")}

    def test_a_policy_that_comes_later_lets_what_holds_a_scope_be(self):
        adopted = PolicyAdopted(policy=a_policy())
        told = lines(MODES, adopted, mode(Mode.HALTED), adopted)
        (line,) = (each for each in told if each["scope"] == "global")
        assert (line["mode"], line["author"]) == ("HALTED", "ada")

    def test_a_scope_is_in_the_strictest_mode_of_its_causes_and_shows_them_all(self):
        told = [
            mode(Mode.REDUCE_ONLY, "margin", "system"),
            mode(Mode.HALTED),
            mode(Mode.REDUCE_ONLY, "backing", "system"),
        ]
        (line,) = lines(MODES, *told)
        assert (line["mode"], line["author"], line["since"], line["previous"]) == ("HALTED", "ada", ONE, "HALTED")
        assert [(cause["trigger"], cause["mode"]) for cause in line["causes"]] == [
            ("margin", "REDUCE_ONLY"),
            ("", "HALTED"),
            ("backing", "REDUCE_ONLY"),
        ]

    def test_what_people_release_stays_held_by_what_watches(self):
        told = [mode(Mode.HALTED), mode(Mode.REDUCE_ONLY, "margin", "system"), mode(Mode.ACTIVE, author="bob")]
        (line,) = lines(MODES, *told)
        assert (line["mode"], line["previous"], line["author"]) == ("REDUCE_ONLY", "HALTED", "system")
        assert [cause["trigger"] for cause in line["causes"]] == ["margin"]

    def test_of_causes_alike_the_one_that_has_held_longest_is_named(self):
        told = [mode(Mode.REDUCE_ONLY, "margin"), mode(Mode.REDUCE_ONLY, "backing"), mode(Mode.REDUCE_ONLY, "margin")]
        (line,) = lines(MODES, *told)
        assert (line["reason"], line["since"]) == ("backing say REDUCE_ONLY", ONE)

    def test_a_scope_that_nothing_holds_shows_who_let_it_go(self):
        told = [mode(Mode.HALTED), mode(Mode.ACTIVE, author="bob", approved_by="eve", approval_id=ID)]
        (line,) = lines(MODES, *told)
        assert (line["mode"], line["previous"], line["author"], line["causes"]) == ("ACTIVE", "HALTED", "bob", [])

    def test_a_latched_control_is_told_beside_the_mode_until_a_person_releases_it(self):
        latched = ControlLatched(
            control=Control.REPEATED_EXECUTION, scope="asset:ETH", limit="3", value="4", text="the same order again"
        )
        released = ControlReleased(
            control=Control.REPEATED_EXECUTION, scope="asset:ETH", author="ada", reason="a test order"
        )
        (line,) = lines(MODES, latched)
        assert (line["scope"], line["mode"]) == ("asset:ETH", "ACTIVE")
        (shut,) = line["latched"]
        assert shut == {
            "control": "repeated_execution",
            "limit": "3",
            "value": "4",
            "text": "the same order again",
            "since": ZERO,
        }
        assert lines(MODES, latched, released)[0]["latched"] == []
        (again,) = lines(MODES, latched, mode(Mode.HALTED, "latch", scope="asset:ETH"), released, latched)
        assert (again["mode"], [each["since"] for each in again["latched"]]) == ("HALTED", [THREE])


LIMIT = LimitChange(control="net_delta", scope="asset:ETH", before=Num(10), value=Num("12.50"), reason="more room")


def requested(change: Change = LIMIT) -> ApprovalRequested:
    return ApprovalRequested(
        approval_id=ID,
        change=change,
        change_sha256="ab" * 32,
        author="ada",
        requested_at_us=START_US,
        expires_at_us=START_US + 1_000_000,
    )


class TestApprovals:
    def test_what_waits_for_a_second_person_is_open_and_says_what_would_change(self):
        ((is_open, line),) = table(APPROVALS, requested()).values()
        assert is_open
        assert line == {
            "approval_id": str(ID),
            "kind": "limit",
            "scope": "asset:ETH",
            "control": "net_delta",
            "text": "net_delta of asset:ETH: 10 to 12.5",
            "reason": "more room",
            "changes": [
                {"scope": "asset:ETH", "control": "net_delta", "before": "10", "after": "12.5", "expires_at": ""}
            ],
            "change_sha256": "ab" * 32,
            "author": "ada",
            "requested_at": ZERO,
            "expires_at": ONE,
            "state": "waiting",
            "decided_by": "",
            "decided_at": "",
            "ending": "",
        }

    @pytest.mark.parametrize(
        ("end", "state", "who", "ending"),
        [
            (ApprovalGranted(approval_id=ID, change_sha256="ab" * 32, author="bob"), "granted", "bob", ""),
            (ApprovalDenied(approval_id=ID, author="ada"), "denied", "ada", ""),
            (ApprovalExpired(approval_id=ID, void=False, text="nobody came"), "expired", "", "nobody came"),
            (ApprovalExpired(approval_id=ID, void=True, text="it moved"), "void", "", "it moved"),
        ],
    )
    def test_it_ends_once_and_says_how(self, end: Event, state: str, who: str, ending: str):
        ((is_open, line),) = table(APPROVALS, requested(), end).values()
        assert not is_open
        assert (line["state"], line["decided_by"], line["ending"]) == (state, who, ending)
        assert line["decided_at"] == ONE

    @pytest.mark.parametrize(
        ("change", "kind", "text"),
        [
            (
                LimitsFile(
                    changes=(
                        LIMIT,
                        LimitChange(
                            control="leverage",
                            scope="global",
                            before=None,
                            value=Num(3),
                            reason="",
                            expires_at_us=START_US,
                        ),
                        LimitChange(control="open_orders", scope="venue:okx", before=Num(3), value=None, reason=""),
                    ),
                    reason="the new policy",
                ),
                "limits",
                (
                    f"net_delta of asset:ETH: 10 to 12.5; leverage of global: no limit to 3 until {ZERO}; "
                    "open_orders of venue:okx: 3 to no limit"
                ),
            ),
            (
                ModeRelease(scope="venue:okx", before=Mode.HALTED, mode=Mode.ACTIVE, reason="it answers"),
                "mode",
                "venue:okx: HALTED to ACTIVE",
            ),
            (
                LatchRelease(control="repeated_execution", scope="asset:ETH", since_us=START_US, reason="understood"),
                "latch",
                "repeated_execution of asset:ETH: latched to enabled",
            ),
            (
                DestinationAdded(destination="venue:okx|main", asset="USDT", reason="a new account"),
                "destination",
                "USDT to venue:okx|main: refused to admitted",
            ),
        ],
    )
    def test_every_kind_of_change_is_told_in_words(self, change: Change, kind: str, text: str):
        (line,) = lines(APPROVALS, requested(change))
        assert (line["kind"], line["text"], line["reason"]) == (kind, text, change.reason)
        assert (line["scope"] == "") == (kind == "limits")


def put(value: str, previous: str | None = None, author: str = "ada", **more: Any) -> LimitSet:
    return LimitSet(
        control=more.pop("control", Control.NET_DELTA),
        scope=more.pop("scope", "asset:ETH"),
        value=Num(value),
        unit="base",
        author=author,
        reason="a reason",
        previous=None if previous is None else Num(previous),
        **more,
    )


REMOVED = LimitRemoved(
    control=Control.NET_DELTA, scope="asset:ETH", author="bob", reason="gone", previous=Num(5), approved_by="eve"
)
FOR_A_WHILE = put("20", "10", approved_by="bob", approval_id=ID, expires_at_us=START_US + 2_000_000, returns_to=Num(10))
EXPIRED = LimitExpired(control=Control.NET_DELTA, scope="asset:ETH", value=Num(10), unit="base", expired=Num(20))


class TestLimitHistory:
    def test_every_change_is_told_with_who_when_why_and_until_when(self):
        first, second, third = lines(LIMIT_HISTORY, put("10"), FOR_A_WHILE, EXPIRED)
        assert (first["what"], first["value"], first["previous"], first["loosens"]) == ("set", "10", None, None)
        assert (first["since"], first["until"], first["author"], first["reason"]) == (ZERO, ONE, "ada", "a reason")
        assert (second["value"], second["previous"], second["loosens"]) == ("20", "10", True)
        assert (second["approved_by"], second["approval_id"], second["until"]) == ("bob", str(ID), TWO)
        assert (second["expires_at"], second["returns_to"]) == (TWO, "10")
        assert (third["what"], third["value"], third["author"], third["loosens"]) == ("expired", "10", "", False)
        assert third["until"] == ""

    def test_only_the_change_in_force_is_open_and_each_limit_has_its_own(self):
        other = put("7", scope="asset:BTC")
        rows = table(LIMIT_HISTORY, put("10"), other, put("5", "10"), REMOVED)
        assert [(is_open, line["scope"], line["value"], line["loosens"]) for is_open, line in rows.values()] == [
            (False, "asset:ETH", "10", None),
            (True, "asset:BTC", "7", None),
            (False, "asset:ETH", "5", False),
            (True, "asset:ETH", None, True),
        ]
        assert [line["what"] for _, line in rows.values()] == ["set", "set", "set", "removed"]
        assert list(rows.values())[3][1]["approved_by"] == "eve"

    def test_a_bound_from_below_is_loosened_by_a_lower_value(self):
        told = [put("0.99", control=Control.BACKING_RATIO, scope="global")]
        told += [put("0.98", "0.99", control=Control.BACKING_RATIO, scope="global")]
        assert [line["loosens"] for line in lines(LIMIT_HISTORY, *told)] == [None, True]


class TestLimits:
    def test_a_limit_says_until_when_it_holds_and_what_comes_back_then(self):
        (line,) = lines(LIMITS, put("10"), FOR_A_WHILE)
        assert (line["value"], line["expires_at"], line["returns_to"]) == ("20", TWO, "10")
        assert (line["author"], line["approved_by"], line["bound"]) == ("ada", "bob", "maximum")
        (line,) = lines(LIMITS, put("10"), FOR_A_WHILE, EXPIRED)
        assert (line["value"], line["expires_at"], line["returns_to"], line["since"]) == ("10", "", None, TWO)
        assert (line["in_force"], line["author"]) == (True, "ada")

    def test_a_limit_that_is_gone_has_no_value_and_names_both_who_took_it_away(self):
        (line,) = lines(LIMITS, put("5"), REMOVED)
        assert (line["value"], line["in_force"], line["used"]) == (None, False, None)
        assert (line["author"], line["approved_by"]) == ("bob", "eve")
