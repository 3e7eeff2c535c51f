"""What the chain would refuse is refused before: who may ask and sign, what a wallet covers, what a block takes."""

from typing import Any

import pytest

from commands.admission import check_amounts
from domain.onchain import CHAIN
from domain.policy import CustodianTarget
from domain.quantity import Amount, Num
from domain.quote import Side
from domain.refusal import Reason
from tests.support.desk import Desk, reason
from tests.support.given import (
    BENEFACTOR,
    CUSTODIANS,
    DOLLARS,
    USDT,
    WETH,
    a_policy,
    a_transaction,
    a_wallet,
    asset_terms,
    some_terms,
)

OTHER = "0x" + "5e" * 20
TARGETS = tuple(CustodianTarget(address=each, ratio_bps=5_000) for each in CUSTODIANS)


def seeing(*, policy: dict[str, Any] | None = None, **terms: Any) -> Desk:
    """Return a desk that sees the chain."""
    desk = Desk(policy=a_policy(**({"custodians": TARGETS} | (policy or {}))))
    desk.see_the_chain(**terms)
    return desk


class TestTheChainIsUnknown:
    def test_without_the_chain_a_policy_that_does_not_need_it_goes_on(self):
        desk = Desk()
        assert reason(desk.accept(desk.quote())) == ""

    def test_what_needs_the_chain_is_quoted_and_not_accepted(self):
        desk = Desk(policy=a_policy(chain_required=True, custodians=TARGETS))
        refused = desk.accept(desk.quote(), wallet=a_wallet())
        assert reason(refused) == "CHAIN_UNKNOWN"

    def test_it_may_be_asked_again_once_the_chain_is_seen(self):
        desk = Desk(policy=a_policy(chain_required=True, custodians=TARGETS))
        quote = desk.quote()
        assert desk.accept(quote, wallet=a_wallet()).transient
        desk.see_the_chain()
        assert reason(desk.accept(quote, wallet=a_wallet())) == ""

    def test_nobody_is_judged_by_a_chain_that_was_not_seen(self):
        desk = Desk(policy=a_policy(chain_required=True, custodians=TARGETS))
        assert reason(desk.accept(desk.quote(), signer=OTHER, beneficiary=OTHER, wallet=a_wallet())) == "CHAIN_UNKNOWN"

    def test_a_lost_chain_an_unseen_wallet_and_no_custodian_are_all_the_same(self):
        desk = seeing(policy={"chain_required": True})
        quote = desk.quote()
        assert reason(desk.accept(quote)) == "CHAIN_UNKNOWN"
        desk.do("dependency.degraded", {"dependency": CHAIN, "text": "no quorum"})
        assert reason(desk.accept(quote, wallet=a_wallet())) == "CHAIN_UNKNOWN"
        desk.do("dependency.restored", {"dependency": CHAIN, "text": "back"})
        for custodian in CUSTODIANS:
            desk.party("custodian", custodian, admitted=False, block_number=101)
        assert reason(desk.accept(quote, wallet=a_wallet())) == "CHAIN_UNKNOWN"
        desk.party("custodian", CUSTODIANS[0], block_number=102)
        assert reason(desk.accept(quote, wallet=a_wallet())) == ""


