"""The gatekeeper on a development chain: what it shuts and lets be, through crashes, forks and bad endpoints."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from adapters.simulators.chain.faults import ChainFault
from domain.gatekeeping import Caps
from tests.integration.gatekeeper.stand import Stand
from tests.support.devchain import BACKENDS, devchain

SHUT = Caps(0, 0)
# Within so many blocks after the first that is seen the contract must be shut.
BLOCKS_MAX = 3
SET_MINT_CAP, SET_REDEEM_CAP = "0x6c2cd30f", "0x936e2248"


@pytest.fixture(params=BACKENDS)
async def stand(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Stand]:
    async with devchain(request.param) as chain:
        yield Stand(chain, tmp_path)


@pytest.fixture
async def ours(tmp_path: Path) -> AsyncIterator[Stand]:
    """A chain of ours with three endpoints, which can be spoilt."""
    async with devchain("simulated") as chain:
        yield Stand(chain, tmp_path)


async def shut_within(stand: Stand, keeper: Any) -> None:
    for _ in range(BLOCKS_MAX):
        if (await stand.block(keeper)).state == "shut":
            break
    assert await stand.caps() == SHUT


async def test_an_honest_mint_is_let_be(stand: Stand):
    async with stand.keeper() as keeper:
        await stand.turn(keeper)
        await stand.mint(1_990)
        for _ in range(3):
            assert (await stand.block(keeper)).state == "watching"
        assert await stand.caps() != SHUT
        assert await stand.sent() == 0
        assert keeper.state.memory.tallies[0].minted == 1_990


async def test_an_off_market_mint_shuts_the_contract_within_a_few_blocks_and_once(stand: Stand):
    async with stand.keeper() as keeper:
        await stand.turn(keeper)
        await stand.mint(8_000)
        await stand.turn(keeper)
        await shut_within(stand, keeper)
        for _ in range(3):
            assert (await stand.block(keeper)).state == "shut"
        assert await stand.sent() == 1
        assert keeper.state.shutting is not None
        assert len(keeper.state.shutting.transactions) == 1


async def test_a_mint_before_the_first_start_is_found_by_looking_back(stand: Stand):
    await stand.mint(8_000)
    await stand.chain.admin.mine(3)
    async with stand.keeper() as keeper:
        await stand.turn(keeper)
        await shut_within(stand, keeper)


async def test_killed_after_sending_it_goes_on_with_the_same_transaction(stand: Stand):
    async with stand.keeper() as keeper:
        await stand.turn(keeper)
        await stand.mint(8_000)
        sent = (await stand.turn(keeper)).transaction
    await stand.chain.admin.forget()
    async with stand.keeper() as keeper:
        assert (await stand.turn(keeper)).transaction == sent
        await shut_within(stand, keeper)
    async with stand.keeper() as keeper:
        assert (await stand.block(keeper)).state == "shut"
    assert await stand.sent() == 1
    assert (await stand.chain.rpc("eth_getTransactionReceipt", sent))["status"] == "0x1"


async def test_what_is_too_cheap_for_the_block_is_replaced(stand: Stand):
    async with stand.keeper(bump_blocks=1) as keeper:
        await stand.turn(keeper)
        await stand.mint(8_000)
        first = (await stand.turn(keeper)).transaction
        # The base fee leaps beyond what was offered; it falls by an eighth a block.
        await stand.chain.admin.next_base_fee(100 * 10**9)
        for _ in range(12):
            if (await stand.block(keeper)).state == "shut":
                break
        assert stand.heartbeat.state == "shut"
        assert stand.heartbeat.transaction != first
    assert await stand.sent() == 1
    assert await stand.caps() == SHUT


async def test_a_key_without_the_role_shuts_nothing_and_says_so(stand: Stand, caplog: pytest.LogCaptureFixture):
    async with stand.keeper(key="stranger") as keeper:
        await stand.turn(keeper)
        await stand.mint(8_000)
        assert (await stand.block(keeper)).state == "shutting"
    assert "cannot_shut: REVERTED: AccessControl" in caplog.text
    assert await stand.caps() != SHUT


async def test_opened_again_by_people_it_watches_anew(stand: Stand):
    async with stand.keeper() as keeper:
        await stand.turn(keeper)
        caps = await stand.caps()
        await stand.mint(8_000)
        await stand.turn(keeper)
        await shut_within(stand, keeper)
        for selector, cap in ((SET_MINT_CAP, caps.mint), (SET_REDEEM_CAP, caps.redeem)):
            data, to = f"{selector}{cap:064x}", stand.chain.deployed.minting
            await stand.chain.send("admin", to=to, data=data, value=0, gas=100_000)
            await stand.chain.admin.mine()
        assert (await stand.turn(keeper)).state == "watching"
        await stand.mint(1_990)
        assert (await stand.block(keeper)).state == "watching"
        await stand.mint(8_000)
        await stand.turn(keeper)
        await shut_within(stand, keeper)
    assert await stand.sent() == 2


async def test_a_mint_that_a_reorganisation_dropped_is_forgotten(ours: Stand):
    async with ours.keeper() as keeper:
        await ours.turn(keeper)
        minted = list[str]()
        for _ in range(4):
            minted.append(await ours.mint(2_050))
            await ours.turn(keeper)
        await ours.chain.admin.reorg(1, drop=[minted[-1]])
        await ours.mint(2_050)
        assert (await ours.block(keeper)).state == "watching"
        assert sum(tally.suspicions for tally in keeper.state.memory.tallies) == 4
        await ours.mint(2_050)
        assert (await ours.turn(keeper)).reasons[0].startswith("repeated: 5 suspicious")


async def test_a_reorganisation_that_drops_the_shutting_does_not_open_the_contract(ours: Stand):
    async with ours.keeper() as keeper:
        await ours.turn(keeper)
        await ours.mint(8_000)
        sent = (await ours.turn(keeper)).transaction
        await shut_within(ours, keeper)
        await ours.chain.admin.reorg(1, include=[])
        await ours.chain.admin.forget()
        assert await ours.caps() != SHUT
        assert (await ours.turn(keeper)).state == "shutting"
        await shut_within(ours, keeper)
        assert ours.heartbeat.transaction == sent
    assert await ours.sent() == 1


@pytest.mark.parametrize("kind", ["lie", "lag", "html", "truncate", "error", "stranger", "swallow", "lost"])
async def test_one_endpoint_of_three_that_is_bad_is_outvoted(ours: Stand, kind: Any):
    await ours.chain.admin.arm(ChainFault(kind=kind, endpoint="alpha"))
    async with ours.keeper() as keeper:
        await ours.turn(keeper)
        await ours.mint(1_990)
        assert (await ours.block(keeper)).state == "watching"
        await ours.mint(8_000)
        await ours.turn(keeper)
        await shut_within(ours, keeper)
    assert await ours.sent() == 1


async def test_without_a_majority_it_is_blind_and_sees_again(ours: Stand, caplog: pytest.LogCaptureFixture):
    async with ours.keeper(blind_after_ms=0) as keeper:
        await ours.turn(keeper)
        await ours.mint(8_000)
        for endpoint in ("alpha", "beta"):
            await ours.chain.admin.arm(ChainFault(kind="html", endpoint=endpoint))
        assert (await ours.block(keeper)).state == "blind"
        assert "blind: chain is away" in caplog.text
        assert await ours.caps() != SHUT
        await ours.chain.admin.disarm()
        await ours.turn(keeper)
        await shut_within(ours, keeper)


async def test_without_prices_what_is_large_shuts_the_contract(ours: Stand):
    async with ours.keeper() as keeper:
        await keeper.turn()
        await ours.mint(300_000, ether=150)
        await keeper.turn()
        assert ours.heartbeat.state == "unpriced"
        assert await ours.sent() == 0
        ours.clock.ahead_us = 31_000_000
        await keeper.turn()
        assert ours.heartbeat.reasons[0].startswith("unpriced: 300000 dollars")
        await ours.chain.admin.mine()
        await keeper.turn()
    assert await ours.caps() == SHUT
