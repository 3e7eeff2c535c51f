"""Mints and redeems on a real EVM: tried, priced, signed, sent, read back; stuck, replaced, dropped, reorged."""

import time
from typing import Any

import pytest
from eth_hash.auto import keccak

from adapters.chain.settings import GasSettings, LimitSettings
from adapters.chain.signature import address_of
from commands.chain_ports import Route
from domain.refusal import Rejected, Unavailable
from domain.transaction import Errand, Fees, replacement_fees
from tests.integration.chain.rig import DOLLAR, FEES, Rig


async def test_a_mint_from_trial_to_receipt(rig: Rig) -> None:
    async with rig.calls() as (chain, minting):
        before = await chain.wallet(rig.benefactor, rig.usdt)
        order = rig.order()
        made = await rig.settle(minting, order)
        receipt = await chain.receipt(made.tx_hash)
        assert receipt is not None
        assert receipt.succeeded
        assert 0 < receipt.gas_used < made.gas_limit
        assert 0 < receipt.gas_price_wei <= made.fees.max_fee_wei
        head = await chain.head()
        assert (receipt.block_number, receipt.block_hash) == (head.number, head.block_hash)
        assert await chain.transaction_count(rig.settler, head.number) == made.nonce + 1
        assert await chain.transaction_count(rig.settler, head.number - 1) == made.nonce
        after = await chain.wallet(rig.benefactor, rig.usdt)
        assert before.balance - after.balance == order.collateral_amount
        assert after.block_number == head.number
        (settled,) = await chain.settled_since(head.number, head.number)
        assert (settled.order_type, settled.tx_hash, settled.sender) == ("MINT", made.tx_hash, rig.settler)
        assert settled.order_id_hash == "0x" + keccak(order.order_id.encode()).hex()
        assert (settled.benefactor, settled.beneficiary) == (order.benefactor, order.beneficiary)
        assert (settled.collateral_asset, settled.collateral_amount) == (rig.usdt, order.collateral_amount)
        assert settled.usde_amount == order.usde_amount
        assert await chain.settled_since(0, head.number - 1) == []
        # Sent again by a worker that did not see it happen: harmless.
        await minting.broadcast(made)


async def test_a_redeem_and_a_route_of_two_legs(rig: Rig) -> None:
    async with rig.calls() as (chain, minting):
        rig.route = Route(addresses=rig.custodians[:2], ratios=(9_000, 1_000))
        assert (await chain.receipt((await rig.settle(minting, rig.order())).tx_hash)) is not None
        redeem = rig.order(order_type="REDEEM", usde_amount=50 * DOLLAR, collateral_amount=50 * 10**6)
        receipt = await chain.receipt((await rig.settle(minting, redeem)).tx_hash)
        assert receipt is not None
        assert receipt.succeeded
        (settled,) = await chain.settled_since(receipt.block_number, receipt.block_number)
        assert (settled.order_type, settled.usde_amount) == ("REDEEM", 50 * DOLLAR)


def refusals(rig: Rig) -> dict[str, Any]:
    return {
        "SignatureExpired": rig.order(expiry=int(time.time()) - 3_600),
        "InvalidNonce": rig.order(nonce=0),
        "InvalidEIP712Signature": rig.order(key="stranger", benefactor=rig.benefactor),
        "BenefactorNotWhitelisted": rig.order(key="stranger"),
        "BeneficiaryNotApproved": rig.order(beneficiary="0x" + "77" * 20),
        "UnsupportedAsset": rig.order(collateral_asset="0x" + "33" * 20),
        "InvalidStablePrice": rig.order(usde_amount=200 * DOLLAR),
        "MaxMintPerBlockExceeded": rig.order(usde_amount=10**30, collateral_amount=10**15),
        "InvalidAmount": rig.order(order_type="REDEEM", collateral_amount=0, usde_amount=DOLLAR),
    }


async def test_what_the_contract_refuses_is_named_before_anything_is_sent(rig: Rig) -> None:
    limits = LimitSettings(issued_max=10**40, collateral_max={rig.usdt: 10**15, "0x" + "33" * 20: 10**9})
    async with rig.calls(limits=limits) as (_chain, minting):
        found: dict[str, str] = {}
        for name, order in refusals(rig).items():
            with pytest.raises(Rejected) as caught:
                await minting.preflight(order, rig.route)
            found[name] = caught.value.code
        assert found == {name: name for name in found}
        with pytest.raises(Rejected, match="InvalidRoute"):
            await minting.preflight(rig.order(), Route(addresses=("0x" + "99" * 20,), ratios=(10_000,)))


