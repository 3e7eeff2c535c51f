"""Looking at risk: marks, warnings and modes are recorded when a look finds something, and not otherwise."""

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from commands.risk import MARK_PAUSE_US, Since, survey
from domain.codec import decode_event
from domain.limit import Control
from domain.limits import default_limits
from domain.mode import Mode
from domain.policy import Policy
from domain.quantity import Num
from domain.rebalancing.terms import Rebalancing
from domain.risk_terms import Risk
from tests.support.desk import Desk, tags
from tests.support.given import ORACLES, PEERS, a_book, a_mark, a_policy, a_witness, an_oracle, pegged

RESUME_MS = Risk().triggers.resume_after_ms


def with_risk(**changes: Any) -> Policy:
    return a_policy(risk=Risk(**changes))


def look(desk: Desk, *, later_ms: int = 0, since: tuple[Since, ...] = ()) -> list[Any]:
    """Let time pass, and look with what is remembered since when."""
    desk.now_us += later_ms * 1_000
    body = {"since": msgspec.to_builtins(since)}
    return list(desk.do("risk.look", body, actor="ballast").events)


class Watch:
    """Look as the core's watch does: remember, and ask only for what would be recorded."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.since: tuple[Since, ...] = ()
        self.asked = 0

    def look(self, later_ms: int = 50) -> list[Any]:
        self.desk.now_us += later_ms * 1_000
        found = survey(self.desk.book, self.desk.now_us, self.desk.witnesses, self.desk.marks, self.since)
        self.since = found.since
        if not found.events:
            return []
        self.asked += 1
        events = look(self.desk, since=self.since)
        assert [type(event) for event in events[: len(found.events)]] == [type(event) for event in found.events]
        return events

    def looks(self, for_ms: int, every_ms: int = 50) -> list[Any]:
        return [event for _ in range(for_ms // every_ms) for event in self.look(every_ms)]


def changed(events: list[Any]) -> list[tuple[str, str, Mode]]:
    return [(each.scope, each.trigger, each.mode) for each in events if each.TOPIC.startswith("mode.changed")]


def moved_to(desk: Desk, mid: str) -> None:
    """Let every source say another price of ETH."""
    desk.heard = (
        a_witness("binanceusdm", mid),
        *(a_witness(peer, mid) for peer in PEERS),
        *(an_oracle(oracle, mid) for oracle in ORACLES),
        *pegged(),
    )
    desk.marks = (a_mark(mid),)


class TestMarks:
    def test_the_first_look_marks_all_that_has_a_price(self):
        desk = Desk()
        (marked,) = look(desk)
        assert [(each.asset, each.low <= each.mid <= each.high) for each in marked.assets] == [
            ("ETH", True),
            ("USDT", True),
        ]
        assert [(each.venue, each.price) for each in marked.instruments] == [("binanceusdm", Num("2000.05"))]
        assert desk.book.marks.marked_at_us == desk.now_us

    def test_a_stable_that_nothing_is_traded_in_is_marked_too(self):
        desk = Desk()
        desk.heard = (*desk.witnesses, *pegged("0.9990", "USDC"))
        (marked,) = look(desk)
        assert {each.asset: each.mid for each in marked.assets}["USDC"] == Num("0.999")
        desk.heard = None
        watch = Watch(desk)
        assert [each.lost for each in watch.looks(16_000, 500) if each.lost] == [("USDC",)]

    def test_what_hardly_moved_is_not_marked_again_until_it_is_old(self):
        desk = Desk()
        look(desk)
        moved_to(desk, "2000.9")
        assert look(desk, later_ms=1_000) == []
        assert tags(look(desk, later_ms=4_000)) == ["risk.marked"]

    def test_what_moved_is_marked_but_not_faster_than_anybody_needs(self):
        desk = Desk()
        look(desk)
        moved_to(desk, "2002")
        assert look(desk, later_ms=MARK_PAUSE_US // 1_000 - 1) == []
        assert tags(look(desk, later_ms=1)) == ["risk.marked"]
        assert desk.book.marks.assets["ETH"].mid == 2002

    def test_a_mark_of_a_perpetual_that_is_old_is_none(self):
        desk = Desk()
        desk.marks = (a_mark(age_ms=15_001),)
        (marked,) = look(desk)
        assert marked.instruments == ()

    def test_an_asset_of_which_nobody_is_believed_loses_its_mark_in_the_end(self):
        desk = Desk()
        watch = Watch(desk)
        watch.look()
        desk.heard = pegged()
        quiet = watch.looks(15_000, 500)
        assert "ETH" in desk.book.marks.assets
        assert all(each.lost == () for each in quiet)
        lost = watch.looks(1_000, 500)
        assert [each.lost for each in lost if each.lost] == [("ETH",)]
        assert "ETH" not in desk.book.marks.assets
        assert desk.book.marks.assets["USDT"].mid == 1

    def test_one_that_is_heard_again_keeps_it(self):
        desk = Desk()
        watch = Watch(desk)
        watch.look()
        desk.heard = pegged()
        watch.looks(14_000, 500)
        desk.heard = None
        watch.look(500)
        desk.heard = pegged()
        watch.looks(14_000, 500)
        assert "ETH" in desk.book.marks.assets

    def test_a_book_without_a_policy_is_not_looked_at(self):
        desk = Desk()
        desk.book.policy = None
        assert survey(desk.book, desk.now_us, desk.witnesses, desk.marks) == survey(desk.book, 0, (), ())


class TestModes:
    def test_a_venue_that_is_lost_reduces_alone_and_returns_by_itself(self):
        desk = Desk()
        watch = Watch(desk)
        watch.look()
        desk.do("dependency.degraded", {"dependency": "binanceusdm", "text": "silent"})
        events = watch.look()
        assert changed(events) == [("venue:binanceusdm", "dependency", Mode.REDUCE_ONLY)]
        assert events[0].author == "system"
        assert "binanceusdm is degraded: silent" in events[0].reason
        assert watch.looks(2_000) == []
        desk.do("dependency.restored", {"dependency": "binanceusdm", "text": ""})
        assert changed(watch.looks(RESUME_MS - 100)) == []
        assert changed(watch.looks(200)) == [("venue:binanceusdm", "dependency", Mode.ACTIVE)]
        assert desk.book.modes["venue:binanceusdm"] is Mode.ACTIVE

    def test_what_breaks_again_meanwhile_waits_anew(self):
        desk = Desk()
        watch = Watch(desk)
        lost = {"dependency": "binanceusdm", "text": "silent"}
        watch.look()
        desk.do("dependency.degraded", lost)
        watch.look()
        desk.do("dependency.restored", lost)
        watch.looks(RESUME_MS - 1_000)
        desk.do("dependency.degraded", lost)
        watch.look()
        desk.do("dependency.restored", lost)
        assert changed(watch.looks(RESUME_MS - 1_000)) == []
        assert changed(watch.looks(2_000)) == [("venue:binanceusdm", "dependency", Mode.ACTIVE)]

    def test_a_command_that_remembers_what_is_not_so_lets_nothing_go(self):
        desk = Desk()
        look(desk)
        desk.do("dependency.degraded", {"dependency": "binanceusdm", "text": "silent"})
        look(desk)
        since = (Since("dependency|venue:binanceusdm", 0),)
        assert changed(look(desk, later_ms=60_000, since=since)) == []
        desk.do("dependency.restored", {"dependency": "binanceusdm", "text": ""})
        assert changed(look(desk)) == []
        assert changed(look(desk, since=since)) == [("venue:binanceusdm", "dependency", Mode.ACTIVE)]

    def test_people_stay_in_what_a_trigger_lets_go_of(self):
        desk = Desk()
        watch = Watch(desk)
        watch.look()
        desk.do("dependency.degraded", {"dependency": "binanceusdm", "text": "silent"})
        watch.look()
        desk.change_mode("HALTED", scope="venue:binanceusdm")
        desk.do("dependency.restored", {"dependency": "binanceusdm", "text": ""})
        watch.looks(RESUME_MS + 100)
        assert desk.book.mode_causes["venue:binanceusdm"] == {"": Mode.HALTED}
        assert desk.book.modes["venue:binanceusdm"] is Mode.HALTED

    def test_a_depeg_stops_mints_of_that_stable_and_lets_redeems_go_on(self):
        desk = Desk()
        desk.do("market.suspend", {"scope": "asset:USDT", "law": "depeg", "text": "0.9", "at_us": desk.now_us})
        assert ("asset:USDT", "integrity", Mode.REDUCE_ONLY) in changed(look(desk))
        refused = desk.quote("1000", pair="USDT/USDe")
        assert refused.outcome.reason == "REDUCE_ONLY"
        assert "mode.changed" in tags(desk.events)

    @pytest.mark.control("repeated_execution")
    def test_a_latch_halts_its_scope_in_the_same_append_and_lets_go_with_its_release(self):
        desk = Desk()
        latched = {"control": "repeated_execution", "scope": "asset:ETH", "limit": "1", "value": "2", "text": "mad"}
        events = record(desk, "control.latched.v1", latched)
        assert changed(events) == [("asset:ETH", "latch", Mode.HALTED)]
        assert desk.quote("1").outcome.reason == "HALTED"
        released = {"control": "repeated_execution", "scope": "asset:ETH", "author": "ada", "reason": "mended"}
        events = record(desk, "control.released.v1", released)
        assert changed(events) == [("asset:ETH", "latch", Mode.ACTIVE)]
        assert desk.quote("1").outcome.reason == ""

    def test_a_scope_is_let_go_with_the_last_of_its_latches(self):
        desk = Desk()
        for control in ("repeated_execution", "order_rate"):
            body = {"control": control, "scope": "elsewhere", "limit": "1", "value": "2", "text": "mad"}
            record(desk, "control.latched.v1", body)
        assert desk.book.modes == {"global": Mode.HALTED}
        body = {"control": "order_rate", "scope": "elsewhere", "author": "ada", "reason": "mended"}
        assert changed(record(desk, "control.released.v1", body)) == []
        body["control"] = "repeated_execution"
        assert changed(record(desk, "control.released.v1", body)) == [("global", "latch", Mode.ACTIVE)]


def record(desk: Desk, topic: str, body: Mapping[str, object]) -> list[Any]:
    """Let the handler record an event as if a decider had decided it, with all that follows."""
    events, _ = desk.handler._record((decode_event(topic, msgspec.json.encode(body)),))
    return list(events)


class TestWarnings:
    def crowded(self, limit: str) -> Desk:
        """Return a desk that holds 1.5 ETH short, with so much gross notional allowed."""
        desk = Desk(policy=with_risk())
        desk.accept(desk.quote("1.5"))
        desk.trade(desk.order(), "1.5")
        wanted = {"control": "gross_notional", "scope": "global", "value": limit, "reason": "for this test"}
        desk.do("limit.set", wanted, actor="ada")
        return desk

    def approached(self, events: list[Any]) -> list[tuple[str, int, int]]:
        return [(each.control, each.before, each.band) for each in events if each.TOPIC.startswith("limit.approached")]

    def test_a_limit_that_is_near_is_told_and_left_again_when_it_stays_away(self):
        desk = self.crowded("3500")
        watch = Watch(desk)
        assert self.approached(watch.look()) == [(Control.GROSS_NOTIONAL, 0, 8_500)]
        assert desk.book.approached == {"gross_notional|global": 8_500}
        assert watch.look() == []
        moved_to(desk, "1600")
        assert self.approached(watch.looks(RESUME_MS - 100)) == []
        assert self.approached(watch.looks(1_000)) == [(Control.GROSS_NOTIONAL, 8_500, 0)]
        assert desk.book.approached == {}

    def test_a_price_that_moves_a_limit_is_seen_in_the_same_look(self):
        desk = self.crowded("4000")
        watch = Watch(desk)
        assert self.approached(watch.look()) == [(Control.GROSS_NOTIONAL, 0, 7_000)]
        moved_to(desk, "2600")
        events = watch.look()
        assert self.approached(events) == [(Control.GROSS_NOTIONAL, 7_000, 9_500)]
        assert tags(events)[0] == "risk.marked"

    def test_a_limit_that_is_passed_reduces_until_it_is_well_within_again(self):
        desk = self.crowded("3100")
        watch = Watch(desk)
        watch.look()
        moved_to(desk, "2100")
        events = watch.looks(300)
        assert ("global", "limit:gross_notional", Mode.REDUCE_ONLY) in changed(events)
        assert (Control.GROSS_NOTIONAL, 9_500, 10_000) in self.approached(events)
        moved_to(desk, "1990")
        assert changed(watch.looks(2 * RESUME_MS, 500)) == []
        moved_to(desk, "1800")
        assert ("global", "limit:gross_notional", Mode.ACTIVE) in changed(watch.looks(2 * RESUME_MS, 500))

    @pytest.mark.parametrize(
        "changes",
        [{"band": 7_000}, {"control": "order_rate"}, {"band": 8_500, "before": 9_500}, {"band": 0, "before": 7_000}],
    )
    def test_one_that_does_not_lets_them_be(self, changes: dict[str, object]):
        desk = Desk(policy=msgspec.structs.replace(with_risk(), rebalancing=Rebalancing(every_ms=300_000)))
        later = desk.book.wakes["rebalance.look|ETH"].at_us
        body = {"control": "position_notional", "scope": "global", "subject": "asset:ETH", "unit": "USD"}
        record(desk, "limit.approached.v1", body | {"band": 8_500, "before": 0, "used": "9", "limit": "10"} | changes)
        assert desk.book.wakes["rebalance.look|ETH"].at_us == later

    def test_a_policy_without_bands_asks_for_nothing(self):
        desk = Desk(policy=msgspec.structs.replace(with_risk(bands=()), rebalancing=Rebalancing(every_ms=300_000)))
        later = desk.book.wakes["rebalance.look|ETH"].at_us
        body = {"control": "position_notional", "scope": "global", "subject": "asset:ETH", "unit": "USD"}
        record(desk, "limit.approached.v1", body | {"band": 10_000, "before": 0, "used": "9", "limit": "10"})
        assert desk.book.wakes["rebalance.look|ETH"].at_us == later

    def test_a_band_that_asks_for_it_has_the_hedges_looked_at(self):
        desk = Desk(policy=msgspec.structs.replace(with_risk(), rebalancing=Rebalancing(every_ms=300_000)))
        key = "rebalance.look|ETH"
        later = desk.book.wakes[key].at_us
        body = {"control": "position_notional", "scope": "global", "subject": "venue:binanceusdm", "unit": "USD"}
        numbers = {"band": 8_500, "before": 0, "used": "9", "limit": "10"}
        record(desk, "limit.approached.v1", body | numbers)
        assert desk.book.wakes[key].at_us < later


def test_a_healthy_desk_under_every_default_limit_is_never_stopped():
    desk = Desk(policy=with_risk())
    watch = Watch(desk)
    assert len(desk.book.limits) >= len(default_limits())
    for number in range(1, 6):
        quote = desk.quote("1.5")
        desk.accept(quote, nonce=number)
        desk.trade(desk.order(), "1.5", trade=f"t{number}")
        desk.confirm()
        watch.looks(1_000, 100)
    desk.evidence = (a_book(),)
    assert changed([each for each in desk.events if each.TOPIC.startswith("mode.")]) == []
    assert [each for each in desk.events if each.TOPIC.startswith("limit.approached")] == []
