"""Legs by themselves, among them those of a log from before there were any rounds: its orders followed each other."""

from uuid import UUID

from domain import legs
from domain.hedge import HedgePlanned, OpenHedge, PlannedLeg, Purpose
from domain.order import Ending, Order, OrderSide, OrderSubmissionRequested, TimeInForce
from domain.order_state import OpenOrder
from domain.quantity import Num

HEDGE = UUID(int=1)
LEG = PlannedLeg(
    venue="okx",
    account="main",
    symbol="ETH/USDT:USDT",
    quantity=Num(-3),
    limit_price=Num(1990),
    reference=Num(2000),
)


def planned() -> OpenHedge:
    event = HedgePlanned(
        hedge_id=HEDGE,
        request_id=UUID(int=2),
        purpose=Purpose.OPEN,
        underlying="ETH",
        exposure=Num(3),
        quantity=Num(-3),
        reference=Num(2000),
        legs=(LEG,),
    )
    return legs.begun(event, (), 5)


def order(number: int, quantity: str) -> Order:
    return Order(
        order_id=UUID(int=10 + number),
        venue="okx",
        account="main",
        symbol="ETH/USDT:USDT",
        side=OrderSide.SELL,
        quantity=Num(quantity),
        limit_price=Num(1990),
        time_in_force=TimeInForce.IOC,
        reduce_only=False,
    )


def traded(hedge: OpenHedge, number: int, quantity: str, filled: str) -> OpenHedge:
    """Return a hedge after an order that traded so much of what it was for."""
    sent = order(number, quantity)
    hedge = legs.requested(hedge, OrderSubmissionRequested(order=sent, hedge_id=HEDGE))
    assert hedge.working == (sent.order_id,)
    ending = Ending.FILLED if quantity == filled else Ending.EXPIRED
    return legs.closed(hedge, OpenOrder(order=sent, hedge_id=HEDGE, filled=Num(filled)), ending, 7)


def test_a_leg_that_left_something_is_over_and_its_order_known():
    hedge = traded(planned(), 1, "3", "1")
    (leg,) = hedge.legs
    assert (leg.over, str(leg.filled), str(leg.left), leg.orders, leg.began_us) == (True, "-1", "-2", 1, 5)
    assert (hedge.failed, hedge.faltered, hedge.working) == ((), (LEG.key,), ())


def test_an_order_of_no_leg_still_counts_for_its_hedge():
    hedge = traded(traded(planned(), 1, "3", "1"), 2, "2", "2")
    assert (str(hedge.filled), hedge.orders, hedge.working) == ("-3", 2, ())


def test_a_leg_that_traded_more_than_it_was_to_has_nothing_left():
    hedge = traded(planned(), 1, "3", "4")
    assert (str(hedge.legs[0].filled), hedge.legs[0].left) == ("-4", 0)
