"""The check itself: which limit binds, which refusal is told, what is spared, and what is no number."""

from typing import Any

import msgspec
import pytest

from domain.controls import Probe, check, strictest
from domain.cost import Cost, CostRealised, LegCost
from domain.funding import FundingPaid
from domain.hedge import Purpose
from domain.ids import natural_id
from domain.interest import InterestObserved
from domain.latch import ControlLatched, ControlReleased
from domain.limit import Control
from domain.limits import Stage
from domain.mark import RiskMarked
from domain.market import Law
from domain.policy import CustodianTarget
from domain.quantity import Num
from domain.refusal import Reason, Refusal
from domain.routing.terms import Routing
from domain.suspension import AssetSuspended
from domain.vault import CustodySettlementObserved
from tests.support.accounts import marked, told_account
from tests.support.given import START_US
from tests.support.limited import House
from tests.support.venues import SYMBOL


def why(refusal: Refusal | None) -> str:
    return "" if refusal is None else refusal.reason.name


def test_what_lies_within_every_limit_passes():
    house = House()
    assert house.ask_order() is None
    assert house.ask_request() is None
    assert house.ask_request(mint=False) is None
    house.admit("venue:okx|main")
    assert house.ask_transfer() is None


@pytest.mark.parametrize(
    ("control", "scope"),
    [("gross_notional", "venue:okx"), ("position_notional", "asset:ETH"), ("open_order_notional", "global")],
)
def test_limits_of_every_scope_bind_and_the_strictest_wins(control: str, scope: str):
    house = House()
    house.limit(Control(control), "1999", scope)
    told = house.ask_order()
    assert told is not None
    assert (told.control, told.scope, told.limit, told.value) == (control, scope, "1999", "2000")
    assert told.policy_version == 1
    assert house.ask_order(house.order(venue="bybit")) is None or scope != "venue:okx"


def test_a_missing_limit_refuses_and_is_graver_than_a_limit_that_is_passed():
    house = House()
    house.limit(Control.ORDER_NOTIONAL, "1")
    assert why(house.ask_order()) == "ORDER_NOTIONAL"
    house.limit(Control.GROSS_NOTIONAL, "1")
    assert why(house.ask_order()) == "ORDER_NOTIONAL"  # the gravest of both
    house.remove(Control.ORDER_RATE)
    told = house.ask_order()
    assert told is not None
    assert (told.reason, told.control, told.scope) == (Reason.LIMIT_MISSING, "order_rate", "global")


def test_a_narrower_limit_does_not_stand_in_for_the_one_that_must_be_set():
    house = House()
    house.limit(Control.OPEN_ORDERS, "5", "venue:okx")
    house.remove(Control.OPEN_ORDERS)
    assert why(house.ask_order()) == "LIMIT_MISSING"
    assert strictest(house.book, Control.OPEN_ORDERS, "venue:okx") is None


def test_the_strictest_is_found_for_those_who_cut_to_it():
    house = House()
    house.limit(Control.ORDER_NOTIONAL, "500", "venue:okx")
    found = strictest(house.book, Control.ORDER_NOTIONAL, "asset:ETH", "venue:okx")
    assert found is not None
    assert (found.scope, found.value) == ("venue:okx", 500)
    delta = strictest(house.book, Control.NET_DELTA, "asset:ETH")
    assert delta is not None
    assert delta.value == 100


def test_what_is_beyond_a_limit_may_be_brought_back_and_not_made_worse():
    house = House(bands=())
    house.tell(told_account())
    house.open("-10")
    house.limit(Control.OPEN_ORDERS, "0")
    assert why(house.ask_order()) == "OPEN_ORDERS"
    house.limit(Control.OPEN_ORDERS, "100")
    house.limit(Control.GROSS_NOTIONAL, "1000")
    assert why(house.ask_order(house.order("-1"))) == "GROSS_NOTIONAL"
    assert house.ask_order(house.order("1")) is None  # what may be bought does not lengthen the worst short


def test_what_only_lowers_the_worst_delta_is_spared_where_the_catalogue_says_so():
    house = House()
    house.book.backing["WETH"] = 5 * 10**18  # five long, and nothing sold yet
    house.limit(Control.GROSS_NOTIONAL, "1")
    house.limit(Control.POSITION_NOTIONAL, "1")
    assert house.ask_order(house.order("-2")) is None
    assert why(house.ask_order(house.order("2"))) == "GROSS_NOTIONAL"
    house.limit(Control.OPEN_ORDER_NOTIONAL, "1")
    assert why(house.ask_order(house.order("-2"))) == "OPEN_ORDER_NOTIONAL"