class TestParties:
    def test_both_whitelists_must_name_a_benefactor(self):
        desk = Desk()
        desk.observe()
        assert reason(desk.quote()) == "BENEFACTOR_NOT_WHITELISTED"
        desk.party("benefactor", BENEFACTOR)
        assert reason(desk.quote()) == ""
        desk.party("benefactor", OTHER)
        body = {"pair": "WETH/USDe", "side": "MINT", "kind": "ALGO", "size": "1", "benefactor": OTHER}
        assert reason(desk.do("quote.issue", body)) == "BENEFACTOR_NOT_WHITELISTED"

    def test_one_removed_meanwhile_is_refused(self):
        desk = seeing()
        quote = desk.quote()
        desk.party("benefactor", BENEFACTOR, admitted=False, block_number=101)
        assert reason(desk.accept(quote)) == "BENEFACTOR_NOT_WHITELISTED"

    def test_another_beneficiary_is_paid_once_his_owner_approved_him(self):
        desk = seeing()
        quote = desk.quote()
        desk.party("beneficiary", OTHER, USDT)
        assert reason(desk.accept(quote, beneficiary=OTHER)) == "BENEFICIARY_NOT_APPROVED"
        desk.party("beneficiary", OTHER, BENEFACTOR)
        assert reason(desk.accept(quote, beneficiary=OTHER)) == ""

    def test_a_delegate_signs_once_his_owner_confirmed_him(self):
        desk = seeing()
        quote = desk.quote()
        desk.party("delegate", OTHER, USDT)
        assert reason(desk.accept(quote, signer=OTHER)) == "SIGNATURE_INVALID"
        desk.party("delegate", OTHER, BENEFACTOR)
        accepted: Any = desk.accept(quote, signer=OTHER).events[1]
        assert (accepted.signer, accepted.signature_type) == (OTHER, "EIP712")

    def test_a_wallet_that_is_a_contract_signs_for_itself(self):
        desk = seeing()
        quote = desk.quote()
        contract: dict[str, Any] = {"signature_type": "EIP1271", "signer": OTHER}
        assert reason(desk.accept(quote, **contract)) == "SIGNATURE_INVALID"
        assert reason(desk.accept(quote, **contract, contract_signature=False)) == "SIGNATURE_INVALID"
        accepted: Any = desk.accept(quote, **contract, contract_signature=True).events[1]
        assert (accepted.signer, accepted.signature_type) == (BENEFACTOR, "EIP1271")

    def test_there_are_two_kinds_of_signature(self):
        desk = Desk()
        assert reason(desk.accept(desk.quote(), signature_type="EIP191")) == "SIGNATURE_INVALID"


class TestWallets:
    def test_a_mint_takes_no_more_collateral_than_there_is_and_is_approved(self):
        desk = Desk()
        quote = desk.quote("1.5")
        refused = desk.accept(quote, wallet=a_wallet("1.499999999999999999"))
        assert (reason(refused), refused.outcome.value) == ("WALLET_BALANCE", str(15 * 10**17))
        assert reason(desk.accept(quote, wallet=a_wallet("2", allowance=15 * 10**17 - 1))) == "WALLET_ALLOWANCE"
        assert reason(desk.accept(quote, wallet=a_wallet("1.5"))) == ""

    def test_a_redeem_takes_no_more_dollars_than_there_are_and_are_approved(self):
        desk = Desk()
        desk.held()
        quote = desk.quote("1000", side="REDEEM")
        assert reason(desk.accept(quote, wallet=a_wallet("999"))) == "ISSUED_BALANCE"
        assert reason(desk.accept(quote, wallet=a_wallet("1000", allowance=1))) == "ISSUED_ALLOWANCE"
        assert reason(desk.accept(quote, wallet=a_wallet("1000"))) == ""

    def test_what_open_requests_will_take_is_not_there(self):
        desk = Desk()
        assert reason(desk.accept(desk.quote("1.5"), wallet=a_wallet("2"))) == ""
        second = desk.quote("1")
        assert reason(desk.accept(second, nonce=2, wallet=a_wallet("2"))) == "WALLET_BALANCE"
        assert reason(desk.accept(second, nonce=2, wallet=a_wallet("2.5"))) == ""

    def test_what_a_block_took_already_is_not_taken_twice(self):
        desk = seeing()
        desk.accept(desk.quote("100", pair="USDT/USDe"))
        desk.submit()
        desk.include(block=101)
        second = desk.quote("50", pair="USDT/USDe")
        short = {"block_number": 100, "balance": 100_000_000, "allowance": 100_000_000}
        assert reason(desk.accept(second, nonce=2, wallet=short)) == "WALLET_BALANCE"
        after = {"block_number": 101, "balance": 50_000_000, "allowance": 50_000_000}
        assert reason(desk.accept(second, nonce=2, wallet=after)) == ""

    def test_the_wallet_is_judged_before_the_state(self):
        desk = Desk()
        quote = desk.quote()
        desk.change_mode("HALTED")
        assert reason(desk.accept(quote, wallet=a_wallet("0"))) == "WALLET_BALANCE"


