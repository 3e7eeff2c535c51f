"""What hedges cost: the count of fills beside the certificate, and the event that tells it when a hedge is over."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from benchmarks.mint_log import policy
from domain.cost import AssetSum, Cost, CostRealised, summed, total, whole
from domain.event import Event
from domain.fill import FillKind
from domain.order import Ending
from domain.quantity import Num
from domain.routing.certificate import CostSplit
from domain.tally import Tallies, Tally, fold, leg_costs
from tests.support.desk import Desk, tags
from tests.support.routed import (
    HEDGE,
    INSTRUMENTS,
    REQUEST,
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

POLICY = msgspec.structs.replace(policy(), instruments=INSTRUMENTS)


def counted(*events: Event) -> Tallies:
    tallies = Tallies()
    for event in events:
        fold(tallies, event, POLICY)
    return tallies


def open_tally(*events: Event) -> Tally:
    return counted(*events).open[HEDGE]


def cost_of(tally: Tally, index: int = 0) -> Cost:
    cost = leg_costs(tally)[index].cost
    assert cost is not None
    return cost


PROOF = certificate(routed("binanceusdm", "-2", "2999.5"))
PLANNED = planned(leg("binanceusdm", "-2"), proof=PROOF)
ORDERED = ordered(1, "binanceusdm", "-2")


class TestAgainstTheCertificate:
    def test_a_hedge_traded_as_expected_costs_what_was_expected(self):
        fill = filled(1, "binanceusdm", "-2", "2999.5", 1, fee=("USDT", "1.5"))
        cost = cost_of(open_tally(PLANNED, ORDERED, fill))
        assert (cost.notional, cost.slippage, cost.slippage_bps) == (Num(5999), 0, 0)
        assert (cost.spread, cost.depth, cost.basis, cost.fee) == (Num("0.2"), Num("0.1"), Num("0.4"), Num("1.5"))
        assert cost.realised == cost.expected == Num("2.2")

    @pytest.mark.parametrize(
        ("quantity", "average", "prices", "slippage"),
        [
            ("-2", "2999.5", ("2999", "2998"), "2"),  # sold lower
            ("-2", "2999.5", ("3000", "3000"), "-1"),  # sold higher: negative costs nothing, it earns
            ("2", "3000.5", ("3001", "3002"), "2"),  # bought higher
            ("2", "3000.5", ("3000", "3000"), "-1"),
        ],
    )
    def test_slippage_is_what_the_fills_were_worse_than_the_certificate(
        self, quantity: str, average: str, prices: tuple[str, str], slippage: str
    ):
        half = str(Num(quantity) * Num("0.5"))
        plan = planned(
            leg("binanceusdm", quantity), proof=certificate(routed("binanceusdm", quantity, average)), quantity=quantity
        )
        fills = [filled(number, "binanceusdm", half, price, 1) for number, price in enumerate(prices)]
        cost = cost_of(open_tally(plan, ordered(1, "binanceusdm", quantity), *fills))
        assert cost.slippage == Num(slippage)
        assert cost.realised == cost.spread + cost.depth + cost.slippage + cost.fee + cost.basis
        exact = Decimal(slippage) * 10_000 / Decimal(cost.notional)
        assert cost.slippage_bps == exact.quantize(Decimal("0.0001"))

    def test_half_traded_is_held_to_half_of_what_was_expected(self):
        cost = cost_of(open_tally(PLANNED, ORDERED, filled(1, "binanceusdm", "-1", "2999.5", 1)))
        assert (cost.spread, cost.depth, cost.basis, cost.fee) == (Num("0.1"), Num("0.05"), Num("0.2"), 0)
        assert (cost.expected, cost.realised) == (Num("1.1"), Num("0.35"))

    def test_funding_and_penalties_are_expected_of_no_trade(self):
        carried = CostSplit(spread=Num(1), funding=Num(7), penalty=Num(9))
        proof = certificate(routed("binanceusdm", "-2", "2999.5", cost=carried))
        fill = filled(1, "binanceusdm", "-2", "2999.5", 1)
        cost = cost_of(open_tally(planned(leg("binanceusdm", "-2"), proof=proof), ORDERED, fill))
        assert cost.expected == cost.realised == Num(1)

    def test_dollars_come_from_what_the_quote_was_worth(self):
        proof = certificate(routed("bybit", "-2", "3000", usd="0.998"))
        fill = filled(1, "bybit", "-2", "2990", 1, fee=("USDC", "3"))
        cost = cost_of(open_tally(planned(leg("bybit", "-2"), proof=proof), ordered(1, "bybit", "-2"), fill))
        assert (cost.notional, cost.slippage, cost.fee) == (Num("5968.04"), Num("19.96"), Num("2.994"))


class TestWhatIsNotKnown:
    def test_without_a_certificate_a_quote_other_than_the_dollar_is_worth_nothing_that_is_known(self):
        tally = open_tally(planned(leg("binanceusdm", "-2")), ORDERED, filled(1, "binanceusdm", "-2", "2999", 1))
        (told,) = leg_costs(tally)
        assert (told.cost, told.expected_price, told.usd_per_quote) == (None, None, None)
        assert (told.average_price, told.middle, told.base) == (Num(2999), Num(3000), Num(-2))
        assert whole((told,)) is None

    def test_without_a_certificate_dollars_are_held_to_the_middle(self):
        plan = planned(leg("deribit", "-1"), quantity="-1")
        tally = open_tally(plan, ordered(1, "deribit", "-1"), filled(1, "deribit", "-2990", "2990", 1))
        cost = cost_of(tally)
        assert (cost.slippage, cost.notional, cost.expected) == (Num(10), Num(2990), 0)

    def test_a_fee_in_another_asset_is_told_by_itself(self):
        fills = [
            filled(1, "binanceusdm", "-1", "2999.5", 1, fee=("BNB", "0.002")),
            filled(2, "binanceusdm", "-1", "2999.5", 1, fee=("USDT", "0.75")),
            filled(3, "binanceusdm", "-0.5", "3000", 1, fee=("ETH", "0.001")),
        ]
        (told,) = leg_costs(open_tally(PLANNED, ORDERED, *fills))
        assert told.cost is not None
        assert told.cost.fee == Num("3.75")  # 0.75 dollars, and 0.001 ETH at its fill's price
        assert told.unconverted == (AssetSum("BNB", Num("0.002")),)
        assert [(each.asset, str(each.amount)) for each in told.fees] == [
            ("BNB", "0.002"),
            ("ETH", "0.001"),
            ("USDT", "0.75"),
        ]

    def test_a_certificate_of_nothing_expects_nothing(self):
        proof = certificate(routed("binanceusdm", "0", "2999.5"))
        fill = filled(1, "binanceusdm", "-2", "2999.5", 1)
        (told,) = leg_costs(open_tally(planned(leg("binanceusdm", "-2"), proof=proof), ORDERED, fill))
        assert (told.cost, told.expected_price) == (None, None)

    def test_an_order_of_no_plan_is_counted_and_worth_nothing_that_is_known(self):
        tally = open_tally(PLANNED, ordered(1, "bybit", "-1"), filled(1, "bybit", "-1", "3000", 1))
        (told,) = leg_costs(tally)
        assert (told.venue, told.base, told.middle, told.cost) == ("bybit", Num(-1), None, None)

    def test_a_policy_that_does_not_know_the_instrument_leaves_its_fees_unconverted(self):
        tallies = Tallies()
        for event in (PLANNED, ORDERED, filled(1, "binanceusdm", "-2", "2999.5", 1, fee=("USDT", "1"))):
            fold(tallies, event, None)
        (told,) = leg_costs(tallies.open[HEDGE])
        assert told.unconverted == (AssetSum("USDT", Num(1)),)


class TestCounting:
    def test_an_inverse_contract_is_filled_in_its_quote(self):
        proof = certificate(routed("deribit", "-2", "3000"))
        fills = [filled(1, "deribit", "-3000", "3000", 1), filled(2, "deribit", "-2990", "2990", 1)]
        plan = planned(leg("deribit", "-2"), proof=proof)
        tally = open_tally(plan, ordered(1, "deribit", "-5990"), *fills)
        (told,) = leg_costs(tally)
        assert (told.base, told.average_price) == (Num(-2), Num(2995))
        assert cost_of(tally).slippage == Num(10)

    def test_a_second_round_is_held_to_its_own_certificate(self):
        again = rerouted(
            leg("binanceusdm", "-1", "2990"),
            quantity="-1",
            proof=certificate(routed("binanceusdm", "-1", "2989"), inputs="bb"),
        )
        tally = open_tally(
            PLANNED,
            ORDERED,
            filled(1, "binanceusdm", "-1", "2999.5", 1),
            again,
            ordered(2, "binanceusdm", "-1"),
            filled(2, "binanceusdm", "-1", "2988", 2),
            filled(3, "binanceusdm", "-0.5", "2999.5", 1),  # late, of the first order
        )
        first, second = leg_costs(tally)
        assert (first.round, first.base, first.expected_price) == (1, Num("-1.5"), Num("2999.5"))
        assert (second.round, second.base, second.expected_price) == (2, Num(-1), Num(2989))
        assert (cost_of(tally).slippage, cost_of(tally, 1).slippage) == (0, Num(1))
        assert (tally.rounds, tally.certificates) == (2, ("aa" * 32, "bb" * 32))

    def test_what_nobody_asked_for_is_no_hedges_trade(self):
        surprises = (
            filled(1, "binanceusdm", "-1", "1", None),
            filled(2, "binanceusdm", "-1", "1", 1, kind=FillKind.ADL),
            filled(3, "binanceusdm", "-1", "1", 9),
        )
        assert leg_costs(open_tally(PLANNED, ORDERED, *surprises)) == ()

    def test_an_order_that_is_over_and_a_hedge_that_is_over_are_let_go(self):
        fill = filled(1, "binanceusdm", "-2", "2999.5", 1)
        tallies = counted(PLANNED, ORDERED, ordered(2, "binanceusdm", "-1"), fill, closed(1, "2", Ending.EXPIRED))
        assert set(tallies.orders) == {uid(2)}
        fold(tallies, completed(), POLICY)
        assert (tallies.open, tallies.orders) == ({}, {})
        assert tallies.ended is not None
        fold(tallies, a_cost(hedge=7), POLICY)
        assert tallies.ended is not None
        fold(tallies, a_cost(), POLICY)
        assert tallies.ended is None

    def test_what_is_told_of_a_hedge_that_is_not_open_changes_nothing(self):
        assert counted(ORDERED, rerouted(quantity="1"), filled(1, "bybit", "1", "1", 1), completed()) == Tallies()


def a_cost(hedge: int = HEDGE.int) -> CostRealised:
    tally = open_tally(PLANNED, ORDERED, filled(1, "binanceusdm", "-2", "2999.5", 1))
    return CostRealised(
        hedge_id=uid(hedge),
        request_id=REQUEST,
        purpose=PLANNED.purpose,
        underlying="ETH",
        day="2026-09-21",
        completed=True,
        filled=Num(-2),
        legs=leg_costs(tally),
        total=whole(leg_costs(tally)),
        certificates=tally.certificates,
    )


def test_sums_are_by_asset_and_nothing_is_left_out_of_them():
    sums = [AssetSum("USDT", Num(1)), AssetSum("BNB", Num(2)), AssetSum("USDT", Num("-0.5")), AssetSum("ETH", Num(0))]
    assert summed(sums) == (AssetSum("BNB", Num(2)), AssetSum("USDT", Num("0.5")))
    assert total(()) == Cost() == whole(())
    one = Cost(notional=Num(1000), slippage=Num(1), slippage_bps=Num(10), realised=Num(3), expected=Num(2))
    assert total((one, Cost(notional=Num(9000)))) == msgspec.structs.replace(
        one, notional=Num(10_000), slippage_bps=Num(1)
    )


class TestTheEvent:
    def test_it_follows_a_hedge_that_completed(self):
        desk = Desk()
        desk.accept(desk.quote("1.5"))
        order = desk.order()
        done = desk.trade(order, "1.5")
        assert tags(done.events)[-1] == "cost.realised"
        told: Any = done.events[-1]
        (only,) = told.legs
        assert (told.day, told.completed, told.filled) == ("2023-11-14", True, Num("-1.5"))
        assert (only.venue, only.base, only.average_price) == (order.venue, Num("-1.5"), Num(2000))
        assert desk.book.costs == Tallies()
        assert told.originator not in desk.book.versions

    def test_a_hedge_that_traded_nothing_costs_nothing(self):
        desk = Desk()
        desk.accept(desk.quote("1.5"))
        for _ in range(20):
            for order in list(desk.book.orders.values()):
                desk.trade(order.order, "0")
            desk.wake(250)
        assert "hedge.abandoned" in tags(desk.events)
        assert "cost.realised" not in tags(desk.events)
        assert desk.book.costs.open == {}
