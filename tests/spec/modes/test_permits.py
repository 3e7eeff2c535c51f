"""What each mode permits: the table, as the architecture words it."""

import pytest

from domain.mode import PERMITS, RETURNS, SEVERITY, Action, Mode, Trigger, forbid, permits

MODES = (Mode.ACTIVE, Mode.REDUCE_ONLY, Mode.HALTED)
TABLE = {
    Action.MINT: (True, False, False),
    Action.REDEEM: (True, True, False),
    Action.OPEN: (True, False, False),
    Action.REDUCE: (True, True, False),
    Action.COMPLETE: (True, True, False),
    Action.MOVE: (True, False, False),
    Action.TRANSFER: (True, True, False),
    Action.CANCEL: (True, True, True),
    Action.QUERY: (True, True, True),
}


def test_the_table_names_every_action_and_every_mode():
    assert set(TABLE) == set(Action)
    assert set(PERMITS) == set(Mode)


@pytest.mark.parametrize("action", Action)
def test_each_mode_permits_what_the_table_says(action: Action):
    assert tuple(permits(mode, action) for mode in MODES) == TABLE[action]


def test_a_stricter_mode_never_permits_what_a_milder_one_does_not():
    for mode in Mode:
        for stricter in Mode:
            if SEVERITY[stricter] > SEVERITY[mode]:
                assert PERMITS[stricter] < PERMITS[mode]


@pytest.mark.parametrize(
    ("mode", "reason"), [(Mode.HALTED, "HALTED"), (Mode.REDUCE_ONLY, "REDUCE_ONLY"), (Mode.ACTIVE, "")]
)
def test_what_is_not_permitted_is_refused_by_the_mode_s_own_reason(mode: Mode, reason: str):
    refusal = forbid(mode, Action.MINT, "no mints now", "asset:ETH")
    assert (refusal.reason.name if refusal is not None else "") == reason
    if refusal is not None:
        assert (refusal.text, refusal.scope) == ("no mints now", "asset:ETH")


def test_only_people_release_what_may_hide_a_loss():
    assert set(Trigger) - RETURNS == {Trigger.BACKING, Trigger.RECONCILIATION, Trigger.LATCH}
