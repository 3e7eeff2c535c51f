"""What the chain tells: parameters, wallets, who may do what, contract wallets, heads as they come, reorganisations."""

import asyncio
import contextlib
from typing import Any

import pytest
from eth_abi.abi import encode
from eth_hash.auto import keccak

from adapters.chain.eip712 import ContractDomain
from adapters.chain.reading import Chain
from adapters.chain.signature import OrderVerifier, Recovered, SignedOrder, address_of, sign_order
from adapters.rpc.settings import Endpoint
from adapters.simulators.chain.contracts.artefacts import artefact
from commands.chain_ports import MintingOrder
from domain.onchain import PartyKind
from domain.refusal import Rejected, Unavailable
from domain.transaction import Block
from tests.integration.chain.proxy import Proxy
from tests.integration.chain.rig import DOLLAR, Rig

WITHIN_S = 30.0
NOBODY = "0x" + "77" * 20


async def test_terms_are_those_of_the_contract_at_the_block(rig: Rig) -> None:
    async with Chain(rig.settings()) as chain:
        before = await chain.head()
        told = await chain.terms([rig.usdt, weth(rig)], before.number)
        assert (told.block_number, told.block_hash) == (before.number, before.block_hash)
        assert told.global_max_redeem_per_block == 10_000_000 * DOLLAR
        usdt, other = told.assets
        assert (usdt.address, usdt.stable, usdt.active) == (rig.usdt, True, True)
        assert usdt.hot_balance > 0
        assert not other.stable
        # Neither of these leaves a log.
        await rig.do("gatekeeper", "disableMintRedeem()")
        await rig.do("admin", "setStablesDeltaLimit(uint128)", 7)
        await rig.do("admin", "removeSupportedAsset(address)", rig.usdt)
        after = await chain.terms([rig.usdt], (await chain.head()).number)
        assert (after.global_max_mint_per_block, after.global_max_redeem_per_block) == (0, 0)
        assert after.stables_delta_limit_bps == 7
        assert not after.assets[0].active
        assert (await chain.terms([rig.usdt], before.number)).global_max_mint_per_block > 0


def weth(rig: Rig) -> str:
    return rig.node.deployed.assets["WETH"].lower()


async def test_a_contract_that_is_another_is_told(rig: Rig) -> None:
    async with Chain(rig.settings(minting_contract=rig.usdt)) as chain:
        with pytest.raises(Unavailable, match="contract_differs: globalConfig"):
            await chain.terms([], (await chain.head()).number)
        with pytest.raises(Unavailable, match="contract_differs: the token"):
            await chain.wallet(rig.benefactor, NOBODY)


async def test_a_call_s_answer_and_its_refusal(rig: Rig) -> None:
    async with Chain(rig.settings()) as chain:
        head = await chain.head()
        decimals = await chain.call(rig.usdt, keccak(b"decimals()")[:4], head.number)
        assert int.from_bytes(decimals) == 6
        with pytest.raises(Rejected, match="REVERTED"):
            await chain.call(rig.minting_contract, keccak(b"disableMintRedeem()")[:4], head.number)
        with pytest.raises(Unavailable, match="quorum_missing"):
            await chain.call(rig.usdt, keccak(b"decimals()")[:4], head.number + 5)


async def test_every_change_of_a_party_is_told_in_order(rig: Rig) -> None:
    second = address_of(rig.node.keys["benefactor2"])
    stranger = address_of(rig.node.keys["stranger"])
    async with Chain(rig.settings(log_blocks_max=3)) as chain:
        first = (await chain.head()).number + 1
        await rig.do("admin", "addWhitelistedBenefactor(address)", stranger)
        await rig.do("benefactor", "setApprovedBeneficiary(address,bool)", second, True)
        await rig.do("benefactor", "setDelegatedSigner(address)", second)
        await rig.do("benefactor2", "confirmDelegatedSigner(address)", rig.benefactor)
        await rig.do("benefactor", "removeDelegatedSigner(address)", second)
        await rig.do("benefactor", "setApprovedBeneficiary(address,bool)", second, False)
        await rig.do("admin", "addCustodianAddress(address)", NOBODY)
        await rig.do("admin", "removeCustodianAddress(address)", NOBODY)
        await rig.do("admin", "removeSupportedAsset(address)", rig.usdt)
        await rig.do("admin", "removeWhitelistedBenefactor(address)", stranger)
        last = (await chain.head()).number
        told = await chain.party_changes(first, last)
        assert [(each.kind, each.party, each.owner, each.admitted) for each in told] == [
            (PartyKind.BENEFACTOR, stranger, "", True),
            (PartyKind.BENEFICIARY, second, rig.benefactor, True),
            (PartyKind.DELEGATE, second, rig.benefactor, False),  # initiated: waits for his confirmation
            (PartyKind.DELEGATE, second, rig.benefactor, True),
            (PartyKind.DELEGATE, second, rig.benefactor, False),
            (PartyKind.BENEFICIARY, second, rig.benefactor, False),
            (PartyKind.CUSTODIAN, NOBODY, "", True),
            (PartyKind.CUSTODIAN, NOBODY, "", False),
            (PartyKind.ASSET, rig.usdt, "", False),
            (PartyKind.BENEFACTOR, stranger, "", False),
        ]
        assert [each.block_number for each in told] == sorted(each.block_number for each in told)
        for each in told:
            block = await chain.block(each.block_number)
            assert block is not None
            assert block.block_hash == each.block_hash
        assert list(await chain.party_changes(last, last)) == [told[-1]]
        assert list(await chain.party_changes(last + 1, last)) == []
        with pytest.raises(Unavailable):  # what is not there yet is no silence
            await chain.party_changes(first, last + 1)


