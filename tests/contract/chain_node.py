"""What every Ethereum node for development does, as far as we lean on it: ours and anvil.

Where they differ, our code must take both. The words of a refusal are looked for as the chain adapter does, without
regard to capitals. anvil, unlike geth and ours: replaces a transaction at any higher fee (geth wants 10% on both
fields); refuses one below the base fee (geth lets it wait); takes a priority fee of 0; answers most refusals with code
-32003; calls a transaction that it has "already imported"; refuses a block of the future with -32602; keeps the height
at a reorg, does not pool what it takes out, and tells of no removed logs; makes blocks of one second; estimates gas on
top of what waits; calls a body that is no JSON an invalid request; finds logs of fewer topics than a filter has places.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from itertools import pairwise
from typing import Any

import aiohttp
import pytest
from eth_hash.auto import keccak

from adapters.simulators.chain.deployment import ETHER
from tests.support.devchain import FIXED, DevChain, RpcError, devchain, plan_of

MINT_TOPIC = "0x29ee92e51cda311463f5c9ef98c54824a4bebe45e689c37da35edc774585d437"
MAINNET_SEPARATOR = "0xc4e859a2ad9827930f83695f76c902ef7a7dc112c15b6e056f48dae3abbffc53"
NOBODY = "0x" + "22" * 20
WAIT_S = 10.0


def selector(signature: str) -> str:
    return f"0x{keccak(signature.encode())[:4].hex()}"


def balance_of(owner: str) -> str:
    return f"{selector('balanceOf(address)')}{owner[2:]:0>64}"


async def told(socket: aiohttp.ClientWebSocketResponse) -> dict[str, Any]:
    async with asyncio.timeout(WAIT_S):
        return json.loads(await socket.receive_str())


async def subscribed(socket: aiohttp.ClientWebSocketResponse, *params: Any) -> str:
    await socket.send_json({"jsonrpc": "2.0", "id": 1, "method": "eth_subscribe", "params": params})
    return str((await told(socket))["result"])


class NodeContract:
    """Give each test a chain with the contracts on it that makes blocks only when asked."""

    @pytest.fixture
    def backend(self) -> str:
        raise NotImplementedError("say what is tried")

    @pytest.fixture
    async def chain(self, backend: str) -> AsyncIterator[DevChain]:
        async with devchain(backend) as chain:
            yield chain

    async def test_a_mint_is_included_and_logged(self, chain: DevChain) -> None:
        order = await chain.order(1)
        tx_hash = await chain.mint(order)
        assert await chain.rpc("eth_getTransactionReceipt", tx_hash) is None
        await chain.admin.mine()
        receipt = await chain.rpc("eth_getTransactionReceipt", tx_hash)
        assert receipt["status"] == "0x1"
        assert receipt["from"] == chain.addresses["settler"]
        block = await chain.rpc("eth_getBlockByNumber", receipt["blockNumber"], True)
        assert receipt["blockHash"] == block["hash"]
        assert [each["hash"] for each in block["transactions"]] == [tx_hash]
        price = int(block["baseFeePerGas"], 16) + int(block["transactions"][0]["maxPriorityFeePerGas"], 16)
        assert int(receipt["effectiveGasPrice"], 16) == price
        wanted = {"address": chain.deployed.minting, "topics": [MINT_TOPIC], "fromBlock": "0x0", "toBlock": "latest"}
        (log,) = await chain.rpc("eth_getLogs", wanted)
        assert log in receipt["logs"]
        assert log["topics"][1] == f"0x{keccak(order.order_id.encode()).hex()}"
        assert log["removed"] is False

    async def test_a_revert_carries_its_data_and_a_failed_transaction_its_status(self, chain: DevChain) -> None:
        order = await chain.order(1)
        await chain.mint(order)
        await chain.admin.mine()
        again = await chain.mint(order, nonce=1)
        await chain.admin.mine()
        assert (await chain.rpc("eth_getTransactionReceipt", again))["status"] == "0x0"
        sent = await chain.rpc("eth_getTransactionByHash", again)
        call = {"from": sent["from"], "to": sent["to"], "data": sent["input"]}
        for method in ("eth_call", "eth_estimateGas"):
            with pytest.raises(RpcError, match=r"execution reverted") as failed:
                await chain.rpc(method, call, "latest")
            assert (failed.value.code, failed.value.data[:10]) == (3, selector("InvalidNonce()"))

    async def test_a_call_is_answered_as_of_its_block(self, chain: DevChain) -> None:
        owner, before = chain.addresses["benefactor"], await chain.number()
        await chain.mint(await chain.order(1))
        await chain.admin.mine()
        call = {"to": chain.deployed.issued, "data": balance_of(owner)}
        was = int(await chain.rpc("eth_call", call, hex(before)), 16)
        assert int(await chain.rpc("eth_call", call, "latest"), 16) == was + 1_000 * ETHER
        newest = await chain.rpc("eth_getBlockByNumber", "latest", False)
        assert int(await chain.rpc("eth_call", call, {"blockHash": newest["hash"]}), 16) == was + 1_000 * ETHER
        settler = chain.addresses["settler"]
        assert int(await chain.rpc("eth_getTransactionCount", settler, hex(before)), 16) == 0
        assert int(await chain.rpc("eth_getTransactionCount", settler, "latest"), 16) == 1

    @pytest.mark.parametrize(
        ("fields", "words"),
        [
            ({"nonce": 0}, "nonce too low"),
            ({"nonce": 1, "value": 10**24}, "insufficient funds"),
            ({"nonce": 1, "gas": 20_999}, "intrinsic gas too low"),
            ({"nonce": 1, "maxPriorityFeePerGas": 10**15}, "max priority fee per gas higher than max fee per gas"),
            ({"nonce": 1, "chainId": 5}, "invalid chain id"),
        ],
    )
    async def test_a_transaction_that_cannot_be_is_refused(
        self, chain: DevChain, fields: dict[str, int], words: str
    ) -> None:
        await chain.send("settler")
        await chain.admin.mine()
        with pytest.raises(RpcError) as refused:
            await chain.send("settler", **fields)
        assert words in refused.value.message.lower()
        assert refused.value.code < 0

    async def test_the_same_bytes_again_are_known(self, chain: DevChain) -> None:
        raw = await chain.signed("settler")
        await chain.rpc("eth_sendRawTransaction", raw)
        with pytest.raises(RpcError, match=r"already (known|imported)"):
            await chain.rpc("eth_sendRawTransaction", raw)
        await chain.admin.mine()
        with pytest.raises(RpcError, match=r"nonce too low"):
            await chain.rpc("eth_sendRawTransaction", raw)

    async def test_a_gap_waits_until_it_is_filled_and_all_of_a_sender_fit_one_block(self, chain: DevChain) -> None:
        settler = chain.addresses["settler"]
        first, third = await chain.send("settler", nonce=0), await chain.send("settler", nonce=2)
        assert int(await chain.rpc("eth_getTransactionCount", settler, "pending"), 16) == 1
        await chain.admin.mine()
        assert await chain.rpc("eth_getTransactionReceipt", first) is not None
        assert await chain.rpc("eth_getTransactionReceipt", third) is None
        waiting = await chain.rpc("eth_getTransactionByHash", third)
        assert (waiting["blockHash"], waiting["blockNumber"]) == (None, None)
        second = await chain.send("settler", nonce=1)
        assert int(await chain.rpc("eth_getTransactionCount", settler, "pending"), 16) == 3
        await chain.admin.mine()
        block = await chain.rpc("eth_getBlockByNumber", "latest", False)
        assert block["transactions"] == [second, third]

    async def test_a_bumped_transaction_takes_the_place_of_the_first(self, chain: DevChain) -> None:
        fee = 3 * await chain.base_fee() + 10**9
        first = await chain.send("settler", nonce=0, maxFeePerGas=fee)
        with pytest.raises(RpcError, match=r"replacement transaction underpriced"):
            await chain.send("settler", nonce=0, maxFeePerGas=fee, value=2)
        bumped = await chain.send("settler", nonce=0, maxFeePerGas=fee * 5 // 4, maxPriorityFeePerGas=10**9 * 5 // 4)
        await chain.admin.mine()
        assert (await chain.rpc("eth_getTransactionReceipt", bumped))["status"] == "0x1"
        assert await chain.rpc("eth_getTransactionReceipt", first) is None
        assert await chain.rpc("eth_getTransactionByHash", first) is None

    async def test_blocks_name_their_parents_and_their_time_goes_on(self, chain: DevChain) -> None:
        await chain.admin.mine(3)
        newest = await chain.number()
        blocks = [await chain.rpc("eth_getBlockByNumber", hex(number), False) for number in range(newest + 1)]
        for parent, child in pairwise(blocks):
            assert child["parentHash"] == parent["hash"]
            assert int(child["timestamp"], 16) >= int(parent["timestamp"], 16)
        assert await chain.rpc("eth_getBlockByHash", blocks[2]["hash"], False) == blocks[2]
        assert await chain.rpc("eth_getBlockByNumber", hex(newest + 1), False) is None
        with pytest.raises(RpcError):
            await chain.rpc("eth_getBalance", NOBODY, hex(newest + 1))

    async def test_safe_and_final_blocks_lie_behind(self, backend: str) -> None:
        async with devchain(backend, deployed=False, epoch_blocks=2) as chain:
            await chain.admin.mine(9)
            numbers = [
                int((await chain.rpc("eth_getBlockByNumber", tag, False))["number"], 16)
                for tag in ("latest", "safe", "finalized", "earliest")
            ]
            assert numbers == [9, 7, 5, 0]

    async def test_the_base_fee_falls_where_blocks_are_empty(self, chain: DevChain) -> None:
        await chain.admin.next_base_fee(8 * 10**9)
        await chain.admin.mine(2)
        before, after = 8 * 10**9, await chain.base_fee()
        assert after == before * 7 // 8

    async def test_fees_and_gas_are_told(self, chain: DevChain) -> None:
        await chain.send("settler")
        await chain.admin.mine(2)
        history = await chain.rpc("eth_feeHistory", "0x2", "latest", [50])
        assert [len(history[name]) for name in ("baseFeePerGas", "gasUsedRatio", "reward")] == [3, 2, 2]
        assert int(history["reward"][0][0], 16) == 10**9
        assert int(await chain.rpc("eth_gasPrice"), 16) > int(history["baseFeePerGas"][-1], 16)
        assert int(await chain.rpc("eth_maxPriorityFeePerGas"), 16) > 0
        order = await chain.order(1)
        tx_hash = await chain.mint(order, gas=1_000_000)
        sent = await chain.rpc("eth_getTransactionByHash", tx_hash)
        call = {"from": sent["from"], "to": sent["to"], "data": sent["input"]}
        await chain.admin.forget([tx_hash])
        wanted = int(await chain.rpc("eth_estimateGas", call), 16)
        tx_hash = await chain.mint(order, gas=wanted)
        await chain.admin.mine()
        receipt = await chain.rpc("eth_getTransactionReceipt", tx_hash)
        assert receipt["status"] == "0x1"
        assert wanted <= int(receipt["gasUsed"], 16) * 5 // 4

    async def test_what_the_pool_forgets_is_gone_and_may_be_sent_again(self, chain: DevChain) -> None:
        raw = await chain.signed("settler")
        tx_hash = await chain.rpc("eth_sendRawTransaction", raw)
        await chain.admin.forget()
        assert await chain.rpc("eth_getTransactionByHash", tx_hash) is None
        assert await chain.rpc("eth_sendRawTransaction", raw) == tx_hash
        await chain.admin.mine()
        assert await chain.rpc("eth_getTransactionReceipt", tx_hash) is not None

    async def test_a_reorg_takes_a_transaction_out(self, chain: DevChain) -> None:
        tx_hash = await chain.mint(await chain.order(1))
        await chain.admin.mine()
        receipt = await chain.rpc("eth_getTransactionReceipt", tx_hash)
        await chain.admin.mine()
        was = await chain.rpc("eth_getBlockByNumber", receipt["blockNumber"], False)
        await chain.admin.reorg(2, include=[])
        other = await chain.rpc("eth_getBlockByNumber", receipt["blockNumber"], False)
        assert other["hash"] != was["hash"]
        assert other["parentHash"] == was["parentHash"]
        assert await chain.rpc("eth_getTransactionReceipt", tx_hash) is None
        assert await chain.rpc("eth_getTransactionCount", chain.addresses["settler"], "latest") == "0x0"

    async def test_subscribers_hear_of_heads_and_logs(self, chain: DevChain) -> None:
        async with chain.session.ws_connect(chain.ws_url) as socket:
            heads = await subscribed(socket, "newHeads")
            logs = await subscribed(socket, "logs", {"address": chain.deployed.minting, "topics": [MINT_TOPIC]})
            tx_hash = await chain.mint(await chain.order(1))
            await chain.admin.mine()
            heard = {
                each["params"]["subscription"]: each["params"]["result"] for each in [await told(socket) for _ in "12"]
            }
            block = await chain.rpc("eth_getBlockByNumber", "latest", False)
            assert (heard[heads]["hash"], heard[heads]["parentHash"]) == (block["hash"], block["parentHash"])
            assert heard[logs]["transactionHash"] == tx_hash
            await socket.send_json({"jsonrpc": "2.0", "id": 2, "method": "eth_unsubscribe", "params": [heads]})
            assert (await told(socket))["result"] is True
            await socket.send_json({"jsonrpc": "2.0", "id": 3, "method": "eth_blockNumber", "params": []})
            assert (await told(socket))["result"] == block["number"]

    async def test_json_rpc_is_kept_to(self, chain: DevChain) -> None:
        async def post(body: bytes) -> Any:
            headers = {"Content-Type": "application/json"}
            async with chain.session.post(chain.url, data=body, headers=headers) as response:
                return await response.json()

        with pytest.raises(RpcError) as unknown:
            await chain.rpc("eth_nonesuch")
        assert unknown.value.code == -32601
        with pytest.raises(RpcError) as missing:
            await chain.rpc("eth_getBalance", "0x12", "latest")
        assert missing.value.code == -32602
        assert (await post(b'{"jsonrpc": "2.0", "id": 1'))["error"]["code"] in {-32700, -32600}
        asked = [{"jsonrpc": "2.0", "id": name, "method": "eth_chainId", "params": []} for name in ("a", "b")]
        answers = await post(json.dumps(asked).encode())
        assert {each["id"]: each["result"] for each in answers} == dict.fromkeys("ab", hex(chain.chain_id))

    async def test_logs_are_found_by_place_choice_and_block(self, chain: DevChain) -> None:
        for number in (1, 2):
            await chain.mint(await chain.order(number))
            await chain.admin.mine()
        newest = await chain.rpc("eth_getBlockByNumber", "latest", False)
        second = f"0x{keccak(b'RFQ-2').hex()}"

        async def found(**wanted: Any) -> int:
            return len(await chain.rpc("eth_getLogs", {"fromBlock": "0x0", "toBlock": "latest", **wanted}))

        assert await found(topics=[MINT_TOPIC]) == 2
        assert await found(topics=[MINT_TOPIC, second]) == 1
        assert await found(topics=[None, second]) == 1
        assert await found(topics=[["0x" + "00" * 32, MINT_TOPIC]]) == 2
        assert await found(topics=[MINT_TOPIC], fromBlock=newest["number"]) == 1
        assert await found(topics=[MINT_TOPIC], address=[NOBODY]) == 0
        by_hash = {"blockHash": newest["hash"], "topics": [MINT_TOPIC]}
        assert len(await chain.rpc("eth_getLogs", by_hash)) == 1

    async def test_contracts_may_stand_where_clients_look_for_them(self, backend: str) -> None:
        async with devchain(backend, chain_id=1, plan=plan_of(fixed=True)) as chain:
            assert (chain.deployed.minting, chain.deployed.issued) == (FIXED["minting"], FIXED["issued"])
            assert chain.deployed.assets == {name: FIXED[name] for name in ("USDT", "WETH", "WBTC")}
            call = {"to": chain.deployed.minting, "data": selector("getDomainSeparator()")}
            assert await chain.rpc("eth_call", call, "latest") == MAINNET_SEPARATOR
            tx_hash = await chain.mint(await chain.order(1))
            await chain.admin.mine()
            assert (await chain.rpc("eth_getTransactionReceipt", tx_hash))["status"] == "0x1"
