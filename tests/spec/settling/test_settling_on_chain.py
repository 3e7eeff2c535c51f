"""The settlement worker against a chain that does what chains do: each request ends right, and exactly once."""

import pytest

from commands.ports import Fenced
from domain.settlement import SettlementIncluded, SettlementReorged
from domain.transaction import REPLACEMENT_BUMP_PERCENT, Errand
from tests.simulation.model_chain import FINALITY
from tests.simulation.model_contract import SENDER
from tests.spec.settling.house import BLOCK_S, House
from tests.support.given import BENEFACTOR


def test_a_mint_and_a_redeem_are_settled_each_by_one_transaction() -> None:
    async def story(house: House) -> None:
        minted = house.accept("100")
        await house.until(lambda: house.end_of(minted))
        await house.until(
            lambda: (house.desk.book.onchain.terms or 0) and house.desk.book.onchain.terms.assets[1].hot_balance
        )
        redeemed = house.accept("50", "REDEEM", nonce=2)
        await house.until(lambda: house.end_of(redeemed))
        assert house.end_of(minted) == house.end_of(redeemed) == "request.completed"

    house = House().play(story)
    assert [each.nonce for each in house.submitted()] == [0, 1]
    assert not house.replaced(Errand.SETTLE)
    house.check()


def test_what_was_sent_was_recorded_first_and_is_sent_as_soon_as_the_log_shows_it() -> None:
    async def story(house: House) -> None:
        house.accept()
        await house.until(lambda: house.desk.book.settlements)
        house.slow_down()
        await house.blocks(4)
        assert not house.sent
        house.slow_log = False
        await house.until(lambda: house.sent, BLOCK_S)

    House().play(story)


def test_several_are_under_way_at_consecutive_nonces() -> None:
    async def story(house: House) -> None:
        house.chain.ignore(4)
        requests = [house.accept(nonce=nonce) for nonce in (1, 2, 3)]
        await house.until(lambda: len(house.chain.pool) == 3, 4 * BLOCK_S)
        await house.until(lambda: all(house.end_of(each) for each in requests))

    house = House().play(story)
    assert [each.nonce for each in house.submitted()] == [0, 1, 2]
    house.check()


def test_a_settlement_is_final_only_so_deep() -> None:
    async def story(house: House) -> None:
        request = house.accept()
        await house.until(lambda: house.happened(SettlementIncluded))
        number = house.settlement.receipts[0].block_number
        await house.until(lambda: house.end_of(request))
        assert house.chain.head.block.number >= number + FINALITY

    House().play(story).check()


def test_what_is_stuck_is_outbid_by_as_much_as_nodes_ask_for_and_ends_once() -> None:
    async def story(house: House) -> None:
        house.chain.ignore(8)
        request = house.accept()
        await house.until(lambda: house.end_of(request))
        assert house.end_of(request) == "request.completed"

    house = House().play(story)
    first, *others = [*house.submitted(), *house.replaced(Errand.SETTLE)]
    assert others
    for second in others:
        assert second.nonce == first.nonce
        assert second.fees.max_fee_wei * 100 >= first.fees.max_fee_wei * (100 + REPLACEMENT_BUMP_PERCENT)
        assert second.fees.priority_fee_wei * 100 >= first.fees.priority_fee_wei * (100 + REPLACEMENT_BUMP_PERCENT)
        first = second
    house.check()


def test_what_waits_behind_an_earlier_nonce_is_not_outbid_for_it() -> None:
    async def story(house: House) -> None:
        house.chain.ignore(7)
        first, second = house.accept(nonce=1), house.accept(nonce=2)
        await house.until(lambda: house.end_of(first) and house.end_of(second))

    house = House().play(story)
    assert {each.nonce for each in house.replaced(Errand.SETTLE)} == {0}


def test_an_order_that_expires_while_it_is_stuck_is_cancelled_at_its_nonce() -> None:
    async def story(house: House) -> None:
        house.chain.ignore(50)
        request = house.accept()
        await house.until(lambda: house.end_of(request))
        assert house.end_of(request) == "request.settlement_failed"
        other = house.accept(nonce=2)
        await house.until(lambda: house.end_of(other))
        assert house.end_of(other) == "request.completed"

    house = House().play(story)
    cancels = house.replaced(Errand.CANCEL)
    assert cancels
    assert {each.nonce for each in cancels} == {0}
    assert [each.nonce for each in house.submitted()] == [0, 1]
    house.check()


