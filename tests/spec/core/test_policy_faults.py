"""A policy that could not be followed is refused before it is adopted, and says what is wrong with it."""

from typing import Any

import msgspec
import pytest

from domain import risk_terms
from domain.carry import FundingTerms
from domain.codec import decode_event, encode
from domain.execution import Style, StyleKind
from domain.policy import Band, PolicyAdopted, Styles
from domain.policy_faults import WAYS_MAX, policy_faults
from domain.quantity import Num
from domain.rebalancing.terms import Rebalancing
from domain.risk_terms import Risk, StableDiscount, Triggers, Windows
from domain.routing.terms import RankStep, Routing, ShareStep, VenueCap
from tests.support.desk import Desk, reason
from tests.support.given import a_policy
from tests.support.worlds import STAKED

FIRST = a_policy().instruments[0]
ASSETS, RISKY = a_policy().assets, risk_terms.Band(at_bps=7_000)
HALF, MORE = ShareStep(share=Num("0.5"), bps=Num(1)), ShareStep(share=Num("0.7"), bps=Num(3))


def venues(count: int) -> tuple[Any, ...]:
    return (FIRST, *(msgspec.structs.replace(FIRST, venue=f"venue{number}") for number in range(count - 1)))


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"instruments": (msgspec.structs.replace(FIRST, kind="inverse"),)}, "is not linear but inverse"),
        ({"instruments": (msgspec.structs.replace(FIRST, kind="option"),)}, "is not linear nor spot"),
        ({"assets": (*ASSETS, msgspec.structs.replace(STAKED, ratio=Num(0)))}, "above zero"),
        ({"assets": (msgspec.structs.replace(ASSETS[0], ratio=Num("1.2")), ASSETS[1])}, "own price is not watched"),
        ({"risk": Risk(reserve=Num(-1))}, "not negative"),
        ({"risk": Risk(venue_recovery=Num("1.1"))}, "parts of one"),
        ({"risk": Risk(triggers=Triggers(resume_share=Num(0)))}, "parts of one"),
        ({"risk": Risk(stable_discount_bps=Num(10_001))}, "by no more than all"),
        ({"risk": Risk(stable_discounts=(StableDiscount(asset="USDT", bps=Num(-1)),))}, "by no more than all"),
        ({"risk": Risk(mark_every_ms=0)}, "times of risk"),
        ({"risk": Risk(windows=Windows(collar_ms=0))}, "looks back"),
        ({"risk": Risk(bands=(RISKY, RISKY))}, "bands of warning rise"),
        ({"risk": Risk(bands=(msgspec.structs.replace(RISKY, at_bps=10_001),))}, "bands of warning rise"),
        ({"risk": Risk(bands=(msgspec.structs.replace(RISKY, size_share=Num(2)),))}, "no larger"),
        ({"instruments": (FIRST, FIRST)}, "stands in the policy twice"),
        ({"instruments": (msgspec.structs.replace(FIRST, lot=Num(0)),)}, "above zero"),
        ({"instruments": (msgspec.structs.replace(FIRST, tick=Num(0)),)}, "above zero"),
        ({"instruments": venues(WAYS_MAX + 1)}, f"more than {WAYS_MAX} instruments"),
        ({"instruments": venues(40)}, f"more than {WAYS_MAX} instruments"),
        ({"routing": Routing(horizon_ms=0)}, "looks ahead"),
        ({"routing": Routing(horizon_ms=10**12)}, "looks ahead"),
        ({"routing": Routing(concentration=(MORE, HALF))}, "concentration rise"),
        ({"routing": Routing(concentration=(HALF, HALF))}, "concentration rise"),
        ({"routing": Routing(concentration=(ShareStep(share=Num("-0.1"), bps=Num(1)),))}, "concentration rise"),
        ({"routing": Routing(concentration=(ShareStep(share=Num("0.1"), bps=Num(10_001)),))}, "concentration rise"),
        ({"routing": Routing(ranks=(RankStep(rank=Num(1), bps=Num(2)), RankStep(rank=Num(2), bps=Num(1))))}, "rank"),
        ({"routing": Routing(caps=(VenueCap(venue="x", account="y", notional=Num(-1)),))}, "caps"),
        ({"routing": Routing(margin_rate=Num(-1))}, "margin"),
        ({"routing": Routing(margin_floor=Num(1))}, "margin"),
        ({"routing": Routing(margin_floor=Num("-0.1"))}, "margin"),
        ({"routing": Routing(funding=FundingTerms(persistence_per_hour=Num("1.1")))}, "funding"),
        ({"routing": Routing(funding=FundingTerms(adverse_per_hour=Num(-1)))}, "funding"),
        ({"routing": Routing(funding=FundingTerms(mark_age_ms_max=0))}, "funding"),
        ({"bands": (Band(underlying="DOGE", width=Num(1)),)}, "band"),
        ({"bands": (Band(underlying="ETH", width=Num(1)),) * 2}, "band"),
        ({"bands": (Band(underlying="ETH", width=Num(-1)),)}, "band"),
        ({"styles": Styles(open=Style(slices=0))}, "slices"),
        ({"styles": Styles(close=Style(kind=StyleKind.TWAP, slices=101, over_ms=1))}, "slices"),
        ({"styles": Styles(unwind=Style(kind=StyleKind.TWAP, slices=3))}, "slices"),
        ({"styles": Styles(rehedge=Style(kind=StyleKind.ICEBERG))}, "slices"),
        ({"styles": Styles(rebalance=Style(kind=StyleKind.POST_THEN_CROSS))}, "slices"),
        ({"styles": Styles(open=Style(jitter_bps=-1))}, "slices"),
        ({"rebalancing": Rebalancing(every_ms=-1)}, "rebalancing"),
    ],
)
def test_what_could_not_be_followed_is_refused(wrong: dict[str, Any], told: str):
    policy = a_policy(**wrong)
    assert told in policy_faults(policy)
    desk = Desk()
    refused = desk.do("policy.adopt", {"policy": policy}, actor="system")
    assert reason(refused) == "VALUE_INVALID"
    assert told in refused.outcome.text
    assert desk.book.policy == a_policy()