class TestTerms:
    def test_an_inactive_asset_is_neither_quoted_nor_accepted(self):
        desk = seeing()
        quote = desk.quote()
        desk.observe(some_terms(weth=asset_terms(WETH, active=False), block_number=101))
        assert reason(desk.quote()) == "ASSET_INACTIVE"
        assert reason(desk.accept(quote)) == "ASSET_INACTIVE"
        assert reason(desk.quote("5", pair="USDT/USDe")) in {"", "STABLE_PRICE"}

    def test_an_asset_that_the_contract_does_not_know_is_inactive(self):
        desk = seeing()
        desk.observe(some_terms(block_number=101, assets=(asset_terms(USDT),)))
        assert reason(desk.quote()) == "ASSET_INACTIVE"

    @pytest.mark.parametrize("cap", ["asset", "global"])
    def test_a_size_above_the_cap_less_its_margin_never_fits(self, cap: str):
        desk = seeing(policy={"capacity_margin_bps": Num(1_000)})
        atoms = 2_000 * DOLLARS
        terms: dict[str, Any] = (
            {"weth": asset_terms(WETH, max_mint_per_block=atoms)}
            if cap == "asset"
            else {"global_max_mint_per_block": atoms}
        )
        desk.observe(some_terms(block_number=101, **terms))
        assert reason(desk.quote("0.91")) == "BLOCK_CAPACITY_SET"
        assert reason(desk.quote("0.89")) == ""

    def test_open_requests_hold_their_part_of_a_block_until_they_are_in_one(self):
        desk = seeing(global_max_mint_per_block=210 * DOLLARS, stables_delta_limit_bps=100)
        first, second = desk.quote("100", pair="USDT/USDe"), desk.quote("101", pair="USDT/USDe")
        assert reason(desk.accept(first)) == ""
        assert reason(desk.accept(second, nonce=2)) == "BLOCK_CAPACITY_LEFT"
        assert reason(desk.quote("101", pair="USDT/USDe")) == "BLOCK_CAPACITY_LEFT"
        desk.submit()
        assert reason(desk.accept(second, nonce=2)) == "BLOCK_CAPACITY_LEFT"
        desk.include(error="MaxMintPerBlockExceeded")
        assert reason(desk.accept(second, nonce=2)) == "BLOCK_CAPACITY_LEFT"
        desk.submit()
        desk.include(block=102)
        assert reason(desk.accept(second, nonce=2)) == ""

    def test_a_redeem_is_paid_from_the_hot_balance(self):
        desk = Desk()
        desk.held()
        desk.see_the_chain(weth=asset_terms(WETH, hot_balance=10**18))
        quote = desk.quote("1900", side="REDEEM")
        assert reason(desk.quote("2100", side="REDEEM")) == "HOT_BALANCE"
        assert reason(desk.accept(quote, nonce=2)) == ""
        assert reason(desk.quote("200", side="REDEEM")) == "HOT_BALANCE"

    def test_a_stable_is_taken_for_its_face_as_the_contract_computes_it(self):
        desk = seeing()
        quote = desk.quote("1.5")
        # The contract now takes WETH for a stable: 1.5 of it against some 3,000 dollars is far from its face.
        desk.observe(some_terms(block_number=101, weth=asset_terms(WETH, stable=True), stables_delta_limit_bps=9_000))
        refused = desk.accept(quote)
        assert (reason(refused), refused.transient, refused.outcome.limit) == ("STABLE_PRICE", True, "9000")
        desk.observe(some_terms(block_number=102, weth=asset_terms(WETH, stable=True), stables_delta_limit_bps=10_000))
        assert reason(desk.accept(quote)) == ""

    def test_a_stable_may_always_be_worse_for_the_taker(self):
        desk = seeing()
        mint = desk.quote("1", pair="USDT/USDe")  # half of it is gas
        assert reason(desk.accept(mint)) == ""
        desk.confirm()
        redeem = desk.quote("0.6", pair="USDT/USDe", side="REDEEM")
        assert reason(desk.accept(redeem, nonce=2)) == ""


