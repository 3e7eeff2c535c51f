"""The throttle of repeated execution: it latches in the append of what it refuses, until two persons release it."""

from typing import Any

import pytest

from commands.handler import Decision
from domain.book import evolve
from domain.exposure import imbalance
from domain.latch import ControlLatched
from domain.limit import Control
from domain.mode import Mode
from tests.spec.core.test_controls_orders import mint, shallow
from tests.support.controlled import said
from tests.support.desk import Desk, reason, tags

pytestmark = pytest.mark.control("repeated_execution")

KEY = "repeated_execution|asset:ETH"


def tripped() -> tuple[Desk, Decision]:
    """Return a desk on which hedges of one kind were begun too often, and what was told of the last."""
    desk = Desk()
    desk.set_limit("repeated_execution", "2")
    mint(desk)
    mint(desk, nonce=2)
    return desk, mint(desk, nonce=3)


def release(desk: Desk, actor: str = "ada", **changes: str) -> Decision:
    body = {"control": "repeated_execution", "scope": "asset:ETH", "reason": "the loop was found"}
    return desk.do("control.release", body | changes, actor=actor)


def grant(desk: Desk, asked: Decision, actor: str) -> Decision:
    (requested,) = asked.events
    named: Any = requested
    return desk.do("approval.decide", {"approval_id": named.approval_id, "decision": "grant"}, actor=actor)


class TestTripping:
    def test_it_latches_and_halts_in_the_append_of_the_refusal(self):
        desk, refused = tripped()
        assert said(refused)[0] == "REPEATED_EXECUTION"
        assert said(refused)[2:] == ("asset:ETH", "2", "3")
        assert tags(refused.events) == ["control.latched", "control.refused", "mode.changed"]
        latched: Any = refused.events[0]
        assert (latched.control, latched.scope, latched.limit, latched.value) == (
            "repeated_execution",
            "asset:ETH",
            "2",
            "3",
        )
        assert desk.book.latches[KEY].since_us == desk.now_us

    def test_what_it_guards_stays_refused_however_long_nothing_happens(self):
        desk, _ = tripped()
        desk.now_us += 3_600_000_000
        assert reason(desk.quote("1.5")) == "HALTED"
        assert reason(desk.quote("1000", pair="USDT/USDe")) == ""

    def test_whatever_the_mode_nothing_passes_the_latch(self):
        desk = Desk()
        mint(desk)
        desk.trade(desk.order(), "1")
        quote = desk.quote("1")
        shut = ControlLatched(control=Control.REPEATED_EXECUTION, scope="asset:ETH", limit="2", value="3", text="mad")
        evolve(desk.book, shut, desk.now_us)
        assert said(desk.quote("1"))[:3] == ("CONTROL_LATCHED", "repeated_execution", "asset:ETH")
        assert reason(desk.accept(quote, nonce=2)) == "CONTROL_LATCHED"
        desk.wake(250)
        (waits,) = desk.wake(1_000)
        assert reason(waits) == "CONTROL_LATCHED"
        assert tags(waits.events) == ["control.refused"]
        assert imbalance(desk.book, "ETH") == 0

    def test_hedges_that_begin_again_and_again_trip_it_too(self):
        desk = Desk()
        mint(desk, "10")
        desk.set_limit("repeated_execution", "2")
        desk.trade(desk.order(), "1", trade="t1")
        desk.wake(250)
        desk.trade(desk.order(), "1", trade="t2")
        (fired,) = desk.wake(250)
        assert tags(fired.events) == ["hedge.rerouted", "control.latched", "mode.changed"]
        (waits,) = desk.wake(250)
        assert (reason(waits), tags(waits.events)) == ("HALTED", ["control.refused"])
        assert imbalance(desk.book, "ETH") == 0

    def test_the_legs_of_one_plan_are_counted_together_and_it_latches_once(self):
        desk = shallow()
        desk.set_limit("repeated_execution", "1")
        refused = desk.accept(desk.quote("60"))
        assert said(refused)[0] == "REPEATED_EXECUTION"
        assert desk.book.orders == {}
        assert tags(desk.events).count("control.latched") == 1

    def test_opening_and_closing_are_counted_apart(self):
        desk = Desk()
        desk.held()
        desk.set_limit("repeated_execution", "1")
        assert reason(desk.accept(desk.quote("4000", side="REDEEM"))) == ""


class TestReleasing:
    def test_two_persons_enable_it_again_and_it_counts_from_nothing(self):
        desk, _ = tripped()
        asked = release(desk)
        assert tags(asked.events) == ["approval.requested"]
        assert KEY in desk.book.latches
        assert reason(grant(desk, asked, "ada")) == "APPROVAL_OWN"
        granted = grant(desk, asked, "bob")
        assert {"approval.granted", "control.released", "mode.changed"} <= set(tags(granted.events))
        told: Any = next(each for each in granted.events if each.TOPIC.startswith("control.released"))
        assert (told.author, told.approved_by, told.reason) == ("ada", "bob", "the loop was found")
        assert desk.book.latches == {}
        assert desk.book.modes["asset:ETH"] is Mode.ACTIVE
        assert reason(mint(desk, nonce=4)) == ""

    def test_an_approval_is_void_when_it_was_released_meanwhile(self):
        desk, _ = tripped()
        first, second = release(desk), release(desk, "cleo")
        grant(desk, first, "bob")
        assert reason(grant(desk, second, "bob")) in {"APPROVAL_OVER", "UNKNOWN_SUBJECT"}

    def test_what_latched_anew_is_not_released_by_who_looked_at_what_was_before(self):
        desk, _ = tripped()
        asked = release(desk)
        shut = ControlLatched(control=Control.REPEATED_EXECUTION, scope="asset:ETH", limit="2", value="3", text="anew")
        evolve(desk.book, shut, desk.now_us + 1)
        assert reason(grant(desk, asked, "bob")) == "APPROVAL_OVER"
        assert KEY in desk.book.latches

    @pytest.mark.parametrize(
        ("changes", "told"),
        [
            ({"control": "order_rate"}, "UNKNOWN_SUBJECT"),
            ({"scope": "asset:BTC"}, "UNKNOWN_SUBJECT"),
            ({"reason": " "}, "VALUE_INVALID"),
            ({"reason": "x" * 501}, "VALUE_INVALID"),
        ],
    )
    def test_what_is_not_latched_or_not_explained_is_not_released(self, changes: dict[str, str], told: str):
        desk, _ = tripped()
        assert reason(release(desk, **changes)) == told
