"""A signed order is accepted once it matches its quote and passes every control, refused for the first that says no."""

from typing import Any
from uuid import UUID

import pytest

from commands.request import quote_key
from domain.book import QUOTE_RETENTION_US
from domain.refusal import Reason
from tests.support.desk import Desk, reason, tags
from tests.support.given import BENEFACTOR, USDT, WETH, a_book, a_policy

STRANGER = "0x" + "ff" * 20


def test_a_mint_is_accepted_with_its_hedge_in_one_breath():
    desk = Desk()
    accepted = desk.accept(desk.quote("1.5"))
    assert tags(accepted.events)[:3] == ["quote.used", "request.accepted", "hedge.planned"]
    planned: Any = accepted.events[2]
    assert (str(planned.exposure), str(planned.quantity), planned.purpose) == ("1.5", "-1.5", "open")
    # The reference 2000.05 less 50 bps is 1990.04975: a sell accepts no worse than the tick above it.
    assert (str(planned.reference), str(planned.legs[0].limit_price)) == ("2000.05", "1990.05")


def test_a_redeem_buys_back():
    desk = Desk()
    desk.held()
    planned: Any = desk.accept(desk.quote("3000", side="REDEEM")).events[2]
    assert (planned.purpose, planned.quantity > 0, str(planned.legs[0].limit_price)) == ("close", True, "2010.05")


def test_a_stable_needs_no_hedge_and_settles_at_once():
    desk = Desk()
    accepted = desk.accept(desk.quote("100", pair="USDT/USDe"))
    assert tags(accepted.events) == ["quote.used", "request.accepted", "settlement.submission_requested"]
    assert tags(desk.confirm().events) == ["settlement.confirmed", "request.completed"]
    assert desk.book.backing == {"USDT": 100_000_000}
    assert desk.book.issued == 99_500_000_000_000_000_000


class TestPrecedence:
    """Each refusal with every later one still wrong as well: the first in the order of `Reason` is told."""

    LADDER: tuple[tuple[Reason, dict[str, object]], ...] = (
        (Reason.ORDER_TYPE_INVALID, {"order_type": "LEND"}),
        (Reason.ASSET_UNSUPPORTED, {"collateral_asset": STRANGER}),
        (Reason.BENEFACTOR_NOT_WHITELISTED, {"benefactor": STRANGER, "beneficiary": STRANGER, "signer": STRANGER}),
        (Reason.BENEFICIARY_NOT_APPROVED, {"beneficiary": WETH}),
        (Reason.SIGNATURE_INVALID, {"signer": WETH}),
        (Reason.HALTED, {}),
    )
    LATER: tuple[tuple[Reason, dict[str, object]], ...] = (
        (Reason.QUOTE_UNKNOWN, {"order_id": "RFQ-00000000-0000-0000-0000-000000000000"}),
        (Reason.QUOTE_MISMATCH, {"issued_amount": 1}),
        (Reason.ORDER_EXPIRED, {"expiry": 0}),
        (Reason.NONCE_INVALID, {"nonce": 0}),
        (Reason.REFERENCE_MISSING, {}),
    )

    @pytest.mark.parametrize("first", range(len(LADDER)))
    def test_the_asker_then_the_state(self, first: int):
        desk = Desk()
        quote = desk.quote()
        desk.change_mode("HALTED")
        desk.evidence = ()
        wrong: dict[str, Any] = {}
        for _, change in (*self.LADDER[first:], *self.LATER):
            wrong = change | wrong
        assert reason(desk.accept(quote, **wrong)) == self.LADDER[first][0].name

    @pytest.mark.parametrize("first", range(len(LATER)))
    def test_then_the_quote_then_the_data(self, first: int):
        desk = Desk()
        quote = desk.quote()
        desk.evidence = ()
        wrong: dict[str, Any] = {}
        for _, change in self.LATER[first:]:
            wrong = change | wrong
        assert reason(desk.accept(quote, **wrong)) == self.LATER[first][0].name

    def test_then_the_limits_then_the_price(self):
        desk = Desk()
        quote = desk.quote()
        # The market fell by 10%: the collar is missing, the delta and the size too great, and it moved too much.
        desk.evidence = (a_book("1800", "1800.1"),)
        desk.remove_limit("price_collar")
        desk.set_limit("order_notional", "100")
        desk.set_limit("net_delta", "1", scope="asset:ETH")
        told = [reason(desk.accept(quote))]
        desk.set_limit("price_collar", "1")
        told.append(reason(desk.accept(quote)))
        desk.set_limit("order_notional", "100000")
        told.append(reason(desk.accept(quote)))
        desk.set_limit("net_delta", "2", scope="asset:ETH")
        told.append(reason(desk.accept(quote)))
        desk.set_limit("price_collar", "100")
        told.append(reason(desk.accept(quote)))
        desk.evidence = (a_book(),)
        told.append(reason(desk.accept(quote)))
        assert told == ["LIMIT_MISSING", "ORDER_NOTIONAL", "NET_DELTA", "PRICE_COLLAR", "MARKET_MOVED", ""]

    def test_reasons_stand_in_the_order_of_their_numbers(self):
        assert [reason.value for reason in Reason] == sorted(reason.value for reason in Reason)