def test_orders_of_the_same_decision_count_together():
    house = House()
    ahead = (house.order("-1", "1990"), house.order("-1", "1990", "bybit"))
    for control, value, told in (
        (Control.GROSS_NOTIONAL, "5999", "6000"),
        (Control.OPEN_ORDERS, "2", "3"),
        (Control.ORDER_RATE, "2", "3"),
        (Control.MESSAGE_RATE, "2", "3"),
        (Control.REPEATED_EXECUTION, "2", "3"),
        (Control.OPEN_ORDER_NOTIONAL, "5979", "5980"),
        (Control.DUPLICATE_ORDERS, "1", "2"),
        (Control.ORDER_TO_TRADE, "1", "2"),
    ):
        house = House()
        house.limit(control, value)
        refusal = house.ask_order(house.order("-1", "1990") if "dup" in control else house.order("-1"), ahead=ahead)
        assert refusal is not None, control
        assert (refusal.control, refusal.value) == (control, told)
        assert house.ask_order(house.order("-1")) is None


def test_a_latch_refuses_orders_and_mints_of_its_scope_until_it_is_released():
    house = House()
    stopped, scope = Control.REPEATED_EXECUTION, "asset:ETH"
    house.open()
    house.tell(ControlLatched(control=stopped, scope=scope, limit="1", value="2", text="too many"))
    assert why(house.ask_order()) == why(house.ask_request()) == "CONTROL_LATCHED"
    assert check(house.book, Probe(stage=Stage.CANCEL, at_us=START_US)) is None
    house.tell(ControlReleased(control=stopped, scope=scope, author="ada", reason="mended"))
    assert house.ask_order() is None
    assert house.book.flow.repeated == {}


def test_what_repeats_too_often_names_the_scope_that_is_to_be_latched():
    house = House()
    house.limit(Control.REPEATED_EXECUTION, "1")
    house.open()
    told = house.ask_order()
    assert told is not None
    assert (told.reason, told.scope) == (Reason.REPEATED_EXECUTION, "asset:ETH")
    assert house.ask_order(purpose=Purpose.UNWIND) is None  # another kind of hedge
    assert house.ask_order(at_us=START_US + 70_000_000) is None  # a while later


@pytest.mark.parametrize("bad", ["NaN", "Infinity", "-Infinity", "sNaN"])
def test_what_is_no_finite_number_is_refused(bad: str):
    house = House()
    assert why(house.ask_order(msgspec.structs.replace(house.order(), quantity=Num(bad)))) == "VALUE_INVALID"
    assert why(house.ask_order(msgspec.structs.replace(house.order(), limit_price=Num(bad)))) == "VALUE_INVALID"
    assert why(house.ask_order(reference=Num(bad))) == "REFERENCE_MISSING"
    assert why(house.ask_order(reference_usd=Num(bad))) == "REFERENCE_MISSING"
    assert why(house.ask_request(change=Num(bad))) == "VALUE_INVALID"
    assert why(house.ask_request(notional=Num(bad))) == "VALUE_INVALID"
    assert why(house.ask_transfer(quantity=Num(bad))) == "VALUE_INVALID"


@pytest.mark.parametrize("bad", ["0", "-1"])
def test_nothing_and_less_is_refused(bad: str):
    house = House()
    assert why(house.ask_order(msgspec.structs.replace(house.order(), quantity=Num(bad)))) == "VALUE_INVALID"
    assert why(house.ask_order(msgspec.structs.replace(house.order(), limit_price=Num(bad)))) == "VALUE_INVALID"
    assert why(house.ask_order(reference=Num(bad))) == "REFERENCE_MISSING"
    assert why(house.ask_request(notional=Num(bad))) == "VALUE_INVALID"
    assert why(house.ask_request(issued=int(bad))) == "VALUE_INVALID"
    assert why(house.ask_transfer(bad)) == "VALUE_INVALID"


def test_an_absurd_scale_is_a_limit_passed_and_no_error():
    house = House()
    assert why(house.ask_order(msgspec.structs.replace(house.order(), quantity=Num("1e39")))) == "ORDER_NOTIONAL"
    assert why(house.ask_request("1e39")) == "ORDER_NOTIONAL"


def test_a_reference_that_nobody_tells_refuses():
    house = House()
    assert why(house.ask_order(reference=None)) == "REFERENCE_MISSING"
    house.tell(RiskMarked(assets=(), lost=("ETH",)))
    assert house.ask_order() is None
    assert why(house.ask_order(reference_usd=None)) == "REFERENCE_MISSING"
    house.book.references["ETH"] = Num(2_000)
    assert house.ask_order(reference_usd=None) is None


