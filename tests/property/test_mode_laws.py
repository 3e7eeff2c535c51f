"""Modes, whatever comes in whatever order: the strictest cause holds, and nobody releases what he stopped himself."""

from hypothesis import given
from hypothesis import strategies as st

from domain.mode import PEOPLE, SEVERITY, Mode, ModeChanged, Trigger
from tests.support.desk import Desk

CAUSES: tuple[str, ...] = (PEOPLE, *Trigger)
MODES = st.sampled_from(list(Mode))
SCOPE = "venue:binanceusdm"


@given(st.lists(st.tuples(st.sampled_from(CAUSES), MODES), max_size=20))
def test_a_scope_is_in_the_strictest_mode_of_its_causes(changes: list[tuple[str, Mode]]) -> None:
    desk, wanted = Desk(limits=False), dict.fromkeys(CAUSES, Mode.ACTIVE)
    for trigger, mode in changes:
        previous = wanted[trigger]
        wanted[trigger] = mode
        event = ModeChanged(scope=SCOPE, mode=mode, previous=previous, author="ada", reason="law", trigger=trigger)
        desk.handler._record((event,))
        assert desk.book.modes[SCOPE] is max(wanted.values(), key=SEVERITY.__getitem__)


@given(st.lists(st.tuples(st.sampled_from(("ada", "bob", "eve")), MODES), max_size=15))
def test_no_one_person_ever_undoes_his_own_stop(asked: list[tuple[str, Mode]]) -> None:
    desk, stopped_by = Desk(limits=False), ""
    for person, mode in asked:
        before = desk.book.modes.get("global", Mode.ACTIVE)
        desk.change_mode(mode.value, actor=person)
        now = desk.book.modes.get("global", Mode.ACTIVE)
        if SEVERITY[now] < SEVERITY[before]:
            assert person != stopped_by
        if now is not before:
            stopped_by = person
        assert now is mode or SEVERITY[mode] < SEVERITY[now]