def test_without_a_policy_nothing_is_accepted():
    desk = Desk()
    quote = desk.quote()
    desk.book.policy = None
    assert reason(desk.accept(quote)) == "POLICY_MISSING"


class TestQuotes:
    def test_a_quote_is_used_once(self):
        desk = Desk()
        quote = desk.quote()
        assert reason(desk.accept(quote)) == ""
        assert reason(desk.accept(quote, nonce=2)) == "QUOTE_USED"

    def test_a_quote_expires_and_is_later_forgotten(self):
        desk = Desk()
        quote: Any = desk.quote()
        desk.now_us += 15_000_000 - 1
        assert reason(desk.accept(quote, expiry=0)) == "ORDER_EXPIRED"
        desk.now_us += 1
        assert reason(desk.accept(quote)) == "QUOTE_EXPIRED"
        desk.now_us += QUOTE_RETENTION_US + 1
        desk.quote("1")
        assert reason(desk.accept(quote)) == "QUOTE_UNKNOWN"

    def test_a_used_quote_is_told_apart_from_an_unknown_one_until_its_retention_ends(self):
        desk = Desk()
        quote = desk.quote()
        desk.accept(quote)
        desk.now_us += 15_000_000 + QUOTE_RETENTION_US
        desk.quote("1")
        assert reason(desk.accept(quote, nonce=2)) == "QUOTE_USED"
        desk.now_us += 1
        desk.quote("1")
        assert reason(desk.accept(quote, nonce=2)) == "QUOTE_UNKNOWN"
        assert desk.book.used_quotes == {}

    @pytest.mark.parametrize(
        ("name", "change"),
        [
            ("collateral_amount", {"collateral_amount": 1_500_000_000_000_000_001}),
            ("collateral_amount", {"collateral_amount": 1_499_999_999_999_999_999}),
            ("usde_amount", {"issued_amount": 2_995_900_000_000_000_000_001}),
            ("usde_amount", {"issued_amount": 2_995_899_999_999_999_999_999}),
            ("order_type", {"order_type": "REDEEM"}),
            ("collateral_asset", {"collateral_asset": USDT}),
            ("benefactor", {"benefactor": WETH, "beneficiary": WETH, "signer": WETH}),
        ],
    )
    def test_an_order_off_by_one_atom_is_not_its_quote(self, name: str, change: dict[str, Any]):
        desk = Desk(policy=a_policy(benefactors=()))
        refused = desk.accept(desk.quote(), **change)
        assert reason(refused) == "QUOTE_MISMATCH"
        assert name in refused.outcome.text

    def test_an_order_id_may_leave_the_prefix_out_and_ignores_case(self):
        key = UUID("0123e567-89ab-4cde-8123-456789abcdef")
        spellings = (f"RFQ-{key}", f"rfq-{key}", str(key), str(key).upper(), f"RFQ-{key}".upper(), f" {key} ")
        assert {quote_key(text) for text in spellings} == {key}
        assert quote_key("RFQ-") is None
        assert quote_key("'; drop table") is None

    def test_an_order_id_that_is_none_names_no_quote(self):
        desk = Desk()
        assert reason(desk.accept(desk.quote(), order_id="no quote")) == "QUOTE_UNKNOWN"


