"""Given what happened and what things are worth, how near each bound is: limits by use, margin, backing, stress."""

from typing import Any

import msgspec

from benchmarks.mint_log import START_US, policy
from domain.account import AccountObserved, Balance, Held
from domain.event import Event
from domain.limit import Control, LimitSet
from domain.mark import InstrumentMark, Mark, RiskMarked
from domain.order import OrderSide
from domain.policy import CustodianTarget, PolicyAdopted
from domain.quantity import Num
from domain.quote import Side
from domain.warning import LimitApproached
from projections.backing import BACKING
from projections.exposure import EXPOSURE
from projections.limits import LIMITS
from projections.margin import MARGIN
from projections.stress import STRESS
from projections.view import View
from tests.spec.projections.test_views import SETTLING, accepted, fill, order, planned, settlement
from tests.support.told import lines, table

ADOPTED = PolicyAdopted(policy=policy())


def put(control: Control, value: str, scope: str = "global", unit: str = "USD") -> LimitSet:
    return LimitSet(control=control, scope=scope, value=Num(value), unit=unit, author="ada", reason="a reason")


def marked(eth: str = "3000", usdt: str = "1") -> RiskMarked:
    return RiskMarked(
        assets=tuple(
            Mark(asset=asset, low=Num(price), mid=Num(price), high=Num(price))
            for asset, price in (("ETH", eth), ("USDT", usdt))
        ),
        instruments=(InstrumentMark(venue="binanceusdm", symbol="ETH/USDT:USDT", price=Num(eth)),),
        marked_at_us=START_US,
    )


HELD: tuple[Event, ...] = (ADOPTED, accepted(), planned(), order(), fill(1, OrderSide.SELL, "2", "3000"))


class TestLimitsByUse:
    def test_a_limit_shows_what_is_used_of_it_where_and_in_which_band_of_warning(self):
        gross = put(Control.GROSS_NOTIONAL, "8000", "venue:binanceusdm")
        warned = LimitApproached(
            control=Control.GROSS_NOTIONAL,
            scope="venue:binanceusdm",
            subject="venue:binanceusdm",
            band=7_000,
            before=0,
            used=Num(6000),
            limit=Num(8000),
            unit="USD",
        )
        (line,) = lines(LIMITS, *HELD, gross, marked(), warned)
        assert (line["value"], line["used"], line["unit"], line["share_bps"]) == ("8000", "6000", "USD", 7500)
        assert (line["band"], line["bound"], line["in_force"]) == (7_000, "maximum", True)
        (line,) = lines(LIMITS, *HELD, gross, marked(), warned, marked("3300"))
        assert (line["used"], line["share_bps"]) == ("6600", 8250)

    def test_a_limit_of_all_names_the_narrower_scope_that_is_nearest_to_it(self):
        (line,) = lines(LIMITS, *HELD, put(Control.POSITION_NOTIONAL, "12000"), marked())
        assert (line["scope"], line["used"], line["share_bps"]) == ("global", "6000", 5_000)
        assert "binanceusdm" in line["subject"]

    def test_what_has_no_price_and_what_is_of_single_orders_is_not_told(self):
        unpriced = fill(1, OrderSide.SELL, "2", "3000", None)
        told = (ADOPTED, unpriced, put(Control.GROSS_NOTIONAL, "8000"), put(Control.PRICE_COLLAR, "100", unit="bps"))
        gross, collar = lines(LIMITS, *told)
        assert (gross["used"], gross["share_bps"], gross["subject"]) == (None, None, "")
        assert (collar["used"], collar["share_bps"]) == (None, None)


def observed(margin: str = "1000", venue: str = "binanceusdm", liquidated: str = "4000") -> AccountObserved:
    balance = Balance(
        asset="USDT",
        wallet=Num(margin),
        margin=Num(margin),
        available=Num(margin),
        initial_margin=Num(0),
        maintenance_margin=Num(50),
    )
    held = Held(
        symbol="ETH/USDT:USDT",
        quantity=Num(-2),
        entry_price=Num(3000),
        mark_price=Num(3000),
        unrealised=Num(0),
        liquidation_price=Num(liquidated),
        initial_margin=Num(100),
        maintenance_margin=Num(50),
    )
    return AccountObserved(venue=venue, account="main", balances=(balance,), positions=(held,), observed_at_us=START_US)


def one(view: View, key: str, *told: Event) -> dict[str, Any]:
    return table(view, *told)[key][1]