def test_an_instrument_that_the_policy_does_not_trade_is_refused():
    house = House()
    assert why(house.ask_order(house.order(venue="nowhere"))) == "ASSET_UNSUPPORTED"
    assert why(check(house.book, Probe(stage=Stage.ORDER, at_us=START_US))) == "ASSET_UNSUPPORTED"
    assert check(house.book, Probe(stage=Stage.STATE, at_us=START_US)) is None


def test_time_that_goes_backwards_counts_as_the_time_that_was():
    house = House()
    house.limit(Control.ORDER_RATE, "1")
    house.open(later_ms=100_000)
    assert why(house.ask_order(at_us=START_US)) == "ORDER_RATE"


def test_margin_counts_what_orders_may_come_to():
    house = House()
    house.tell(told_account("-40", margin="20000"))
    assert house.ask_order() is None  # 40 at 1 % of 2,000 by 20,000
    house.limit(Control.LEVERAGE, "4.09")
    house.open("-40")
    assert why(house.ask_order(house.order("-2"))) == "LEVERAGE"
    house.limit(Control.LEVERAGE, "5")
    house.limit(Control.MARGIN_RATIO, "0.0405", "venue:okx")
    told = house.ask_order(house.order("-1"))
    assert told is not None
    assert (told.reason, told.scope) == (Reason.MARGIN_RATIO, "venue:okx")
    assert house.ask_order(house.order("-1", venue="bybit")) is None


def test_margin_that_is_gone_refuses_what_opens_only():
    house = House()
    house.tell(told_account("-40", margin="1"), marked("2050"))
    now = {"reference": Num(2_050), "reference_usd": Num(2_050)}
    assert why(house.ask_order(house.order("-1", "2050"), **now)) == "MARGIN_RATIO"
    house.open("-5")
    assert house.ask_order(house.order("1", "2050"), **now) is None


def test_an_account_that_was_never_seen_is_unknown_where_margin_is_looked_at():
    house = House(routing=Routing(margin_rate=Num("0.1")))
    told = house.ask_order()
    assert told is not None
    assert (told.reason, told.control) == (Reason.VALUE_UNKNOWN, "margin_ratio")
    house.open("-5")
    assert house.ask_order(house.order("1")) is None


def test_an_account_with_what_has_no_price_is_unknown():
    house = House()
    seen = told_account("-1")
    odd = msgspec.structs.replace(seen.balances[0], asset="ODD")
    house.tell(msgspec.structs.replace(seen, balances=(*seen.balances, odd)))
    assert why(house.ask_order()) == "VALUE_UNKNOWN"


def test_profit_that_stands_unpaid_stops_mints_and_no_redeem():
    house = House()
    house.limit(Control.UNSETTLED_PROFIT, "500", "venue:okx")
    house.tell(told_account("-10", profit="600"))
    assert why(house.ask_request()) == "UNSETTLED_PROFIT"
    assert house.ask_request(mint=False) is None


def test_profit_by_the_log_stands_until_a_custodian_settled_it():
    house = House()
    house.limit(Control.UNSETTLED_PROFIT, "500", "venue:okx")
    won = FundingPaid(
        venue="okx",
        account="main",
        symbol=SYMBOL,
        payment_id="1",
        asset="USDT",
        amount=Num(600),
        paid_at_us=START_US,
    )
    house.tell(won)
    assert why(house.ask_request()) == "UNSETTLED_PROFIT"
    house.tell(
        CustodySettlementObserved(
            settlement_id="1",
            custodian="ceffu",
            venue="okx",
            account="main",
            asset="USDT",
            profit=Num(200),
            settled_at_us=START_US,
        )
    )
    assert house.ask_request() is None


def test_concentration_stops_mints_that_would_lean_on_a_venue_a_custodian_or_a_stable():
    house = House(custodians=(CustodianTarget(address="0xc1", ratio_bps=10_000),))
    house.tell(told_account(margin="700000"))
    assert house.ask_request() is None  # the other accounts were not told: nobody knows what the whole is
    house.tell(*(told_account(venue=venue, margin="0") for venue in ("bybit", "binanceusdm")))
    told = house.ask_request()
    assert told is not None
    assert (told.reason, told.value) == (Reason.VENUE_CONCENTRATION, "7000")
    house.limit(Control.VENUE_CONCENTRATION, "10000")
    house.limit(Control.CUSTODIAN_CONCENTRATION, "1000")
    assert house.ask_request() is None
    assert why(house.ask_request("100")) == "CUSTODIAN_CONCENTRATION"
    house.limit(Control.STABLE_CONCENTRATION, "100", "stable:USDT")
    told = house.ask_request(underlying="USDT", asset="USDT", pair="USDT/USDe", legs=(), quantity=Num(0))
    assert told is not None
    assert (told.reason, told.scope) == (Reason.STABLE_CONCENTRATION, "stable:USDT")


