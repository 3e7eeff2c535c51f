"""What trips, which scope it stops, and when it may let go: each trigger's condition, on the Book and its usages."""

from typing import Any

import msgspec
import pytest

from domain.approach import band_at, entered, nearest, receding
from domain.controls import Usage
from domain.latch import Latch
from domain.limit import Control
from domain.limits import CONTROLS, Stage
from domain.market import Law
from domain.mode import RETURNS, Mode, Trigger
from domain.quantity import Num
from domain.risk_terms import Risk
from domain.suspension import Suspension
from domain.triggers import judged, mode_scopes, returns, scope_of, sound, still_holds, trigger_of, tripped
from tests.support.controlled import account
from tests.support.desk import Desk
from tests.support.given import START_US

BANDS = Risk().bands


def usage(control: Control, used: str | None, limit: str, share: int | None, **changes: Any) -> Usage:
    """Return how much of a limit is used; its subject is a venue unless told otherwise."""
    spec = CONTROLS[control]
    found = Usage(
        control=control,
        scope="global",
        subject="venue:binanceusdm",
        limit=Num(limit),
        unit=spec.unit,
        bound=spec.bound,
        used=None if used is None else Num(used),
        share_bps=share,
        standing=True,
    )
    return msgspec.structs.replace(found, **changes)


MARGIN_GONE = usage(Control.MARGIN_RATIO, "0.6", "0.5", 12_000)
BACKING_SHORT = usage(Control.BACKING_RATIO, "0.985", "0.99", 15_000, subject="global")


def suspend(desk: Desk, scope: str, law: Law = Law.CONNECTION) -> None:
    desk.book.outside.suspended[scope] = Suspension(scope, law, "gone", START_US)


def told(desk: Desk, *used: Usage) -> list[tuple[str, str, Mode]]:
    return [(each.trigger, each.scope, each.mode) for each in tripped(desk.book, used)]


class TestWhatTrips:
    def test_nothing_does_on_a_calm_desk(self):
        assert told(Desk(), usage(Control.MARGIN_RATIO, "0.5", "0.5", 10_000)) == []

    @pytest.mark.parametrize("scope", ["venue:binanceusdm", "asset:ETH", "asset:USDT"])
    def test_who_cannot_be_believed_only_reduces(self, scope: str):
        desk = Desk()
        suspend(desk, scope, Law.DEPEG)
        assert told(desk) == [("integrity", scope, Mode.REDUCE_ONLY)]

    @pytest.mark.parametrize("scope", ["venue:deribit", "asset:USDC", "oracle:pyth", "instrument:binanceusdm|X"])
    def test_what_has_no_mode_trips_nothing(self, scope: str):
        desk = Desk()
        suspend(desk, scope)
        assert told(desk) == []

    @pytest.mark.parametrize(
        ("name", "scope"),
        [("binanceusdm", "venue:binanceusdm"), ("binanceusdm.switch", "venue:binanceusdm"), ("chain", "global")],
    )
    def test_a_lost_dependency_reduces_what_rests_on_it(self, name: str, scope: str):
        desk = Desk()
        desk.book.dependencies[name] = "silent"
        ((trigger, where, mode),) = told(desk)
        assert (trigger, where, mode) == ("dependency", scope, Mode.REDUCE_ONLY)

    def test_a_dependency_that_nothing_is_traded_on_trips_nothing(self):
        desk = Desk()
        desk.book.dependencies["deribit"] = "silent"
        assert told(desk) == []

    def test_a_venue_that_lost_both_is_told_once(self):
        desk = Desk()
        desk.book.dependencies |= {"binanceusdm": "silent", "binanceusdm.switch": "not armed"}
        assert told(desk) == [("dependency", "venue:binanceusdm", Mode.REDUCE_ONLY)]

    @pytest.mark.control("margin_ratio")
    def test_too_little_margin_reduces_that_venue(self):
        assert told(Desk(), MARGIN_GONE) == [("margin", "venue:binanceusdm", Mode.REDUCE_ONLY)]

    @pytest.mark.control("liquidation_distance")
    def test_a_liquidation_too_near_reduces_that_venue(self):
        near = usage(Control.LIQUIDATION_DISTANCE, "900", "1000", 11_112)
        assert told(Desk(), near) == [("margin", "venue:binanceusdm", Mode.REDUCE_ONLY)]

    @pytest.mark.control("backing_ratio")
    def test_too_little_backing_reduces_everything(self):
        assert told(Desk(), BACKING_SHORT) == [("backing", "global", Mode.REDUCE_ONLY)]

    @pytest.mark.control("stress_loss")
    def test_a_stress_that_the_reserve_would_not_bear_reduces_everything_until_people_release_it(self):
        beyond = usage(Control.STRESS_LOSS, "10001", "10000", 10_001, subject="venue:elsewhere")
        assert told(Desk(), beyond) == [("limit:stress_loss", "global", Mode.REDUCE_ONLY)]
        assert told(Desk(), usage(Control.STRESS_LOSS, "10000", "10000", 10_000)) == []
        assert not returns("limit:stress_loss")

    @pytest.mark.parametrize("control", [each for each in Control if Stage.STATE in CONTROLS[each].stages])
    def test_every_control_that_is_watched_all_the_time_trips(self, control: Control):
        spec = CONTROLS[control]
        used, limit = ("2", "1") if spec.breached(Num(2), Num(1)) else ("1", "2")
        ((trigger, _, mode),) = told(Desk(), usage(control, used, limit, 20_000))
        assert (trigger, mode) == (trigger_of(control), Mode.REDUCE_ONLY)
        assert told(Desk(), usage(control, limit, limit, 10_000)) == []

    def test_what_is_unknown_or_of_single_decisions_trips_nothing(self):
        assert told(Desk(), usage(Control.MARGIN_RATIO, None, "0.5", None)) == []
        assert told(Desk(), usage(Control.ORDER_RATE, "2", "1", 20_000)) == []
        assert told(Desk(), usage(Control.GROSS_NOTIONAL, "2", "1", 20_000, standing=False)) == []


