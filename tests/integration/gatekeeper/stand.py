"""The gatekeeper before a development chain: its real adapter, prices that a test says, blocks that it asks for."""

import contextlib
import time
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

from adapters.chain.gatekeeper import ContractGate, ContractWatch, gate_sending
from adapters.chain.reading import Chain
from adapters.chain.settings import ChainSettings
from adapters.chain.signers import LocalSigner
from adapters.rpc.settings import Endpoint
from api.gatekeeping.gatekeeper import Gatekeeping
from api.gatekeeping.memory import Heartbeat, Notebook
from api.gatekeeping.prices import Prices
from api.gatekeeping.settings import GatekeeperSettings
from api.gatekeeping.shutting import Shutter
from domain.codec import decoder
from domain.gatekeeping import Caps, Rules, Terms
from domain.policy import Asset
from tests.support.devchain import DevChain
from tests.support.gatekeeping import a_price

ETHER = DOLLAR = 10**18
GLOBAL_CONFIG = "0xa7c1abe0"


class SystemClock:
    """Tell the machine's date, or one ahead of it."""

    ahead_us = 0

    def now_us(self) -> int:
        return time.time_ns() // 1_000 + self.ahead_us


class Stand:
    """Hold a chain and the folder of its gatekeeper, which may be opened again and again."""

    def __init__(self, chain: DevChain, folder: Path) -> None:
        self.chain = chain
        chain.url = chain.urls[-1]
        self.folder = folder
        self.weth = chain.deployed.assets["WETH"].lower()
        self.clock = SystemClock()
        self.prices = Prices()
        self._number = 0

    @contextlib.asynccontextmanager
    async def keeper(self, key: str = "gatekeeper", **changes: Any) -> AsyncGenerator[Gatekeeping]:
        """Open a gatekeeper over the same files, as after a start."""
        urls = self.chain.urls
        self.prices = Prices()
        settings = GatekeeperSettings(rpc=urls, **changes)
        chain_settings = ChainSettings(
            endpoints=tuple(Endpoint(name=f"own{at}", url=url) for at, url in enumerate(urls)),
            quorum=len(urls) // 2 + 1,
            chain_id=self.chain.chain_id,
            minting_contract=self.chain.deployed.minting,
            timeout_ms=2_000,
            head_age_ms_max=0,
        )
        asset = Asset(symbol="WETH", decimals=18, address=self.weth, underlying="ETH")
        terms = Terms(rules=Rules(), assets={self.weth: asset})
        async with Chain(chain_settings) as chain:
            signer = LocalSigner(self.chain.keys[key])
            async with gate_sending(chain, signer, settings.priority_fee_wei, settings.max_fee_wei_max) as sending:
                gate = ContractGate(sending)
                watched = ContractWatch(chain, gate.sender)
                notebook = Notebook(self.folder, self.chain.chain_id, self.chain.deployed.minting)
                shutter = Shutter(watched, gate, settings)
                yield Gatekeeping(watched, shutter, self.prices, terms, settings, self.clock, notebook)

    async def mint(self, dollars: int, ether: int = 1) -> str:
        """Mint dollars for ether as the settler does, whatever it is worth; return the hash once it is in a block.

        Asked at the last endpoint: the others may be spoilt.
        """
        self._number += 1
        order = await self.chain.order(
            self._number,
            collateral_asset=self.weth,
            collateral_amount=ether * ETHER,
            usde_amount=dollars * DOLLAR,
        )
        tx_hash = await self.chain.mint(order)
        await self.chain.admin.mine()
        receipt = await self.chain.rpc("eth_getTransactionReceipt", tx_hash)
        assert int(receipt["status"], 16) == 1
        return tx_hash

    async def turn(self, keeper: Gatekeeping, *, price: str = "2000") -> Heartbeat:
        """Let the sources say a price, take a turn, and return the heartbeat."""
        for source in ("pyth", "redstone"):
            self.prices.take(a_price(source, price, at_us=self.clock.now_us()))
        await keeper.turn()
        return self.heartbeat

    async def block(self, keeper: Gatekeeping) -> Heartbeat:
        """Have a block mined, and take a turn."""
        await self.chain.admin.mine()
        return await self.turn(keeper)

    @property
    def heartbeat(self) -> Heartbeat:
        return decoder(Heartbeat).decode((self.folder / "heartbeat.json").read_bytes())

    async def caps(self) -> Caps:
        """Return the contract's global caps, asked past the gatekeeper."""
        answer = await self.chain.rpc("eth_call", {"to": self.chain.deployed.minting, "data": GLOBAL_CONFIG}, "latest")
        return Caps(int(answer[2:66], 16), int(answer[66:130], 16))

    async def sent(self) -> int:
        """Return how many transactions of the gatekeeper were included."""
        address = self.chain.addresses["gatekeeper"]
        return int(await self.chain.rpc("eth_getTransactionCount", address, "latest"), 16)
