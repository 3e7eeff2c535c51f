"""Endpoints on their bad days, one by one, and the administrator's door."""

import asyncio
import io
from typing import Any

import aiohttp
import pytest

from adapters.simulators.chain.faults import ChainFault
from tests.contract.chain_node import NOBODY, balance_of, subscribed, told
from tests.support.anvil import ask
from tests.support.devchain import ADMIN_TOKEN, DevChain, RpcError, devchain


async def at(chain: DevChain, endpoint: int, method: str, *params: Any) -> Any:
    return await ask(chain.session, chain.urls[endpoint], method, list(params))


async def post(chain: DevChain, body: bytes | io.BytesIO, timeout_s: float = 10) -> tuple[int, bytes]:
    async with chain.session.post(chain.url, data=body, timeout=aiohttp.ClientTimeout(total=timeout_s)) as response:
        return response.status, await response.read()


ASKED = b'{"jsonrpc": "2.0", "id": 1, "method": "eth_blockNumber", "params": []}'


async def test_one_endpoint_lies_and_the_others_do_not() -> None:
    async with devchain() as chain:
        tx_hash = await chain.mint(await chain.order(1))
        await chain.admin.mine()
        call = {"to": chain.deployed.issued, "data": balance_of(chain.addresses["benefactor"])}
        newest = await chain.rpc("eth_blockNumber")
        asked: list[tuple[Any, ...]] = [
            ("eth_call", call, "latest"),
            ("eth_getBalance", chain.addresses["settler"], "latest"),
            ("eth_getTransactionCount", chain.addresses["settler"], "latest"),
            ("eth_getBlockByNumber", newest, False),
            ("eth_getTransactionReceipt", tx_hash),
            ("eth_getLogs", {"fromBlock": newest, "toBlock": newest}),
            ("eth_getCode", chain.deployed.minting, "latest"),
            ("eth_blockNumber",),
        ]
        true = [await at(chain, 0, *each) for each in asked]
        await chain.admin.arm(ChainFault(kind="lie", endpoint="beta"))
        assert [await at(chain, 0, *each) for each in asked] == true
        told = [await at(chain, 1, *each) for each in asked]
        assert all(lie != truth for lie, truth in zip(told, true, strict=True))
        await chain.admin.disarm()
        assert [await at(chain, 1, *each) for each in asked] == true


async def test_an_endpoint_lags() -> None:
    async with devchain() as chain:
        tx_hash = await chain.send("settler")
        await chain.admin.mine(2)
        newest = await chain.number()
        await chain.admin.arm(ChainFault(kind="lag", endpoint="beta", lag_blocks=3))
        assert int(await at(chain, 1, "eth_blockNumber"), 16) == newest - 3
        assert await at(chain, 1, "eth_getTransactionReceipt", tx_hash) is None
        assert await at(chain, 1, "eth_getBlockByNumber", hex(newest), False) is None
        assert await at(chain, 1, "eth_getTransactionCount", chain.addresses["settler"], "latest") == "0x0"
        assert await at(chain, 0, "eth_getTransactionReceipt", tx_hash) is not None


@pytest.mark.parametrize(
    ("kind", "status", "starts"),
    [("html", 200, b"<!DOCTYPE"), ("rate_limited", 429, b'{"jsonrpc"'), ("error", 200, b'{"jsonrpc"')],
)
async def test_answers_of_another_kind(kind: Any, status: int, starts: bytes) -> None:
    async with devchain() as chain:
        await chain.admin.arm(ChainFault(kind=kind, endpoint="alpha", times=1))
        found, body = await post(chain, ASKED)
        assert (found, body.startswith(starts)) == (status, True)
        assert b"result" not in body
        assert (await post(chain, ASKED))[0] == 200
        assert (await chain.admin.status())["faults"] == {f"alpha {kind}": 1}


async def test_no_answer_half_of_one_and_dropped_connections() -> None:
    async with devchain() as chain:
        await chain.admin.arm(ChainFault(kind="timeout", times=1))
        with pytest.raises(TimeoutError):
            await post(chain, ASKED, timeout_s=0.3)
        await chain.admin.arm(ChainFault(kind="truncate", times=1))
        with pytest.raises(aiohttp.ClientPayloadError):
            await post(chain, ASKED)
        raw = await chain.signed("settler")
        faults = [ChainFault(kind=kind, method="eth_sendRawTransaction", times=1) for kind in ("reset", "lost")]
        for pooled, fault in enumerate(faults):
            await chain.admin.arm(fault)
            with pytest.raises(aiohttp.ServerDisconnectedError):
                await chain.rpc("eth_sendRawTransaction", raw)
            assert len((await chain.admin.status())["pool"]) == pooled


async def test_a_transaction_is_swallowed_and_a_stranger_answers() -> None:
    async with devchain() as chain:
        await chain.admin.arm(ChainFault(kind="swallow", times=1))
        raw = await chain.signed("settler")
        tx_hash = await chain.rpc("eth_sendRawTransaction", raw)
        assert await chain.rpc("eth_getTransactionByHash", tx_hash) is None
        assert await chain.rpc("eth_sendRawTransaction", raw) == tx_hash
        await chain.admin.arm(ChainFault(kind="stranger", endpoint="gamma"))
        assert [int(await at(chain, each, "eth_chainId"), 16) - chain.chain_id for each in range(3)] == [0, 0, 1]


