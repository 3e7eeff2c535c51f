"""The product's ports to the model chain: reading it, and calling the contract as its one sender.

Queries fail, answers get lost, and what is read was true when the request arrived, not when the answer does.
"""

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec

from commands.chain_ports import IssuedTotal, MintingOrder, Route, View, Wallet
from domain.onchain import ContractTerms, PartyChange
from domain.refusal import Rejected, Unavailable, Unknown
from domain.transaction import Block, Errand, Fees, Receipt, Transaction
from tests.simulation.loop import Process, SimFuture
from tests.simulation.model_chain import Mined, ModelChain
from tests.simulation.model_contract import SENDER, Call, refuse
from tests.simulation.sim import Sim
from tests.support.given import START_US

HOP_US = (2_000, 40_000)
LATE_US = (500_000, 6_000_000)
CALL_TIMEOUT_S = 3.0

SITES = (
    "chain.unavailable",
    "chain.request_lost",
    "chain.request_late",
    "chain.response_lost",
    "chain.signer_away",
    "rpc.failed",
)

_T = TypeVar("_T")


class SimReader:
    """The `ChainReader` of one process."""

    def __init__(self, chain: ModelChain, process: Process) -> None:
        self._chain = chain
        self._sim: Sim = chain.sim
        self._process = process

    async def _ask(self, site: str, answer: Callable[[], _T]) -> _T:
        sim, faults = self._sim, self._sim.faults
        failed = faults.hit("rpc.failed")
        await sim.travel(self._process, site, *HOP_US)
        if failed or self._chain.away:
            raise Unavailable("no quorum of endpoints answers")
        found = answer()
        await sim.travel(self._process, f"{site}.answer", *HOP_US)
        return found

    async def head(self) -> Block:
        """See `ChainReader.head`."""
        return await self._ask("rpc.head", lambda: self._chain.head.block)

    async def wait_head(self, after: Block | None) -> Block:
        """See `ChainReader.wait_head`."""
        while True:
            head = await self.head()
            if after is None or (head.number, head.block_hash) != (after.number, after.block_hash):
                return head
            future: SimFuture = self._sim.loop.create_future()
            self._chain.waiting.append(future)
            await future

    def _at(self, number: int) -> Mined | None:
        return self._chain.blocks[number] if 0 <= number < len(self._chain.blocks) else None

    def _known(self, number: int) -> Mined:
        found = self._at(number)
        if found is None:
            raise Unavailable(f"no block {number}")
        return found

    async def block(self, number: int) -> Block | None:
        """See `ChainReader.block`."""
        found = await self._ask("rpc.block", lambda: self._at(number))
        return found.block if found is not None else None

    async def receipt(self, tx_hash: str) -> Receipt | None:
        """See `ChainReader.receipt`."""
        return await self._ask("rpc.receipt", lambda: self._chain.receipt(tx_hash))

    async def transaction_count(self, sender: str, number: int) -> int:
        """See `ChainReader.transaction_count`."""
        return await self._ask("rpc.count", lambda: self._known(number).state.nonces.get(sender, 0))

    async def wallet(self, owner: str, token: str) -> Wallet:
        """See `ChainReader.wallet`; nobody here is ever short of anything."""
        raise AssertionError(f"the workers ask for no wallet: {owner} {token}")

    async def contract_signature(self, wallet: str, order_hash: str, signature: str) -> bool:
        """See `ChainReader.contract_signature`."""
        raise AssertionError(f"the workers ask for no signature: {wallet} {order_hash} {signature}")

    async def terms(self, assets: Sequence[str], number: int) -> ContractTerms:
        """See `ChainReader.terms`."""
        del assets
        return await self._ask("rpc.terms", lambda: self._chain.terms(self._known(number)))

    async def issued(self, number: int) -> IssuedTotal:
        """See `ChainReader.issued`."""

        def total() -> IssuedTotal:
            mined = self._known(number)
            count, block = mined.state.supply + self._chain.foreign_supply(number), mined.block
            return IssuedTotal(token="0x", total=count, block_number=block.number, block_hash=block.block_hash)

        return await self._ask("rpc.issued", total)

    async def number_of(self, view: View, number: int) -> int:
        """See `ChainReader.number_of`."""
        found = await self._ask("rpc.view", lambda: self._known(number) and self._chain.views.get(view))
        if found is None:
            raise Rejected("REVERTED", f"{view.contract} has no {view.function}")
        return found

    async def party_changes(self, first: int, last: int) -> Sequence[PartyChange]:
        """See `ChainReader.party_changes`."""

        def logs() -> list[PartyChange]:
            return [log for mined in self._chain.blocks[first : last + 1] for log in mined.logs]

        return await self._ask("rpc.logs", logs)


class SimMinting:
    """The `Minting` of one process: its key is the one sender's."""

    def __init__(self, chain: ModelChain, process: Process) -> None:
        self._chain = chain
        self._sim: Sim = chain.sim
        self._process = process
        self._reader = SimReader(chain, process)

    @property
    def sender(self) -> str:
        """See `Minting.sender`."""
        return SENDER

    async def preflight(self, order: MintingOrder, route: Route) -> int:
        """See `Minting.preflight`."""
        now_s = (START_US + self._sim.loop.now_us) // 1_000_000
        error = await self._reader._ask("rpc.preflight", lambda: refuse(self._chain.state, order, route, now_s))
        if error:
            raise Rejected(error, "execution reverted")
        return 300_000

    async def fees(self, tries: int) -> Fees:
        """See `Minting.fees`."""
        base = await self._reader._ask("rpc.fees", lambda: self._chain.head.block.base_fee_wei)
        return Fees(max_fee_wei=2 * base + tries, priority_fee_wei=1 + tries)

    async def sign(
        self, errand: Errand, order: MintingOrder, route: Route, nonce: int, gas_limit: int, fees: Fees
    ) -> Transaction:
        """See `Minting.sign`."""
        self._process.point("chain.sign")
        if self._sim.faults.hit("chain.signer_away"):
            raise Unavailable("the signer does not answer")
        raw = msgspec.json.encode(Call(errand, order, route, SENDER, nonce, fees))
        return Transaction(
            errand=errand,
            sender=SENDER,
            nonce=nonce,
            tx_hash="0x" + hashlib.sha256(raw).hexdigest(),
            raw="0x" + raw.hex(),
            gas_limit=gas_limit,
            fees=fees,
        )

    async def broadcast(self, transaction: Transaction) -> None:
        """See `Minting.broadcast`."""
        sim, faults = self._sim, self._sim.faults
        self._process.point("chain.broadcast")
        unavailable, lost, late, silent = (
            faults.hit(f"chain.{name}") for name in ("unavailable", "request_lost", "request_late", "response_lost")
        )
        if unavailable:
            await sim.travel(self._process, "chain.refused_connection", *HOP_US)
            raise Unavailable("no connection")
        future = sim.loop.create_future()
        if not lost:
            site, delay_us = ("chain.late", LATE_US) if late else ("chain.hop", HOP_US)
            sim.later(site, *delay_us, self._arrive, transaction, None if silent else future)
        try:
            async with asyncio.timeout(CALL_TIMEOUT_S):
                await future
        except TimeoutError:
            raise Unknown("no answer in time") from None
        self._process.fence()

    def _arrive(self, transaction: Transaction, future: SimFuture | None) -> None:
        refusal = self._chain.take(transaction)
        self._sim.strike(self._process, "chain.taken")
        if future is not None:
            self._sim.loop.after_us(
                self._sim.faults.between("chain.hop", *HOP_US), lambda: self._sim.settle(future, error=refusal)
            )
