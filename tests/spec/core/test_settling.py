"""What is hedged is settled, once; a settlement that surely failed gives its hedge back."""

from typing import Any
from uuid import UUID

from domain.exposure import exposure, imbalance
from tests.support.desk import Desk, reason, tags


def settling(desk: Desk, size: str = "1.5", *, side: str = "MINT", nonce: int = 1) -> Any:
    quote: Any = desk.quote(size, side=side)
    desk.accept(quote, nonce=nonce)
    desk.trade(desk.order(), str(desk.order().quantity), trade=f"t{nonce}")
    return quote.events[0]


def test_a_mint_brings_collateral_and_issues_dollars():
    desk = Desk()
    quote = settling(desk)
    confirmed: Any = desk.confirm().events[0]
    assert (confirmed.collateral, confirmed.issued, confirmed.reference) == (quote.collateral, quote.issued, "0xabc")
    assert desk.book.backing == {"WETH": quote.collateral.atoms}
    assert desk.book.issued == quote.issued.atoms
    assert (desk.book.requests, desk.book.settlements, desk.book.hedges, desk.book.orders) == ({}, {}, {}, {})


def test_a_redeem_takes_both_back():
    desk = Desk()
    minted = settling(desk, "10")
    desk.confirm()
    redeemed = settling(desk, "3000", side="REDEEM", nonce=2)
    desk.confirm()
    assert desk.book.backing == {"WETH": minted.collateral.atoms - redeemed.collateral.atoms}
    assert desk.book.issued == minted.issued.atoms - redeemed.issued.atoms
    assert imbalance(desk.book, "ETH") == 0


def test_the_collateral_is_in_exposure_either_way_until_it_is_settled():
    desk = Desk()
    settling(desk)
    interval = exposure(desk.book, "ETH").interval
    assert (str(interval.low), str(interval.high)) == ("-1.5", "0")
    desk.confirm()
    assert exposure(desk.book, "ETH").interval.worst == 0


def test_reports_that_come_again_or_contradict_change_nothing():
    desk = Desk()
    settling(desk)
    (settlement_id,) = desk.book.settlements
    desk.confirm()
    for kind, body in (
        ("settlement.confirmed", {"settlement_id": settlement_id, "reference": "0xdef"}),
        ("settlement.reverted", {"settlement_id": settlement_id, "text": "late"}),
        ("settlement.confirmed", {"settlement_id": UUID(int=3), "reference": "0xdef"}),
    ):
        late = desk.do(kind, body)
        assert (late.outcome.status, late.events) == ("accepted", ())


def test_a_reverted_settlement_fails_its_request_and_leaves_the_hedge_to_be_unwound():
    desk = Desk()
    settling(desk)
    failed = desk.revert().events
    assert tags(failed) == ["settlement.reverted", "request.settlement_failed"]
    told: Any = failed[1]
    assert (told.pair, told.text) == ("WETH/USDe", "out of gas")
    assert desk.book.requests == {}
    assert str(desk.book.carry["ETH"]) == "1.5"
    assert imbalance(desk.book, "ETH") == 0
    assert [wake.kind for wake in desk.book.wakes.values()] == ["hedge.unwind"]


def test_a_reverted_redeem_sells_its_hedge_again():
    desk = Desk()
    desk.held()
    settling(desk, "3000", side="REDEEM", nonce=2)
    desk.revert()
    desk.wake(0)
    assert desk.order().side == "sell"
    desk.trade(desk.order(), str(desk.order().quantity), trade="again")
    assert imbalance(desk.book, "ETH") == 0


class TestBacking:
    """What is not there is not promised: a redeem takes no more collateral than the book holds and owes to nobody."""

    def test_a_redeem_of_more_than_there_is_is_refused(self):
        desk = Desk()
        settling(desk, "1")
        desk.confirm()
        refused = desk.accept(desk.quote("6000", side="REDEEM"), nonce=2)
        assert (reason(refused), refused.outcome.limit) == ("BACKING_INSUFFICIENT", "1")
        assert reason(desk.accept(desk.quote("1900", side="REDEEM"), nonce=2)) == ""

    def test_what_open_redeems_are_owed_is_not_there_any_more(self):
        desk = Desk()
        desk.held()
        assert reason(desk.accept(desk.quote("12000", side="REDEEM"), nonce=2)) == ""
        assert reason(desk.accept(desk.quote("12000", side="REDEEM"), nonce=3)) == "BACKING_INSUFFICIENT"
        assert reason(desk.accept(desk.quote("7000", side="REDEEM"), nonce=3)) == ""

    def test_what_a_mint_will_bring_is_not_there_yet(self):
        desk = Desk()
        settling(desk, "1")
        refused = desk.accept(desk.quote("1000", side="REDEEM"), nonce=2)
        assert reason(refused) == "BACKING_INSUFFICIENT"
        desk.confirm()
        assert reason(desk.accept(desk.quote("1000", side="REDEEM"), nonce=2)) == ""

    def test_each_asset_backs_itself(self):
        desk = Desk()
        desk.held()
        assert (
            reason(desk.accept(desk.quote("100", pair="USDT/USDe", side="REDEEM"), nonce=2)) == "BACKING_INSUFFICIENT"
        )

    def test_the_last_atom_may_be_redeemed(self):
        desk = Desk()
        desk.accept(desk.quote("100", pair="USDT/USDe"))
        desk.confirm()
        over = desk.quote("100.500001", pair="USDT/USDe", side="REDEEM")
        assert reason(desk.accept(over, nonce=2)) == "BACKING_INSUFFICIENT"
        all_of_it = desk.quote("100.5", pair="USDT/USDe", side="REDEEM")
        assert reason(desk.accept(all_of_it, nonce=2)) == ""
        assert desk.book.available("USDT") == 0

    def test_what_a_failed_redeem_was_owed_is_there_again(self):
        desk = Desk()
        desk.held()
        settling(desk, "12000", side="REDEEM", nonce=2)
        desk.revert()
        assert reason(desk.accept(desk.quote("12000", side="REDEEM"), nonce=3)) == ""
