"""The life of a mint and of a redeem, through the pure core alone."""

from domain.exposure import exposure, imbalance
from tests.support.desk import Desk, tags


def test_a_mint_is_quoted_accepted_hedged_settled():
    desk = Desk()
    quote = desk.quote("1.5")
    assert tags(quote.events) == ["quote.issued"]
    accepted = desk.accept(quote)
    assert tags(accepted.events) == [
        "quote.used",
        "request.accepted",
        "hedge.planned",
        "order.submission_requested",
        "order.attempted",
    ]
    order = next(iter(desk.book.orders.values())).order
    assert str(order.quantity) == "1.5"
    assert (str(exposure(desk.book, "ETH").interval.low), str(exposure(desk.book, "ETH").interval.high)) == (
        "-1.5",
        "1.5",
    )
    assert tags(desk.acknowledge(order, filled="1.5").events) == ["order.acknowledged"]
    filled = desk.fill(order, "1.5")
    assert tags(filled.events) == [
        "fill.recorded",
        "order.closed",
        "hedge.leg_completed",
        "hedge.completed",
        "settlement.submission_requested",
        "cost.realised",
    ]
    settlement = next(iter(desk.book.settlements))
    done = desk.do("settlement.confirmed", {"settlement_id": settlement, "reference": "0xabc"})
    assert tags(done.events) == ["settlement.confirmed", "request.completed"]
    assert exposure(desk.book, "ETH").interval.worst == 0
    assert imbalance(desk.book, "ETH") == 0
    assert not desk.book.requests


def test_a_hedge_that_never_fills_is_given_up_and_what_it_traded_is_unwound():
    desk = Desk()
    desk.accept(desk.quote("1.5"))
    for number in range(4):
        order = next(iter(desk.book.orders.values())).order
        filled = "0.5" if number == 0 else "0"
        desk.acknowledge(order, filled=filled)
        if number == 0:
            desk.fill(order, "0.5")
        assert imbalance(desk.book, "ETH") == 0
        desk.wake(1_000)
    assert "hedge.abandoned" in tags(desk.events)
    assert "request.cancelled" in tags(desk.events)
    unwind = next(iter(desk.book.orders.values())).order
    assert (unwind.side, str(unwind.quantity)) == ("buy", "0.5")
    assert imbalance(desk.book, "ETH") == 0
    desk.acknowledge(unwind, filled="0.5")
    desk.fill(unwind, "0.5", trade="t2")
    assert exposure(desk.book, "ETH").interval.worst == 0
