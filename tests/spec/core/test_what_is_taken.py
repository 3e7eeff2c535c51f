"""What open requests take is taken from whom, of what and for as long as it really is: no more, and no less."""

from typing import Any

import pytest

from domain.policy import CustodianTarget
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


def desk_of_two(**terms: Any) -> Desk:
    """Return a desk with ten WETH and two benefactors, that sees the chain."""
    desk = Desk(policy=a_policy(custodians=TARGETS, benefactors=(BENEFACTOR, OTHER)))
    desk.held()
    desk.see_the_chain(stables_delta_limit_bps=100, **terms)
    desk.party("benefactor", OTHER)
    return desk


def quote_for_other(desk: Desk, size: str, side: str = "MINT", pair: str = "USDT/USDe") -> Any:
    return desk.do("quote.issue", {"pair": pair, "side": side, "kind": "ALGO", "size": size, "benefactor": OTHER})


def theirs(desk: Desk, quote: Any, nonce: int, **changes: Any) -> Any:
    return desk.accept(quote, nonce=nonce, benefactor=OTHER, beneficiary=OTHER, signer=OTHER, **changes)


def stable(units: int) -> dict[str, int]:
    """Return a wallet with that many whole dollars of the stable."""
    return {"block_number": 100, "balance": units * 10**6, "allowance": units * 10**6}


class TestWallets:
    def test_another_benefactors_requests_take_nothing(self):
        desk = desk_of_two()
        assert reason(desk.accept(desk.quote("100", pair="USDT/USDe"))) == ""
        first, second = quote_for_other(desk, "100"), quote_for_other(desk, "100")
        assert reason(theirs(desk, first, 1, wallet=stable(100), order_hash=f"0x{7:064x}")) == ""
        refused = theirs(desk, second, 2, wallet=stable(150), order_hash=f"0x{8:064x}")
        assert (reason(refused), refused.outcome.limit) == ("WALLET_BALANCE", str(50 * 10**6))

    def test_another_collateral_takes_nothing(self):
        desk = desk_of_two()
        assert reason(desk.accept(desk.quote("1.5"))) == ""
        assert reason(desk.accept(desk.quote("100", pair="USDT/USDe"), nonce=2, wallet=stable(100))) == ""

    def test_a_mint_does_not_take_the_dollars_that_it_brings(self):
        desk = desk_of_two()
        assert reason(desk.accept(desk.quote("1.5"))) == ""
        assert reason(desk.accept(desk.quote("1000", side="REDEEM"), nonce=2, wallet=a_wallet("1000"))) == ""

    def test_redeems_of_every_collateral_take_the_same_dollars(self):
        desk = desk_of_two()
        desk.accept(desk.quote("500", pair="USDT/USDe"))
        desk.confirm()
        assert reason(desk.accept(desk.quote("100", pair="USDT/USDe", side="REDEEM"), nonce=2)) == ""
        refused = desk.accept(desk.quote("1000", side="REDEEM"), nonce=3, wallet=a_wallet("1099"))
        assert (reason(refused), refused.outcome.limit) == ("ISSUED_BALANCE", str(999 * DOLLARS))

    def test_what_is_approved_is_taken_too(self):
        desk = desk_of_two()
        desk.accept(desk.quote("100", pair="USDT/USDe"))
        wallet = stable(1_000) | {"allowance": 150 * 10**6}
        refused = desk.accept(desk.quote("100", pair="USDT/USDe"), nonce=2, wallet=wallet)
        assert (reason(refused), refused.outcome.limit) == ("WALLET_ALLOWANCE", str(50 * 10**6))


