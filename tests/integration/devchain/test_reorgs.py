"""What geth does and anvil does not: a reorg pools what it takes out, logs are removed, low fees wait."""

import pytest

from adapters.simulators.chain.works import FORWARDER, data_of
from tests.contract.chain_node import MINT_TOPIC, NOBODY, subscribed, told
from tests.support.devchain import RpcError, devchain


async def test_a_transaction_is_reorged_out_and_comes_back_by_itself() -> None:
    async with devchain() as chain:
        tx_hash = await chain.mint(await chain.order(1))
        first = await chain.admin.mine()
        await chain.admin.reorg(1, include=[])
        assert (await chain.rpc("eth_getTransactionByHash", tx_hash))["blockHash"] is None
        assert (await chain.rpc("eth_getTransactionCount", chain.addresses["settler"], "pending")) == "0x1"
        await chain.admin.mine()
        receipt = await chain.rpc("eth_getTransactionReceipt", tx_hash)
        assert receipt["status"] == "0x1"
        assert receipt["blockHash"] != first.hash


async def test_the_old_side_of_a_reorg_becomes_canonical_again() -> None:
    async with devchain() as chain:
        tx_hash = await chain.mint(await chain.order(1))
        first = await chain.admin.mine()
        await chain.admin.mine()
        old_head = await chain.rpc("eth_getBlockByNumber", "latest", False)
        other = await chain.admin.reorg(2, blocks=3, include=[])
        assert await chain.number() == other.number == first.number + 2
        await chain.admin.switch(old_head["hash"])
        assert await chain.rpc("eth_getBlockByNumber", "latest", False) == old_head
        assert (await chain.rpc("eth_getTransactionReceipt", tx_hash))["blockHash"] == first.hash
        assert (await chain.admin.status())["pool"] == []


async def test_a_dropped_transaction_of_a_reorg_is_gone_for_good() -> None:
    async with devchain() as chain:
        raw = await chain.signed("settler")
        tx_hash = await chain.rpc("eth_sendRawTransaction", raw)
        await chain.admin.mine()
        await chain.admin.reorg(1, drop=[tx_hash])
        await chain.admin.mine(2)
        assert await chain.rpc("eth_getTransactionByHash", tx_hash) is None
        assert await chain.rpc("eth_sendRawTransaction", raw) == tx_hash


async def test_another_transaction_may_take_the_nonce_after_a_reorg() -> None:
    async with devchain() as chain:
        first = await chain.send("settler", nonce=0)
        await chain.admin.mine()
        await chain.admin.reorg(1, drop=[first])
        second = await chain.send("settler", nonce=0, value=7)
        await chain.admin.mine()
        assert await chain.rpc("eth_getTransactionReceipt", first) is None
        assert (await chain.rpc("eth_getTransactionReceipt", second))["status"] == "0x1"


async def test_included_says_which_transactions_the_new_blocks_have() -> None:
    async with devchain() as chain:
        one, two = await chain.send("benefactor"), await chain.send("benefactor2")
        await chain.admin.mine()
        await chain.admin.reorg(1, blocks=1, include=[two])
        assert (await chain.rpc("eth_getBlockByNumber", "latest", False))["transactions"] == [two]
        await chain.admin.mine()
        assert (await chain.rpc("eth_getBlockByNumber", "latest", False))["transactions"] == [one]


async def test_subscribers_hear_of_removed_logs_before_the_new_ones() -> None:
    async with devchain() as chain:
        tx_hash = await chain.mint(await chain.order(1))
        await chain.admin.mine()
        async with chain.session.ws_connect(chain.ws_url) as heads, chain.session.ws_connect(chain.ws_url) as logs:
            await subscribed(heads, "newHeads")
            await subscribed(logs, "logs", {"topics": [MINT_TOPIC]})
            head = await chain.admin.reorg(1, blocks=2)
            numbers = [int((await told(heads))["params"]["result"]["number"], 16) for _ in range(2)]
            assert numbers == [head.number - 1, head.number]
            removed, added = [(await told(logs))["params"]["result"] for _ in range(2)]
            assert [removed["removed"], added["removed"]] == [True, False]
            assert removed["transactionHash"] == added["transactionHash"] == tx_hash
            assert removed["blockHash"] != added["blockHash"]


