"""Whatever a stranger asks, the answer is JSON-RPC; and over TLS the same."""

import json
import random
import ssl
from pathlib import Path
from typing import Any

import aiohttp

from adapters.simulators.chain.node import NodeSettings, SimulatedNode
from tests.contract.chain_node import NOBODY, subscribed, told
from tests.support.devchain import DevChain, devchain

METHODS = [
    "eth_chainId",
    "eth_blockNumber",
    "eth_getBlockByNumber",
    "eth_getBlockByHash",
    "eth_getBlockReceipts",
    "eth_getTransactionCount",
    "eth_getBalance",
    "eth_getCode",
    "eth_getStorageAt",
    "eth_call",
    "eth_estimateGas",
    "eth_gasPrice",
    "eth_maxPriorityFeePerGas",
    "eth_feeHistory",
    "eth_sendRawTransaction",
    "eth_getTransactionByHash",
    "eth_getTransactionReceipt",
    "eth_getLogs",
    "eth_accounts",
    "eth_syncing",
    "net_version",
    "net_listening",
    "web3_clientVersion",
    "eth_subscribe",
    "eth_sendPrivateTransaction",
]
SEED, ASKED = 2_026, 2_000


def values(chain: DevChain, tx_hash: str, raw: str) -> list[Any]:
    minting = chain.deployed.minting
    huge, big = "0x" + "ff" * 32, "0x" + "ff" * 33
    plain: list[Any] = [None, True, 0, -1, 1.5, 10**30, "", "0x", "0x0", "0x1", "0xzz", huge, big, "latest", "pending"]
    named = [
        "safe",
        "finalized",
        "earliest",
        NOBODY,
        minting,
        tx_hash,
        raw,
        raw[:-2],
        "0x02",
        "\ud83d\ude00",
        "newHeads",
    ]
    calls = [
        {},
        {"to": minting},
        {"to": minting, "data": "0x12345678", "from": NOBODY, "value": huge, "gas": huge},
        {"to": None, "data": "0x" + "5b" * 600},
        {"data": "0x60006000fd", "gas": "0x0"},
        {"to": "0x" + "00" * 19 + "08", "data": "0x" + "ab" * 192},
        {"to": "0x" + "00" * 19 + "0a", "data": "0x" + "ab" * 192},
        {"to": "0x" + "00" * 19 + "05", "data": huge + "ff" * 64},
        {"fromBlock": "0x0", "toBlock": huge, "topics": [[huge], None], "address": [minting]},
        {"fromBlock": "latest", "topics": [[None]]},
        {"blockHash": huge},
        {"blockNumber": "0x1"},
        {"blockNumber": {"blockNumber": {"blockNumber": 5}}},
    ]
    return [*plain, *named, *calls, [], [50, 60.5], [0.5] * 101, ["a"], [huge, [huge]]]


async def test_every_answer_is_json_rpc() -> None:
    chance = random.Random(SEED)
    async with devchain() as chain:
        raw = await chain.signed("settler")
        tx_hash = await chain.send("settler")
        await chain.admin.mine()
        known = values(chain, tx_hash, raw)
        for _ in range(ASKED):
            method, params = chance.choice(METHODS), chance.choices(known, k=chance.randrange(4))
            body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
            async with chain.session.post(chain.url, data=body) as response:
                assert response.status == 200, (method, params, await response.text())
                answer = await response.json()
            assert ("result" in answer) != ("error" in answer), (method, params, answer)
            assert "error" not in answer or isinstance(answer["error"]["code"], int)


async def test_over_tls_the_same(tmp_path: Path) -> None:
    node = SimulatedNode(NodeSettings(block_ms=0, directory=tmp_path, tls=True))
    await node.start()
    try:
        context = ssl.create_default_context(cafile=node.ca_file)
        asked = {"jsonrpc": "2.0", "id": 1, "method": "eth_blockNumber", "params": []}
        async with aiohttp.ClientSession() as session:
            async with session.post(node.url("alpha"), json=asked, ssl=context) as response:
                assert (await response.json())["result"] == "0x0"
            async with session.ws_connect(node.ws_url("alpha"), ssl=context) as socket:
                await subscribed(socket, "newHeads")
                await node.admin.mine()
                assert (await told(socket))["params"]["result"]["number"] == "0x1"
    finally:
        await node.stop()
