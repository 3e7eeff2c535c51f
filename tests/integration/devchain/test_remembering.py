"""The same chain after a restart, whatever the end was like; and bounded however long it lives."""

from pathlib import Path
from typing import Any

import pytest

from adapters.simulators.chain import chain as bounds
from adapters.simulators.chain.deployment import MINTER, UNLIMITED
from adapters.simulators.chain.founding import NodeTarget, start_founded
from adapters.simulators.chain.journal import Journal, Kept
from adapters.simulators.chain.node import JOURNAL, NodeSettings
from adapters.simulators.chain.works import Works
from tests.support.devchain import DevChain, RpcError, devchain, plan_of


async def whole(chain: DevChain) -> list[Any]:
    numbers = range(await chain.number() + 1)
    blocks = [await chain.rpc("eth_getBlockByNumber", hex(number), True) for number in numbers]
    state = [await chain.rpc("eth_getBalance", chain.addresses["stranger"], hex(number)) for number in numbers]
    status = await chain.admin.status()
    return [blocks, state, sorted(status["pool"]), status["held"]]


async def lived(chain: DevChain) -> list[Any]:
    """Do a bit of everything, and leave something in the pool."""
    await chain.mint(await chain.order(1))
    await chain.admin.mine(2)
    await chain.mint(await chain.order(2))
    await chain.admin.mine()
    old = await chain.rpc("eth_getBlockByNumber", "latest", False)
    await chain.admin.reorg(2, include=[])
    await chain.admin.mine()
    await chain.admin.switch(old["hash"])
    await chain.admin.set_balance(chain.addresses["stranger"], 123)
    await chain.admin.mine()
    forgotten = await chain.send("benefactor")
    held = await chain.send("benefactor2")
    await chain.send("settler", nonce=9)
    await chain.admin.hold(held)
    await chain.admin.forget([forgotten])
    return await whole(chain)


async def test_a_restart_gives_the_same_blocks_hashes_states_and_pool(tmp_path: Path) -> None:
    async with devchain(directory=tmp_path) as chain:
        before, url = await lived(chain), chain.url
    async with devchain(directory=tmp_path) as chain:
        assert await whole(chain) == before
        assert chain.url == url
        newest = await chain.rpc("eth_getBlockByNumber", "latest", False)
        await chain.admin.mine()
        assert (await chain.rpc("eth_getBlockByNumber", "latest", False))["parentHash"] == newest["hash"]


@pytest.mark.parametrize("torn", [1, 7, 40])
async def test_a_torn_record_was_never_told_and_is_cut_off(tmp_path: Path, torn: int) -> None:
    async with devchain(directory=tmp_path) as chain:
        await chain.admin.mine()
        before = await whole(chain)
        await chain.admin.mine()
    file = tmp_path / JOURNAL
    file.write_bytes(file.read_bytes()[:-torn])
    for _ in range(2):
        async with devchain(directory=tmp_path) as chain:
            assert await whole(chain) == before
            await chain.admin.mine()
            before = await whole(chain)


async def test_what_is_compacted_is_the_same_chain_in_a_smaller_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "JOURNAL_GROWN_BYTES_MAX", 200_000)
    async with devchain(directory=tmp_path) as chain:
        for number in range(30):
            await chain.mint(await chain.order(number + 1))
            await chain.admin.mine()
        before = await whole(chain)
    assert (tmp_path / JOURNAL).stat().st_size < 700_000
    assert sum(isinstance(record, Kept) for record in Journal.read(tmp_path / JOURNAL)) == 1
    async with devchain(directory=tmp_path) as chain:
        assert await whole(chain) == before
        tx_hash = await chain.mint(await chain.order(99))
        await chain.admin.mine()
        assert (await chain.rpc("eth_getTransactionReceipt", tx_hash))["status"] == "0x1"


async def test_old_states_are_forgotten_and_old_blocks_after_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "STATES_KEPT", 4)
    monkeypatch.setattr(bounds, "BLOCKS_KEPT", 8)
    async with devchain() as chain:
        await chain.admin.mine(12)
        newest = await chain.number()
        with pytest.raises(RpcError, match=r"historical state unavailable"):
            await chain.rpc("eth_getBalance", chain.addresses["settler"], hex(newest - 4))
        with pytest.raises(RpcError, match=r"pruned history"):
            await chain.rpc("eth_getBlockByNumber", "0x1", False)
        tx_hash = await chain.mint(await chain.order(1))
        await chain.admin.mine()
        assert (await chain.rpc("eth_getTransactionReceipt", tx_hash))["status"] == "0x1"


async def test_a_journal_of_another_chain_or_another_plan_is_refused(tmp_path: Path) -> None:
    settings = NodeSettings(directory=tmp_path, block_ms=0)
    node, deployed = await start_founded(settings, plan_of())
    await node.stop()
    again, same = await start_founded(settings, plan_of())
    await again.stop()
    assert same == deployed
    (tmp_path / "deployed.json").rename(tmp_path / "lost.json")
    with pytest.raises(ValueError, match=r"another deployment"):
        await start_founded(settings, plan_of())
    (tmp_path / "lost.json").rename(tmp_path / "deployed.json")
    with pytest.raises(ValueError, match=r"another deployment"):
        await start_founded(settings, plan_of(fixed=True))
    with pytest.raises(ValueError, match=r"of chain 31337, not 5"):
        await start_founded(NodeSettings(directory=tmp_path, block_ms=0, chain_id=5), plan_of())


async def test_a_chain_that_goes_on_lets_in_whom_the_plan_names_now(tmp_path: Path) -> None:
    settings, newcomer = NodeSettings(directory=tmp_path, block_ms=0), "0x" + "44" * 20
    node, before = await start_founded(settings, plan_of())
    await node.stop()
    plan = plan_of(benefactors=(newcomer,), settler=newcomer)
    numbers: set[str] = set()
    for _ in range(2):
        node, deployed = await start_founded(settings, plan)
        try:
            numbers.add(await node.call("eth_blockNumber"))
            works = Works(NodeTarget(node), plan.admin_key)
            await works.open()
            assert deployed.benefactors == (newcomer, *before.benefactors)
            assert any(await works.ask(deployed.minting, "isWhitelistedBenefactor(address)", newcomer))
            assert any(await works.ask(deployed.minting, "hasRole(bytes32,address)", MINTER, newcomer))
            for asset in plan.assets:
                token = deployed.assets[asset.symbol]
                assert int.from_bytes(await works.ask(token, "balanceOf(address)", newcomer), "big") == asset.funds
                allowed = await works.ask(token, "allowance(address,address)", newcomer, deployed.minting)
                assert int.from_bytes(allowed, "big") == UNLIMITED
            assert await node.call("eth_getCode", newcomer, "latest") == "0x"
            assert int(await node.call("eth_getBalance", newcomer, "latest"), 16) == plan.ether_wei
        finally:
            await node.stop()
    assert len(numbers) == 1, "who is known is not welcomed again"