def test_replacements_are_bounded_and_then_a_person_is_told() -> None:
    async def story(house: House) -> None:
        house.chain.ignore(150)
        house.accept(expiry=house.clock.now_us() // 1_000_000 + 600)
        await house.until(lambda: any(each.raised.area == "settlement" for each in house.desk.book.alerts.values()))

    house = House(settlement_replacements_max=2).play(story)
    assert len(house.replaced(Errand.SETTLE)) == 2
    assert len(house.replaced(Errand.CANCEL)) == 2


@pytest.mark.parametrize("depth", [1, 2])
def test_what_was_reorged_out_is_sent_again_and_settles_once(depth: int) -> None:
    async def story(house: House) -> None:
        request = house.accept()
        await house.until(lambda: house.happened(SettlementIncluded))
        await house.blocks(depth - 1)
        house.chain.ignore(3)
        house.chain.reorg(depth, empty=True)
        house.chain.pool.clear()
        await house.until(lambda: house.happened(SettlementReorged))
        await house.until(lambda: house.end_of(request))
        assert house.end_of(request) == "request.completed"

    house = House().play(story)
    assert house.happened(SettlementIncluded) == 2
    assert len(house.submitted()) == 1
    house.check()


def test_what_was_reorged_out_and_back_into_the_same_block_is_included_again() -> None:
    async def story(house: House) -> None:
        request = house.accept()
        await house.until(lambda: house.happened(SettlementIncluded))
        house.chain.ignore(1)
        house.chain.reorg(1, empty=True)
        await house.until(lambda: house.happened(SettlementReorged), BLOCK_S)
        house.chain.come_back()
        await house.until(lambda: house.end_of(request))

    house = House().play(story)
    included = [event.receipt for event in house.desk.events if isinstance(event, SettlementIncluded)]
    assert len(included) == 2
    assert included[0] == included[1]
    house.check()


def test_a_node_that_forgets_is_told_again() -> None:
    async def story(house: House) -> None:
        house.chain.ignore(3)
        request = house.accept()
        await house.until(lambda: house.chain.pool)
        for _ in range(2):
            house.chain.pool.clear()
            await house.until(lambda: house.chain.pool, 2 * BLOCK_S)
        await house.until(lambda: house.end_of(request))

    house = House().play(story)
    assert len({each.tx_hash for each in house.sent}) <= 2
    house.check()


def test_a_missing_earlier_nonce_is_filled_by_sending_its_transaction_again() -> None:
    async def story(house: House) -> None:
        house.chain.ignore(2)
        requests = [house.accept(nonce=nonce) for nonce in (1, 2)]
        await house.until(lambda: len(house.chain.pool) == 2)
        del house.chain.pool[0]  # what comes after it waits, whatever it pays
        await house.until(lambda: all(house.end_of(each) for each in requests))

    house = House().play(story)
    assert [each.nonce for each in house.submitted()] == [0, 1]
    house.check()


def test_a_nonce_that_somebody_else_used_fails_its_request_and_the_next_goes_on_after_it() -> None:
    async def story(house: House) -> None:
        house.chain.wanted.add("foreign")
        request = house.accept()
        await house.until(lambda: house.end_of(request))
        assert house.end_of(request) == "request.settlement_failed"
        other = house.accept(nonce=2)
        await house.until(lambda: house.end_of(other))
        assert house.end_of(other) == "request.completed"

    house = House().play(story)
    assert [each.nonce for each in house.submitted()] == [0, 1]
    assert house.chain.state.nonces[SENDER] == 2
    house.check()


def test_a_full_block_is_tried_again_in_the_next() -> None:
    async def story(house: House) -> None:
        house.chain.wanted.add("capped")
        request = house.accept()
        await house.until(lambda: house.end_of(request))
        assert house.end_of(request) == "request.completed"

    house = House().play(story)
    assert [each.nonce for each in house.submitted()] == [0, 1]
    house.check()


def test_a_call_that_failed_for_good_fails_its_request_when_that_is_final() -> None:
    async def story(house: House) -> None:
        house.chain.wanted.add("reverted")
        request = house.accept()
        await house.until(lambda: house.happened(SettlementIncluded))
        assert not house.end_of(request)
        await house.until(lambda: house.end_of(request))
        assert house.end_of(request) == "request.settlement_failed"

    house = House().play(story)
    assert len(house.submitted()) == 1
    house.check()


def test_a_revoked_benefactor_whose_transaction_is_under_way_gets_a_cancel() -> None:
    async def story(house: House) -> None:
        house.chain.ignore(6)
        request = house.accept()
        await house.until(lambda: house.chain.pool)
        house.chain.revoke(BENEFACTOR)
        await house.until(lambda: house.end_of(request))
        assert house.end_of(request) == "request.settlement_failed"

    house = House().play(story)
    assert house.replaced(Errand.CANCEL)
    assert not house.chain.supply
    house.check()


@pytest.mark.parametrize("kind", ["settlement.submit", "settlement.include", "settlement.confirmed"])
def test_a_fact_that_was_lost_is_done_again_from_what_is_known_then(kind: str) -> None:
    async def story(house: House) -> None:
        lost: list[str] = []
        house.lose = lambda each: each == kind and not lost and not lost.append(each)
        request = house.accept()
        await house.until(lambda: house.end_of(request))
        assert house.end_of(request) == "request.completed"

    house = House().play(story)
    assert house.told.count(kind) >= 2
    assert len(house.submitted()) == 1
    house.check()


def test_what_the_book_refuses_is_neither_signed_nor_told_until_it_does_not() -> None:
    async def story(house: House) -> None:
        house.decide("mode.change", {"scope": "pair:USDT/USDe", "mode": "ACTIVE", "reason": "as it is"})
        request = house.accept()
        house.decide("mode.change", {"scope": "pair:USDT/USDe", "mode": "HALTED", "reason": "stop"})
        await house.blocks(6)
        assert not house.signed
        assert "settlement.submit" not in house.told
        house.desk.change_mode("ACTIVE", scope="pair:USDT/USDe", actor="grace")
        await house.until(lambda: house.end_of(request))
        assert house.end_of(request) == "request.completed"

    House().play(story).check()


def test_an_order_that_expires_before_it_may_be_sent_is_given_up() -> None:
    async def story(house: House) -> None:
        request = house.accept()
        house.decide("mode.change", {"scope": "pair:USDT/USDe", "mode": "HALTED", "reason": "stop"})
        await house.until(lambda: house.end_of(request))
        assert house.end_of(request) == "request.settlement_failed"

    house = House().play(story)
    assert not house.sent
    assert not house.signed


def test_the_contract_is_believed_at_two_heads_before_a_request_falls() -> None:
    async def story(house: House) -> None:
        house.preflight_error = "InvalidNonce"
        request = house.accept()
        await house.until(lambda: house.tried_out == 1)
        assert not house.end_of(request)
        await house.until(lambda: house.end_of(request), 4 * BLOCK_S)
        assert house.tried_out == 2

    house = House().play(story)
    assert not house.signed


def test_a_block_that_is_full_when_it_is_tried_out_only_delays() -> None:
    async def story(house: House) -> None:
        house.preflight_error = "GlobalMaxMintPerBlockExceeded"
        request = house.accept()
        await house.until(lambda: house.tried_out == 4)
        house.preflight_error = ""
        await house.until(lambda: house.end_of(request))
        assert house.end_of(request) == "request.completed"

    House().play(story).check()


def test_a_signer_that_refuses_now_is_asked_again_and_one_whose_limits_forbid_it_is_believed() -> None:
    async def story(house: House) -> None:
        house.signer_error = "SIGNER_REFUSED"
        request = house.accept()
        await house.blocks(5)
        assert not house.end_of(request)
        house.signer_error = "LIMIT_AMOUNT"
        await house.until(lambda: house.end_of(request))
        assert house.end_of(request) == "request.settlement_failed"

    house = House().play(story)
    assert not house.sent


def test_a_sender_without_money_is_told_once() -> None:
    async def story(house: House) -> None:
        house.node_error = "INSUFFICIENT_FUNDS"
        request = house.accept()
        await house.blocks(5)
        (alert,) = [each for each in house.desk.book.alerts.values() if each.raised.area == "settlement"]
        assert "cannot pay" in alert.raised.text
        house.node_error = ""
        await house.until(lambda: house.end_of(request))
        assert house.end_of(request) == "request.completed"

    House().play(story).check()


def test_a_worker_without_its_lease_stops_and_sends_nothing() -> None:
    async def story(house: House) -> None:
        house.lease.lost = True
        house.accept()
        await house.until(lambda: house.ended is not None)

    house = House().play(story)
    assert isinstance(house.ended, BaseExceptionGroup)
    assert house.ended.subgroup(Fenced) is not None
    assert not house.signed
    assert not house.sent


def test_a_worker_that_lost_its_lease_after_recording_leaves_the_sending_to_the_next() -> None:
    async def story(house: House) -> None:
        house.slow_down()
        house.slow_log = False
        request = house.accept()
        await house.until(house.submitted)
        house.lease.lost = True
        await house.until(lambda: house.ended is not None)
        assert not house.sent
        house.lease.lost = False
        house.start()
        await house.until(lambda: house.end_of(request))

    house = House().play(story)
    assert len(house.submitted()) == 1
    house.check()


@pytest.mark.parametrize("after_s", [0.1, 0.3, 0.6, 1.0, 1.6, 2.5, 4.0, 6.0])
def test_a_crash_at_any_time_resumes_without_a_second_transaction(after_s: float) -> None:
    async def story(house: House) -> None:
        request = house.accept()
        await house.blocks(0)
        start_s = house.sim.loop.time()
        await house.until(lambda: house.sim.loop.time() >= start_s + after_s)
        house.kill()
        await house.blocks(1)
        house.start()
        await house.until(lambda: house.end_of(request))
        assert house.end_of(request) == "request.completed"

    house = House().play(story)
    assert len(house.submitted()) == 1
    assert len(house.chain.state.settled) == 1
    house.check()
