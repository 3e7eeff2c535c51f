"""The driver of folds: order, sharing, and stopping at what cannot be folded."""

from collections.abc import Callable
from unittest import mock

import msgspec
import pytest

from benchmarks.mint_log import policy
from domain import codec
from domain.codec import UPCASTERS
from domain.event import Event
from domain.log import StoredEvent
from domain.mode import Mode, ModeChanged
from domain.policy import PolicyAdopted
from projections import booked, folding
from projections.booked import SEEN
from projections.catalogue import VIEWS
from projections.exposure import EXPOSURE
from projections.fills import FILLS
from projections.folding import CannotFold, Folding, start
from projections.limits import LIMITS
from projections.modes import MODES
from projections.orders import ORDERS
from projections.view import View, current_topic
from tests.support.told import busy_log, folded, logged, shown_fold


def halted(scope: str = "global") -> ModeChanged:
    return ModeChanged(scope=scope, mode=Mode.HALTED, previous=Mode.ACTIVE, author="ada", reason="drill")


def test_several_views_share_one_run_and_come_out_as_if_alone():
    log = busy_log(600)
    together = Folding([start(view) for view in VIEWS.values()])
    together.fold(log, 600)
    for fold in together.folds:
        fold.render()
        assert shown_fold(fold) == shown_fold(folded(fold.view, log))
        assert fold.position == 600


def test_each_event_is_decoded_once_however_many_views_need_it(monkeypatch):
    decoded: list[str] = []

    def counting(topic: str, state: bytes) -> Event:
        decoded.append(topic)
        return codec.decode_event(topic, state)

    monkeypatch.setattr(folding, "decode_event", counting)
    log = busy_log(300)
    Folding([start(ORDERS), start(FILLS), start(EXPOSURE)]).fold(log, 300)
    assert decoded == [event.topic for event in log if event.topic in ORDERS.topics | FILLS.topics | EXPOSURE.topics]


def test_a_view_that_is_ahead_is_left_alone_until_the_others_come_up():
    log = busy_log(400)
    ahead = folded(FILLS, log[:300])
    ahead.changed.clear()
    behind = start(FILLS)
    both = Folding((ahead, behind))
    assert both.position == 0
    both.fold(log[:300], 300)
    assert ahead.changed == {}
    both.fold(log[300:], 400)
    assert set(ahead.changed) == {key for key, row in folded(FILLS, log).changed.items() if row.position > 300}
    assert shown_fold(behind) == shown_fold(folded(FILLS, log))


def test_a_key_is_written_once_a_run_with_its_last_document():
    fold = start(MODES)
    log = logged(halted(), halted("venue:x"), halted())
    Folding((fold,)).fold(log, 3)
    change = fold.take()
    assert [(row.key, row.position) for row in change.rows] == [("global", 3), ("venue:x", 2)]
    assert (change.view, change.before, change.position, change.snapshot) == (MODES, 0, 3, None)
    again = fold.take()
    assert (again.before, again.position, again.rows) == (3, 3, ())


def test_events_that_nobody_needs_only_move_the_position():
    fold = start(FILLS)
    both = Folding((fold,))
    both.fold(logged(halted()), 1)
    assert fold.take().rows == ()
    assert fold.position == 1
    assert "mode.changed.v2" in both.unneeded
    assert "fill.recorded.v1" not in both.unneeded


def with_topic(topic: str) -> Callable[[], list[StoredEvent]]:
    return lambda: [msgspec.structs.replace(logged(halted())[0], topic=topic)]


def with_state(state: bytes) -> Callable[[], list[StoredEvent]]:
    return lambda: [msgspec.structs.replace(logged(halted())[0], state=state)]


def with_metadata(metadata: bytes) -> Callable[[], list[StoredEvent]]:
    return lambda: [msgspec.structs.replace(logged(halted())[0], metadata=metadata)]


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (with_topic("mode.melted.v1"), "does not know the tag"),
        (with_state(b"{"), "truncated"),
        (with_state(b'{"type":"mode.changed.v2"}'), "missing required field"),
        (with_metadata(b"{}"), "missing required field"),
        (with_metadata(b'{"at":"yesterday","recorded_at":""}'), "isoformat"),
    ],
)
def test_a_fold_stops_at_what_it_cannot_fold_and_says_where(made, why: str):
    with pytest.raises(CannotFold, match=why) as caught:
        Folding((start(MODES),)).fold(made(), 1)
    assert caught.value.position == 1


def test_an_unknown_tag_stops_a_fold_that_would_not_have_needed_it():
    with pytest.raises(CannotFold, match=r"mode\.melted\.v1"):
        Folding((start(FILLS),)).fold(with_topic("mode.melted.v1")(), 1)