async def test_a_transaction_below_the_base_fee_waits_for_it_to_fall() -> None:
    async with devchain() as chain:
        await chain.admin.next_base_fee(10**10)
        await chain.admin.mine()
        tx_hash = await chain.send("settler", maxFeePerGas=8 * 10**9, maxPriorityFeePerGas=10**8)
        await chain.admin.mine()
        assert await chain.rpc("eth_getTransactionReceipt", tx_hash) is None
        await chain.admin.mine(2)
        assert (await chain.rpc("eth_getTransactionReceipt", tx_hash))["status"] == "0x1"


@pytest.mark.parametrize("percent", [100, 109])
async def test_less_than_ten_percent_more_on_either_fee_is_too_little(percent: int) -> None:
    async with devchain() as chain:
        fees = {"maxFeePerGas": 5 * 10**9, "maxPriorityFeePerGas": 10**9}
        await chain.send("settler", nonce=0, **fees)
        for name in fees:
            bumped = {each: fee * (percent if each == name else 120) // 100 for each, fee in fees.items()}
            with pytest.raises(RpcError, match=r"replacement transaction underpriced"):
                await chain.send("settler", nonce=0, **bumped)
        await chain.send("settler", nonce=0, **{each: fee * 110 // 100 for each, fee in fees.items()})


async def test_a_held_transaction_is_stuck_until_it_is_bumped() -> None:
    async with devchain() as chain:
        fees = {"maxFeePerGas": 5 * 10**9, "maxPriorityFeePerGas": 10**9}
        stuck = await chain.send("settler", nonce=0, **fees)
        await chain.admin.hold(stuck)
        after = await chain.send("settler", nonce=1)
        await chain.admin.mine(2)
        assert await chain.rpc("eth_getTransactionReceipt", stuck) is None
        assert await chain.rpc("eth_getTransactionReceipt", after) is None
        bumped = await chain.send("settler", nonce=0, **{name: fee * 2 for name, fee in fees.items()})
        await chain.admin.mine()
        assert (await chain.rpc("eth_getBlockByNumber", "latest", False))["transactions"] == [bumped, after]


async def test_a_held_sender_waits_until_released() -> None:
    async with devchain() as chain:
        await chain.admin.hold(chain.addresses["settler"])
        tx_hash = await chain.send("settler")
        await chain.admin.mine()
        assert await chain.rpc("eth_getTransactionReceipt", tx_hash) is None
        await chain.admin.release(chain.addresses["settler"])
        await chain.admin.mine()
        assert await chain.rpc("eth_getTransactionReceipt", tx_hash) is not None


async def test_a_transaction_that_can_no_longer_pay_is_dropped_and_stops_nobody_else() -> None:
    async with devchain() as chain:
        await chain.admin.set_balance(chain.addresses["stranger"], 10**18)
        poor, other = await chain.send("stranger", value=10**17), await chain.send("settler")
        await chain.admin.set_balance(chain.addresses["stranger"], 1)
        await chain.admin.mine()
        assert (await chain.rpc("eth_getBlockByNumber", "latest", False))["transactions"] == [other]
        assert await chain.rpc("eth_getTransactionByHash", poor) is None


async def test_one_that_finds_no_room_keeps_its_place_and_those_after_it_wait_too() -> None:
    async with devchain() as chain:
        first = await chain.send("benefactor", maxPriorityFeePerGas=10**9 + 1)
        big = await chain.send("settler", nonce=0, gas=29_990_000)
        small = await chain.send("settler", nonce=1)
        await chain.admin.mine()
        assert (await chain.rpc("eth_getBlockByNumber", "latest", False))["transactions"] == [first]
        await chain.admin.mine()
        assert (await chain.rpc("eth_getBlockByNumber", "latest", False))["transactions"] == [big, small]


async def test_an_estimate_leaves_enough_for_calls_within_calls() -> None:
    async with devchain() as chain:
        settler, usdt = chain.addresses["settler"], chain.deployed.assets["USDT"]
        await chain.admin.set_code(NOBODY, FORWARDER)
        approve = data_of("approve(address,uint256)", settler, 5)
        call = {"from": settler, "to": NOBODY, "data": f"0x{usdt[2:]:0>64}{approve[2:]}"}
        gas = int(await chain.rpc("eth_estimateGas", call), 16)
        with pytest.raises(RpcError):
            await chain.rpc("eth_estimateGas", {**call, "gas": hex(gas * 62 // 64)})
        tx_hash = await chain.send("settler", to=NOBODY, data=call["data"], value=0, gas=gas)
        await chain.admin.mine()
        receipt = await chain.rpc("eth_getTransactionReceipt", tx_hash)
        assert receipt["status"] == "0x1"
        assert gas <= int(receipt["gasUsed"], 16) * 64 // 63 + 1_000


async def test_a_change_of_the_state_is_seen_at_once_and_stays() -> None:
    async with devchain() as chain:
        for word in (5, 6):
            await chain.admin.set_code(NOBODY, f"0x60{word:02x}60005260206000f3")
            assert int(await chain.rpc("eth_call", {"to": NOBODY}, "latest"), 16) == word
        await chain.admin.set_storage(NOBODY, 3, 77)
        await chain.admin.mine()
        assert int(await chain.rpc("eth_call", {"to": NOBODY}, "latest"), 16) == 6
        assert int(await chain.rpc("eth_getStorageAt", NOBODY, "0x3", "latest"), 16) == 77


async def test_a_filter_of_four_places_finds_logs_of_four_topics() -> None:
    async with devchain() as chain:
        four = await chain.rpc("eth_getLogs", {"fromBlock": "0x0", "toBlock": "latest", "topics": [None] * 4})
        assert {len(log["topics"]) for log in four} == {4}


async def test_the_pool_has_its_bounds() -> None:
    async with devchain() as chain:
        base = await chain.base_fee()
        for nonce in range(64):
            await chain.send("settler", nonce=nonce, maxFeePerGas=2 * base + 10**9)
        with pytest.raises(RpcError, match=r"txpool is full"):
            await chain.send("settler", nonce=64)
        for fields, words in (
            ({"gas": 40_000_000}, "exceeds block gas limit"),
            ({"maxPriorityFeePerGas": 0}, "gas tip cap 0"),
        ):
            with pytest.raises(RpcError, match=words):
                await chain.send("benefactor", **fields)
        for raw, words in (("0x", "empty"), ("0x05" + "00" * 40, "not supported"), ("0x02c0", "rlp")):
            with pytest.raises(RpcError, match=words):
                await chain.rpc("eth_sendRawTransaction", raw)


async def test_a_private_transaction_shows_nowhere_until_it_is_included() -> None:
    async with devchain() as chain:
        assert chain.node is not None
        relay, settler = chain.node.url("relay"), chain.addresses["settler"]
        raw = await chain.signed("settler")
        body = {"jsonrpc": "2.0", "id": 1, "method": "eth_sendPrivateTransaction", "params": [{"tx": raw}]}
        async with chain.session.post(relay, json=body) as response:
            tx_hash = (await response.json())["result"]
        assert await chain.rpc("eth_getTransactionByHash", tx_hash) is None
        assert await chain.rpc("eth_getTransactionCount", settler, "pending") == "0x0"
        await chain.admin.mine()
        assert (await chain.rpc("eth_getTransactionReceipt", tx_hash))["status"] == "0x1"
        with pytest.raises(RpcError, match=r"not available"):
            await chain.rpc("eth_sendPrivateTransaction", {"tx": raw})
