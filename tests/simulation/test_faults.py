"""Faults are data: taking one away shifts no other, and what is left is the smallest world that still fails."""

import random
import socket
import threading
import time
import uuid
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.simulation.faults import Faults, Plan, swarm
from tests.simulation.guard import OutsideTouched, guard
from tests.simulation.shrink import fixed, shrink
from tests.simulation.sim import Sim

SITES = ("a.lost", "b.late", "crash.core.log.append")


def fired(plan: Plan) -> list[str]:
    faults = Faults(plan)
    for _ in range(50):
        for site in SITES:
            faults.hit(site)
            faults.between(site, 0, 9)
    return faults.fired


@settings(derandomize=True, database=None, deadline=None)
@given(st.integers(0, 10_000), st.data())
def test_taking_a_fault_away_shifts_no_other(seed: int, data: st.DataObject) -> None:
    plan = Plan(seed=seed, rates=dict.fromkeys(SITES, 200))
    before = fired(plan)
    gone = data.draw(st.sampled_from(before))
    after = fired(msgspec.structs.replace(plan, suppressed=frozenset({gone})))
    assert after == [key for key in before if key != gone]


def test_the_faults_that_fired_make_the_same_world_as_their_rates() -> None:
    plan = Plan(seed=3, rates=dict.fromkeys(SITES, 100))
    assert fired(fixed(plan, fired(plan))) == fired(plan)


def test_swarms_differ_and_repeat() -> None:
    plans = [swarm(seed, SITES, (1, 9)) for seed in range(50)]
    assert plans == [swarm(seed, SITES, (1, 9)) for seed in range(50)]
    assert {len(plan.rates) for plan in plans} == {0, 1, 2, 3}
    assert {plan.share for plan in plans} == {0.0, 0.05, 0.3, 1.0}


def test_shrinking_keeps_only_what_the_failure_needs() -> None:
    start = Plan(seed=1, commands=9, share=1.0, forced=frozenset(f"noise#{n}" for n in range(40)) | {"a#1", "b#2"})

    def fails(plan: Plan) -> bool:
        return {"a#1", "b#2"} <= plan.forced and plan.commands >= 3

    assert shrink(start, fails) == Plan(seed=1, commands=3, share=0.0, forced=frozenset({"a#1", "b#2"}))


def test_nothing_goes_wrong_once_healed() -> None:
    faults = Faults(Plan(seed=1, rates={"a": 1000}))
    assert faults.hit("a")
    faults.heal()
    assert not faults.hit("a")


def reach(door: str) -> object:
    """Reach outside by names looked up now: the guard rebinds them."""
    match door:
        case "clock":
            return time.time()
        case "uuid":
            return uuid.uuid4()
        case "chance":
            return random.random()
        case "socket":
            return socket.socket()
        case "thread":
            return threading.Thread(target=print).start()
        case _:
            return Path("never-written").write_text("", encoding="utf-8")


@pytest.mark.parametrize("door", ["clock", "uuid", "chance", "socket", "thread", "file"])
def test_the_guard_catches_whoever_reaches_outside(door: str) -> None:
    with guard(), pytest.raises(OutsideTouched):
        reach(door)
    assert time.time() > 0
    assert not Path("never-written").exists()


def test_the_guard_lets_reading_and_own_randomness_be() -> None:
    with guard():
        assert Path(__file__).read_text(encoding="utf-8")
        assert random.Random(1).random() > 0


def test_the_timeline_tells_when_who_and_what() -> None:
    sim = Sim(Plan(seed=1))
    sim.loop.after_us(1_500_000, sim.note, "core.0", "took over, epoch", 1)
    sim.loop.after_us(2_000_000, sim.loop.stop)
    sim.loop.run_forever()
    sim.loop.close()
    assert sim.timeline.render() == "    1.500000       1 core.0         took over, epoch 1"
