"""Laws of positions: the sum of fills, and a profit that the cash flows confirm."""

from fractions import Fraction
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from domain.fill import FillKind, FillRecorded, FillSource, Position, after_fill, fill_id
from domain.order import OrderSide
from domain.quantity import Num
from tests.property.numbers import decimals, positive


def a_fill(number: int, side: OrderSide, quantity: Num, price: Num, fee: Num) -> FillRecorded:
    return FillRecorded(
        fill_id=fill_id("v", "a", "s", str(number), "o", side.value),
        venue="v",
        account="a",
        symbol="s",
        trade_id=str(number),
        venue_order_id="o",
        order_id=None,
        side=side,
        price=price,
        quantity=quantity,
        fee_asset="USDT",
        fee=fee,
        kind=FillKind.TRADE,
        source=FillSource.STREAM,
        traded_at_us=number * 7 % 11,
    )


FILLS = st.lists(
    st.tuples(st.sampled_from(OrderSide), positive("1000", 3), positive("100000", 2), decimals("-5", "5", 6)),
    max_size=12,
).map(lambda drawn: [a_fill(number, *each) for number, each in enumerate(drawn)])


def folded(fills: list[FillRecorded]) -> Position:
    position = Position("v", "a", "s")
    for fill in fills:
        position = after_fill(position, fill)
    return position


@given(FILLS)
def test_a_position_is_the_sum_of_its_fills(fills: list[FillRecorded]):
    position = folded(fills)
    assert position.quantity == sum((fill.signed for fill in fills), Num(0))
    assert position.fees == sum((fill.fee for fill in fills), Num(0))
    assert (position.fills, position.traded_at_us) == (
        len(fills),
        max((fill.traded_at_us for fill in fills), default=0),
    )
    assert (position.entry_price == 0) == (position.quantity == 0)


@given(FILLS)
def test_realised_profit_and_what_is_open_are_the_cash_that_flowed(fills: list[FillRecorded]):
    position = folded(fills)
    cash = sum((-Fraction(fill.signed) * Fraction(fill.price) for fill in fills), Fraction(0))
    booked = Fraction(position.realised) - Fraction(position.quantity) * Fraction(position.entry_price)
    assert abs(cash - booked) < Fraction(1, 10**40)


@given(FILLS)
def test_the_entry_price_lies_between_the_prices_that_were_traded(fills: list[FillRecorded]):
    position = folded(fills)
    if position.quantity:
        prices = [Fraction(fill.price) for fill in fills]
        nothing = Fraction(1, 10**40)
        assert min(prices) - nothing <= Fraction(position.entry_price) <= max(prices) + nothing


@given(FILLS, st.randoms(use_true_random=False))
def test_the_order_in_which_fills_are_learnt_does_not_change_the_quantity(fills: list[FillRecorded], chance: Any):
    shuffled = list(fills)
    chance.shuffle(shuffled)
    assert folded(shuffled).quantity == folded(fills).quantity
    assert folded(shuffled).fees == folded(fills).fees


def test_turning_round_closes_at_the_entry_and_opens_at_the_price():
    sell, buy = OrderSide.SELL, OrderSide.BUY
    position = folded([a_fill(1, sell, Num(2), Num(100), Num(1)), a_fill(2, buy, Num(3), Num(90), Num(1))])
    assert (position.quantity, position.entry_price, position.realised, position.fees) == (1, 90, 20, 2)
    closed = after_fill(position, a_fill(3, sell, Num(1), Num(95), Num(0)))
    assert (closed.quantity, closed.entry_price, closed.realised) == (0, 0, 25)


def test_a_fill_has_one_identity_whoever_tells_of_it():
    assert str(fill_id("binanceusdm", "main", "ETH/USDT:USDT", "17", "42", "sell")) == str(
        fill_id("binanceusdm", "main", "ETH/USDT:USDT", "17", "42", "sell")
    )
    assert fill_id("v", "a", "s", "1", "o", "buy") != fill_id("v", "a", "s", "1", "o", "sell")