def test_a_transfer_is_held_by_its_destination_its_value_and_its_day():
    house = House()
    assert why(house.ask_transfer()) == "DESTINATION_UNKNOWN"
    house.admit("venue:okx|main")
    house.limit(Control.TRANSFER_NOTIONAL, "1999", "venue:okx")
    assert why(house.ask_transfer()) == "TRANSFER_NOTIONAL"
    house.limit(Control.TRANSFER_NOTIONAL, "5000", "venue:okx")
    house.tell(told_account(margin="5000"))
    house.limit(Control.VENUE_CONCENTRATION, "60")
    assert why(house.ask_transfer()) == "VENUE_CONCENTRATION"
    house.limit(Control.VENUE_CONCENTRATION, "6000")
    house.limit(Control.TRANSFER_PER_DAY, "1999")
    assert why(house.ask_transfer()) == "TRANSFER_CAPACITY"
    assert why(house.ask_transfer(asset="USDe")) == "OWN_TOKEN"
    house.admit("chain:0xabc")
    house.limit(Control.TRANSFER_PER_DAY, "9999")
    assert house.ask_transfer(destination="chain:0xabc") is None
    house.admit("custodian:ceffu")
    assert house.ask_transfer(destination="custodian:ceffu") is None


def test_a_share_of_open_interest_is_unknown_only_where_the_venue_tells_of_others():
    house = House()
    house.limit(Control.OPEN_INTEREST_SHARE, "100")
    told = InterestObserved(venue="okx", symbol="BTC/USDT:USDT", quantity=Num(50), observed_at_us=START_US)
    house.tell(told)
    assert why(house.ask_order()) == "VALUE_UNKNOWN"
    assert house.ask_order(house.order(venue="bybit")) is None
    house.tell(msgspec.structs.replace(told, symbol=SYMBOL))
    assert why(house.ask_order()) == "OPEN_INTEREST_SHARE"
    house.tell(msgspec.structs.replace(told, symbol=SYMBOL, quantity=Num(500)))
    assert house.ask_order() is None


def test_what_moves_hedges_is_held_near_every_price_of_the_last_while():
    house = House()
    moves = {"purpose": Purpose.REBALANCE}
    house.limit(Control.PRICE_COLLAR_PERIOD, "40")
    house.tell(marked("2010"))
    assert why(house.ask_order(house.order(price="2001"), **moves)) == "PRICE_COLLAR_PERIOD"  # 45 bps from 2010
    assert why(house.ask_order(house.order(price="2001"), purpose=None)) == "PRICE_COLLAR_PERIOD"
    assert house.ask_order(house.order(price="2001"), purpose=Purpose.OPEN) is None
    assert house.ask_order(house.order(price="2003"), **moves) is None
    later = START_US + 70_000_000
    assert house.ask_order(house.order(price="2001"), at_us=later, **moves) is None
    assert why(house.ask_order(house.order(price="2100"), purpose=Purpose.OPEN)) == "PRICE_COLLAR"


def test_after_a_fall_what_hedges_goes_on_and_nothing_new_is_begun_until_a_while_has_passed():
    house = House()
    house.book.backing["WETH"] = 5 * 10**18  # five long, and nothing sold yet
    house.tell(marked("1800"))  # ten per cent below
    now: dict[str, Any] = {"reference": Num(1_800), "reference_usd": Num(1_800)}
    for purpose in (Purpose.OPEN, Purpose.CLOSE, Purpose.UNWIND, Purpose.REHEDGE):
        assert house.ask_order(house.order("2", "1800"), purpose=purpose, **now) is None
    moves = now | {"purpose": Purpose.REBALANCE}
    assert why(house.ask_order(house.order("2", "1800"), **moves)) == "PRICE_COLLAR_PERIOD"
    assert house.ask_order(house.order("-2", "1800"), **moves) is None  # it makes the worst delta no worse
    for stage in (Stage.QUOTE, Stage.REQUEST):
        told = house.ask_request(stage=stage, reference_usd=Num(1_800))
        assert told is not None
        assert (told.control, told.scope, told.limit) == ("price_collar_period", "global", "500")
        assert told.value == "1000"
        assert house.ask_request(stage=stage, at_us=START_US + 70_000_000, reference_usd=Num(1_800)) is None
        assert house.ask_request(stage=stage, mint=False, reference_usd=Num(1_800)) is None


