"""Margin goes with the marks of the log from what a venue told, and says what it does not know."""

import msgspec
import pytest

from domain.listing import InstrumentListed, Listing, Tier
from domain.margin import GONE, Margin, margin, margins
from domain.mark import RiskMarked
from domain.quantity import ZERO, Interval, Num
from domain.routing.terms import Routing
from tests.support.worlds import AT, COINS, HOME, INVERSE, LINEAR, OTHER, Worlds, a_balance, a_position, two_venues

KEY = f"{HOME}|{LINEAR}"


def short(quantity: str = "-10", **told: Num) -> Worlds:
    """Return a short of ten at 2,000 that its venue saw with 5,000 in the wallet."""
    worlds = Worlds()
    worlds.fill(HOME, Num(quantity), AT)
    worlds.marked({"ETH": (AT, AT), "USDT": (Num(1), Num(1))}, {KEY: AT})
    worlds.seen(HOME, (a_balance("USDT", Num(5_000)),), (a_position(Num(quantity), AT, AT, LINEAR, **told),))
    return worlds


def told(worlds: Worlds, venue: str = HOME) -> Margin:
    return margin(worlds.book, venue, "main")


def test_an_account_is_what_its_venue_says_until_a_mark_moves():
    worlds = short(maintenance_margin=Num(100))
    here = told(worlds)
    assert here.equity == Interval(Num(5_000), Num(5_000))
    assert (here.maintenance, here.gross, here.ratio, here.leverage) == (100, 20_000, Num("0.02"), 4)
    assert (here.unsettled, here.unknown, here.observed_at_us > 0) == (0, (), True)
    worlds.marked({"ETH": (Num(1_900), Num(1_900))}, {KEY: Num(1_900)})
    moved = told(worlds)
    assert (moved.equity, moved.gross) == (Interval(Num(6_000), Num(6_000)), 19_000)
    assert moved.maintenance == 100  # no less than what was told
    assert moved.unsettled == 1_000
    worlds.marked({"ETH": (Num(2_500), Num(2_500))}, {KEY: Num(2_500)})
    gone = told(worlds)
    assert gone.equity == Interval(Num(0), Num(0))
    assert (gone.maintenance, gone.ratio, gone.leverage, gone.distance_bps) == (125, GONE, GONE, 0)


def test_a_venues_own_liquidation_price_is_how_far_it_is():
    worlds = short(liquidation_price=Num(2_400))
    assert (told(worlds).distance_bps, told(worlds).nearest) == (2_000, LINEAR)
    worlds.marked({"ETH": (Num(2_500), Num(2_500))}, {KEY: Num(2_500)})
    assert told(worlds).distance_bps == 0
    long = short("10", liquidation_price=Num(1_500))
    assert told(long).distance_bps == 2_500


def test_the_liquidation_price_of_a_position_that_turned_since_is_none_of_what_is_held_now():
    worlds = short(liquidation_price=Num(2_400))
    worlds.fill(HOME, Num(13), AT)
    assert 8_000 < (told(worlds).distance_bps or 0) < 9_000


def test_without_one_it_is_the_move_against_all_that_is_held_which_leaves_what_must_be_kept():
    worlds = short(maintenance_margin=Num(1_000))
    away = told(worlds).distance_bps
    assert away is not None
    assert Num(1_904) < away < Num(1_905)  # four thousand of what is worth twenty, and of what must be kept for it
    assert told(Worlds()).distance_bps is None


def test_an_account_that_was_never_seen_is_known_by_the_log_alone():
    worlds = Worlds()
    worlds.fill(HOME, Num(-10), AT, fee=Num(5))
    worlds.funded(HOME, Num(15))
    assert told(worlds).unknown == (LINEAR, "USDT")
    worlds.marked({"ETH": (Num(1_900), Num(1_900)), "USDT": (Num(1), Num(1))})
    here = told(worlds)
    assert (here.observed_at_us, here.equity, here.ratio, here.gross) == (0, None, None, 19_000)
    assert here.unsettled == 1_010


def test_what_a_custodian_settled_stands_no_more():
    worlds = Worlds()
    worlds.fill(HOME, Num(-10), AT)
    worlds.fill(HOME, Num(10), Num(1_900))
    worlds.marked({"USDT": (Num(1), Num(1))})
    assert told(worlds).unsettled == 1_000
    worlds.paid_out(HOME, "USDT", Num(700))
    assert told(worlds).unsettled == 300
    worlds.paid_out(HOME, "USDT", Num(700))
    assert told(worlds).unsettled == 0


def test_what_is_not_held_needs_no_price():
    worlds = Worlds()
    worlds.seen(HOME, (a_balance("USDT", ZERO), a_balance("BNB", ZERO)))
    here = told(worlds)
    assert (here.equity, here.ratio, here.leverage, here.unknown) == (Interval(ZERO, ZERO), 0, 0, ())


def test_a_quote_without_a_price_is_named():
    worlds = short()
    worlds.tell(RiskMarked(assets=(), lost=("USDT",)))
    assert told(worlds).unknown == ("USDT",)


@pytest.mark.parametrize(("rate", "maintenance"), [("0.01", 200), ("0.004", 100)])
def test_the_tiers_that_a_venue_lists_bind_where_they_ask_for_more(rate: str, maintenance: int):
    worlds = short(maintenance_margin=Num(100))
    worlds.tell(InstrumentListed(listing=a_listing(rate), observed_at_us=1))
    assert told(worlds).maintenance == maintenance