class TestExposure:
    def test_every_kind_has_its_lines_with_their_units(self):
        found = lines(EXPOSURE, *HELD, observed(), marked())
        assert [(line["kind"], line["scope"], line["unit"]) for line in found] == [
            ("underlying", "asset:ETH", "ETH"),
            ("underlying", "asset:USDT", "USDT"),
            ("stable", "stable:USDT", "USD"),
            ("total", "global", "USD"),
            ("venue", "venue:binanceusdm", "USD"),
        ]
        assert [line["underlying"] for line in found] == ["ETH", "USDT", "", "", ""]

    def test_what_a_venue_owes_is_held_against_the_strictest_limit_of_concentration_in_usd(self):
        told = (*HELD, observed("700000"), marked())
        line = one(EXPOSURE, "venue:binanceusdm", *told)
        assert (line["high"], line["worst"], line["limit"], line["within"]) == ("700000", "700000", None, None)
        limits = (put(Control.VENUE_CONCENTRATION, "9000", unit="bps"),)
        wide = one(EXPOSURE, "venue:binanceusdm", *told, *limits)
        assert (wide["limit"], wide["within"], wide["share_bps"]) == ("900000", True, "7000")
        strict = put(Control.VENUE_CONCENTRATION, "6000", "venue:binanceusdm", "bps")
        over = one(EXPOSURE, "venue:binanceusdm", *told, *limits, strict)
        assert (over["limit"], over["within"]) == ("600000", False)

    def test_what_has_no_price_is_told_as_unknown(self):
        line = one(EXPOSURE, "total", ADOPTED, observed())
        assert (line["low"], line["high"], line["worst"], line["share_bps"]) == (None, None, None, None)

    def test_a_custodian_stays_listed_when_the_policy_names_it_no_more(self):
        target = CustodianTarget(address="0xc1", ratio_bps=10_000)
        named = PolicyAdopted(policy=msgspec.structs.replace(policy(), custodians=(target,)))
        line = one(EXPOSURE, "custodian:0xc1", named, ADOPTED, marked())
        assert (line["kind"], line["low"], line["high"], line["unit"]) == ("custodian", "0", "0", "USD")

    def test_one_that_a_settlement_pays_is_listed_though_no_policy_names_it(self):
        sent = msgspec.structs.replace(SETTLING, custodians=("0xc2",), ratios=(10_000,))
        line = one(EXPOSURE, "custodian:0xc2", ADOPTED, accepted(), sent, marked())
        assert (line["low"], line["high"]) == ("0", "6000")


class TestMargin:
    def test_an_account_tells_what_its_venue_said_and_what_that_comes_to_at_our_marks(self):
        line = one(MARGIN, "binanceusdm|main", *HELD, observed(), marked())
        assert (line["equity"], line["gross"], line["observed_at"]) == ("1000", "6000", "2026-09-21T14:13:20.000000Z")
        assert (line["leverage"], line["nearest"]) == ("6", "ETH/USDT:USDT")
        assert [each["asset"] for each in line["assets"]] == ["USDT"]
        risen = one(MARGIN, "binanceusdm|main", *HELD, observed(), marked(), marked("3100"))
        assert (risen["equity"], risen["equity_high"]) == ("800", "800")
        assert Num(risen["ratio"]) > Num(line["ratio"])

    def test_an_account_that_its_venue_never_told_of_is_listed_as_unseen(self):
        line = one(MARGIN, "binanceusdm|main", ADOPTED)
        assert (line["observed_at"], line["assets"], line["equity"], line["ratio"]) == ("", [], None, None)

    def test_one_that_no_policy_names_is_listed_once_it_was_told_of(self):
        found = table(MARGIN, ADOPTED, observed(venue="okx"))
        assert list(found) == ["binanceusdm|main", "okx|main"]
        assert found["okx|main"][1]["positions"][0]["quantity"] == "-2"


SETTLED: tuple[Event, ...] = (SETTLING, settlement(Side.MINT, "WETH", 2 * 10**18, 6_000 * 10**18))


