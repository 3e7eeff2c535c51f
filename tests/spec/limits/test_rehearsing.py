"""The last day is decided again under other limits: what differs is told, and is the limits' doing alone."""

from collections.abc import Sequence

import pytest

from api.limits.rehearsing import Rehearsal, Rehearsed, changed_limits
from commands.limit import LimitWanted
from domain.codec import encode_state
from domain.limit import Control
from domain.log import KeptCommand, StoredEvent
from domain.quantity import Num
from tests.support.desk import Desk, as_read, reason, tags

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US


class DeskLog:
    """Read what a desk has decided, a few at a time."""

    def __init__(self, desk: Desk) -> None:
        self._commands = [kept for closed in desk.closed for kept in closed.batch.commands]
        self._events = as_read(desk.stored, 1)

    async def commands(self, after: int, limit: int) -> Sequence[KeptCommand]:
        return self._commands[after : after + min(limit, 5)]

    async def read(self, after: int, limit: int) -> Sequence[StoredEvent]:
        return self._events[after : after + min(limit, 3)]


def wanted(value: str | None, control: str = "order_notional", scope: str = "global") -> LimitWanted:
    return LimitWanted(control=control, scope=scope, value=None if value is None else Num(value))


async def rehearsed(desk: Desk, *limits: LimitWanted, lasting_us: int = DAY_US) -> tuple[Rehearsal, Rehearsed]:
    told: list[tuple[int, int]] = []
    rehearsal = Rehearsal(DeskLog(desk), lambda done, of: None, lambda done, of: told.append((done, of)))
    found = await rehearsal.run(limits, lasting_us)
    assert all(done <= of for done, of in told)
    return rehearsal, found


def a_day(desk: Desk) -> None:
    """Let two quotes be given, one refused and one accepted, two days apart."""
    desk.quote("1")
    desk.now_us += 2 * DAY_US
    desk.accept(desk.quote("1.5"))
    assert reason(desk.quote("60")) == "ORDER_NOTIONAL"
    desk.quote("100", pair="USDT/USDe")


async def test_the_same_limits_change_nothing() -> None:
    desk = Desk()
    a_day(desk)
    rehearsal, found = await rehearsed(desk)
    assert (found.commands, found.decided, dict(found.counted), found.shown) == (4, 4, {}, [])
    assert encode_state(rehearsal.book.limits) == encode_state(desk.book.limits)
    assert rehearsal.book.requests == desk.book.requests


async def test_what_a_tighter_limit_would_have_refused_is_told() -> None:
    desk = Desk()
    a_day(desk)
    _, found = await rehearsed(desk, wanted("2000"))
    assert dict(found.counted) == {
        ("quote.issue", "accepted", "refused ORDER_NOTIONAL"): 1,
        ("request.accept", "accepted", "refused ORDER_NOTIONAL"): 1,
    }
    first = found.shown[0]
    assert (first.kind, first.actor, first.at_us) == ("quote.issue", "api", desk.now_us)
    assert "order_notional global" in first.told
    assert "against 2000" in first.told


async def test_what_a_looser_limit_would_have_let_through_is_told() -> None:
    desk = Desk()
    a_day(desk)
    _, found = await rehearsed(desk, wanted("1000000"), wanted("1000", "net_delta", "asset:ETH"))
    assert dict(found.counted) == {("quote.issue", "refused ORDER_NOTIONAL", "accepted"): 1}
    assert "against 100000" in found.shown[0].told


async def test_a_removed_limit_refuses_what_needs_it() -> None:
    desk = Desk()
    a_day(desk)
    _, found = await rehearsed(desk, wanted(None))
    assert {after for _, _, after in found.counted} == {"refused LIMIT_MISSING"}


async def test_only_the_last_hours_are_decided_again() -> None:
    desk = Desk()
    a_day(desk)
    _, found = await rehearsed(desk, wanted("1"), lasting_us=3 * DAY_US)
    assert found.counted[("quote.issue", "accepted", "refused ORDER_NOTIONAL")] == 3
    _, found = await rehearsed(desk, wanted("1"), lasting_us=1)
    assert found.counted[("quote.issue", "accepted", "refused ORDER_NOTIONAL")] == 2


async def test_each_is_judged_under_the_other_limits_of_its_time() -> None:
    desk = Desk()
    desk.quote("1")
    desk.set_limit("price_collar", "1")
    desk.set_limit("order_notional", "1")
    assert reason(desk.quote("1")) == "ORDER_NOTIONAL"
    _, found = await rehearsed(desk, wanted("20", "quote_age"))
    assert found.shown == []


async def test_what_is_accepted_and_does_something_else_is_told() -> None:
    desk = Desk()
    desk.held()
    assert "limit.approached" not in tags(desk.do("risk.look", {"since": []}).events)
    _, found = await rehearsed(desk, wanted("1", "gross_notional"))
    assert found.counted[("risk.look", "accepted", "accepted, and otherwise")] == 1


async def test_an_empty_log_has_nothing_to_tell() -> None:
    desk = Desk()
    desk.closed = []
    _, found = await rehearsed(desk, wanted("1"))
    assert (found.commands, found.decided) == (0, 0)


async def test_a_day_of_refusals_that_left_no_event_is_decided_too() -> None:
    desk = Desk()
    desk.now_us += 2 * DAY_US
    desk.book.control_refused_us["order_notional|global"] = desk.now_us
    for _ in range(12):
        assert reason(desk.quote("60")) == "ORDER_NOTIONAL"
    _, found = await rehearsed(desk, wanted("1000000"))
    assert found.commands == 12
    assert sum(found.counted.values()) == 12


async def test_no_more_are_shown_than_can_be_read() -> None:
    desk = Desk()
    for _ in range(25):
        desk.quote("1")
    _, found = await rehearsed(desk, wanted("1"))
    assert (len(found.shown), sum(found.counted.values())) == (20, 25)


@pytest.mark.parametrize("scope", ["global", "venue:okx"])
def test_a_change_of_limits_leaves_those_of_then(scope: str):
    held = Desk().book.limits
    before = dict(held)
    changed = changed_limits(held, [wanted("7", scope=scope), wanted(None, "price_collar"), wanted(None, "leverage")])
    assert str(changed[f"order_notional|{scope}"].value) == "7"
    assert changed[f"order_notional|{scope}"].unit == "USD"
    assert "price_collar|global" not in changed
    assert Control.PRICE_COLLAR in {limit.control for limit in held.values()}
    assert held == before
