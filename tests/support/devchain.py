"""A chain with the contracts on it, for a test: ours, or anvil, behind the same face.

    async with devchain("simulated") as chain: ...

Ours begins from a copy of one deployment, made once in the process.
"""

import contextlib
from collections.abc import AsyncGenerator, Mapping
from typing import Any

import aiohttp
import msgspec
import pytest
from eth_hash.auto import keccak
from eth_utils.address import to_checksum_address

from adapters.chain.calls import mint_calldata
from adapters.chain.eip712 import ContractDomain, domain_separator, order_hash
from adapters.simulators.chain.admin import ChainAdmin
from adapters.simulators.chain.deployment import ETHER, Deployed, DeploymentPlan, deploy
from adapters.simulators.chain.founding import founded
from adapters.simulators.chain.journal import Kept
from adapters.simulators.chain.node import GWEI, NodeSettings, SimulatedNode
from adapters.simulators.chain.signing import Account
from adapters.simulators.chain.works import address_of
from commands.chain_ports import MintingOrder, Route
from tests.support.anvil import Anvil, RpcError, anvil, anvil_binary, ask

__all__ = ["BACKENDS", "FIXED", "KEYS", "DevChain", "RpcError", "devchain", "plan_of"]

NO_ANVIL = "anvil is not here: name it by BALLAST_ANVIL, or have the Makefile install it"
BACKENDS = [
    pytest.param("simulated", id="simulated"),
    pytest.param("anvil", id="anvil", marks=pytest.mark.skipif(anvil_binary() is None, reason=NO_ANVIL)),
]
ROLES = ("admin", "settler", "gatekeeper", "manager", "benefactor", "benefactor2", "stranger")
KEYS: Mapping[str, str] = {role: f"0x{keccak(f'a key of tests: {role}'.encode()).hex()}" for role in ROLES}
CUSTODIANS = tuple(f"0x{keccak(f'a custodian of tests {index}'.encode())[-20:].hex()}" for index in range(3))
FIXED: Mapping[str, str] = {
    "minting": "0xe3490297a08d6fc8da46edb7b6142e4f461b62d3",
    "issued": "0x4c9edd5852cd905f086c759e8383e09bff1e68b3",
    "USDT": "0xdac17f958d2ee523a2206206994597c13d831ec7",
    "WETH": "0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2",
    "WBTC": "0x2260fac5e5542a773aa44fbcfedf7c193bc2c599",
}
ENDPOINTS = ("alpha", "beta", "gamma")
ADMIN_TOKEN = "the tests' administrator"
CHAIN_ID = 31_337

_FOUNDED: dict[bytes, tuple[Kept, Deployed]] = {}


class DevChain:
    """Hold a running chain. `urls` are its endpoints: three of ours, one of anvil's."""

    def __init__(
        self,
        backend: str,
        urls: tuple[str, ...],
        admin: ChainAdmin | Anvil,
        session: aiohttp.ClientSession,
        node: SimulatedNode | None,
    ) -> None:
        self.backend = backend
        self.urls = urls
        self.url = urls[0]
        self.ws_urls = tuple(f"ws{url.removeprefix('http')}" for url in urls)
        self.ws_url = self.ws_urls[0]
        self.admin: Any = admin
        self.node = node
        self.session = session
        self.keys = KEYS
        self.addresses = {role: address_of(key) for role, key in KEYS.items()}
        self.chain_id = CHAIN_ID
        self._deployed: Deployed | None = None

    @property
    def deployed(self) -> Deployed:
        assert self._deployed is not None, "asked to be deployed"
        return self._deployed

    async def rpc(self, method: str, *params: Any) -> Any:
        """Ask the first endpoint over HTTP. Raise RpcError for JSON-RPC's errors."""
        return await ask(self.session, self.url, method, list(params))

    async def base_fee(self) -> int:
        newest = await self.rpc("eth_getBlockByNumber", "latest", False)
        return int(newest["baseFeePerGas"], 16)

    async def number(self) -> int:
        return int(await self.rpc("eth_blockNumber"), 16)

    async def signed(self, role: str, **fields: Any) -> str:
        """Return a signed transaction, by default of one wei to nobody, at the sender's next nonce and ample fees."""
        whole = {
            "chainId": self.chain_id,
            "to": Account.from_key(KEYS["stranger"]).address,
            "value": 1,
            "gas": 21_000,
            "data": "0x",
            "maxFeePerGas": 3 * await self.base_fee() + GWEI,
            "maxPriorityFeePerGas": GWEI,
            **fields,
        }
        if "nonce" not in whole:
            whole["nonce"] = int(await self.rpc("eth_getTransactionCount", self.addresses[role], "pending"), 16)
        whole["to"] = to_checksum_address(str(whole["to"]))
        return f"0x{bytes(Account.sign_transaction(whole, KEYS[role]).raw_transaction).hex()}"

    async def send(self, role: str, **fields: Any) -> str:
        """Sign and send; return the hash."""
        return str(await self.rpc("eth_sendRawTransaction", await self.signed(role, **fields)))

    async def order(self, number: int, **changes: Any) -> MintingOrder:
        """Return a signed order, by default to mint 1,000 dollars for as many USDT; `number` is its id and nonce."""
        newest = await self.rpc("eth_getBlockByNumber", "latest", False)
        unsigned = MintingOrder(
            order_id=f"RFQ-{number}",
            order_type="MINT",
            expiry=int(newest["timestamp"], 16) + 3_600,
            nonce=number,
            benefactor=self.addresses["benefactor"],
            beneficiary=self.addresses["benefactor"],
            collateral_asset=self.deployed.assets["USDT"],
            collateral_amount=1_000 * 10**6,
            usde_amount=1_000 * ETHER,
            signature="",
            signature_type="EIP712",
        )
        unsigned = msgspec.structs.replace(unsigned, **changes)
        domain = ContractDomain(chain_id=self.chain_id, verifying_contract=self.deployed.minting)
        digest = order_hash(domain_separator(domain), unsigned)
        signature = Account.unsafe_sign_hash(digest, KEYS["benefactor"]).signature
        return msgspec.structs.replace(unsigned, signature=f"0x{bytes(signature).hex()}")

    async def mint(self, order: MintingOrder, **fields: Any) -> str:
        """Send the settler's transaction that mints an order; return its hash."""
        route = Route(addresses=(self.deployed.custodians[0],), ratios=(10_000,))
        data = f"0x{mint_calldata(order, route).hex()}"
        return await self.send(
            "settler", **{"to": self.deployed.minting, "data": data, "gas": 400_000, "value": 0, **fields}
        )

    async def begin(self, deployed: Deployed | None) -> None:
        self._deployed = deployed
        self.chain_id = int(await self.rpc("eth_chainId"), 16)


