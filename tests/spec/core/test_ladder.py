"""Indicative prices: what each size would cost, as far as the book, the limits and the market reach."""

from typing import Any

import msgspec

from domain.codec import encode
from domain.ladder import Ladder, ladder
from domain.quantity import Num
from tests.support.desk import Desk
from tests.support.given import START_US, a_book, a_policy


def shown(desk: Desk, pair: str = "WETH/USDe") -> Ladder:
    found = desk.book.pair(pair)
    assert found is not None
    return ladder(desk.book, found, desk.evidence, desk.witnesses, START_US)


def test_sizes_double_up_to_the_limit_on_one_request_and_prices_only_worsen():
    seen = shown(Desk())
    assert [str(step.size) for step in seen.mint] == ["2000", "4000", "8000", "16000", "32000", "64000"]
    assert [step.size for step in seen.redeem] == [step.size for step in seen.mint]
    # 0.999975 WETH at 2000 less 12 bps, less 0.5 of gas, per WETH.
    assert str(seen.mint[0].price) == "1997.0999875"
    assert seen.mint[0].price < seen.mint[1].price  # gas weighs less on a larger size
    assert all(step.price > mint.price for step, mint in zip(seen.redeem, seen.mint, strict=True))


def test_it_stops_where_the_market_is_not_deep_enough():
    desk = Desk()
    desk.evidence = (a_book(depth="3"),)
    assert [str(step.size) for step in shown(desk).mint] == ["2000", "4000", "8000"]


def test_a_stable_costs_the_same_at_every_size_but_for_gas():
    desk = Desk()
    desk.evidence = ()
    seen = shown(desk, "USDT/USDe")
    assert len(seen.mint) == len(seen.redeem) == 6
    assert str(seen.remaining_mint) == "100000"


def test_without_limits_or_market_there_is_nothing_to_show():
    desk = Desk(limits=False)
    seen = shown(desk)
    assert (seen.mint, seen.redeem, seen.max_mint, seen.remaining_mint) == ((), (), 0, 0)
    desk = Desk()
    desk.evidence = ()
    seen = shown(desk)
    assert (seen.mint, seen.redeem, seen.remaining_mint) == ((), (), 0)
    desk.evidence = (a_book("2001", "2000"),)
    assert shown(desk).mint == ()


def test_steps_are_bounded():
    desk = Desk(policy=a_policy())
    desk.set_limit("order_notional", "1e15")
    desk.evidence = (a_book(depth="1e15"),)
    assert len(shown(desk).mint) == 12


def test_what_is_left_is_what_the_worst_delta_leaves():
    desk = Desk()
    desk.set_limit("net_delta", "2", scope="asset:ETH")
    assert str(shown(desk).remaining_mint) == "4000.1"
    desk.accept(desk.quote("1.5"))
    assert str(shown(desk).remaining_mint) == "1000.025"
    desk.set_limit("net_delta", "1.5", scope="asset:ETH")
    assert shown(desk).remaining_mint == 0


def test_a_book_without_a_policy_has_no_gas():
    desk = Desk()
    pair: Any = desk.book.pair("USDT/USDe")
    desk.book.policy = None
    desk.book.limits.clear()
    assert ladder(desk.book, pair, (), (), START_US).gas == Num(0)


def test_it_is_published_with_the_names_that_subscribers_know():
    named = {"max-mint", "max-redeem", "remaining-mint", "remaining-redeem", "pair", "at", "mint", "redeem", "gas"}
    named |= {"sources", "reason", "mint-reason", "redeem-reason", "text"}
    assert set(msgspec.json.decode(encode(shown(Desk())))) == named


def test_no_more_can_be_redeemed_than_is_there():
    desk = Desk()
    assert shown(desk).remaining_redeem == 0
    desk.held()
    there = shown(desk)
    assert str(there.remaining_redeem) == "20000.5"
    desk.evidence = ()
    assert shown(desk).remaining_redeem == 0
    assert shown(desk, "USDT/USDe").remaining_redeem == 0
    desk.accept(desk.quote("1000", pair="USDT/USDe"), nonce=9_001)
    desk.confirm()
    assert shown(desk, "USDT/USDe").remaining_redeem == Num(1000)
