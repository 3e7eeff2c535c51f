"""The controls of mints and redeems, through the commands that ask for them: what each refuses, and how it says so."""

from typing import Any

import pytest

from commands.handler import Decision
from domain.policy import CustodianTarget
from domain.quantity import num
from domain.risk_terms import Risk
from domain.routing.terms import Routing
from tests.support.controlled import account, interest, said
from tests.support.desk import Desk, reason
from tests.support.given import a_book, a_policy, an_oracle

DAY_US = 86_400_000_000
ONE, RATE = num(1), num("0.1")


def mint(desk: Desk, size: str = "1.5", *, nonce: int = 1, pair: str = "WETH/USDe") -> Decision:
    return desk.accept(desk.quote(size, pair=pair), nonce=nonce)


def settle(desk: Desk, quantity: str = "1.5", trade: str = "t1") -> None:
    """Let the one open request be hedged and settled."""
    desk.trade(desk.order(), quantity, trade=trade)
    desk.confirm()


class TestTold:
    def test_a_refusal_names_control_scope_limit_value_and_the_policy_it_was_decided_under(self):
        desk = Desk()
        desk.set_limit("order_notional", "3000", scope="pair:WETH/USDe")
        quote = desk.quote("1.50001")
        assert said(quote) == ("ORDER_NOTIONAL", "order_notional", "pair:WETH/USDe", "3000", "3000.02")
        assert quote.outcome.policy_version == 1
        desk.do("policy.adopt", {"policy": a_policy(gas=num("0.6"))}, actor="system")
        assert desk.quote("1.50001").outcome.policy_version == 2
        (refused,) = [event for event in desk.events if event.TOPIC == "control.refused.v2"]
        told: Any = refused
        assert (told.control, told.scope, told.policy_version) == ("order_notional", "pair:WETH/USDe", 1)
        assert desk.quote("1", pair="DOGE/USDe").outcome.policy_version == 0

    def test_the_gravest_is_told(self):
        desk = Desk()
        quote = desk.quote("1.5")
        told: list[str] = []
        for control, scope in (
            ("mint_per_day", "global"),
            ("gross_notional", "global"),
            ("net_delta", "asset:ETH"),
            ("order_notional", "global"),
        ):
            desk.set_limit(control, "1", scope=scope)
            told.append(reason(desk.accept(quote)))
        assert told == ["MINT_CAPACITY", "GROSS_NOTIONAL", "NET_DELTA", "ORDER_NOTIONAL"]

    @pytest.mark.parametrize(
        "control", ["order_notional", "mint_per_block", "mint_per_day", "gross_notional", "leverage", "open_orders"]
    )
    def test_without_its_limit_nothing_is_accepted(self, control: str):
        desk = Desk()
        account(desk, "100000")
        quote = desk.quote("1.5")
        desk.remove_limit(control)
        assert said(desk.accept(quote))[:3] == ("LIMIT_MISSING", control, "global")

    def test_a_limit_of_a_narrower_scope_binds_beside_it_and_never_instead(self):
        desk = Desk()
        desk.set_limit("order_notional", "500000", scope="asset:ETH")
        assert said(desk.quote("51"))[1:4] == ("order_notional", "global", "100000")


@pytest.mark.control("order_notional")
def test_a_request_is_worth_no_more_than_the_limit():
    desk = Desk()
    quote = desk.quote("1.5")
    desk.set_limit("order_notional", "2999.99")
    assert said(desk.accept(quote)) == ("ORDER_NOTIONAL", "order_notional", "global", "2999.99", "3000")
    assert said(desk.quote("1.5"))[0] == "ORDER_NOTIONAL"
    desk.set_limit("order_notional", "3000")
    assert reason(desk.accept(quote)) == ""


class TestCapacity:
    @pytest.mark.control("mint_per_block")
    def test_what_may_share_a_block_is_bounded_until_it_settled(self):
        desk = Desk()
        desk.set_limit("mint_per_block", "5000")
        assert reason(mint(desk)) == ""
        refused = desk.quote("1.5")
        assert said(refused)[:4] == ("MINT_CAPACITY", "mint_per_block", "global", "5000")
        settle(desk)
        assert reason(mint(desk, nonce=2)) == ""

    @pytest.mark.control("mint_per_day")
    def test_what_is_minted_in_a_day_is_bounded_though_it_settled(self):
        desk = Desk()
        desk.set_limit("mint_per_day", "5000", scope="pair:WETH/USDe")
        assert reason(mint(desk)) == ""
        settle(desk)
        quote = desk.quote("0.5")
        desk.set_limit("mint_per_day", "3500", scope="pair:WETH/USDe")
        refused = desk.accept(quote, nonce=2)
        assert said(refused)[:4] == ("MINT_CAPACITY", "mint_per_day", "pair:WETH/USDe", "3500")
        assert reason(mint(desk, "1000", nonce=3, pair="USDT/USDe")) == ""
        desk.now_us += DAY_US
        assert reason(mint(desk, nonce=4)) == ""

    @pytest.mark.control("redeem_per_block")
    def test_what_is_redeemed_in_a_block_is_bounded(self):
        desk = Desk()
        desk.held()
        desk.set_limit("redeem_per_block", "3000")
        assert reason(desk.accept(desk.quote("2000", side="REDEEM"))) == ""
        refused = desk.quote("1001", side="REDEEM")
        assert said(refused) == ("REDEEM_CAPACITY", "redeem_per_block", "global", "3000", "3001")

    @pytest.mark.control("redeem_per_day")
    def test_what_is_redeemed_in_a_day_is_bounded_apart_from_what_is_minted(self):
        desk = Desk()
        desk.held()
        desk.set_limit("redeem_per_day", "3000")
        assert reason(desk.accept(desk.quote("2000", side="REDEEM"))) == ""
        settle(desk, str(desk.order().quantity), trade="r1")
        refused = desk.quote("1001", side="REDEEM")
        assert said(refused) == ("REDEEM_CAPACITY", "redeem_per_day", "global", "3000", "3001")