def test_an_old_tag_is_folded_as_what_it_became_and_is_never_left_out(monkeypatch):
    monkeypatch.setitem(UPCASTERS, "mode.set.v0", ("mode.changed.v2", lambda document: document | {"reason": "old"}))
    (now,) = logged(halted())
    document = msgspec.json.decode(now.state)
    del document["reason"]
    old = msgspec.structs.replace(now, topic="mode.set.v0", state=msgspec.json.encode(document))
    fold = start(MODES)
    both = Folding((fold,))
    assert "mode.set.v0" not in both.unneeded
    both.fold([old], 1)
    assert fold.changed["global"].document.reason == "old"
    assert current_topic("mode.set.v0") == current_topic("mode.changed.v1") == "mode.changed.v2"


def test_an_upcaster_that_leads_nowhere_stops_the_fold(monkeypatch):
    monkeypatch.setitem(UPCASTERS, "mode.set.v0", ("mode.changed.v2", lambda _: {}))
    (now,) = logged(halted())
    old = msgspec.structs.replace(now, topic="mode.set.v0", state=b"{}")
    with pytest.raises(CannotFold, match="missing required field"):
        Folding((start(MODES),)).fold([old], 1)


def test_following_takes_the_next_events_only():
    log = logged(halted(), halted("venue:x"), halted())
    both = Folding((start(MODES),))
    both.follow(())
    assert (both.position, both.recorded_at) == (0, "")
    both.follow(log[:2])
    assert (both.position, both.recorded_at) == (2, "2026-09-21T14:13:21.000500Z")
    with pytest.raises(CannotFold, match="the next position is 3"):
        both.follow(log[1:])
    with pytest.raises(CannotFold, match="the next position is 3"):
        both.follow([msgspec.structs.replace(log[2], position=4)])


def test_a_state_rides_along_every_so_many_positions(monkeypatch):
    monkeypatch.setattr(folding, "SNAPSHOT_EVENTS", 100)
    log = busy_log(400)
    fold = start(ORDERS)
    both = Folding((fold,))
    kept: list[int] = []
    for begin in range(0, 400, 40):
        both.fold(log[begin : begin + 40], begin + 40)
        change = fold.take()
        if change.snapshot is not None:
            kept.append(change.position)
            assert ORDERS.thaw(change.snapshot) == fold.state
    assert kept == [120, 240, 360]


@pytest.mark.parametrize("view", VIEWS.values(), ids=lambda view: view.name)
def test_a_run_cut_anywhere_gives_the_same_rows(view: View):
    log = busy_log(700)
    whole = folded(view, log)
    fold = start(view)
    rows = {}
    both = Folding((fold,))
    begin = 0
    for size in (1, 2, 3, 94, 250, 1, 349):
        both.fold(log[begin : begin + size], begin + size)
        rows |= {row.key: row for row in fold.take().rows}
        begin += size
    fold.changed = rows
    assert shown_fold(fold) == shown_fold(whole)
    assert view.freeze(fold.state) == view.freeze(whole.state)


def test_a_policy_alone_gives_the_exposure_its_lines():
    fold = folded(EXPOSURE, logged(halted(), PolicyAdopted(policy=policy())))
    told = [(row.key, row.sort, row.position) for row in fold.changed.values()]
    assert told == [(key, 2, 2) for key in ("ETH", "USDT", "venue:binanceusdm", "stable:USDT", "total")]


def test_views_at_one_position_fold_what_they_share_once():
    log = busy_log(400)
    folds = [start(EXPOSURE), start(LIMITS)]
    both = Folding(folds)
    seen = folds[0].state.seen
    assert folds[1].state.seen is seen
    with mock.patch.object(booked, "evolve", side_effect=booked.evolve) as evolved:
        both.fold(log, 400)
    wanted = [event.topic for event in log if event.topic in {each.TOPIC for each in SEEN.steps}]
    assert evolved.call_count == len(wanted)
    for fold in folds:
        fold.render()
        assert shown_fold(fold) == shown_fold(folded(fold.view, log))


def test_views_at_different_positions_share_nothing_and_come_to_the_same():
    log = busy_log(400)
    ahead, behind = start(EXPOSURE), start(LIMITS)
    Folding([ahead]).fold(log[:150], 150)
    both = Folding([ahead, behind])
    assert behind.state.seen is not ahead.state.seen
    both.fold(log, 400)
    for fold in (ahead, behind):
        fold.render()
        assert shown_fold(fold) == shown_fold(folded(fold.view, log))
