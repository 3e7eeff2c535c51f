"""A transfer to custody on a real EVM, by the key that holds the role: tried, signed, sent, and seen to arrive."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from adapters.chain.calls import balance_of, mint_calldata
from adapters.chain.custody import CustodyCalls
from adapters.chain.reading import Chain
from adapters.chain.settings import SendingSettings
from adapters.chain.signers import LocalSigner
from api.chain.treasury import Manager, TreasuryCalls
from api.replica import Replica
from domain.policy import CustodianTarget, HotBand, TreasuryPolicy
from domain.quantity import Num
from domain.refusal import Rejected
from domain.transaction import Errand, replacement_fees
from domain.treasury import CustodySubmitted, Direction, ProposalCompleted
from tests.integration.chain.rig import FEES, Rig
from tests.support.desk import Desk
from tests.support.given import a_policy

MOST = 5_000 * 10**6
WITHIN_S, BLOCK_S = 60.0, 0.3
PART = 3_000 * 10**6


@asynccontextmanager
async def custody_of(rig: Rig, key: str = "manager", most: int = MOST) -> AsyncGenerator[tuple[Chain, CustodyCalls]]:
    async with (
        Chain(rig.settings()) as chain,
        CustodyCalls(chain, LocalSigner(rig.node.keys[key]), SendingSettings(fees=FEES), {rig.usdt: most}) as custody,
    ):
        yield chain, custody


async def held(chain: Chain, rig: Rig, owner: str) -> int:
    head = await chain.head()
    return int.from_bytes(await chain.call(rig.usdt, balance_of(owner), head.number))


async def test_a_part_is_sent_once_and_outbid_at_the_same_nonce(rig: Rig) -> None:
    async with custody_of(rig) as (chain, custody):
        custodian, nonce = rig.custodians[0], await rig.next_nonce("manager")
        before = await held(chain, rig, rig.minting_contract), await held(chain, rig, custodian)
        gas_limit = await custody.preflight(custodian, rig.usdt, PART)
        fees = await custody.fees(0)
        stuck = await custody.sign(custodian, rig.usdt, PART, nonce=nonce, gas_limit=gas_limit, fees=fees)
        more = replacement_fees(fees, await custody.fees(1))
        newest = await custody.sign(custodian, rig.usdt, PART, nonce=nonce, gas_limit=gas_limit, fees=more)
        for each in (stuck, stuck, newest):
            await custody.broadcast(each)
        await rig.node.admin.mine()
        receipt = await chain.receipt(newest.tx_hash)
        assert receipt is not None
        assert receipt.succeeded
        assert receipt.gas_used < gas_limit
        assert (newest.errand, newest.sender) == (Errand.SETTLE, custody.sender)
        assert await chain.receipt(stuck.tx_hash) is None
        await custody.broadcast(newest)  # by a worker that did not see it happen: harmless
        after = await held(chain, rig, rig.minting_contract), await held(chain, rig, custodian)
        assert (before[0] - after[0], after[1] - before[1]) == (PART, PART)


@pytest.mark.parametrize("wrong", ["role", "custodian", "balance"])
async def test_what_the_contract_refuses_is_refused_before_anybody_signs(rig: Rig, wrong: str) -> None:
    async with custody_of(rig, "stranger" if wrong == "role" else "manager", most=10**30) as (_chain, custody):
        custodian = rig.settler if wrong == "custodian" else rig.custodians[0]
        with pytest.raises(Rejected) as caught:
            await custody.preflight(custodian, rig.usdt, 10**29 if wrong == "balance" else PART)
    assert not caught.value.code.startswith("LIMIT")


async def test_bounds_bind_whoever_signs(rig: Rig) -> None:
    async with custody_of(rig) as (_chain, custody):
        fees, custodian = await custody.fees(0), rig.custodians[0]
        for asset, amount in ((rig.usdt, MOST + 1), ("0x" + "33" * 20, 1)):
            with pytest.raises(Rejected, match="LIMIT_AMOUNT"):
                await custody.preflight(custodian, asset, amount)
            with pytest.raises(Rejected, match="LIMIT_AMOUNT"):
                await custody.sign(custodian, asset, amount, nonce=0, gas_limit=100_000, fees=fees)
        with pytest.raises(Rejected, match="ORDER_OUT_OF_BOUNDS"):
            await custody.preflight(custodian, rig.usdt, 0)
        sending: Any = custody._sending
        data = mint_calldata(rig.order(), rig.route)
        with pytest.raises(Rejected, match="LIMIT_CALL"):
            await sending.sign(Errand.SETTLE, data, 0, 100_000, fees)


class Inbox:
    """Answer the worker's facts by a desk at once; the log it follows is the desk's own book."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def publish(self, source: str, kind: str, natural_key: str, body: bytes) -> object:
        del source, natural_key
        return self._desk.do(kind, msgspec.Raw(body))

    def now_us(self) -> int:
        return self._desk.now_us

    def check(self) -> None:
        """Hold the lease for ever."""


async def test_the_worker_carries_a_proposal_out_to_the_last_part(rig: Rig) -> None:
    targets = tuple(CustodianTarget(address=each, ratio_bps=5_000) for each in rig.custodians[:2])
    treasury = TreasuryPolicy(bands=(HotBand(asset="USDT", minimum=Num(10), target=Num(100), maximum=Num(200)),))
    plain = a_policy(treasury=treasury, custodians=targets)
    assets = tuple(
        msgspec.structs.replace(each, address=rig.usdt) if each.symbol == "USDT" else each for each in plain.assets
    )
    desk = Desk(policy=msgspec.structs.replace(plain, assets=assets))
    async with custody_of(rig, most=10**15) as (chain, custody):
        for each in rig.custodians[:2]:
            desk.party("custodian", each)
        hot = await held(chain, rig, rig.minting_contract)
        desk.observe(await chain.terms([rig.usdt], (await chain.head()).number))
        proposal = desk.book.treasury.open("USDT", Direction.CUSTODY)
        assert proposal is not None
        assert proposal.amount == hot - 100 * 10**6
        before = [await held(chain, rig, each) for each in rig.custodians[:2]]
        inbox = Inbox(desk)
        manager = Manager(reader=chain, custody=custody, finality_blocks=2)
        worker = asyncio.create_task(TreasuryCalls(Replica(desk.book, 0), manager, inbox, inbox, inbox).run())
        try:
            async with asyncio.timeout(WITHIN_S):
                while not any(isinstance(each, ProposalCompleted) for each in desk.events):
                    await rig.node.admin.mine()
                    await asyncio.wait([worker], timeout=BLOCK_S)
                    assert not worker.done()
                    desk.observe(await chain.terms([rig.usdt], (await chain.head()).number))
        finally:
            worker.cancel()
        assert await held(chain, rig, rig.minting_contract) == 100 * 10**6
        after = [await held(chain, rig, each) for each in rig.custodians[:2]]
        assert tuple(now - then for now, then in zip(after, before, strict=True)) == proposal.parts
        assert sum(isinstance(each, CustodySubmitted) for each in desk.events) == 2