class TestHotBalance:
    def redeeming(self) -> Desk:
        """Return a desk with one redeem of about a WETH in block 101, while the contract was seen at block 100."""
        desk = desk_of_two(weth=asset_terms(WETH, hot_balance=2 * 10**18))
        desk.accept(desk.quote("2000", side="REDEEM"), nonce=2)
        desk.trade(desk.order(), str(desk.order().quantity), trade="close")
        desk.submit()
        desk.include(block=101)
        return desk

    def test_what_a_later_block_paid_out_is_not_there_either(self):
        desk = self.redeeming()
        assert reason(desk.quote("3000", side="REDEEM")) == "HOT_BALANCE"
        assert reason(desk.quote("1900", side="REDEEM")) == ""

    def test_what_was_seen_to_be_paid_out_is_not_taken_twice(self):
        desk = self.redeeming()
        desk.observe(some_terms(block_number=101, weth=asset_terms(WETH, hot_balance=10**18)))
        assert reason(desk.quote("1900", side="REDEEM")) == ""
        assert reason(desk.quote("2100", side="REDEEM")) == "HOT_BALANCE"

    def test_mints_neither_need_it_nor_add_to_it(self):
        desk = desk_of_two(weth=asset_terms(WETH, hot_balance=10**18))
        assert reason(desk.accept(desk.quote("1.5"), nonce=2)) == ""
        assert reason(desk.quote("1900", side="REDEEM")) == ""
        assert reason(desk.quote("2100", side="REDEEM")) == "HOT_BALANCE"


class TestCapacity:
    def test_the_other_direction_has_a_cap_of_its_own(self):
        desk = desk_of_two(global_max_mint_per_block=110 * DOLLARS, global_max_redeem_per_block=1_100 * DOLLARS)
        assert reason(desk.accept(desk.quote("100", pair="USDT/USDe"))) == ""
        assert reason(desk.quote("100", pair="USDT/USDe")) == "BLOCK_CAPACITY_LEFT"
        assert reason(desk.quote("1000", side="REDEEM")) == ""
        assert reason(desk.quote("1100", side="REDEEM")) == "BLOCK_CAPACITY_SET"

    def test_another_collateral_takes_of_what_all_share_only(self):
        usdt = asset_terms(USDT, max_mint_per_block=110 * DOLLARS)
        desk = desk_of_two(usdt=usdt, weth=asset_terms(WETH, max_mint_per_block=3_200 * DOLLARS))
        assert reason(desk.accept(desk.quote("100", pair="USDT/USDe"))) == ""
        assert reason(desk.quote("100", pair="USDT/USDe")) == "BLOCK_CAPACITY_LEFT"
        assert reason(desk.quote("1.5")) == ""


def test_what_is_under_way_fills_the_cap_of_its_own_direction_only():
    desk = desk_of_two()
    desk.accept(desk.quote("500", pair="USDT/USDe"))
    desk.confirm()
    desk.accept(desk.quote("400", pair="USDT/USDe"), nonce=2)
    desk.submit()
    (mint_id,) = desk.book.settlements
    desk.accept(desk.quote("100", pair="USDT/USDe", side="REDEEM"), nonce=3)
    (redeem_id,) = [each for each in desk.book.settlements if each != mint_id]
    usdt = asset_terms(USDT, max_mint_per_block=0, max_redeem_per_block=110 * DOLLARS)
    desk.observe(some_terms(block_number=101, usdt=usdt))
    body = {"settlement_id": redeem_id, "attempt": 1, "transaction": a_transaction(1)}
    assert reason(desk.do("settlement.submit", body)) == ""


@pytest.mark.parametrize(("every", "refused"), [(2_400, ""), (2_150, "SETTLEMENT_WAITS")])
def test_two_collaterals_under_way_share_only_the_cap_of_all(every: int, refused: str):
    desk = desk_of_two()
    desk.accept(desk.quote("100", pair="USDT/USDe"))
    desk.submit()
    (stable_id,) = desk.book.settlements
    desk.accept(desk.quote("1"), nonce=2)  # some 2,000 dollars
    desk.trade(desk.order(), "1", trade="weth")
    (weth_id,) = [each for each in desk.book.settlements if each != stable_id]
    weth = asset_terms(WETH, max_mint_per_block=2_150 * DOLLARS)
    desk.observe(some_terms(block_number=101, weth=weth, global_max_mint_per_block=every * DOLLARS))
    body = {"settlement_id": weth_id, "attempt": 1, "transaction": a_transaction(1)}
    assert reason(desk.do("settlement.submit", body)) == refused
