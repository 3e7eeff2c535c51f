"""An alert about a proposal is over when the proposal is: made, withdrawn, or followed by another."""

from uuid import UUID

import msgspec
import pytest

from commands.context import Context
from commands.process import Record
from commands.watch import RaiseAlert, raise_alert, react_moved, react_stable
from domain.book import Book, evolve
from domain.quantity import Num
from domain.rebalancing.rebalance import Cause, Move, RebalanceHeld, RebalanceProposed, RebalanceStarted
from domain.stable import StableHeld, StableProposed
from domain.watch import DEPENDENCY_AREA, AlertRaised, AlertResolved, Severity
from tests.spec.core.test_costs import PROOF
from tests.support.desk import Desk, tags
from tests.support.routed import routed, uid

MOVE = Move(
    cause=Cause.CARRY,
    quantity=Num(1),
    leave=routed("binanceusdm", "1", "3000"),
    enter=routed("bybit", "-1", "3000"),
    cost=Num(1),
    saving=Num(5),
)
PROPOSED = RebalanceProposed(
    rebalance_id=uid(60),
    underlying="ETH",
    moves=(MOVE,),
    cost=Num(1),
    saving=Num(5),
    horizon_ms=1,
    ideal=PROOF,
    text="cheaper on bybit",
)
STARTED = RebalanceStarted(
    rebalance_id=uid(60),
    hedge_id=uid(61),
    underlying="ETH",
    move=MOVE,
    worst=Num(2),
    day=1,
    spent=Num(2),
    budget=Num(9),
    horizon_ms=1,
)
WITHDRAWN = RebalanceHeld(underlying="ETH", text="it pays no more")


def alert(number: int, area: str = "rebalancing", subject: str = "ETH") -> AlertRaised:
    return AlertRaised(
        alert_id=uid(number), severity=Severity.INFO, area=area, subject=subject, text="", cause_position=number
    )


def a_book() -> Book:
    book = Book()
    others = (alert(2, subject="BTC"), alert(3, area="fill"))
    for event in (PROPOSED, alert(1), *others, alert(4)):
        evolve(book, event, 1)
    return book


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (WITHDRAWN, "it pays no more"),
        (PROPOSED, "another is proposed"),
        (STARTED, "a step of it is made"),
    ],
)
def test_a_proposal_that_ends_ends_its_alerts_and_no_others(
    event: RebalanceHeld | RebalanceProposed | RebalanceStarted, text: str
):
    expected = tuple(Record(AlertResolved(alert_id=uid(number), text=text)) for number in (1, 4))
    assert react_moved(a_book(), event, 1) == expected


def test_one_that_still_stands_leaves_its_alert():
    assert react_moved(a_book(), msgspec.structs.replace(WITHDRAWN, proposed=True), 1) == ()


def test_an_alert_that_comes_after_the_proposal_ended_is_over_at_once():
    asked = RaiseAlert(
        alert_id=uid(9), severity=Severity.INFO, area="rebalancing", subject="ETH", text="", cause_position=1
    )
    context = Context(UUID(int=1), "watch", 1)
    book = a_book()
    assert [type(each) for each in raise_alert(book, asked, context)] == [AlertRaised]
    evolve(book, WITHDRAWN, 2)
    raised, over = raise_alert(book, asked, context)
    assert (type(raised), type(over)) == (AlertRaised, AlertResolved)


SPOT = StableProposed(
    asset="USDT",
    units=Num(5),
    underlying="ETH",
    legs=(),
    cost=Num(1),
    earned=Num(4),
    horizon_ms=1,
    text="funding pays",
)
HELD = StableHeld(asset="USDT", underlying="ETH", text="it pays no more")


@pytest.mark.parametrize(("event", "text"), [(SPOT, "another is proposed"), (HELD, "it pays no more")])
def test_what_is_proposed_for_a_stable_is_over_likewise(event: StableProposed | StableHeld, text: str):
    book = Book()
    for told in (SPOT, alert(1, "stable", "USDT|ETH"), alert(2, "stable", "USDT|BTC"), alert(3)):
        evolve(book, told, 1)
    assert react_stable(book, event, 1) == (Record(AlertResolved(alert_id=uid(1), text=text)),)
    asked = RaiseAlert(
        alert_id=uid(9), severity=Severity.INFO, area="stable", subject="USDT|ETH", text="", cause_position=1
    )
    context = Context(UUID(int=1), "watch", 1)
    assert len(raise_alert(book, asked, context)) == 1
    evolve(book, HELD, 2)
    assert len(raise_alert(book, asked, context)) == 2


def test_what_did_not_answer_is_over_once_it_answers_again():
    desk = Desk()
    asked = {
        "severity": "critical",
        "area": DEPENDENCY_AREA,
        "subject": "chain",
        "text": "no answer",
        "cause_position": 1,
    }
    desk.do("dependency.degraded", {"dependency": "chain", "text": "no answer"})
    assert tags(desk.do("alert.raise", asked | {"alert_id": str(uid(1))}).events) == ["alert.raised"]
    restored = desk.do("dependency.restored", {"dependency": "chain", "text": "the chain answers"})
    assert tags(restored.events) == ["dependency.restored", "alert.resolved"]
    late = desk.do("alert.raise", asked | {"alert_id": str(uid(2)), "severity": "info"})
    assert tags(late.events) == ["alert.raised", "alert.resolved"]
