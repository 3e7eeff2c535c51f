"""What may be held unseen, and what is held beside the hedges, is exposure like the rest."""

import pytest

from domain import inverse
from domain.contract import Contract, contract_of
from domain.exposure import UNSEEN_US, exposure, underlyings
from domain.mark import RiskMarked
from domain.quantity import Interval, Num
from domain.state import Book
from domain.worth import contract, mark, worth
from tests.support.worlds import COINS, HOME, INVERSE, LINEAR, OTHER, Worlds, a_position


def test_what_is_held_at_a_venue_that_is_away_may_be_gone():
    worlds = Worlds()
    worlds.fill(HOME, Num(-10), Num(2000))
    worlds.fill(OTHER, Num(4), Num(2000))
    assert exposure(worlds.book, "ETH").interval == Interval(Num(-6), Num(-6))
    worlds.away(HOME)
    assert exposure(worlds.book, "ETH").interval == Interval(Num(-6), Num(4))
    worlds.away(OTHER)
    assert exposure(worlds.book, "ETH").interval == Interval(Num(-10), Num(4))


def test_an_account_that_a_sweep_saw_is_not_lost_with_its_stream():
    worlds = Worlds()
    worlds.fill(HOME, Num(-10), Num(2000))
    worlds.seen(HOME, (), (a_position(Num(-10), Num(2000), Num(2000)),))
    worlds.away(HOME)
    assert exposure(worlds.book, "ETH").interval == Interval(Num(-10), Num(-10))
    worlds.tell(RiskMarked(assets=()), later_us=UNSEEN_US)
    assert exposure(worlds.book, "ETH").interval == Interval(Num(-10), Num(0))


@pytest.mark.parametrize(("told", "interval"), [("-12", (-12, -10)), ("-3", (-10, -3))])
def test_what_a_venue_says_again_and_again_may_be_so(told: str, interval: tuple[int, int]):
    worlds = Worlds()
    worlds.fill(HOME, Num(-10), Num(2000))
    for times in range(3):
        assert exposure(worlds.book, "ETH").interval == Interval(Num(-10), Num(-10)), times
        worlds.seen(HOME, (), (a_position(Num(told), Num(2000), Num(2000)),))
    assert exposure(worlds.book, "ETH").interval == Interval(Num(interval[0]), Num(interval[1]))


def test_a_position_on_a_contract_of_nobody_is_exposure_and_no_hedge():
    worlds = Worlds()
    worlds.fill(COINS, Num(3), Num(2000))
    here = exposure(worlds.book, "ETH")
    assert (here.position, here.beside, here.interval) == (0, 3, Interval(Num(3), Num(3)))


def test_an_inverse_short_is_less_than_its_mark_says_while_it_wins():
    """10,000 dollars sold at 2,000 are five ether, and stay five when they could be bought back for more."""
    worlds = Worlds()
    worlds.held(5 * 10**18, 10_000 * 10**18)
    worlds.fill(COINS, Num(-10_000), Num(2000), symbol=INVERSE)
    worlds.marked({"ETH": (Num(1_000), Num(1_000))})
    here = exposure(worlds.book, "ETH")
    assert (here.certain, here.beside, here.interval.worst) == (5, -5, 0)
    assert inverse.contracts_delta(Num(0), Num(0)) == 0
    assert inverse.profit(Num(0), Num(0), Num(1_000)) == 0
    assert inverse.profit(Num(-10_000), Num(2_000), Num(1_000)) == 5


def test_orders_on_an_inverse_contract_count_at_the_lowest_price_that_they_may_trade_at():
    worlds = Worlds()
    order = worlds.order(COINS, Num(-4_000), Num(2_000), symbol=INVERSE)
    assert exposure(worlds.book, "ETH").interval == Interval(Num(-2), Num(0))
    worlds.marked({"ETH": (Num(1_000), Num(1_000))})
    worlds.order(COINS, Num(1_000), Num(1_500), symbol=INVERSE)
    worlds.order(COINS, Num(1_000), Num(1_600), symbol=INVERSE)
    assert exposure(worlds.book, "ETH").interval == Interval(Num(-4), Num(2))
    worlds.fill(COINS, Num(-4_000), Num(2_000), order=order, symbol=INVERSE)
    assert exposure(worlds.book, "ETH").interval == Interval(Num(-2), Num(0))


def test_orders_without_any_price_count_for_too_much_rather_than_too_little():
    worlds = Worlds()
    worlds.order(COINS, Num(-4_000), Num(0), symbol=INVERSE)
    assert exposure(worlds.book, "ETH").interval == Interval(Num(-4_000), Num(0))


@pytest.mark.parametrize(
    ("symbol", "what"),
    [
        ("ETH/USDT:USDT", Contract("linear", "ETH", "USDT")),
        ("ETH/USD:ETH", Contract("inverse", "ETH", "USD")),
        ("ETH/USD:ETH-260925", Contract("inverse", "ETH", "USD")),
        ("ETH/USD:BTC", Contract("linear", "ETH", "USD", "BTC")),
        ("ETH/USDT", Contract("spot", "ETH", "USDT")),
        ("ETH-PERPETUAL", Contract("linear", "ETH-PERPETUAL", "")),
    ],
)
def test_a_symbol_says_what_its_contract_is(symbol: str, what: Contract):
    assert contract_of(symbol) == what
    assert what.settle == {"inverse": "ETH"}.get(what.kind, what.paid_in or what.quote)


def test_a_price_is_its_venues_mark_and_what_its_base_is_worth():
    worlds = Worlds()
    what = contract(worlds.book, HOME, LINEAR)
    assert mark(worlds.book, HOME, LINEAR, what) is None
    worlds.marked({}, {f"{HOME}|{LINEAR}": Num(2_005)})
    assert mark(worlds.book, HOME, LINEAR, what) == Interval(Num(2_005), Num(2_005))
    worlds.marked({"ETH": (Num(1_980), Num(2_000)), "USDT": (Num("0.99"), Num(1))})
    prices = mark(worlds.book, HOME, LINEAR, what)
    assert prices is not None
    assert (prices.low, prices.high > Num("2020.2"), prices.high < Num("2020.21")) == (1_980, True, True)
    assert mark(worlds.book, OTHER, LINEAR, what) == prices


def test_an_underlying_without_a_mark_is_worth_the_reference_of_its_latest_plan():
    worlds = Worlds()
    assert worth(worlds.book, "ETH") is None
    worlds.order(HOME, Num(1), Num(2_000))
    planned = worth(worlds.book, "WETH")
    assert planned is not None
    assert (planned.low, planned.high) == (2_000, 2_000)
    worlds.marked({"USDT": (Num("0.9"), Num("1.1"))})
    planned = worth(worlds.book, "ETH")
    assert planned is not None
    assert (planned.low, planned.mid, planned.high) == (1_800, 2_000, 2_200)
    assert worth(worlds.book, "USD") is not None
    assert worth(Book(references={"ETH": Num(1)}), "ETH") is None


def test_a_book_without_a_policy_has_no_underlyings():
    assert underlyings(Book()) == ()
    assert exposure(Book(), "ETH").interval == Interval(Num(0), Num(0))