async def test_sockets_are_refused_and_those_there_are_dropped() -> None:
    async with devchain() as chain:
        async with chain.session.ws_connect(chain.ws_url) as socket:
            await subscribed(socket, "newHeads")
            await chain.admin.mine()
            await told(socket)
            await chain.admin.arm(ChainFault(kind="refuse_websocket", endpoint="alpha"))
            await chain.admin.mine()
            async with asyncio.timeout(20):
                assert (await socket.receive()).type in {aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED}
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await chain.session.ws_connect(chain.ws_url)
        async with chain.session.ws_connect(chain.ws_urls[1]) as socket:
            await subscribed(socket, "newHeads")


async def test_what_is_too_big_or_makes_no_sense_is_refused() -> None:
    async with devchain() as chain:
        assert (await post(chain, io.BytesIO(b" " * (1 << 20) + b"1")))[0] == 413
        for body in (b"[" * 20_000, b"not json", b"[]", b"[" + b"1," * 100 + b"1]", b"7", b'{"method": 1}', b"null"):
            status, answer = await post(chain, body)
            assert (status, b'"error"' in answer) == (200, True)
        for params in ([{}], [NOBODY, "0xzz"], [NOBODY, {"blockHash": "0x12"}], ["0x12"], [None]):
            with pytest.raises(RpcError) as refused:
                await chain.rpc("eth_getBalance", *params)
            assert refused.value.code == -32602
        for method, params in (
            ("eth_call", [1]),
            ("eth_getLogs", [7]),
            ("eth_getLogs", [{"topics": ["0x"] * 5}]),
            ("eth_getStorageAt", [NOBODY, 5, "latest"]),
            ("eth_feeHistory", ["0x1", "latest", [7, 3]]),
            ("eth_getBlockByNumber", ["newest", False]),
            ("eth_sendRawTransaction", [None]),
            ("eth_subscribe", ["newHeads"]),
        ):
            with pytest.raises(RpcError):
                await chain.rpc(method, *params)
        assert await chain.number() > 0


async def test_the_door_does_as_it_is_told_to_who_has_the_token() -> None:
    async with devchain() as chain:
        assert chain.node is not None
        base = chain.node.url("admin")
        headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}

        async def do(verb: str, body: Any, *, method: str = "POST", headers: Any = headers) -> tuple[int, Any]:
            async with chain.session.request(method, f"{base}/{verb}", json=body, headers=headers) as response:
                return response.status, await (response.json() if response.status == 200 else response.text())

        number = await chain.number()
        assert (await do("mine", {}, headers={}))[0] == 401
        assert (await do("mine", {}, headers={"Authorization": "Bearer wrong"}))[0] == 401
        assert (await do("mine", {"blocks": 2}))[1]["number"] == number + 2
        assert (await do("reorg", {"depth": 1}))[1]["number"] == number + 3
        tx_hash = await chain.send("settler")
        assert await do("hold", {"name": tx_hash}) == (200, {})
        assert (await do("status", None, method="GET"))[1]["held"] == [tx_hash]
        assert await do("release", {"name": tx_hash}) == (200, {})
        assert await do("forget", {}) == (200, {"forgotten": [tx_hash]})
        assert await do("set_balance", {"address": NOBODY, "wei": str(10**30)}) == (200, {})
        assert int(await chain.rpc("eth_getBalance", NOBODY, "latest"), 16) == 10**30
        assert await do("next_base_fee", {"wei": 10**10}) == (200, {})
        head = (await do("mine", {}))[1]
        assert await chain.base_fee() == 10**10
        assert (await do("switch", {"hash": head["hash"]}))[1] == head
        assert (await do("faults", {"kind": "error", "endpoint": "alpha"}))[0] == 200
        with pytest.raises(RpcError, match=r"internal error"):
            await chain.number()
        assert (await do("faults", None, method="DELETE"))[0] == 200
        for verb, body in (
            ("mine", {"blocks": 0}),
            ("mine", {"block": 1}),
            ("mine", {"timestamp": 1}),
            ("reorg", {"depth": 0}),
            ("reorg", {"depth": 10_000}),
            ("switch", {"hash": "0x12"}),
            ("set_balance", {"address": NOBODY, "wei": "-1"}),
            ("next_base_fee", {"wei": -1}),
            ("faults", {"kind": "lag", "lag_blocks": 0}),
            ("faults", {"kind": "nonesuch"}),
        ):
            assert (await do(verb, body))[0] == 400, (verb, body)
        assert (await do("nonesuch", {}))[0] == 404


async def test_blocks_come_by_themselves() -> None:
    async with devchain(block_ms=20) as chain, chain.session.ws_connect(chain.ws_url) as socket:
        await subscribed(socket, "newHeads")
        first, second = [int((await told(socket))["params"]["result"]["number"], 16) for _ in range(2)]
        assert second == first + 1
