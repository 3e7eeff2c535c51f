"""What the worst would cost, and what leaving a venue takes, by what the policy permits."""

import msgspec
import pytest

from domain.backing import backing
from domain.evacuation import evacuations
from domain.least_ratio import Stake, least_ratio, shortfall
from domain.limit import Control, LimitSet
from domain.mark import RiskMarked
from domain.mode import Mode, ModeChanged
from domain.quantity import ZERO, Num
from domain.quote import Side
from domain.risk_terms import Risk
from domain.state import Book
from domain.stress import stress
from tests.support.worlds import AT, COINS, HOME, INVERSE, OTHER, Worlds, a_balance, a_position, two_venues


def a_world(**changes: object) -> Worlds:
    worlds = Worlds(two_venues(**changes))
    worlds.marked({"ETH": (AT, AT), "USDT": (Num(1), Num(1))})
    worlds.fill(HOME, Num(-10), AT)
    return worlds


def limited(worlds: Worlds, value: str) -> None:
    limit = LimitSet(
        control=Control.ORDER_NOTIONAL,
        scope="global",
        value=Num(value),
        unit="USD",
        reason="for this test",
        author="ada",
        expires_at_us=0,
    )
    worlds.tell(limit)


def test_leaving_a_venue_takes_orders_rounds_and_what_they_cost():
    worlds = a_world()
    limited(worlds, "3000")
    (here,) = evacuations(worlds.book)
    # Seven orders of 3,000, four at a time, 250 ms a round; 50 bps of slippage and five of fee.
    assert (here.venue, here.account, here.notional) == (HOME, "main", 20_000)
    assert (here.orders, here.flat_ms, here.flat_cost) == (7, 500, 110)
    assert (here.rehedge_ms, here.rehedge_cost, here.unplaced) == (500, 110, 0)


def test_what_no_other_venue_may_take_stays_unplaced():
    worlds = a_world()
    worlds.tell(ModeChanged(scope=f"venue:{OTHER}", mode=Mode.HALTED, previous=Mode.ACTIVE, reason="", author="ada"))
    (halted,) = evacuations(worlds.book)
    assert (halted.unplaced, halted.rehedge_cost, halted.rehedge_ms) == (20_000, 0, 0)
    away = a_world()
    away.away(OTHER)
    assert evacuations(away.book)[0].unplaced == 20_000


def test_without_a_limit_on_orders_nobody_knows_how_many_there_are():
    (here,) = evacuations(a_world().book)
    assert (here.orders, here.flat_ms, here.rehedge_ms, here.flat_cost) == (None, None, None, 110)


def test_what_has_no_price_has_no_cost_of_leaving():
    worlds = a_world()
    worlds.tell(RiskMarked(assets=(), lost=("USDT",)))
    (here,) = evacuations(worlds.book)
    assert (here.notional, here.flat_cost, here.unplaced) == (None, None, None)
    told = stress(worlds.book)
    assert told.share_bps is None
    assert set(told.unknown) == {f"venue {HOME}", "stable USDT", "funding"}


def test_a_contract_that_the_policy_does_not_trade_leaves_at_the_dearest_fee():
    policy = two_venues()
    dear = msgspec.structs.replace(policy.instruments[1], taker_fee_bps=Num(15))
    worlds = Worlds(two_venues(instruments=(policy.instruments[0], dear)))
    worlds.marked({"ETH": (AT, AT), "USDT": (Num(1), Num(1))})
    worlds.fill(COINS, Num(-20_000), AT, symbol=INVERSE)
    (here,) = evacuations(worlds.book)
    assert (here.notional, here.flat_cost, here.rehedge_cost) == (20_000, 130, 130)


def test_the_loss_of_a_venue_counts_trading_its_hedges_elsewhere():
    worlds = a_world(risk=Risk(reserve=Num(10_220)))
    worlds.seen(HOME, (a_balance("USDT", Num(5_000)),), (a_position(Num(-10), AT, AT),))
    told = stress(worlds.book)
    found = {(each.kind, each.id): each.loss for each in told.scenarios}
    assert found["venue", HOME] == 5_110
    assert found["venue", OTHER] == 0
    assert (found["price_up", "ETH"], found["price_down", "ETH"]) == (5_000, 0)
    assert (found["stable", "USDT"], found["funding", ""]) == (2_500, 5_000)
    assert told.worst is not None
    assert (told.worst.kind, told.share_bps) == ("venue", 5_000)
    assert ("price_up", "USDT") not in found


def test_longs_are_funded_like_shorts_and_what_is_open_counts_where_it_is():
    worlds = a_world()
    worlds.fill(OTHER, Num(30), AT)
    found = {each.kind: each.loss for each in stress(worlds.book).scenarios}
    assert found["funding"] == 15_000