class TestBeforeEveryAccountWasSeen:
    @pytest.mark.parametrize("control", ["venue_concentration", "custodian_concentration", "stable_concentration"])
    def test_nobody_knows_the_whole_of_which_something_is_a_share(self, control: str):
        desk = Desk()
        beyond = usage(Control(control), "8200", "6000", 13_667)
        others = (MARGIN_GONE, BACKING_SHORT)
        assert judged(desk.book, (beyond, *others)) == others
        account(desk, "1000")
        assert judged(desk.book, (beyond, *others)) == (beyond, *others)


class TestScopes:
    @pytest.mark.parametrize(
        ("subject", "scope", "wanted"),
        [
            ("venue:binanceusdm", "global", "venue:binanceusdm"),
            ("asset:ETH", "global", "asset:ETH"),
            ("pair:WETH/USDe", "global", "pair:WETH/USDe"),
            ("stable:USDT", "global", "asset:USDT"),
            ("binanceusdm|main|ETH/USDT:USDT", "global", "venue:binanceusdm"),
            ("custodian:0xc1", "global", "global"),
            ("", "venue:binanceusdm", "venue:binanceusdm"),
            ("elsewhere", "asset:ETH", "asset:ETH"),
            ("global", "global", "global"),
            ("venue:unknown", "global", "global"),
        ],
    )
    def test_it_is_the_narrowest_that_has_a_mode(self, subject: str, scope: str, wanted: str):
        found = usage(Control.GROSS_NOTIONAL, "1", "1", 1, subject=subject, scope=scope)
        assert scope_of(found, mode_scopes(Desk().book.policy)) == wanted

    def test_without_a_policy_only_the_whole_has_a_mode(self):
        assert mode_scopes(None) == {"global"}


class TestLettingGo:
    def holding(self, trigger: str, scope: str = "venue:binanceusdm") -> Desk:
        desk = Desk()
        desk.book.mode_causes[scope] = {"": Mode.ACTIVE, trigger: Mode.REDUCE_ONLY}
        return desk

    def sound(self, desk: Desk, *used: Usage) -> frozenset[str]:
        return sound(desk.book, used, tripped(desk.book, used), Risk())

    def test_what_is_over_is_sound(self):
        assert self.sound(self.holding("dependency")) == {"dependency|venue:binanceusdm"}

    def test_what_lasts_is_not(self):
        desk = self.holding("dependency")
        desk.book.dependencies["binanceusdm"] = "silent"
        assert self.sound(desk) == frozenset()

    @pytest.mark.parametrize(("share", "lets_go"), [(9_000, True), (9_001, False), (None, False)])
    def test_a_limit_lets_go_well_within_it_only(self, share: int | None, *, lets_go: bool):
        used = usage(Control.MARGIN_RATIO, "0.45", "0.5", share)
        assert bool(self.sound(self.holding("margin"), used)) is lets_go

    def test_another_venue_s_margin_does_not_hold_this_one(self):
        elsewhere = usage(Control.MARGIN_RATIO, "0.49", "0.5", 9_800, subject="asset:ETH")
        assert self.sound(self.holding("margin"), elsewhere) == {"margin|venue:binanceusdm"}

    def test_where_only_the_worst_is_told_all_are_as_bad(self):
        used = usage(Control.UNSETTLED_PROFIT, "98", "100", 9_800, subject="asset:ETH")
        assert self.sound(self.holding("limit:unsettled_profit"), used) == frozenset()

    @pytest.mark.parametrize("trigger", ["backing", "reconciliation", "latch", "limit:stress_loss"])
    def test_people_release_the_rest(self, trigger: str):
        assert self.sound(self.holding(trigger)) == frozenset()
        assert not returns(trigger)

    def test_all_others_return_by_themselves(self):
        assert all(returns(trigger) for trigger in RETURNS)
        assert returns("limit:gross_notional")
        assert trigger_of(Control.STRESS_LOSS) == "limit:stress_loss"
        assert trigger_of(Control.LIQUIDATION_DISTANCE) == Trigger.MARGIN