async def test_a_sender_without_the_role_is_refused(rig: Rig) -> None:
    async with rig.calls(key="stranger") as (_chain, minting):
        with pytest.raises(Rejected) as caught:
            await minting.preflight(rig.order(), rig.route)
        assert caught.value.code == "REVERTED"
        assert "missing role" in caught.value.text


async def test_our_limits_refuse_what_the_contract_would_take(rig: Rig) -> None:
    async with rig.calls(limits=LimitSettings(issued_max=99 * DOLLAR)) as (_chain, minting):
        for act in (minting.preflight(rig.order(), rig.route), rig.signed(minting, rig.order(), 0)):
            with pytest.raises(Rejected, match="LIMIT_AMOUNT"):
                await act
    async with rig.calls(limits=LimitSettings(collateral_max={rig.usdt: 10})) as (_chain, minting):
        with pytest.raises(Rejected, match="LIMIT_AMOUNT"):
            await minting.preflight(rig.order(), rig.route)
    async with rig.calls(gas=GasSettings(limit_max=300_000, mint=300_001)) as (_chain, minting):
        with pytest.raises(Rejected, match="GAS_LIMIT"):
            await minting.preflight(rig.order(), rig.route)


async def test_a_transaction_that_fails_in_its_block_is_named(rig: Rig) -> None:
    """Two of one order, both sent before either is in: the trial of neither can see it."""
    async with rig.calls() as (chain, minting):
        order, nonce = rig.order(), await rig.next_nonce()
        first, second = [await rig.signed(minting, order, nonce + each) for each in range(2)]
        await minting.broadcast(first)
        await minting.broadcast(second)
        await rig.node.admin.mine()
        assert (await _receipt(chain, first)).succeeded
        failed = await _receipt(chain, second)
        assert not failed.succeeded
        assert failed.error == "InvalidNonce"


async def test_the_race_for_the_last_of_a_block_s_cap_is_named(rig: Rig) -> None:
    await rig.do("admin", "setMaxMintPerBlock(uint128,address)", 150 * DOLLAR, rig.usdt)
    async with rig.calls() as (chain, minting):
        nonce = await rig.next_nonce()
        both = [await rig.signed(minting, rig.order(), nonce + each) for each in range(2)]
        for each in both:
            await minting.broadcast(each)
        await rig.node.admin.mine()
        assert (await _receipt(chain, both[0])).succeeded
        assert (await _receipt(chain, both[1])).error == "MaxMintPerBlockExceeded"


async def test_gas_that_runs_out_is_named(rig: Rig) -> None:
    async with rig.calls() as (chain, minting):
        made = await rig.signed(minting, rig.order(), await rig.next_nonce(), gas=90_000)
        await minting.broadcast(made)
        await rig.node.admin.mine()
        failed = await _receipt(chain, made)
        assert (failed.succeeded, failed.error) == (False, "OUT_OF_GAS")


async def test_a_stuck_transaction_is_replaced_and_only_the_newest_gets_in(rig: Rig) -> None:
    async with rig.calls() as (chain, minting):
        nonce, order = await rig.next_nonce(), rig.order()
        stuck = await rig.signed(minting, order, nonce)
        await minting.broadcast(stuck)
        await minting.broadcast(stuck)  # already known is fine
        assert await chain.receipt(stuck.tx_hash) is None
        same = Fees(max_fee_wei=stuck.fees.max_fee_wei, priority_fee_wei=stuck.fees.priority_fee_wei)
        under = await minting.sign(Errand.CANCEL, order, rig.route, nonce, 21_000, same)
        with pytest.raises(Rejected) as caught:
            await minting.broadcast(under)
        assert caught.value.code == "REPLACEMENT_UNDERPRICED"
        fees = replacement_fees(stuck.fees, await minting.fees(1))
        cancel = await minting.sign(Errand.CANCEL, order, rig.route, nonce, 21_000, fees)
        await minting.broadcast(cancel)
        await rig.node.admin.mine()
        assert (await _receipt(chain, cancel)).succeeded
        assert await chain.receipt(stuck.tx_hash) is None
        head = await chain.head()
        assert await chain.transaction_count(rig.settler, head.number) == nonce + 1
        assert await chain.settled_since(head.number, head.number) == []
        with pytest.raises(Rejected) as caught:
            await minting.broadcast(stuck)
        assert caught.value.code == "NONCE_TOO_LOW"