def a_listing(rate: str, symbol: str = LINEAR, venue: str = HOME) -> Listing:
    tiers = (
        Tier(notional_from=ZERO, maintenance_rate=Num("0.001"), leverage_max=Num(100)),
        Tier(notional_from=Num(1), maintenance_rate=Num(rate), leverage_max=Num(50)),
        Tier(notional_from=Num(10**9), maintenance_rate=Num("0.5"), leverage_max=Num(2)),
    )
    return Listing(
        venue=venue,
        symbol=symbol,
        kind="linear",
        base="ETH",
        quote="USDT",
        settle="USDT",
        market_id="ETHUSDT",
        contract_size=Num(1),
        tick=Num("0.01"),
        step=Num("0.001"),
        quantity_min=Num("0.001"),
        quantity_max=Num(10_000),
        notional_min=Num(5),
        funding_interval_ms=0,
        expiry_us=0,
        maker_fee=ZERO,
        taker_fee=ZERO,
        margin_tiers=tiers,
    )


def test_where_no_rate_is_told_the_policys_stands_for_it():
    worlds = Worlds(two_venues(routing=Routing(margin_rate=Num("0.2"))))
    worlds.marked({"ETH": (AT, AT), "USDT": (Num(1), Num(1))})
    worlds.seen(HOME, (a_balance("USDT", Num(5_000)),))
    worlds.order(HOME, Num(-1))
    assert (told(worlds).gross, told(worlds).maintenance) == (2_000, 400)


def test_margin_told_by_asset_counts_like_that_told_by_position():
    worlds = Worlds()
    worlds.fill(HOME, Num(-10), AT)
    worlds.marked({"ETH": (AT, AT), "USDT": (Num(1), Num("1.01"))})
    worlds.seen(HOME, (a_balance("USDT", Num(5_000), maintenance=Num(300)),), (a_position(Num(-10), AT, AT),))
    here = told(worlds)
    assert here.maintenance is not None
    assert Num(303) <= here.maintenance <= Num("306.1")


def test_an_inverse_account_is_kept_in_coins():
    """Ten coins and a short of 10,000 dollars at 2,000: at 1,000 it has won five coins more."""
    worlds = Worlds()
    worlds.fill(COINS, Num(-10_000), AT, symbol=INVERSE)
    worlds.marked({"ETH": (Num(1_000), Num(1_000)), "USDT": (Num(1), Num(1))}, {f"{COINS}|{INVERSE}": Num(1_000)})
    held = msgspec.structs.replace(
        a_position(Num(-10_000), AT, AT, INVERSE), unrealised=ZERO, maintenance_margin=Num("0.1")
    )
    worlds.seen(COINS, (a_balance("ETH", Num(10)),), (held,))
    worlds.tell(InstrumentListed(listing=a_listing("0.02", INVERSE, COINS), observed_at_us=1))
    here = told(worlds, COINS)
    assert (here.equity, here.gross) == (Interval(Num(15_000), Num(15_000)), 10_000)
    assert here.maintenance == 200
    assert (here.unsettled, here.rank > 0) == (5_000, True)


@pytest.mark.parametrize(("mark", "ranked"), [("1900", True), ("2000", False), ("2100", False)])
def test_only_a_winner_is_deleveraged(mark: str, ranked: bool):
    worlds = short()
    worlds.marked({"ETH": (Num(mark), Num(mark))}, {KEY: Num(mark)})
    assert (told(worlds).rank > 0) is ranked


def test_a_rank_is_profit_by_entry_value_times_leverage():
    worlds = short()
    worlds.marked({"ETH": (Num(1_800), Num(1_800))}, {KEY: Num(1_800)})
    # A tenth of its entry value won; 18,000 held by 7,000.
    assert abs(told(worlds).rank - Num("0.2571428571428571428571428571")) < Num("1e-20")


def test_a_position_that_only_its_venue_knows_counts_as_it_says():
    worlds = Worlds()
    worlds.marked({"ETH": (AT, AT), "USDT": (Num(1), Num(1))})
    unmarked = a_position(Num(-2), AT, ZERO, "ETH/USDC:USDC")
    worlds.seen(OTHER, (a_balance("USDT", Num(100)),), (unmarked, a_position(Num(-1), AT, AT, "ETH/USDT:USDT-260925")))
    assert told(worlds, OTHER).unknown == ("ETH/USDC:USDC", "USDC")
    worlds.marked({"USDC": (Num(1), Num(1))})
    here = told(worlds, OTHER)
    assert (here.gross, here.unknown) == (6_000, ())


def test_spot_is_no_margin():
    policy = two_venues()
    spot = msgspec.structs.replace(policy.instruments[0], symbol="ETH/USDT", kind="spot")
    worlds = Worlds(two_venues(instruments=(*policy.instruments, spot)))
    worlds.marked({"ETH": (AT, AT), "USDT": (Num(1), Num(1))})
    worlds.fill(HOME, Num(5), AT, symbol="ETH/USDT")
    assert told(worlds).gross == 0


def test_every_account_is_told():
    worlds = short()
    worlds.seen("bybit", ())
    assert [each.venue for each in margins(worlds.book)] == [HOME, "bybit", OTHER]


def test_a_venue_that_tells_no_mark_is_valued_by_ours():
    worlds = Worlds()
    worlds.fill(HOME, Num(-10), AT)
    worlds.marked({"ETH": (Num(1_900), Num(1_900)), "USDT": (Num(1), Num(1))})
    worlds.seen(
        HOME, (a_balance("USDT", Num(5_000)),), (a_position(Num(-10), AT, ZERO, unrealised=Num(7), entry_price=ZERO),)
    )
    here = told(worlds)
    assert (here.gross, here.equity, here.rank) == (19_000, Interval(Num(5_000), Num(5_000)), 0)