class TestWhatPeopleCannotRelease:
    def test_what_would_trip_again_at_once(self):
        desk = Desk()
        suspend(desk, "asset:ETH", Law.QUORUM)
        assert set(still_holds(desk.book, (), "asset:ETH")) == {"integrity"}
        assert still_holds(desk.book, (), "global") == {}

    def test_a_latch_that_is_shut(self):
        desk = Desk()
        desk.book.latches["x"] = Latch(Control.REPEATED_EXECUTION, "asset:ETH", START_US, "too often")
        assert set(still_holds(desk.book, (), "asset:ETH")) == {"latch"}
        assert still_holds(desk.book, (), "asset:BTC") == {}

    @pytest.mark.parametrize(("used", "holds"), [("0.9919", True), ("0.992", False)])
    def test_backing_that_is_barely_mended(self, used: str, *, holds: bool):
        found = usage(Control.BACKING_RATIO, used, "0.99", 9_000, subject="global")
        assert ("backing" in still_holds(Desk().book, (found,), "global")) is holds


class TestBands:
    @pytest.mark.parametrize(
        ("share", "band"),
        [(6_999, 0), (7_000, 7_000), (8_499, 7_000), (8_500, 8_500), (9_500, 9_500), (10_000, 9_500)],
    )
    def test_they_begin_where_the_policy_says(self, share: int, band: int):
        assert band_at(usage(Control.GROSS_NOTIONAL, "1", "1", share), BANDS) == band

    def test_beyond_the_limit_is_a_band_of_its_own(self):
        assert band_at(usage(Control.GROSS_NOTIONAL, "2", "1", 20_000), BANDS) == 10_000
        assert band_at(BACKING_SHORT, BANDS) == 10_000

    def test_each_limit_is_judged_by_who_is_nearest(self):
        used = (
            usage(Control.MARGIN_RATIO, "0.1", "0.5", 2_000, subject="venue:okx"),
            usage(Control.MARGIN_RATIO, "0.4", "0.5", 8_000),
            usage(Control.MARGIN_RATIO, None, "0.5", None, subject="venue:bybit"),
        )
        for order in (used, used[::-1]):
            (event,) = entered(Desk().book, order, BANDS)
            assert (event.subject, event.band, event.before) == ("venue:binanceusdm", 7_000, 0)

    def test_a_band_is_told_once_and_the_next_one_again(self):
        desk = Desk()
        desk.book.approached["gross_notional|global"] = 7_000
        assert entered(desk.book, (usage(Control.GROSS_NOTIONAL, "8", "10", 8_000),), BANDS) == ()
        (event,) = entered(desk.book, (usage(Control.GROSS_NOTIONAL, "9", "10", 9_000),), BANDS)
        assert (event.band, event.before, event.used, event.limit) == (8_500, 7_000, 9, 10)

    @pytest.mark.parametrize(("share", "leaves"), [(8_300, False), (8_200, False), (8_199, True), (None, False)])
    def test_a_band_is_left_some_way_below_it(self, share: int | None, *, leaves: bool):
        desk = Desk()
        desk.book.approached["gross_notional|global"] = 8_500
        used = usage(Control.GROSS_NOTIONAL, None if share is None else "8", "10", share)
        assert bool(receding(desk.book, (used,), BANDS)) is leaves

    def test_what_cannot_be_passed_is_never_near(self):
        whole = usage(Control.STABLE_CONCENTRATION, "10000", "10000", 10_000)
        assert nearest((whole,)) == {}
        assert nearest((usage(Control.STABLE_CONCENTRATION, "9000", "9999", 9_001),)) != {}

    def test_single_decisions_are_not_warned_of(self):
        assert nearest((usage(Control.PRICE_COLLAR, "99", "100", 9_900, standing=False),)) == {}
