"""A chain and a gate in memory for the gatekeeper: blocks, reorganisations, mempool, endpoints that go away."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from api.gatekeeping.gatekeeper import Gatekeeping
from api.gatekeeping.memory import Heartbeat, Notebook
from api.gatekeeping.prices import Prices
from api.gatekeeping.settings import GatekeeperSettings
from api.gatekeeping.shutting import Shutter
from domain.codec import decoder
from domain.gatekeeping import Caps, Flow
from domain.quote import Side
from domain.refusal import Rejected, Unavailable
from domain.transaction import Block, Errand, Fees, Receipt, Transaction
from tests.support.gatekeeping import START_S, START_US, a_flow, a_price, terms

SENDER = "0x00000000000000000000000000000000000000cc"
CONTRACT = "0x00000000000000000000000000000000000000c0"
OPEN, SHUT = Caps(10**25, 10**25), Caps(0, 0)


class FakeChain:
    """Be a chain whose blocks hold flows, and a contract that a transaction shuts. Both ports of the gatekeeper."""

    def __init__(self) -> None:
        self.sender = SENDER
        self.blocks: list[Block] = []
        self.flows_in: dict[str, list[Flow]] = {}
        self.caps_at: dict[str, Caps] = {}
        self.included: dict[str, Receipt] = {}
        self.pool: dict[int, Transaction] = {}
        self.sent: list[Transaction] = []
        self.signed: list[Transaction] = []
        self.asked: list[tuple[int, int]] = []
        self.away = ""
        self.gate_away = ""
        self.refuses = ""
        self.not_taken: Exception | None = None
        self.reverts = False
        self.fork = 0
        self.caps_set = OPEN
        self.mine()

    # What tests do.

    def mine(self, *flows: Flow, include: bool = False) -> Block:
        """Make a block with these flows, and with what the pool holds."""
        number = len(self.blocks)
        block_hash = f"0x{self.fork:02x}{number:062x}"
        parent = self.blocks[-1].block_hash if self.blocks else "0x" + "0" * 64
        block = Block(number=number, block_hash=block_hash, parent_hash=parent, timestamp_s=START_S + number)
        self.blocks.append(block)
        self.flows_in[block_hash] = [
            msgspec.structs.replace(
                flow, block_number=number, block_hash=block_hash, at_s=block.timestamp_s, log_index=at
            )
            for at, flow in enumerate(flows)
        ]
        if include:
            for nonce in sorted(self.pool):
                self._include(self.pool.pop(nonce), block)
        self.caps_at[block_hash] = self.caps_set
        return block

    def _include(self, transaction: Transaction, block: Block) -> None:
        if not self.reverts:
            self.caps_set = SHUT
        self.included[transaction.tx_hash] = Receipt(
            tx_hash=transaction.tx_hash,
            block_number=block.number,
            block_hash=block.block_hash,
            succeeded=not self.reverts,
            gas_used=30_000,
            gas_price_wei=1,
        )

    def set_caps(self, caps: Caps) -> None:
        """Let people set the caps, from the next block on."""
        self.caps_set = caps

    def reorganise(self, depth: int) -> None:
        """Drop the last blocks; what they included is back in the pool."""
        dropped = {block.block_hash for block in self.blocks[-depth:]}
        del self.blocks[-depth:]
        self.fork += 1
        for tx_hash, receipt in list(self.included.items()):
            if receipt.block_hash in dropped:
                del self.included[tx_hash]
                self.pool.update({each.nonce: each for each in self.sent if each.tx_hash == tx_hash})
        self.caps_set = self.caps_at[self.blocks[-1].block_hash]

    # What the gatekeeper asks.

    def _there(self) -> None:
        if self.away:
            raise Unavailable(self.away)

    async def head(self) -> Block:
        self._there()
        return self.blocks[-1]

    async def block(self, number: int) -> Block | None:
        self._there()
        return self.blocks[number] if number < len(self.blocks) else None

    async def flows(self, first: int, last: int) -> Sequence[Flow]:
        self._there()
        self.asked.append((first, last))
        return [flow for block in self.blocks[first : last + 1] for flow in self.flows_in[block.block_hash]]

    async def caps(self, number: int) -> Caps:
        self._there()
        return self.caps_at[self.blocks[number].block_hash]

    async def receipt(self, tx_hash: str) -> Receipt | None:
        self._there()
        return self.included.get(tx_hash)

    async def next_nonce(self, number: int) -> int:
        self._there()
        return sum(receipt.block_number <= number for receipt in self.included.values())

    async def preflight(self) -> int:
        if self.refuses:
            raise Rejected(self.refuses, "refused")
        return 60_000

    async def fees(self, tries: int) -> Fees:
        return Fees(max_fee_wei=100 + tries, priority_fee_wei=10)

    async def sign(self, nonce: int, gas_limit: int, fees: Fees) -> Transaction:
        if self.gate_away:
            raise Unavailable(self.gate_away)
        tx_hash = f"0xf{len(self.signed) + 1:063x}"
        signed = Transaction(
            errand=Errand.SETTLE,
            sender=SENDER,
            nonce=nonce,
            tx_hash=tx_hash,
            raw="0x01",
            gas_limit=gas_limit,
            fees=fees,
        )
        self.signed.append(signed)
        return signed

    async def broadcast(self, transaction: Transaction) -> None:
        if self.gate_away:
            raise Unavailable(self.gate_away)
        if self.not_taken is not None:
            raise self.not_taken
        self.sent.append(transaction)
        if transaction.tx_hash not in self.included:
            self.pool[transaction.nonce] = transaction


class FakeClock:
    """Tell the time that tests say."""

    def __init__(self) -> None:
        self.us = START_US

    def now_us(self) -> int:
        return self.us


class Kept:
    """Hold a gatekeeper over a fake chain, and start it again over the same files."""

    def __init__(self, folder: Path, **changes: Any) -> None:
        self.folder = folder
        self.chain = FakeChain()
        self.clock = FakeClock()
        self.settings = msgspec.structs.replace(GatekeeperSettings(rpc=("http://one",)), **changes)
        self.terms = terms()
        self.restart()

    def restart(self) -> None:
        """Begin anew with nothing but the files, as after a crash."""
        self.prices = Prices()
        self.keeper = Gatekeeping(
            self.chain,
            Shutter(self.chain, self.chain, self.settings),
            self.prices,
            self.terms,
            self.settings,
            self.clock,
            Notebook(self.folder, 1, CONTRACT),
        )

    def say(self, price: str = "2000") -> None:
        """Let both sources publish a price now."""
        for oracle in ("pyth", "redstone"):
            self.prices.take(a_price(oracle, price, at_us=self.clock.us))
            self.prices.take(a_price(oracle, "1", base="USDT", at_us=self.clock.us))

    async def turn(self, seconds: int = 1) -> bool:
        """Let time pass, prices be published as they are, and a turn be taken."""
        self.clock.us += seconds * 1_000_000
        return await self.keeper.turn()

    async def block(self, *flows: Flow, include: bool = False) -> None:
        """Mine a block and take a turn."""
        self.chain.mine(*flows, include=include)
        await self.turn()

    @property
    def heartbeat(self) -> Heartbeat:
        """Return what stands in the heartbeat's file."""
        return decoder(Heartbeat).decode((self.folder / "heartbeat.json").read_bytes())


def off_market(issued: int = 80_000) -> Flow:
    """Return a mint that takes one ether for a fortune."""
    return a_flow(Side.MINT, issued=issued)


def honest() -> Flow:
    """Return a mint at the market."""
    return a_flow(Side.MINT, issued=2_000)