@pytest.mark.parametrize(
    "right",
    [
        {},
        {"instruments": venues(WAYS_MAX)},
        {"assets": (*ASSETS, STAKED)},
        {"risk": Risk(bands=())},
        {"routing": Routing(concentration=(HALF, MORE), ranks=(RankStep(rank=Num(0), bps=Num(0)),))},
        {"routing": Routing(margin_rate=Num("0.2"), margin_floor=Num("0.99"))},
        {"bands": (Band(underlying="ETH", width=Num(0)),)},
        {"styles": Styles(open=Style(kind=StyleKind.TWAP, slices=100, over_ms=60_000, jitter_bps=2_000))},
        {"styles": Styles(open=Style(kind=StyleKind.ICEBERG, shown=Num("0.5")))},
        {"styles": Styles(open=Style(kind=StyleKind.POST_THEN_CROSS, rest_ms=500))},
    ],
)
def test_what_can_be_followed_is_adopted(right: dict[str, Any]):
    assert policy_faults(a_policy(**right)) == ""
    assert reason(Desk().do("policy.adopt", {"policy": a_policy(**right)}, actor="system")) == ""


@pytest.mark.control("own_token")
@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"assets": (*ASSETS, msgspec.structs.replace(STAKED, symbol="sUSDe"))}, "cannot be collateral"),
        ({"assets": (*ASSETS, msgspec.structs.replace(STAKED, underlying="ENA"))}, "cannot be collateral"),
        ({"instruments": (msgspec.structs.replace(FIRST, quote="USDe"),)}, "cannot be margin"),
        ({"instruments": (msgspec.structs.replace(FIRST, base="ENA"),)}, "cannot be margin"),
        ({"instruments": (msgspec.structs.replace(FIRST, symbol="ETH/USDT:USDe"),)}, "cannot be margin"),
        ({"issued": "USDT", "risk": Risk(own_tokens=())}, "USDT is our own token"),
    ],
)
def test_nothing_of_ours_backs_or_margins(wrong: dict[str, Any], told: str):
    assert told in policy_faults(a_policy(**wrong))


def test_a_band_of_no_width_is_none():
    assert a_policy(bands=(Band(underlying="ETH", width=Num(0)),)).band("ETH") is None
    assert a_policy(bands=(Band(underlying="ETH", width=Num(1)),)).band("BTC") is None


def test_a_policy_from_before_routing_trades_all_of_it_at_once_on_what_it_names():
    adopted = PolicyAdopted(policy=a_policy())
    old = msgspec.json.decode(encode(adopted))
    for newer in ("routing", "bands", "styles", "rebalancing"):
        del old["policy"][newer]
    old["type"] = "policy.adopted.v3"
    again: Any = decode_event("policy.adopted.v3", msgspec.json.encode(old))
    assert again == adopted
    assert (again.policy.routing, again.policy.bands, again.policy.styles) == (Routing(), (), Styles())
    assert (Routing().margin_rate, Routing().caps, Styles().open.kind) == (0, (), StyleKind.SWEEP)
    assert again.policy.traded("ETH") == a_policy().instruments
