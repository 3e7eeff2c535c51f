"""Laws of limits: nobody loosens one alone, at whatever detour through times; what two loosen names them both."""

from typing import Any
from uuid import UUID

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from domain.approvals import ApprovalRequested
from domain.limit import Control, LimitExpired, LimitRemoved, LimitSet
from domain.limit_course import Course, course_of
from domain.limits import CONTROLS
from domain.quantity import Num
from tests.support.desk import Desk, reason

HOUR_MS = 3_600_000
PEOPLE = st.sampled_from(["ada", "bob", "cleo"])
WHERE = st.sampled_from(
    [("order_notional", "global"), ("order_notional", "asset:ETH"), ("backing_ratio", "global"), ("leverage", "global")]
)
VALUES = st.sampled_from(["0", "0.5", "0.98", "0.99", "1", "3", "5", "6", "90000", "100000", "120000"])
HOURS = st.sampled_from([0, 0, 1, 2, 5, 30])


class LimitsMachine(RuleBasedStateMachine):
    """Let three people set, remove, grant and deny as they please, while time passes."""

    def __init__(self) -> None:
        super().__init__()
        self.desk = Desk()
        self.waiting: list[UUID] = []
        self.asked_by: dict[UUID, str] = {}

    @initialize()
    def open(self) -> None:
        for control in (Control.BACKING_RATIO, Control.LEVERAGE):
            body = {"control": control, "scope": "global", "value": str(CONTROLS[control].default), "reason": "r"}
            self.desk.do("limit.set", body, actor="system")

    def noted(self, events: tuple[Any, ...], actor: str, before: dict[str, Course]) -> None:
        """Judge what a command did: alone nobody allows more than would have been in force at any time."""
        for event in events:
            if isinstance(event, ApprovalRequested):
                self.waiting.append(event.approval_id)
                self.asked_by[event.approval_id] = actor
            if not isinstance(event, LimitSet | LimitRemoved):
                continue
            two = event.approved_by not in {"", event.author}
            was = before.get(f"{event.control}|{event.scope}")
            if two or event.author == "system":
                continue
            assert isinstance(event, LimitSet), "nobody removes a limit alone"
            assert was is not None or event.scope != "global", "nobody sets the first limit alone"
            if was is not None:
                self.nowhere_looser(event, was)

    def nowhere_looser(self, event: LimitSet, was: Course) -> None:
        now = Course(event.value, event.expires_at_us, event.returns_to)
        spec = CONTROLS[event.control]
        for hours in (*range(32), 10_000):
            at_us = self.desk.now_us + hours * HOUR_MS * 1_000
            assert not spec.looser(was.at(at_us), now.at(at_us)), (event, was, hours)

    def courses(self) -> dict[str, Course]:
        return {key: course_of(limit) for key, limit in self.desk.book.limits.items()}

    @rule(where=WHERE, value=VALUES, hours=HOURS, who=PEOPLE)
    def wish(self, where: tuple[str, str], value: str, hours: int, who: str) -> None:
        ends_us = self.desk.now_us + hours * HOUR_MS * 1_000 if hours else 0
        body = {"control": where[0], "scope": where[1], "value": value, "reason": "r", "expires_at_us": ends_us}
        before = self.courses()
        self.noted(self.desk.do("limit.set", body, actor=who).events, who, before)

    @rule(first=WHERE, second=WHERE, value=VALUES, who=PEOPLE)
    def apply(self, first: tuple[str, str], second: tuple[str, str], value: str, who: str) -> None:
        limits = [{"control": control, "scope": scope, "value": value} for control, scope in (first, second)]
        before = self.courses()
        self.noted(self.desk.do("limit.apply", {"limits": limits, "reason": "r"}, actor=who).events, who, before)

    @rule(where=WHERE, who=PEOPLE)
    def drop(self, where: tuple[str, str], who: str) -> None:
        before = self.courses()
        body = {"control": where[0], "scope": where[1], "reason": "r"}
        self.noted(self.desk.do("limit.remove", body, actor=who).events, who, before)

    @rule(pick=st.integers(0, 50), decision=st.sampled_from(["grant", "grant", "deny"]), who=PEOPLE)
    def decide(self, pick: int, decision: str, who: str) -> None:
        if not self.waiting:
            return
        name = self.waiting[pick % len(self.waiting)]
        open_before, before = name in self.desk.book.approvals, self.courses()
        done = self.desk.do("approval.decide", {"approval_id": name, "decision": decision}, actor=who)
        self.noted(done.events, who, before)
        if not open_before:
            assert reason(done) == "APPROVAL_OVER"
        elif decision == "grant" and who == self.asked_by[name]:
            assert reason(done) == "APPROVAL_OWN"
        else:
            assert reason(done) == ""
            assert name not in self.desk.book.approvals

    @rule(hours=st.sampled_from([1, 2, 5, 24]))
    def wait(self, hours: int) -> None:
        before, until_us = self.courses(), self.desk.now_us + hours * HOUR_MS * 1_000
        for decision in self.desk.wake(hours * HOUR_MS):
            for event in decision.events:
                if isinstance(event, LimitExpired):
                    assert event.value == before[f"{event.control}|{event.scope}"].lasting
        for key, course in self.courses().items():
            assert course.value == before[key].at(until_us)

    @invariant()
    def what_waits_ends(self) -> None:
        """Every approval that waits, and every limit for a time, has a wake that ends it."""
        book = self.desk.book
        ends = {wake.key for wake in book.wakes.values()}
        assert {f"approval.expire|{name}" for name in book.approvals} <= ends
        assert {f"limit.expire|{key}" for key, limit in book.limits.items() if limit.expires_at_us} <= ends
        assert all(limit.returns_to is not None for limit in book.limits.values() if limit.expires_at_us)
        assert all(limit.value >= Num(0) for limit in book.limits.values())


LimitsMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestLimits = LimitsMachine.TestCase
