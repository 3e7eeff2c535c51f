"""Hedges as they are shown, and what each day's trading cost."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from benchmarks.mint_log import START_US, policy
from domain.cost import AssetSum, LegCost, whole
from domain.event import Event
from domain.fill import FillKind
from domain.funding import FundingPaid
from domain.internalisation import FlowInternalised
from domain.order import (
    Ending,
    OrderAcknowledged,
    OrderCancelRequested,
    OrderOutcomeUnknown,
    OrderRejected,
)
from domain.policy import PolicyAdopted
from domain.quantity import Num
from domain.surprise import SurpriseClassified, SurpriseKind
from domain.tally import Tallies, fold, leg_costs
from projections import hedges
from projections.costs import COSTS
from projections.hedges import HEDGES
from projections.internalised import INTERNALISED
from tests.spec.core.test_costs import PLANNED, PROOF, a_cost
from tests.support.routed import (
    HEDGE,
    INSTRUMENTS,
    abandoned,
    certificate,
    closed,
    completed,
    filled,
    leg,
    ordered,
    planned,
    rerouted,
    routed,
    uid,
)
from tests.support.told import folded, lines, logged, table

POLICY = PolicyAdopted(policy=msgspec.structs.replace(policy(), instruments=INSTRUMENTS))
ORDERED = ordered(1, "binanceusdm", "-2")
FILL = filled(1, "binanceusdm", "-0.5", "2999", 1, fee=("USDT", "0.6"))
DAY_S = 86_400


def hedge(*events: Event) -> dict[str, Any]:
    (line,) = lines(HEDGES, POLICY, *events)
    return line


def test_a_plan_is_shown_with_its_legs_and_its_certificate():
    line = hedge(PLANNED)
    assert (line["state"], line["purpose"], line["underlying"], line["quantity"]) == ("working", "open", "ETH", "-2")
    assert (line["filled"], line["residual"], line["legs"]) == ("0", "-2", [])
    (round_,) = line["rounds"]
    assert (round_["number"], round_["text"], round_["failed"], round_["reference"]) == (1, "", [], "3000")
    assert round_["legs"][0]["venue"] == "binanceusdm"
    proof = round_["certificate"]
    assert (proof["inputs_sha256"], proof["bound_usd"], proof["gap_usd"]) == ("aa" * 32, "4.39", "0.01")
    assert (proof["legs"][0]["average_price"], proof["excluded"][0]["reason"]) == ("2999.5", "no sound book")


def test_what_was_traded_is_shown_with_its_cost_while_it_works():
    line = hedge(PLANNED, ORDERED, FILL)
    assert (line["filled"], line["residual"], line["state"]) == ("-0.5", "-1.5", "working")
    (order,) = line["orders"]
    assert (order["filled"], order["average_price"], order["round"], order["side"]) == ("0.5", "2999", 1, "sell")
    (fill,) = line["fills"]
    assert (fill["order_id"], fill["price"], fill["fee"], fill["kind"]) == (str(uid(1)), "2999", "0.6", "trade")
    assert (line["cost"]["slippage"], line["cost"]["slippage_bps"]) == ("0.25", "1.6672")
    assert (line["cost"]["fee"], line["cost"]["expected"]) == ("0.6", "0.55")
    assert line["legs"][0]["expected_price"] == "2999.5"


def test_the_view_counts_what_the_core_counts():
    events = (PLANNED, ORDERED, FILL, filled(2, "binanceusdm", "-1.5", "3001", 1, fee=("BNB", "0.1")))
    tallies = Tallies()
    for event in events:
        fold(tallies, event, POLICY.policy)
    state = folded(HEDGES, logged(POLICY, *events)).state
    held = state.find(str(HEDGE))
    assert held.legs == leg_costs(tallies.open[HEDGE])
    assert held.cost == whole(held.legs)


@pytest.mark.parametrize(
    ("event", "state", "text"),
    [
        (
            OrderAcknowledged(
                order_id=uid(1),
                attempt=1,
                venue_order_id="5",
                accepted_quantity=Num(2),
                filled=Num(0),
                terminal=False,
            ),
            "acknowledged",
            "",
        ),
        (OrderRejected(order_id=uid(1), attempt=1, code="-2019", text="margin"), "rejected", "-2019: margin"),
        (OrderOutcomeUnknown(order_id=uid(1), attempt=1, text="timed out"), "unknown", "timed out"),
        (OrderCancelRequested(order_id=uid(1), text="too slow"), "cancelling", "too slow"),
        (closed(1, "0", Ending.EXPIRED), "closed", ""),
    ],
)
def test_an_order_of_a_hedge_shows_how_far_it_is(event: Event, state: str, text: str):
    (first, second) = hedge(PLANNED, ORDERED, ordered(2, "bybit", "-1"), event)["orders"]
    assert (first["state"], first["text"], second["state"]) == (state, text, "requested")
    assert first["ending"] == ("expired" if state == "closed" else None)


def test_a_reroute_is_a_further_round():
    again = rerouted(leg("deribit", "-1.5"), quantity="-1.5", proof=certificate(routed("deribit", "-1.5", "2998")))
    line = hedge(
        PLANNED, ORDERED, FILL, again, ordered(2, "deribit", "-4497"), filled(2, "deribit", "-2998", "2998", 2)
    )
    first, second = line["rounds"]
    assert (first["number"], second["number"], line["rounds_told"]) == (1, 2, 2)
    assert (second["text"], second["failed"]) == ("bybit does not answer", ["bybit|main|ETH/USDC:USDC"])
    assert (second["quantity"], line["text"]) == ("-1.5", "bybit does not answer")
    assert [each["round"] for each in line["orders"]] == [1, 2]
    assert [each["round"] for each in line["legs"]] == [1, 2]
    assert line["filled"] == "-1.5"


def test_a_hedge_ends_completed_or_abandoned():
    ((is_open, line),) = table(HEDGES, POLICY, PLANNED, ORDERED, FILL, closed(1, "0.5"), completed("-2")).values()
    assert (is_open, line["state"], line["filled"], line["residual"]) == (False, "completed", "-2", "0")
    events = (POLICY, PLANNED, ORDERED, FILL, closed(1, "0.5"), abandoned("-0.5", "-1.5"))
    ((is_open, line),) = table(HEDGES, *events).values()
    assert (is_open, line["state"], line["text"], line["residual"]) == (False, "abandoned", "no depth", "-1.5")


def test_what_is_over_is_let_go_and_what_comes_later_changes_nothing():
    late = (FILL, closed(1, "2"), rerouted(quantity="-1"), completed(), ordered(3, "bybit", "-1"))
    ended = (POLICY, PLANNED, ORDERED, ordered(2, "binanceusdm", "-1"), completed())
    assert table(HEDGES, *ended, *late) == table(HEDGES, *ended)
    state = folded(HEDGES, logged(*ended)).state
    assert (state.rows, state.orders, state.tallies) == ({}, {}, Tallies())
    surprise = filled(7, "binanceusdm", "-1", "3000", None)
    assert hedge(PLANNED, surprise, filled(8, "bybit", "1", "1", 9))["fills"] == []


def test_a_document_is_bounded_and_counts_what_it_leaves_out(monkeypatch: pytest.MonkeyPatch):
    for name in ("ROUNDS_SHOWN", "ORDERS_SHOWN", "FILLS_SHOWN"):
        monkeypatch.setattr(hedges, name, 2)
    events: list[Event] = [PLANNED]
    for number in range(1, 5):
        events += [ordered(number, "binanceusdm", "-0.5"), filled(number, "binanceusdm", "-0.5", "2999.5", number)]
        events += [rerouted(leg("binanceusdm", "-0.5"), quantity="-0.5", proof=PROOF)]
    line = hedge(*events)
    assert (line["orders_told"], line["fills_told"], line["rounds_told"]) == (4, 4, 5)
    assert [each["order_id"] for each in line["orders"]] == [str(uid(3)), str(uid(4))]
    assert [each["fill_id"] for each in line["fills"]] == [str(uid(1003)), str(uid(1004))]
    assert [each["number"] for each in line["rounds"]] == [4, 5]
    assert line["filled"] == "-2"  # counted whole


def test_a_hedge_of_nothing_is_over_at_once():
    ((is_open, line),) = table(HEDGES, planned(quantity="0"), completed("0")).values()
    assert (is_open, line["state"], line["cost"]["realised"]) == (False, "completed", "0")


class TestCosts:
    def test_a_day_sums_what_hedges_cost_there(self):
        other = msgspec.structs.replace(a_cost(8), legs=(a_leg(venue="bybit"), a_leg(cost=None, fees=(("X", "2"),))))
        found = {line["venue"]: line for line in lines(COSTS, a_cost(), a_cost(7), other)}
        line = found["binanceusdm"]
        assert (line["day"], line["account"], line["legs"], line["unknown"]) == ("2026-09-21", "main", 3, 1)
        assert (line["cost"]["notional"], line["cost"]["realised"], line["cost"]["expected"]) == ("11998", "1.4", "4.4")
        assert (line["fees"], line["unconverted"]) == ([{"asset": "X", "amount": "2"}],) * 2
        assert (found["bybit"]["legs"], found["bybit"]["cost"]["realised"]) == (1, "0.7")

    def test_funding_counts_on_the_day_it_was_paid_and_is_negative_when_received(self):
        told = lines(COSTS, (paid("1.5"), DAY_S), (paid("-0.25", DAY_S), DAY_S), (paid("2", DAY_S, "BNB"), DAY_S + 1))
        assert [(line["day"], amounts(line["funding"])) for line in told] == [
            ("2026-09-21", {"USDT": "-1.5"}),
            ("2026-09-22", {"BNB": "-2", "USDT": "0.25"}),
        ]

    @pytest.mark.parametrize(("days", "counted_on"), [(6, 0), (7, 0), (8, 1), (9, 2)])
    def test_a_day_may_change_for_a_week_and_then_no_more(self, days: int, counted_on: int):
        first = (paid("1"), 0)
        found = table(COSTS, first, (paid("5", days * DAY_S), days * DAY_S), (paid("2"), days * DAY_S))
        assert [is_open for is_open, _ in found.values()] == [days <= 7, *([True] * (len(found) - 1))]
        by_day = {line["day"][-2:]: amounts(line["funding"]) for _, line in found.values()}
        assert by_day["21"] == {"USDT": "-3" if counted_on == 0 else "-1"}
        if counted_on:
            assert by_day[str(21 + counted_on)] == {"USDT": "-2"}

    def test_what_a_venue_dates_ahead_counts_today(self):
        (line,) = lines(COSTS, paid("1", 5 * DAY_S))
        assert line["day"] == "2026-09-21"

    def test_the_fee_of_a_late_fill_counts_among_them_and_that_of_an_overfill_does_not(self):
        fills = [filled(number, "bybit", "-1", "3000", 1, fee=("USDC", str(number))) for number in (1, 2, 3)]
        said = [surprise(1, SurpriseKind.LATE), surprise(2, SurpriseKind.OVERFILL), surprise(1, SurpriseKind.LATE)]
        (line,) = lines(COSTS, *(each for pair in zip(fills, said, strict=True) for each in pair))
        assert (line["surprises"], amounts(line["surprise_fees"])) == (1, {"USDC": "1"})

    def test_the_fees_of_what_nobody_asked_for_are_shown_by_themselves(self):
        told = lines(
            COSTS,
            FILL,
            filled(2, "bybit", "-1", "3000", None, fee=("USDC", "2")),
            filled(3, "bybit", "-1", "3000", 1, fee=("USDC", "1"), kind=FillKind.LIQUIDATION),
        )
        ((venue, count, fees),) = [(line["venue"], line["surprises"], amounts(line["surprise_fees"])) for line in told]
        assert (venue, count, fees) == ("bybit", 2, {"USDC": "3"})


def test_what_was_netted_is_told_once_and_summed_by_underlying():
    def netted(number: int, underlying: str, quantity: str, saved: str) -> FlowInternalised:
        return FlowInternalised(
            hedge_id=uid(number),
            request_id=uid(20),
            underlying=underlying,
            quantity=Num(quantity),
            saved_usd=Num(saved),
        )

    told = (netted(1, "ETH", "-1.5", "2.5"), netted(2, "BTC", "1", "9"), netted(3, "ETH", "0.5", "-0.75"))
    assert [
        (line["quantity"], line["netted_total"], line["saved_total_usd"]) for line in lines(INTERNALISED, *told)
    ] == [("-1.5", "-1.5", "2.5"), ("1", "1", "9"), ("0.5", "-1", "1.75")]
    assert not any(is_open for is_open, _ in table(INTERNALISED, *told).values())


def a_leg(venue: str = "binanceusdm", fees: Sequence[tuple[str, str]] = (), **changes: Any) -> LegCost:
    (told,) = a_cost().legs
    sums = tuple(AssetSum(asset, Num(amount)) for asset, amount in fees)
    return msgspec.structs.replace(told, venue=venue, fees=sums, **changes)


def surprise(number: int, kind: SurpriseKind) -> SurpriseClassified:
    return SurpriseClassified(
        fill_id=uid(1000 + number),
        kind=kind,
        underlying="ETH",
        venue="bybit",
        account="main",
        symbol="ETH/USDC:USDC",
        quantity=Num(-1),
    )


def amounts(sums: Sequence[dict[str, str]]) -> dict[str, str]:
    return {each["asset"]: each["amount"] for each in sums}


def paid(amount: str, after_s: int = 0, asset: str = "USDT") -> FundingPaid:
    return FundingPaid(
        venue="binanceusdm",
        account="main",
        symbol="ETH/USDT:USDT",
        payment_id=f"{amount}{after_s}",
        asset=asset,
        amount=Num(amount),
        paid_at_us=START_US + after_s * 1_000_000,
    )