class TestPositions:
    @pytest.mark.control("net_delta")
    def test_the_worst_corner_is_bounded_whatever_fills_or_settles(self):
        desk = Desk()
        desk.set_limit("net_delta", "2", scope="asset:ETH")
        assert reason(mint(desk)) == ""
        assert said(mint(desk, nonce=2)) == ("NET_DELTA", "net_delta", "asset:ETH", "2", "3")

    @pytest.mark.control("gross_notional")
    def test_gross_notional_counts_what_open_orders_may_fill(self):
        desk = Desk()
        desk.set_limit("gross_notional", "6000")
        assert reason(mint(desk)) == ""
        assert said(mint(desk, nonce=2))[:4] == ("GROSS_NOTIONAL", "gross_notional", "global", "6000")
        assert reason(mint(desk, "1", nonce=3)) == ""

    @pytest.mark.control("position_notional")
    def test_the_position_in_one_instrument_is_bounded(self):
        desk = Desk()
        desk.set_limit("position_notional", "6000", scope="venue:binanceusdm")
        assert reason(mint(desk)) == ""
        settle(desk)
        refused = mint(desk, nonce=2)
        assert said(refused)[:4] == ("POSITION_NOTIONAL", "position_notional", "venue:binanceusdm", "6000")

    def test_what_closes_goes_on_beyond_a_limit_and_nothing_opens(self):
        desk = Desk()
        desk.held()
        desk.set_limit("gross_notional", "100")
        desk.set_limit("position_notional", "100")
        assert reason(mint(desk, "0.1")) in {"GROSS_NOTIONAL", "POSITION_NOTIONAL"}
        assert reason(desk.accept(desk.quote("4000", side="REDEEM"), nonce=2)) == ""
        assert desk.order().reduce_only

    @pytest.mark.control("open_interest_share")
    def test_our_part_of_what_a_venue_holds_for_all_is_bounded(self):
        desk = Desk()
        interest(desk, "10")
        desk.set_limit("open_interest_share", "1500")
        assert reason(mint(desk)) == ""
        assert said(mint(desk, "0.1", nonce=2)) == (
            "OPEN_INTEREST_SHARE",
            "open_interest_share",
            "global",
            "1500",
            "1600",
        )

    @pytest.mark.control("open_interest_share")
    def test_where_a_venue_tells_of_others_but_not_of_this_it_is_unknown(self):
        desk = Desk()
        interest(desk, "10", symbol="BTC/USDT:USDT")
        assert said(mint(desk))[:3] == ("VALUE_UNKNOWN", "open_interest_share", "global")


class TestAccounts:
    @pytest.mark.control("margin_ratio")
    def test_maintenance_by_equity_is_bounded_where_the_hedge_goes(self):
        desk = Desk()
        desk.held()
        account(desk, "2000", maintenance="400", quantity="-10")
        desk.set_limit("leverage", "50")
        desk.set_limit("margin_ratio", "0.2", scope="venue:binanceusdm")
        assert said(mint(desk))[:4] == ("MARGIN_RATIO", "margin_ratio", "venue:binanceusdm", "0.2")
        desk.now_us += 1
        account(desk, "2500", maintenance="400", quantity="-10")
        assert reason(mint(desk, nonce=2)) == ""

    @pytest.mark.control("leverage")
    def test_gross_notional_by_equity_is_bounded_where_the_hedge_goes(self):
        desk = Desk()
        account(desk, "1000")
        desk.set_limit("leverage", "2")
        assert said(mint(desk))[:4] == ("LEVERAGE", "leverage", "global", "2")
        assert reason(mint(desk, "0.9", nonce=2)) == ""

    @pytest.mark.control("margin_ratio")
    @pytest.mark.control("leverage")
    def test_an_account_that_nobody_saw_is_unknown_where_margin_is_looked_at(self):
        desk = Desk()
        quote = desk.quote("1.5")
        looked = a_policy(routing=Routing(margin_rate=RATE))
        desk.do("policy.adopt", {"policy": looked}, actor="system")
        assert reason(desk.accept(quote)) in {"ROOM_INSUFFICIENT", "VALUE_UNKNOWN"}

    @pytest.mark.control("unsettled_profit")
    def test_where_profit_stands_unpaid_no_mint_is_hedged_and_redeems_go_on(self):
        desk = Desk()
        desk.held()
        account(desk, "100000", quantity="-10", unrealised="5000")
        desk.set_limit("unsettled_profit", "4999", scope="venue:binanceusdm")
        assert said(mint(desk))[:3] == ("UNSETTLED_PROFIT", "unsettled_profit", "venue:binanceusdm")
        assert reason(desk.accept(desk.quote("4000", side="REDEEM"), nonce=2)) == ""


