"""In a world people loosen limits by two, and by nobody alone, and the rule that says so can fail."""

from typing import Any

import msgspec

from domain.book import Book, evolve
from domain.limit import Control, LimitRemoved, LimitSet
from domain.log import StoredEvent
from domain.quantity import Num
from tests.simulation.bounds import Bounds
from tests.simulation.faults import Plan
from tests.simulation.verdict import simulate
from tests.support.desk import Desk, as_read


def test_people_loosen_what_they_tightened() -> None:
    result = simulate(Plan(seed=3, commands=8, rates={"people.tighten": 300}))
    assert result.violations == ()
    assert result.world.auditor.bounds.loosened > 0
    assert "APPROVAL_OWN" in result.timeline()


def test_one_who_loosens_alone_is_found() -> None:
    desk = Desk()
    book, found = Book(), list[str]()

    def check(holds: bool, rule: str, *_details: object) -> None:
        if not holds:
            found.append(rule)

    bounds, stored = Bounds(book, check), as_read(desk.stored, 1)

    def happens(event: Any, place: StoredEvent) -> list[str]:
        rule = bounds.rules.get(type(event))
        if rule is not None:
            rule(event, place)
        evolve(book, event, desk.now_us)
        told = found.copy()
        found.clear()
        return told

    assert [told for event, place in zip(desk.events, stored, strict=True) if (told := happens(event, place))] == []
    looser = LimitSet(
        control=Control.ORDER_NOTIONAL, scope="global", value=Num(10**6), unit="USD", author="ada", reason="r"
    )
    assert happens(looser, stored[0]) == ["a limit is loosened by two"]
    assert happens(msgspec.structs.replace(looser, value=Num(5)), stored[0]) == []
    gone = LimitRemoved(control=Control.ORDER_NOTIONAL, scope="global", author="ada", reason="r")
    assert happens(gone, stored[0]) == ["a limit is removed by two"]
    assert happens(looser, stored[0]) == ["a first limit is the settings'"]