class TestTheFaceOfAStable:
    """The contract looks one way only: at what the taker gains. 10,000 dollars are 10^10 atoms of six decimals."""

    FACE = 10_000_000_000

    def judged(self, side: Side, gain_atoms: int, *, limit: int = 5) -> str:
        """Return the reason for a side of 10,000 dollars of which the taker gains this many atoms of the stable."""
        desk = seeing(stables_delta_limit_bps=limit)
        pair = desk.book.pair("USDT/USDe")
        assert pair is not None
        collateral = self.FACE - gain_atoms if side is Side.MINT else self.FACE + gain_atoms
        refusal = check_amounts(desk.book, pair, side, Amount("USDT", collateral), Amount("USDe", 10_000 * DOLLARS))
        assert refusal is None or refusal.reason is Reason.STABLE_PRICE
        return refusal.value if refusal is not None else ""

    @pytest.mark.parametrize("side", Side)
    def test_what_the_taker_loses_is_never_refused(self, side: Side):
        assert self.judged(side, 0, limit=0) == ""
        assert self.judged(side, -self.FACE // 2, limit=0) == ""

    @pytest.mark.parametrize("side", Side)
    def test_what_the_taker_gains_is_refused_above_the_limit(self, side: Side):
        assert self.judged(side, self.FACE // 2) == "5000"
        assert self.judged(side, 6_000_000) == "6"

    @pytest.mark.parametrize("side", Side)
    def test_only_whole_basis_points_count(self, side: Side):
        assert self.judged(side, 5_999_999) == ""
        assert self.judged(side, 999_999, limit=0) == ""
        assert self.judged(side, 1_000_000, limit=0) == "1"

    def test_what_is_no_stable_has_no_face(self):
        desk = seeing()
        pair = desk.book.pair("WETH/USDe")
        assert pair is not None
        wide = (Amount("WETH", 1), Amount("USDe", DOLLARS))
        assert check_amounts(desk.book, pair, Side.MINT, *wide) is None


def test_a_delegate_may_not_sign_away_much_of_an_order():
    desk = seeing(policy={"delegate_slippage_bps_max": Num(50)}, stables_delta_limit_bps=100)
    desk.party("delegate", OTHER, BENEFACTOR)
    small, large = desk.quote("10", pair="USDT/USDe"), desk.quote("10000", pair="USDT/USDe")
    assert reason(desk.accept(small, signer=OTHER)) == "DELEGATE_SLIPPAGE"
    assert reason(desk.accept(small)) == ""
    assert reason(desk.accept(large, nonce=2, signer=OTHER)) == ""


class TestSubmitting:
    def test_only_the_next_nonce_is_taken(self):
        desk = Desk()
        desk.accept(desk.quote("100", pair="USDT/USDe"))
        assert reason(desk.submit(a_transaction(6), count=7)) == "TRANSACTION_INVALID"
        assert reason(desk.submit(a_transaction(7), count=7)) == ""

    def test_what_does_not_fit_the_block_waits(self):
        desk = seeing()
        desk.accept(desk.quote("100", pair="USDT/USDe"))
        desk.observe(some_terms(block_number=101, global_max_mint_per_block=0))
        refused = desk.submit()
        assert (reason(refused), refused.transient) == ("SETTLEMENT_WAITS", True)