async def test_a_transaction_that_a_node_forgot_is_sent_again(rig: Rig) -> None:
    async with rig.calls() as (chain, minting):
        made = await rig.signed(minting, rig.order(), await rig.next_nonce())
        await minting.broadcast(made)
        await rig.node.admin.forget([made.tx_hash])
        await rig.node.admin.mine()
        assert await chain.receipt(made.tx_hash) is None
        await minting.broadcast(made)
        await rig.node.admin.mine()
        assert (await _receipt(chain, made)).succeeded


async def test_a_gap_of_nonces_waits_and_is_filled(rig: Rig) -> None:
    async with rig.calls() as (chain, minting):
        nonce = await rig.next_nonce()
        early, late = [await rig.signed(minting, rig.order(), nonce + each) for each in range(2)]
        await minting.broadcast(late)
        await rig.node.admin.mine()
        assert await chain.receipt(late.tx_hash) is None
        await minting.broadcast(early)
        await minting.broadcast(late)
        await rig.node.admin.mine()
        assert (await _receipt(chain, early)).succeeded
        assert (await _receipt(chain, late)).succeeded


async def test_a_transaction_that_is_reorged_out_gets_in_again(rig: Rig) -> None:
    async with rig.calls() as (chain, minting):
        made = await rig.settle(minting, rig.order())
        included = await _receipt(chain, made)
        await rig.node.admin.reorg(1, include=[])
        there = await chain.block(included.block_number)
        assert there is None or there.block_hash != included.block_hash
        assert await chain.receipt(made.tx_hash) is None
        await minting.broadcast(made)
        await rig.node.admin.mine()
        again = await _receipt(chain, made)
        assert again.succeeded
        assert again.block_hash != included.block_hash


async def test_a_receipt_that_is_left_over_from_a_fork_is_none(rig: Rig) -> None:
    async with rig.calls() as (chain, minting):
        made = await rig.settle(minting, rig.order())
        proxy = rig.proxies[0]
        answer = proxy.upstream
        asked = {"jsonrpc": "2.0", "id": 1, "method": "eth_getTransactionReceipt", "params": [made.tx_hash]}
        kept = (await answer(asked))["result"]

        async def remembering(asked: dict[str, Any]) -> dict[str, Any]:
            if asked["method"] == "eth_getTransactionReceipt":
                return {"jsonrpc": "2.0", "id": asked["id"], "result": kept}
            return await answer(asked)

        proxy.upstream = remembering
        assert await chain.receipt(made.tx_hash) is not None
        await rig.node.admin.reorg(1, include=[])
        await rig.node.admin.mine()
        assert await chain.receipt(made.tx_hash) is None


async def test_who_cannot_pay_is_told_so(rig: Rig) -> None:
    await rig.node.admin.set_balance(address_of(rig.node.keys["settler"]), 1)
    async with rig.calls() as (_chain, minting):
        made = await rig.signed(minting, rig.order(), await rig.next_nonce())
        with pytest.raises(Rejected) as caught:
            await minting.broadcast(made)
        assert caught.value.code == "INSUFFICIENT_FUNDS"


async def test_too_little_gas_for_any_transaction_is_told(rig: Rig) -> None:
    async with rig.calls() as (_chain, minting):
        made = await rig.signed(minting, rig.order(), await rig.next_nonce(), gas=20_000)
        with pytest.raises(Rejected) as caught:
            await minting.broadcast(made)
        assert caught.value.code == "INTRINSIC_GAS"


async def test_fees_grow_with_each_try_and_stop_at_their_bound(rig: Rig) -> None:
    async with rig.calls() as (chain, minting):
        base = (await chain.head()).base_fee_wei
        offered = [await minting.fees(tries) for tries in (0, 1, 2, 1_000)]
        assert offered[0] == Fees(max_fee_wei=2 * base + 10**9, priority_fee_wei=10**9)
        assert offered[1].priority_fee_wei == 125 * 10**7
        assert offered[3].priority_fee_wei == FEES.priority_fee_wei_max
        assert all(each.priority_fee_wei <= each.max_fee_wei for each in offered)
    low = type(FEES)(priority_fee_wei=1, priority_fee_wei_max=2, max_fee_wei_max=2)
    async with rig.calls(fees=low) as (_chain, minting):
        with pytest.raises(Unavailable, match="fees_above_bound"):
            await minting.fees(0)


async def _receipt(chain: Any, made: Any) -> Any:
    receipt = await chain.receipt(made.tx_hash)
    assert receipt is not None
    return receipt
