"""Which events a person is told of."""

from typing import Any

import msgspec
import pytest

from benchmarks.mint_log import START_US, policy
from domain.cost import Cost, CostRealised
from domain.event import CATALOGUE, Event
from domain.hedge import HedgeAbandoned
from domain.limit import Control, LimitRemoved, LimitSet
from domain.market import Law
from domain.mode import Mode, ModeChanged
from domain.order import OrderOutcomeUnknown, OrderSide
from domain.policy import PolicyAdopted
from domain.quantity import Num
from domain.quote import Side
from domain.rebalancing.rebalance import RebalanceProposed
from domain.request import RequestCancelled, RequestCompleted, RequestSettlementFailed
from domain.surprise import SurpriseClassified, SurpriseKind
from domain.suspension import AssetSuspended, InstrumentSuspended, OracleSuspended, VenueSuspended
from domain.watch import UNHEDGED, AlertRaised, ControlRefused, DependencyDegraded, DependencyRestored, Severity
from projections.alert_rules import WATCHED_TOPICS, ExposureWatch, candidate
from projections.exposure import EXPOSURE
from tests.spec.core.test_alerts_over import SPOT
from tests.spec.core.test_costs import PLANNED, PROOF, a_cost
from tests.spec.projections.test_views import SETTLING, accepted, fill, settlement, uid
from tests.support.routed import leg, rerouted


def surprise(kind: SurpriseKind) -> SurpriseClassified:
    return SurpriseClassified(
        fill_id=uid(1001),
        kind=kind,
        underlying="ETH",
        venue="binanceusdm",
        account="main",
        symbol="ETH/USDT:USDT",
        quantity=Num(-2),
    )


def cost(slippage_bps: str | None) -> CostRealised:
    total = None if slippage_bps is None else Cost(slippage=Num("0.7"), slippage_bps=Num(slippage_bps))
    return msgspec.structs.replace(a_cost(), total=total)


def changed(mode: Mode) -> ModeChanged:
    return ModeChanged(scope="global", mode=mode, previous=Mode.ACTIVE, author="ada", reason="drill")


@pytest.mark.parametrize(
    ("event", "severity", "area", "subject", "says"),
    [
        (changed(Mode.HALTED), "critical", "mode", "global", "by ada: drill"),
        (changed(Mode.REDUCE_ONLY), "warning", "mode", "global", "REDUCE_ONLY"),
        (changed(Mode.ACTIVE), "info", "mode", "global", "ACTIVE"),
        (
            ControlRefused(
                control="net_delta",
                scope="asset:ETH",
                limit="3",
                value="4",
                command_kind="request.accept",
                actor="0xabc",
                text="above 3",
            ),
            "warning",
            "control",
            "net_delta asset:ETH",
            "request.accept of 0xabc was refused: above 3",
        ),
        (
            OrderOutcomeUnknown(order_id=uid(1), attempt=2, text="timed out"),
            "critical",
            "order",
            str(uid(1)),
            "attempt 2",
        ),
        (DependencyDegraded(dependency="binanceusdm", text="no book"), "critical", "dependency", "binanceusdm", "no"),
        (DependencyRestored(dependency="binanceusdm", text="back"), "info", "dependency", "binanceusdm", "back"),
        (
            HedgeAbandoned(hedge_id=uid(5), request_id=uid(6), filled=Num(-1), residual=Num("-0.5"), text="no depth"),
            "critical",
            "hedge",
            str(uid(5)),
            "-0.5 base units",
        ),
        (surprise(SurpriseKind.UNKNOWN_ORDER), "critical", "fill", str(uid(1001)), "unknown_order: a fill of no order"),
        (surprise(SurpriseKind.LATE), "critical", "fill", str(uid(1001)), "late: a fill came for an order"),
        (
            surprise(SurpriseKind.LIQUIDATION),
            "critical",
            "fill",
            str(uid(1001)),
            "liquidation: the venue liquidated, -2",
        ),
        (surprise(SurpriseKind.ADL), "critical", "fill", str(uid(1001)), "adl: the venue deleveraged"),
        (surprise(SurpriseKind.OVERFILL), "critical", "fill", str(uid(1001)), "overfill: an order was filled beyond"),
        (
            msgspec.structs.replace(surprise(SurpriseKind.ADL), underlying=""),
            "critical",
            "fill",
            str(uid(1001)),
            "-2 units in ETH/USDT:USDT; the policy does not trade it",
        ),
        (cost("10.0001"), "warning", "cost", str(uid(50)), "10.0001 bps (0.7 USD) worse"),
        (
            RebalanceProposed(
                rebalance_id=uid(8),
                underlying="ETH",
                moves=(),
                cost=Num(3),
                saving=Num(40),
                horizon_ms=1,
                ideal=PROOF,
                text="funding turned",
            ),
            "info",
            "rebalancing",
            "ETH",
            "save 40 USD and cost 3 USD: funding turned",
        ),
        (SPOT, "info", "stable", "USDT|ETH", "5 USDT would earn 4 USD and cost 1 USD: funding pays"),
        (
            RequestSettlementFailed(
                request_id=uid(6), settlement_id=uid(7), pair="WETH/USDe", text="it did not happen"
            ),
            "critical",
            "settlement",
            str(uid(6)),
            "it did not",
        ),
    ],
)
def test_what_is_told(event: Event, severity: str, area: str, subject: str, says: str):
    found = candidate(event, 17)
    assert found is not None
    assert (found.severity, found.area, found.subject, found.cause_position) == (severity, area, subject, 17)
    assert says in found.text
    assert event.TOPIC in WATCHED_TOPICS