def test_an_underlying_without_a_price_is_named_where_something_of_it_is_open():
    worlds = Worlds()
    worlds.held(10**18, 2_000 * 10**18)
    worlds.marked({"USDT": (Num(1), Num(1))})
    told = stress(worlds.book)
    assert told.unknown == ("price_down ETH",)
    behind = backing(worlds.book)
    assert (behind.ratio, behind.value, behind.unknown) == (None, None, ("ETH",))
    worlds.fill(HOME, Num(-1), AT)
    worlds.tell(RiskMarked(assets=(), lost=("USDT",)))
    assert backing(worlds.book).unknown == ("ETH", "USDT")


def test_what_may_arrive_needs_a_price_too():
    worlds = Worlds()
    worlds.request(Side.MINT, "WETH", 10**18, 2_000 * 10**18)
    assert backing(worlds.book).unknown == ("ETH",)
    worlds.marked({"ETH": (AT, AT)})
    behind = backing(worlds.book)
    assert (behind.ratio, behind.middle, behind.supply) == (1, None, 0)


def test_collateral_and_its_hedges_have_one_price():
    """Spread of the marks is no loss of what is hedged, however wide it is."""
    worlds = Worlds(two_venues())
    worlds.held(10 * 10**18, 20_000 * 10**18)
    worlds.fill(HOME, Num(-10), AT)
    worlds.marked({"ETH": (Num(1_500), Num(2_500)), "USDT": (Num(1), Num(1))})
    behind = backing(worlds.book)
    assert (behind.ratio, behind.middle, behind.held) == (1, 1, 1)
    assert behind.at_risk == Num("0.75")


def test_a_token_that_is_marked_itself_has_a_price_of_its_own():
    worlds = Worlds()
    worlds.held(10 * 10**18, 24_000 * 10**18, "wstETH")
    worlds.marked({"ETH": (AT, AT), "USDT": (Num(1), Num(1))})
    assert backing(worlds.book).ratio == 1
    worlds.marked({"wstETH": (Num(2_160), Num(2_400))})
    assert backing(worlds.book).ratio == Num("0.9")


def test_an_inverse_short_backs_like_any_other():
    worlds = Worlds()
    worlds.held(10 * 10**18, 20_000 * 10**18)
    worlds.fill(COINS, Num(-20_000), AT, symbol=INVERSE)
    worlds.marked({"ETH": (Num(1_000), Num(3_000))})
    assert backing(worlds.book).ratio == 1


def test_the_first_dollars_do_not_read_as_a_lack():
    worlds = Worlds()
    worlds.held(10**18, 2_000 * 10**18)
    worlds.marked({"ETH": (Num(1_000), Num(1_000))})
    behind = backing(worlds.book)
    assert (behind.ratio, behind.held) == (Num("0.5"), Num("0.999"))
    worlds.held(10**21, 2_000_000 * 10**18)
    assert backing(worlds.book).held == backing(worlds.book).ratio == Num("0.5")
    unfloored = Worlds(two_venues(risk=Risk(concentration_floor=ZERO)))
    unfloored.held(10**18, 2_000 * 10**18)
    unfloored.marked({"ETH": (Num(1_000), Num(1_000))})
    assert backing(unfloored.book).held == Num("0.5")


def test_a_book_without_a_policy_has_no_stress():
    told = stress(Book())
    assert (told.scenarios, told.worst, told.share_bps, evacuations(Book())) == ((), None, None, ())
    behind = backing(Book())
    assert (behind.ratio, behind.supply, behind.assets) == (None, ZERO, ())


def test_the_last_supply_is_never_all_redeemed_in_the_worst_world():
    """Both redeems together leave nobody to owe to: the worst is the dear one alone, and no division by nothing."""
    redeems = ((Num(-60), Num(-50)), (Num(-50), Num(-50)))
    stake = Stake(ZERO, Num(1), Num(1), redeems)
    assert least_ratio(Num(99), Num(100), (stake,)) == Num("0.78")
    assert shortfall(Num(99), Num(100), (stake,)) == 11
    more_than_issued = Stake(ZERO, Num(1), Num(1), ((Num(-10), Num(-10)),) * 2)
    assert least_ratio(Num(1), Num(5), (more_than_issued,)) == Num("0.2")
    assert least_ratio(Num(-1), Num(5), ()) == 0


def test_the_search_is_bounded(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("domain.least_ratio.PASSES_MAX", 1)
    stake = Stake(ZERO, Num(1), Num(1), ((Num(-60), Num(-50)),))
    assert least_ratio(Num(99), Num(100), (stake,)) == Num("0.78")