def test_a_collar_that_nobody_set_refuses_though_nothing_moved():
    house = House()
    house.remove(Control.PRICE_COLLAR_PERIOD)
    told = house.ask_request()
    assert told is not None
    assert (told.reason, told.control) == (Reason.LIMIT_MISSING, "price_collar_period")
    assert house.ask_order() is None
    house.remove(Control.PRICE_COLLAR)
    assert why(house.ask_order(house.order(price="2000"))) == "LIMIT_MISSING"


def test_all_of_what_is_held_counts_at_the_evidence_of_the_decision():
    house = House()
    house.open("-1")
    house.limit(Control.GROSS_NOTIONAL, "4030")
    told = house.ask_order(reference=Num(2_000), reference_usd=Num(2_020))
    assert told is not None
    assert (told.control, told.value) == ("gross_notional", "4040")


def test_nothing_is_spared_a_price_that_is_far_from_its_own_book():
    house = House()
    house.book.backing["WETH"] = 5 * 10**18
    told = house.ask_order(house.order("-2", "1979.99"))
    assert told is not None
    assert (told.control, told.limit, told.value) == ("price_collar", "100", "100.05")
    assert house.ask_order(house.order("-2", "1980")) is None


def test_a_collar_tells_what_it_refuses_rounded_up_and_refuses_nothing_for_the_rounding():
    house = House()
    house.limit(Control.PRICE_COLLAR, "33.3333")
    assert why(house.ask_order(house.order(price="1993.33334"))) == ""  # 33.3333
    told = house.ask_order(house.order(price="1993.333339999"))
    assert told is not None
    assert (told.value, told.limit) == ("33.3334", "33.3333")


def test_a_reference_that_stands_for_a_lost_mark_moves_what_accounts_have():
    """The margin of an account in ETH is worth what its latest plan said, once nobody marks it."""
    house = House()
    seen = told_account("-10", margin="30")
    coins = msgspec.structs.replace(seen.balances[0], asset="ETH")
    house.tell(msgspec.structs.replace(seen, balances=(coins,)))
    house.tell(RiskMarked(assets=(), lost=("ETH",)))
    house.open("-1")
    house.limit(Control.LEVERAGE, "0.1")
    assert house.ask_order() is None  # two short by thirty, all at 2,000
    house.open("1", "1000")
    assert why(house.ask_order()) == "LEVERAGE"  # those two at 2,000, the thirty at 1,000


def test_what_a_price_rests_on_may_be_too_old():
    house = House()
    assert why(house.ask_order(age_ms=1_001)) == "REFERENCE_STALE"
    assert house.ask_order(age_ms=1_000) is None


def test_a_stable_that_lost_its_peg_is_taken_for_what_is_owed_only():
    house = House()
    house.tell(AssetSuspended(asset="USDT", law=Law.DEPEG, text="0.9", observed_at_us=START_US))
    assert why(house.ask_order(purpose=Purpose.REBALANCE)) == "ASSET_DEPEGGED"
    assert house.ask_order(purpose=Purpose.OPEN) is None
    held: dict[str, Any] = {"underlying": "USDT", "asset": "USDT", "pair": "USDT/USDe", "legs": (), "quantity": Num(0)}
    assert why(house.ask_request(reference_usd=Num("0.9"), **held)) == "ASSET_DEPEGGED"
    assert house.ask_request(reference_usd=Num("0.9"), mint=False, **held) is None


def test_what_was_slipped_and_accepted_today_is_forgotten_tomorrow():
    house = House()
    cost = LegCost(
        round=1,
        venue="okx",
        account="main",
        symbol=SYMBOL,
        base=Num(-1),
        average_price=Num(1_990),
        middle=Num(2_000),
        expected_price=Num(2_000),
        usd_per_quote=Num(1),
        cost=Cost(slippage=Num(10)),
    )
    told = CostRealised(
        hedge_id=natural_id("hedge", "x"),
        request_id=natural_id("request", "x"),
        purpose=Purpose.OPEN,
        underlying="ETH",
        day="2023-11-14",
        completed=True,
        filled=Num(-1),
        legs=(cost, msgspec.structs.replace(cost, cost=None)),
        total=None,
        certificates=(),
    )
    gained = msgspec.structs.replace(cost, cost=Cost(slippage=Num(-8)))
    house.tell(told, msgspec.structs.replace(told, legs=(gained,)))
    house.limit(Control.SLIPPAGE_PER_DAY, "9", "asset:ETH")
    assert why(house.ask_request()) == "SLIPPAGE_BUDGET"
    assert house.ask_request(mint=False) is None
    assert house.ask_request(at_us=START_US + 86_400_000_000) is None