def plan_of(*, fixed: bool = False, issued_funds: int = 1_000_000 * ETHER, **changes: Any) -> DeploymentPlan:
    """Return the plan that tests deploy: two benefactors with collateral and issued dollars, three custodians."""
    plan = DeploymentPlan(
        admin_key=KEYS["admin"],
        settler=address_of(KEYS["settler"]),
        gatekeeper=address_of(KEYS["gatekeeper"]),
        collateral_manager=address_of(KEYS["manager"]),
        custodians=CUSTODIANS,
        benefactor_keys=(KEYS["benefactor"], KEYS["benefactor2"]),
        issued_funds=issued_funds,
        fixed=FIXED if fixed else {},
    )
    return msgspec.structs.replace(plan, **changes)


@contextlib.asynccontextmanager
async def devchain(
    backend: str = "simulated",
    *,
    chain_id: int = CHAIN_ID,
    block_ms: int = 0,
    epoch_blocks: int = 32,
    plan: DeploymentPlan | None = None,
    deployed: bool = True,
    **settings: Any,
) -> AsyncGenerator[DevChain]:
    """Run a chain; `plan` says what is on it. `settings` are more of our node's own."""
    wanted = (plan or plan_of()) if deployed else None
    if backend == "anvil":
        assert not settings, "anvil knows none of these"
        async with (
            anvil(chain_id=chain_id, block_ms=block_ms, epoch_blocks=epoch_blocks) as found,
            aiohttp.ClientSession() as session,
        ):
            chain = DevChain(backend, (found.url,), found, session, None)
            await chain.begin(None if wanted is None else await deploy(found, wanted))
            yield chain
        return
    base = NodeSettings(
        chain_id=chain_id,
        endpoints=ENDPOINTS,
        block_ms=block_ms,
        epoch_blocks=epoch_blocks,
        admin_token=ADMIN_TOKEN,
    )
    mine = msgspec.structs.replace(base, **settings)
    kept, there = (None, None) if wanted is None else await _once(base, wanted)
    node = SimulatedNode(msgspec.structs.replace(mine, begin=kept))
    await node.start()
    try:
        async with aiohttp.ClientSession() as session:
            urls = tuple(node.url(name) for name in mine.endpoints)
            chain = DevChain(backend, urls, node.admin, session, node)
            await chain.begin(there)
            yield chain
    finally:
        await node.stop()


async def _once(settings: NodeSettings, plan: DeploymentPlan) -> tuple[Kept, Deployed]:
    name = msgspec.msgpack.encode((settings.chain_id, str(plan)))
    if name not in _FOUNDED:
        _FOUNDED[name] = await founded(settings, plan)
    return _FOUNDED[name]
