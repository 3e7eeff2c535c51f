"""The core's watch asks for a look when one would record something, one at a time, and rests when nothing is new."""

from collections.abc import Sequence

import msgspec
import pytest

import api.risk_watch
from api.core import Asked
from api.risk_watch import PAUSE_MAX_US, REST_US, RiskWatch
from commands.envelope import Reply
from commands.handler import Handler
from domain.carry import MarkEvidence
from domain.market import Witness
from domain.mode import Mode
from tests.spec.modes.test_looks import RESUME_MS, moved_to
from tests.support.desk import Desk, tags


class Loop:
    """Stand for the core: decide what it is offered when told to, on the desk's evidence."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.handler: Handler = desk.handler
        self.offered: list[Asked] = []
        self.waits = False

    def offer(self, asked: Asked) -> None:
        self.offered.append(asked)
        if not self.waits:
            self.decide()

    def decide(self) -> None:
        asked = self.offered[-1]
        decision = self.desk.do(asked.kind, msgspec.Raw(asked.body), actor=asked.actor, command_id=asked.command_id)
        assert decision.outcome.status == "accepted"
        asked.source.answer([(asked.target, Reply(status="accepted", command_id=str(asked.command_id)))])

    def now_us(self) -> int:
        return self.desk.now_us

    def witnesses(self, now_us: int) -> tuple[Witness, ...]:
        del now_us
        return self.desk.witnesses

    def marks(self, now_us: int) -> tuple[MarkEvidence, ...]:
        del now_us
        return self.desk.marks


def watched() -> tuple[Loop, RiskWatch]:
    loop = Loop(Desk())
    return loop, RiskWatch(loop, loop, loop)


def test_it_asks_for_what_would_be_recorded_and_for_nothing_else() -> None:
    loop, watch = watched()
    watch.look()
    assert [asked.kind for asked in loop.offered] == ["risk.look"]
    assert loop.desk.book.marks.marked_at_us == loop.desk.now_us
    for _ in range(20):
        loop.desk.now_us += 50_000
        watch.look()
    assert (len(loop.offered), watch.recorded) == (1, 1)


def test_one_is_on_its_way_at_a_time() -> None:
    loop, watch = watched()
    loop.waits = True
    for _ in range(3):
        watch.look()
    assert len(loop.offered) == 1
    loop.decide()
    loop.desk.do("dependency.degraded", {"dependency": "binanceusdm", "text": "silent"})
    watch.look()
    assert len(loop.offered) == 2


def test_what_was_not_taken_is_asked_for_again() -> None:
    loop, watch = watched()
    loop.waits = True
    watch.look()
    refused: Sequence[tuple[object, Reply]] = ((None, Reply(status="busy", command_id="")),)
    watch.answer(refused)
    loop.desk.now_us += REST_US
    watch.look()
    assert len(loop.offered) == 2


def test_it_measures_anew_only_when_something_is_new() -> None:
    loop, watch = watched()
    watch.look()
    loop.desk.now_us += 50_000
    watch.look()  # its own marks are news
    before = watch.looks
    for _ in range(5):
        loop.desk.now_us += 50_000
        watch.look()
    assert watch.looks == before
    loop.desk.do("dependency.degraded", {"dependency": "elsewhere", "text": ""})
    watch.look()
    assert watch.looks == before + 1
    moved_to(loop.desk, "2010")
    watch.look()
    assert watch.looks == before + 2
    loop.desk.now_us += REST_US
    watch.look()
    assert watch.looks == before + 3


def test_a_venue_that_is_lost_is_reduced_and_let_go_by_itself() -> None:
    loop, watch = watched()
    watch.look()
    lost = {"dependency": "binanceusdm", "text": "silent"}
    loop.desk.do("dependency.degraded", lost)
    watch.look()
    assert loop.desk.book.modes["venue:binanceusdm"] is Mode.REDUCE_ONLY
    loop.desk.do("dependency.restored", lost)
    for _ in range(RESUME_MS // 100 + 10):
        loop.desk.now_us += 100_000
        watch.look()
    assert loop.desk.book.modes["venue:binanceusdm"] is Mode.ACTIVE
    assert tags(loop.desk.events).count("mode.changed") == 2


def test_after_a_pause_nothing_counts_as_sound_without_a_break() -> None:
    loop, watch = watched()
    watch.look()
    lost = {"dependency": "binanceusdm", "text": "silent"}
    loop.desk.do("dependency.degraded", lost)
    watch.look()
    loop.desk.do("dependency.restored", lost)
    watch.look()
    loop.desk.now_us += max(PAUSE_MAX_US, RESUME_MS * 1_000) + 1
    watch.look()
    assert loop.desk.book.modes["venue:binanceusdm"] is Mode.REDUCE_ONLY


async def test_it_takes_no_more_than_its_part_of_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    loop, watch = watched()
    slept: list[float] = []
    times = iter((0.0, 0.2, 1.0, 1.001))

    class Stopped(Exception):
        pass

    async def sleep(delay: float) -> None:
        slept.append(delay)
        if len(slept) == 2:
            raise Stopped

    class Clockwork:
        def time(self) -> float:
            return next(times)

    monkeypatch.setattr(api.risk_watch.asyncio, "get_running_loop", Clockwork)
    monkeypatch.setattr(api.risk_watch.asyncio, "sleep", sleep)
    with pytest.raises(Stopped):
        await watch.run()
    assert [round(delay, 3) for delay in slept] == [1.8, 0.05]
    assert (watch.look_us_max, len(loop.offered)) == (200_000, 1)