async def test_logs_are_asked_in_halves_where_a_node_refuses(rig: Rig) -> None:
    async with Chain(rig.settings()) as chain:
        head = (await chain.head()).number
        whole = await chain.party_changes(0, head)
        assert len(whole) >= 5
        proxy = rig.proxies[0]
        answer = proxy.upstream

        async def narrow(asked: dict[str, Any]) -> dict[str, Any]:
            if asked["method"] == "eth_getLogs":
                wanted = asked["params"][0]
                if int(wanted["toBlock"], 16) - int(wanted["fromBlock"], 16) >= 4:
                    error = {"code": -32602, "message": "range too wide"}
                    return {"jsonrpc": "2.0", "id": asked["id"], "error": error}
            return await answer(asked)

        proxy.upstream = narrow
        assert await chain.party_changes(0, head) == whole
        assert proxy.asked.count("eth_getLogs") > head / 4


async def contract_wallet(rig: Rig) -> str:
    made = bytes.fromhex(artefact("wallet1271").bytecode[2:]) + encode(["address"], [rig.benefactor])
    return (await rig.send("benefactor", None, made, 3_000_000))["contractAddress"].lower()


async def test_a_contract_wallet_is_asked_and_its_orders_mint(rig: Rig) -> None:
    wallet = await contract_wallet(rig)
    await rig.do("admin", "addWhitelistedBenefactor(address)", wallet)
    await rig.do("benefactor", "transfer(address,uint256)", wallet, 10**9, to=rig.usdt)
    approve = keccak(b"approve(address,uint256)")[:4] + encode(["address", "uint256"], [rig.minting_contract, 10**12])
    await rig.do("benefactor", "execute(address,bytes)", rig.usdt, approve, to=wallet)
    domain = ContractDomain(chain_id=rig.node.chain_id, verifying_contract=rig.minting_contract)
    order = rig.order(benefactor=wallet, beneficiary=wallet, signature_type="EIP1271")
    terms = SignedOrder(**{name: getattr(order, name) for name in SignedOrder.__struct_fields__})
    read = OrderVerifier(domain).read_contract(terms, order.signature)
    assert isinstance(read, Recovered)
    assert order.signature == sign_order(domain, order, rig.node.keys["benefactor"])
    async with rig.calls() as (chain, minting):
        assert await chain.contract_signature(wallet, read.order_hash, read.signature)
        made = await rig.settle(minting, order)
        receipt = await chain.receipt(made.tx_hash)
        assert receipt is not None
        assert receipt.succeeded
        flipped = read.signature[:-4] + ("00" if read.signature[-4:-2] != "00" else "01") + read.signature[-2:]
        for who, signature in (
            (wallet, flipped),
            (wallet, "0x"),
            (wallet, "0x" + "ab" * 2_049),
            (rig.benefactor, read.signature),  # has no code
            (rig.usdt, read.signature),  # has another
        ):
            assert not await chain.contract_signature(who, read.order_hash, signature)
        assert not await chain.contract_signature(wallet, "0x" + "11" * 32, read.signature)
        for mode in (1, 2):  # it refuses, it reverts
            await rig.do("benefactor", "setMode(uint8)", mode, to=wallet)
            assert not await chain.contract_signature(wallet, read.order_hash, read.signature)
        with pytest.raises(Rejected, match=r"InvalidEIP1271Signature|REVERTED"):
            await minting.preflight(again(rig, order), rig.route)


def again(rig: Rig, order: MintingOrder) -> MintingOrder:
    return rig.order(benefactor=order.benefactor, beneficiary=order.beneficiary, signature_type="EIP1271")