SUSPENDED: dict[str, Any] = {"law": Law.STALE, "text": "2500 ms old", "observed_at_us": START_US}
WAITS = ControlRefused(
    control="market_data",
    scope="venue:bybit",
    limit="",
    value="",
    command_kind="hedge.continue",
    actor="ballast",
    text="venue:bybit is suspended",
)


@pytest.mark.parametrize(
    ("event", "severity", "area", "subject", "says"),
    [
        (VenueSuspended(venue="bybit", **SUSPENDED), "critical", "market", "venue:bybit", "suspended (stale): 2500"),
        (AssetSuspended(asset="USDT", **SUSPENDED), "critical", "market", "asset:USDT", "2500 ms old"),
        (OracleSuspended(oracle="pyth", **SUSPENDED), "warning", "market", "oracle:pyth", "2500 ms old"),
        (InstrumentSuspended(venue="a", symbol="b", **SUSPENDED), "warning", "market", "instrument:a|b", "2500"),
        (
            msgspec.structs.replace(WAITS, control=UNHEDGED, scope="asset:ETH", text="no room"),
            "critical",
            "hedge",
            "unhedged asset:ETH",
            "stays open: no room",
        ),
        (WAITS, "critical", "hedge", "market_data venue:bybit", "waits for market data"),
    ],
)
def test_what_market_data_tells(event: Event, severity: str, area: str, subject: str, says: str):
    test_what_is_told(event, severity, area, subject, says)


def test_what_is_not_told():
    assert candidate(fill(1, OrderSide.SELL, "2", "3000"), 17) is None
    for slippage_bps in ("10", "-50", None):
        assert candidate(cost(slippage_bps), 17) is None
    raised = AlertRaised(
        alert_id=uid(1), severity=Severity.CRITICAL, area="mode", subject="global", text="", cause_position=1
    )
    assert candidate(raised, 17) is None
    assert raised.TOPIC not in WATCHED_TOPICS
    assert set(CATALOGUE) >= WATCHED_TOPICS


def test_the_same_cause_names_the_same_alert_and_another_another():
    halted = changed(Mode.HALTED)
    assert candidate(halted, 17) == candidate(halted, 17)
    causes = (halted, DependencyDegraded(dependency="x", text=""), DependencyDegraded(dependency="y", text=""))
    found = [candidate(cause, position) for cause in causes for position in (17, 18)]
    ids = {each.alert_id for each in found if each is not None}
    assert len(ids) == 6