class TestBacking:
    def test_the_whole_is_held_against_its_bound_and_each_asset_told(self):
        bound = put(Control.BACKING_RATIO, "0.99", unit="ratio")
        told = (rich("0", floor="1"), accepted(), *SETTLED, bound, marked())
        total = one(BACKING, "total", *told)
        assert (total["supply"], total["ratio"], total["limit"], total["within"]) == ("6000", "1", "0.99", True)
        weth = one(BACKING, "WETH", *told)
        assert (weth["certain"], weth["value_low"], weth["kind"]) == ("2", "6000", "asset")
        fallen = one(BACKING, "total", *told, marked("2900"))
        assert (fallen["ratio"], fallen["held"], fallen["within"]) == ("0.966666", "0.966666", False)
        small = (rich("0", floor="600000"), accepted(), *SETTLED, bound, marked("2900"))
        first = one(BACKING, "total", *small)
        assert (first["ratio"], first["held"], first["within"]) == ("0.966666", "0.999666", True)

    def test_without_a_price_there_is_no_ratio_and_what_lacks_it_is_named(self):
        total = one(BACKING, "total", ADOPTED, accepted(), *SETTLED)
        assert (total["ratio"], total["within"]) == (None, None)
        assert total["unknown"]

    def test_an_asset_that_the_policy_names_no_more_stays_listed(self):
        less = PolicyAdopted(policy=msgspec.structs.replace(policy(), assets=policy().assets[:1]))
        line = one(BACKING, "USDT", ADOPTED, less)
        assert (line["certain"], line["value_low"], line["value_high"]) == ("0", "0", "0")


def rich(reserve: str, venues: tuple[str, ...] = (), floor: str = "1000000") -> PolicyAdopted:
    base = policy()
    more = tuple(msgspec.structs.replace(base.instruments[0], venue=venue) for venue in venues)
    risk = msgspec.structs.replace(base.risk, reserve=Num(reserve), concentration_floor=Num(floor))
    return PolicyAdopted(policy=msgspec.structs.replace(base, risk=risk, instruments=(*base.instruments, *more)))


class TestStress:
    def test_every_scenario_is_told_and_the_worst_held_against_the_reserve(self):
        told = (rich("2000", ("okx",)), *HELD[1:], observed(), marked(), put(Control.STRESS_LOSS, "10000", unit="bps"))
        found = {key: line for key, (_, line) in table(STRESS, *told).items()}
        kinds = {"worst", "funding", "venue:binanceusdm", "venue:okx", "stable:USDT"}
        kinds |= {f"{kind}:{name}" for kind in ("price_down", "price_up") for name in ("ETH", "USDT")}
        kinds |= {"evacuation|binanceusdm|main", "evacuation|okx|main"}
        assert set(found) == kinds
        worst = found["worst"]
        assert worst["scope"] in kinds
        assert worst["loss"] == max((found[key]["loss"] for key in kinds if found[key]["loss"]), key=Num)
        assert (worst["reserve"], worst["limit"]) == ("2000", "10000")
        assert worst["within"] is (Num(worst["share_bps"]) <= 10_000)
        for line in found.values():
            if line["loss"] is not None:
                assert Num(line["share_bps"]) == Num(line["loss"]) * 10_000 / 2_000

    def test_without_a_reserve_there_is_no_share(self):
        worst = one(STRESS, "worst", *HELD, observed(), marked(), put(Control.STRESS_LOSS, "10000", unit="bps"))
        assert (worst["share_bps"], worst["within"], worst["reserve"]) == (None, None, "0")

    def test_leaving_a_venue_tells_time_and_cost_and_what_nobody_else_may_take(self):
        limit = put(Control.ORDER_NOTIONAL, "2500")
        alone = one(STRESS, "evacuation|binanceusdm|main", *HELD, observed(), marked(), limit)
        assert (alone["notional"], alone["orders"], alone["unplaced"]) == ("6000", 3, "6000")
        assert alone["flat_ms"] > 0
        both = (rich("0", ("okx",)), *HELD[1:], observed(), marked(), limit)
        moved = one(STRESS, "evacuation|binanceusdm|main", *both)
        assert (moved["unplaced"], Num(moved["rehedge_cost"]) > 0) == ("0", True)
        empty = one(STRESS, "evacuation|okx|main", *both)
        assert (empty["notional"], empty["orders"], empty["flat_ms"]) == ("0", 0, 0)

    def test_what_has_no_price_is_named(self):
        worst = one(STRESS, "worst", rich("2000"), observed())
        assert worst["unknown"]
        assert worst["share_bps"] is None


def test_before_a_policy_there_is_nothing_to_tell():
    for view in (EXPOSURE, MARGIN, BACKING, STRESS):
        assert table(view, put(Control.GROSS_NOTIONAL, "8000")) == {}