async def next_head(chain: Chain, after: Block) -> Block:
    async with asyncio.timeout(WITHIN_S):
        return await chain.wait_head(after)


async def test_a_head_is_told_as_soon_as_a_socket_tells_of_it(rig: Rig) -> None:
    """Polling is slower than this test may last: only the WebSocket can have woken."""
    async with Chain(rig.settings(poll_ms=60_000, quiet_poll_ms=60_000)) as chain:
        head = await chain.wait_head(None)
        await socket_up(rig, chain, head)
        head = await chain.head()
        waiting = asyncio.create_task(next_head(chain, head))
        await asyncio.sleep(0)
        await rig.node.admin.mine()
        assert (await waiting).parent_hash == head.block_hash


async def test_everybody_who_waits_is_woken(rig: Rig) -> None:
    async with Chain(rig.settings(poll_ms=60_000, quiet_poll_ms=60_000)) as chain:
        await socket_up(rig, chain, await chain.head())
        for _ in range(5):
            head = await chain.head()
            waiting = [asyncio.create_task(next_head(chain, head)) for _ in range(4)]
            await asyncio.sleep(0)
            await rig.node.admin.mine()
            assert {each.parent_hash for each in await asyncio.gather(*waiting)} == {head.block_hash}


async def test_a_block_that_is_told_of_before_a_quorum_has_it_is_chased(three: Rig) -> None:
    one, two, last = three.proxies
    endpoints = tuple(
        Endpoint(name=str(at), url=each.url, ws_url=each.ws_url if each is last else "")
        for at, each in enumerate(three.proxies)
    )
    async with Chain(three.settings(quiet_poll_ms=60_000, endpoints=endpoints)) as chain:
        await socket_up(three, chain, await chain.head())
        head = await chain.head()
        one.frozen = two.frozen = head.number
        waiting = asyncio.create_task(next_head(chain, head))
        await asked_again(one)
        await three.node.admin.mine()
        await asked_again(one)  # woken by the block, which two do not have yet
        assert not waiting.done()
        one.frozen = two.frozen = None
        assert (await waiting).number == head.number + 1


async def asked_again(proxy: Proxy) -> None:
    """Return once it is asked for the block that follows from what it said was the newest."""
    proxy.asked.clear()
    async with asyncio.timeout(WITHIN_S):
        while "eth_getBlockByNumber" not in proxy.asked:
            proxy.was_asked.clear()
            await proxy.was_asked.wait()


async def socket_up(rig: Rig, chain: Chain, head: Block) -> None:
    """Make blocks until a socket has told of one."""
    async with asyncio.timeout(WITHIN_S):
        while not chain.lines.up:
            await rig.node.admin.mine()
            await chain.lines.wait(chain.lines.told, 0.1)


async def test_heads_are_polled_while_no_socket_is_up_and_the_socket_comes_back(rig: Rig) -> None:
    async with Chain(rig.settings()) as chain:
        head = await chain.head()
        await socket_up(rig, chain, head)
        rig.proxies[0].fault = "refusing sockets"
        for socket in list(rig.proxies[0].sockets):
            await socket.close()
        async with asyncio.timeout(WITHIN_S):
            while chain.lines.up:
                await chain.lines.wait(chain.lines.told, 0.1)
        head = await chain.head()
        waiting = asyncio.create_task(next_head(chain, head))
        await rig.node.admin.mine()
        assert (await waiting).number == head.number + 1
        rig.proxies[0].fault = ""
        await socket_up(rig, chain, head)
        assert chain.lines.up == ["rpc0"]


async def test_a_reorganisation_is_seen_by_its_parents_and_hashes(rig: Rig) -> None:
    async with Chain(rig.settings()) as chain:
        await rig.node.admin.mine(3)
        before = await chain.head()
        await rig.node.admin.reorg(2)
        await rig.node.admin.mine()
        after = await next_head(chain, before)
        there = await chain.block(before.number)
        assert there is not None
        assert there.block_hash != before.block_hash
        # The chain that is told hangs together.
        block: Block | None = after
        for number in range(after.number - 1, before.number - 3, -1):
            parent = await chain.block(number)
            assert parent is not None
            assert block is not None
            assert block.parent_hash == parent.block_hash
            block = parent
        assert await chain.block(after.number + 1) is None


async def test_closing_while_something_is_asked_leaves_nothing(rig: Rig) -> None:
    before = asyncio.all_tasks()
    async with Chain(rig.settings()) as chain:
        rig.proxies[0].fault = "timeout"
        asked = asyncio.create_task(chain.head())
        await asyncio.sleep(0.05)
        asked.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asked
    ours = {task for task in asyncio.all_tasks() - before if "Proxy" not in repr(task) and "aiohttp" not in repr(task)}
    assert ours == set()
