"""A development chain with our adapter before it: orders signed, calls made, endpoints that may be spoilt."""

import contextlib
import time
from collections.abc import AsyncGenerator
from typing import Any

import msgspec
from eth_abi.abi import encode
from eth_hash.auto import keccak

from adapters.chain.eip712 import ContractDomain
from adapters.chain.minting import MintingCalls
from adapters.chain.reading import Chain
from adapters.chain.settings import ChainSettings, FeeSettings, LimitSettings, MintingSettings
from adapters.chain.signature import address_of, sign_order
from adapters.chain.signers import LocalSigner
from adapters.rpc.settings import Endpoint
from adapters.rpc.web3_library import Account
from commands.chain_ports import MintingOrder, Route
from domain.transaction import Errand, Fees, Transaction
from tests.integration.chain.proxy import Proxy

DOLLAR = 10**18
DAY_S = 86_400
FEES = FeeSettings()


class Rig:
    """Hold a chain, the proxies before it, and what reads and calls it. `chain` is the test support's."""

    def __init__(self, chain: Any, proxies: list[Proxy]) -> None:
        self.node = chain
        self.proxies = proxies
        self.usdt: str = chain.deployed.assets["USDT"].lower()
        self.minting_contract: str = chain.deployed.minting.lower()
        self.custodians: tuple[str, ...] = tuple(each.lower() for each in chain.deployed.custodians)
        self.benefactor = address_of(chain.keys["benefactor"])
        self.settler = address_of(chain.keys["settler"])
        self.route = Route(addresses=self.custodians[:1], ratios=(10_000,))
        self._nonce = int(time.time())

    def settings(self, **changes: Any) -> ChainSettings:
        endpoints = tuple(
            Endpoint(name=f"rpc{at}", url=proxy.url, ws_url=proxy.ws_url) for at, proxy in enumerate(self.proxies)
        )
        plain: dict[str, Any] = {
            "endpoints": endpoints,
            "quorum": len(endpoints) // 2 + 1,
            "chain_id": self.node.chain_id,
            "minting_contract": self.minting_contract,
            "timeout_ms": 2_000,
            "poll_ms": 50,
            "quiet_poll_ms": 30_000,
            "head_age_ms_max": 0,
        }
        return ChainSettings(**(plain | changes))

    @contextlib.asynccontextmanager
    async def calls(self, key: str = "settler", **changes: Any) -> AsyncGenerator[tuple[Chain, MintingCalls]]:
        """Open the reader and the caller. `changes` are of the minting's settings."""
        limits = LimitSettings(collateral_max={self.usdt: 10**15, "0x" + "33" * 20: 10**9})
        plain: dict[str, Any] = {"limits": limits, "fees": FEES}
        settings = MintingSettings(**(plain | changes))
        async with (
            Chain(self.settings()) as chain,
            MintingCalls(chain, LocalSigner(self.node.keys[key]), settings) as minting,
        ):
            yield chain, minting

    def order(self, key: str = "benefactor", **changes: Any) -> MintingOrder:
        """Return an order of 100 dollars, signed."""
        self._nonce += 1
        plain: dict[str, Any] = {
            "order_id": f"RFQ-{self._nonce}",
            "order_type": "MINT",
            "expiry": int(time.time()) + DAY_S,
            "nonce": self._nonce,
            "benefactor": address_of(self.node.keys[key]),
            "beneficiary": address_of(self.node.keys[key]),
            "collateral_asset": self.usdt,
            "collateral_amount": 100 * 10**6,
            "usde_amount": 100 * DOLLAR,
            "signature": "0x",
            "signature_type": "EIP712",
        }
        unsigned = MintingOrder(**(plain | changes))
        if "signature" in changes:
            return unsigned
        domain = ContractDomain(chain_id=self.node.chain_id, verifying_contract=self.minting_contract)
        signature = sign_order(domain, unsigned, self.node.keys[key])
        return msgspec.structs.replace(unsigned, signature=signature)

    async def next_nonce(self, key: str = "settler") -> int:
        return int(await self.node.rpc("eth_getTransactionCount", address_of(self.node.keys[key]), "latest"), 16)

    async def signed(
        self, minting: MintingCalls, order: MintingOrder, nonce: int, *, gas: int = 400_000, fees: Fees | None = None
    ) -> Transaction:
        offered = await minting.fees(0) if fees is None else fees
        return await minting.sign(Errand.SETTLE, order, self.route, nonce, gas, offered)

    async def settle(self, minting: MintingCalls, order: MintingOrder) -> Transaction:
        """Do all that a worker does, and make the block."""
        gas = await minting.preflight(order, self.route)
        made = await self.signed(minting, order, await self.next_nonce(), gas=gas)
        await minting.broadcast(made)
        await self.node.admin.mine()
        return made

    async def send(self, key: str, to: str | None, data: bytes, gas: int = 1_500_000) -> dict[str, Any]:
        """Send a transaction of anybody's, make the block, and return its receipt."""
        private = self.node.keys[key]
        fields: dict[str, Any] = {
            "type": 2,
            "chainId": self.node.chain_id,
            "nonce": await self.next_nonce(key),
            "gas": gas,
            "maxFeePerGas": 10**11,
            "maxPriorityFeePerGas": 10**9,
            "value": 0,
            "data": data,
        }
        fields |= {} if to is None else {"to": bytes.fromhex(to[2:])}
        raw = bytes(Account.sign_transaction(fields, private).raw_transaction)
        tx_hash = await self.node.rpc("eth_sendRawTransaction", "0x" + raw.hex())
        await self.node.admin.mine()
        receipt = await self.node.rpc("eth_getTransactionReceipt", tx_hash)
        assert receipt["status"] == "0x1", receipt
        return receipt

    async def do(self, key: str, signature: str, *arguments: Any, to: str | None = None) -> dict[str, Any]:
        """Call a function of the minting contract, or of another, by its signature."""
        types = [each for each in signature.partition("(")[2].removesuffix(")").split(",") if each]
        data = keccak(signature.encode())[:4] + encode(types, list(arguments))
        return await self.send(key, to or self.minting_contract, data)


@contextlib.asynccontextmanager
async def rigged(chain: Any, endpoints: int = 1) -> AsyncGenerator[Rig]:
    """Put so many endpoints before a chain."""
    async with contextlib.AsyncExitStack() as stack:
        proxies = [await stack.enter_async_context(Proxy(chain.url, chain.ws_url).running()) for _ in range(endpoints)]
        yield Rig(chain, proxies)