def test_a_hedge_that_is_rerouted_is_told_and_louder_the_second_time():
    watch = ExposureWatch(EXPOSURE.initial())
    again = rerouted(leg("deribit", "-1"), quantity="-1")
    events = [PLANNED, again, again, msgspec.structs.replace(again, failed=())]
    told = [watch.step(event, position, START_US) for position, event in enumerate(events, 1)]
    assert [[each.severity for each in found] for found in told] == [[], ["warning"], ["critical"], ["critical"]]
    (first,), (second,), (third,) = told[1:]
    assert (first.area, first.subject, first.cause_position) == ("hedge", str(uid(50)), 2)
    assert first.text == "reroute 1 of a hedge of ETH: bybit does not answer, without bybit|main|ETH/USDC:USDC"
    assert third.text == "reroute 3 of a hedge of ETH: bybit does not answer"
    assert len({first.alert_id, second.alert_id, third.alert_id}) == 3
    assert again.TOPIC in WATCHED_TOPICS


def limit(value: int) -> LimitSet:
    return LimitSet(
        control=Control.NET_DELTA, scope="asset:ETH", value=Num(value), unit="base", author="ada", reason="opening"
    )


def test_exposure_that_leaves_its_limit_is_told_once_until_it_is_back():
    watch = ExposureWatch(EXPOSURE.initial())
    events = [
        PolicyAdopted(policy=policy()),
        limit(3),
        fill(1, OrderSide.SELL, "3", "3000", None),
        fill(2, OrderSide.SELL, "1", "3000", None),
        fill(3, OrderSide.SELL, "1", "3000", None),
        fill(4, OrderSide.BUY, "2", "3000", None),
        limit(2),
        LimitRemoved(control=Control.NET_DELTA, scope="asset:ETH", author="ada", reason="oops"),
        limit(2),
        changed(Mode.HALTED),
    ]
    told = {
        position: [(each.subject, each.text, each.severity, each.area) for each in found]
        for position, event in enumerate(events, 1)
        if (found := watch.step(event, position, START_US))
    }
    assert list(told) == [4, 7, 9]
    assert told[4] == [("ETH", "worst-case exposure of 4 ETH is outside its limit of 3", "critical", "exposure")]


def test_a_watch_begun_outside_the_limit_does_not_tell_again():
    state = EXPOSURE.initial()
    for position, event in enumerate((PolicyAdopted(policy=policy()), limit(1), fill(1, OrderSide.SELL, "3", "1"))):
        EXPOSURE.fold(state, event, position + 1, START_US)
    assert ExposureWatch(state).step(fill(2, OrderSide.SELL, "3", "1"), 4, START_US) == ()


def test_a_settlement_is_not_counted_twice_between_its_confirmation_and_the_end_of_its_request():
    watch = ExposureWatch(EXPOSURE.initial())
    events = [
        PolicyAdopted(policy=policy()),
        limit(2),
        accepted(),
        SETTLING,
        settlement(Side.MINT, "WETH", 2 * 10**18, 6_000 * 10**18),
        RequestCompleted(request_id=uid(20), settlement_id=uid(30)),
        limit(1),
    ]
    told = [bool(watch.step(event, position, START_US)) for position, event in enumerate(events, 1)]
    assert told == [False, False, False, False, False, False, True]


def test_exposure_that_is_back_by_an_ending_is_told_again_when_it_leaves_again():
    watch = ExposureWatch(EXPOSURE.initial())
    events = [
        PolicyAdopted(policy=policy()),
        limit(1),
        accepted(20),
        RequestCancelled(request_id=uid(20), pair="WETH/USDe", text="expired"),
        accepted(21),
    ]
    told = [bool(watch.step(event, position, START_US)) for position, event in enumerate(events, 1)]
    assert told == [False, False, True, False, True]