class TestFreshness:
    def test_an_order_must_live_for_its_least_time(self):
        desk = Desk()
        quote, second = desk.quote(), desk.now_us // 1_000_000
        assert reason(desk.accept(quote, expiry=second + 29)) == "ORDER_EXPIRED"
        assert reason(desk.accept(quote, expiry=second + 30)) == ""

    def test_an_order_may_live_for_ever(self):
        desk = Desk()
        accepted: Any = desk.accept(desk.quote(), expiry=(1 << 128) - 1).events[1]
        assert accepted.expiry_us == ((1 << 128) - 1) * 1_000_000

    @pytest.mark.parametrize("nonce", [0, -1, 1 << 120, 1 << 128])
    def test_a_nonce_is_above_zero_and_fits_120_bits(self, nonce: int):
        desk = Desk()
        assert reason(desk.accept(desk.quote(), nonce=nonce, order_hash="0x00")) == "NONCE_INVALID"

    @pytest.mark.parametrize("nonce", [1, 255, 256, (1 << 64) - 1, 1 << 64, (1 << 120) - 1])
    def test_a_nonce_is_used_once(self, nonce: int):
        desk = Desk()
        assert reason(desk.accept(desk.quote("1"), nonce=nonce)) == ""
        assert reason(desk.accept(desk.quote("1"), nonce=nonce)) == "NONCE_USED"

    def test_nonces_equal_in_their_low_64_bits_collide_as_the_contract_sees_them(self):
        desk = Desk()
        desk.accept(desk.quote("1"), nonce=7)
        assert reason(desk.accept(desk.quote("1"), nonce=(1 << 64) + 7)) == "NONCE_USED"
        assert reason(desk.accept(desk.quote("1"), nonce=(1 << 64) + 8)) == ""
        assert reason(desk.accept(desk.quote("1"), nonce=8)) == "NONCE_USED"
        assert reason(desk.accept(desk.quote("1"), nonce=7 + 256)) == ""

    def test_nonces_of_another_benefactor_are_his_own(self):
        desk = Desk(policy=a_policy(benefactors=(BENEFACTOR, WETH)))
        desk.accept(desk.quote("1"), nonce=7)
        body = {"pair": "WETH/USDe", "side": "MINT", "kind": "UI", "size": "1", "benefactor": WETH}
        other = desk.accept(
            desk.do("quote.issue", body),
            nonce=7,
            benefactor=WETH,
            beneficiary=WETH,
            signer=WETH,
            order_hash="0x" + "ab" * 32,
        )
        assert reason(other) == ""


class TestLastLook:
    @pytest.mark.parametrize(
        ("side", "bid", "told"),
        [
            ("MINT", "1994.01", ""),
            ("MINT", "1993.99", "MARKET_MOVED"),
            ("MINT", "2100", ""),
            ("REDEEM", "2006.0", ""),
            ("REDEEM", "2006.4", "MARKET_MOVED"),
            ("REDEEM", "1900", ""),
        ],
    )
    def test_a_move_against_the_book_beyond_the_band_is_refused_and_one_for_it_is_not(
        self, side: str, bid: str, told: str
    ):
        desk = Desk()
        desk.held()
        quote = desk.quote("1.5" if side == "MINT" else "3000", side=side)
        desk.evidence = (a_book(bid, f"{float(bid) + 0.1:.2f}"),)
        assert reason(desk.accept(quote)) == told

    def test_the_refusal_may_be_asked_again_under_the_same_id(self):
        desk = Desk()
        quote = desk.quote()
        desk.evidence = (a_book("1900", "1900.1"),)
        assert desk.accept(quote).transient


class TestDelta:
    def test_the_worst_corner_of_all_that_is_open_counts(self):
        desk = Desk()
        desk.set_limit("net_delta", "2.5", scope="asset:ETH")
        assert reason(desk.accept(desk.quote("1.5"), nonce=1)) == ""
        refused = desk.accept(desk.quote("1.5"), nonce=2)
        assert reason(refused) == "NET_DELTA"
        assert (refused.outcome.limit, refused.outcome.value) == ("2.5", "3")
        assert reason(desk.accept(desk.quote("1"), nonce=2)) == ""

    def test_without_a_limit_nothing_is_accepted(self):
        desk = Desk()
        desk.remove_limit("net_delta", scope="asset:ETH")
        refused = desk.accept(desk.quote("1.5"))
        assert (reason(refused), refused.outcome.control) == ("LIMIT_MISSING", "net_delta")

    def test_an_order_without_an_outcome_stays_in_exposure(self):
        desk = Desk()
        desk.set_limit("net_delta", "1.5", scope="asset:ETH")
        desk.accept(desk.quote("1.5"))
        order = desk.order()
        desk.unknown(order)
        assert reason(desk.accept(desk.quote("0.1"), nonce=2)) == "NET_DELTA"
        desk.trade(order, "1.5")
        desk.confirm()
        assert reason(desk.accept(desk.quote("0.1"), nonce=2)) == ""


class TestCollar:
    @pytest.mark.parametrize("sized", ["49.9", "50.1"])
    def test_the_limit_price_must_lie_within_the_collar(self, sized: str):
        desk = Desk()
        desk.set_limit("price_collar", sized)
        # 1990.05 lies 49.9987 bps below 2000.05.
        assert reason(desk.accept(desk.quote())) == ("PRICE_COLLAR" if sized == "49.9" else "")


def test_less_than_a_lot_is_carried_and_settles_without_an_order():
    desk = Desk()
    accepted = desk.accept(desk.quote("0.009"))  # 18 USD: below the venue's 20
    assert tags(accepted.events) == [
        "quote.used",
        "request.accepted",
        "hedge.planned",
        "hedge.completed",
        "settlement.submission_requested",
    ]
    assert str(desk.book.carry["ETH"]) == "-0.009"
    planned: Any = desk.accept(desk.quote("0.009"), nonce=2).events[2]
    assert str(planned.quantity) == "-0.018"
    assert desk.book.carry["ETH"] == 0