class TestConcentration:
    @pytest.mark.control("venue_concentration")
    def test_no_mint_is_hedged_where_too_much_stands_already(self):
        desk = Desk(policy=a_policy(risk=Risk(concentration_floor=ONE)))
        account(desk, "100000")
        desk.set_limit("venue_concentration", "9000")
        assert said(mint(desk))[:4] == ("VENUE_CONCENTRATION", "venue_concentration", "global", "9000")
        wide = Desk()  # counted of a floor, the first dollar does not concentrate everything
        account(wide, "100000")
        wide.set_limit("venue_concentration", "9000")
        assert reason(mint(wide)) == ""

    @pytest.mark.control("custodian_concentration")
    def test_no_mint_goes_to_a_custodian_that_would_keep_too_much(self):
        target = CustodianTarget(address="0x00000000000000000000000000000000000000c1", ratio_bps=10_000)
        desk = Desk(policy=a_policy(custodians=(target,), risk=Risk(concentration_floor=ONE)))
        desk.set_limit("custodian_concentration", "9999")
        told = said(mint(desk))
        assert told[:4] == ("CUSTODIAN_CONCENTRATION", "custodian_concentration", "global", "9999")

    @pytest.mark.control("stable_concentration")
    def test_no_more_of_one_stable_is_taken_than_its_share(self):
        desk = Desk(policy=a_policy(risk=Risk(concentration_floor=num(10_000))))
        desk.set_limit("stable_concentration", "2000", scope="stable:USDT")
        assert reason(mint(desk, "1900", pair="USDT/USDe")) == ""
        refused = mint(desk, "1900", pair="USDT/USDe", nonce=2)
        assert said(refused)[:4] == ("STABLE_CONCENTRATION", "stable_concentration", "stable:USDT", "2000")


@pytest.mark.control("slippage_per_day")
def test_once_the_days_slippage_is_spent_no_mint_is_taken_until_tomorrow():
    desk = Desk()
    assert reason(mint(desk)) == ""
    order = desk.order()
    desk.acknowledge(order, filled="1.5")
    desk.fill(order, "1.5", price="1991")  # far below what was planned
    desk.confirm()
    desk.set_limit("slippage_per_day", "5")
    assert said(mint(desk, nonce=2))[:4] == ("SLIPPAGE_BUDGET", "slippage_per_day", "global", "5")
    assert reason(desk.accept(desk.quote("1000", side="REDEEM"), nonce=3)) == ""
    desk.now_us += DAY_US
    assert reason(mint(desk, nonce=4)) == ""


class TestData:
    @pytest.mark.control("quote_age")
    def test_what_is_decided_on_is_no_older_than_the_limit(self):
        desk = Desk()
        quote = desk.quote("1.5")
        desk.evidence = (a_book(age_ms=501),)
        assert said(desk.accept(quote)) == ("REFERENCE_STALE", "quote_age", "global", "500", "501")
        assert said(desk.quote("1.5")) == ("REFERENCE_STALE", "quote_age", "global", "500", "501")

    @pytest.mark.control("reference_missing")
    def test_without_a_reference_nothing_is_quoted_or_accepted(self):
        desk = Desk()
        quote = desk.quote("1.5")
        desk.evidence = ()
        assert reason(desk.quote("1.5")) == "REFERENCE_MISSING"
        assert reason(desk.accept(quote)) == "REFERENCE_MISSING"

    @pytest.mark.control("depeg")
    def test_a_stable_far_from_a_dollar_is_not_minted_against_and_may_be_redeemed(self):
        desk = Desk()
        assert reason(mint(desk, "5000", pair="USDT/USDe")) == ""
        desk.confirm()
        desk.heard = tuple(an_oracle(name, "0.97", "USDT") for name in ("pyth", "redstone"))
        assert reason(desk.quote("1000", pair="USDT/USDe")) == "ASSET_DEPEGGED"
        assert reason(desk.quote("1000", pair="USDT/USDe", side="REDEEM")) == ""
