"""The minting contract as the gatekeeper sees it: its flows and caps by quorum, and the one call that it may make."""

import asyncio
from collections.abc import Sequence

from adapters.chain.calls import DISABLE_MINT_REDEEM, disable_mint_redeem
from adapters.chain.reading import Chain
from adapters.chain.sending import Sending
from adapters.chain.settings import FeeSettings, SendingSettings
from adapters.chain.signers import Signer
from domain.gatekeeping import Caps, Flow
from domain.quote import Side
from domain.refusal import Unavailable
from domain.transaction import Block, Errand, Fees, Receipt, Transaction

# What the call is given at least: two storage words set to zero and a role looked up take about a quarter of it.
GAS_LIMIT = 150_000
GAS_LIMIT_MAX = 500_000
# Blocks whose times are asked for at once.
BLOCKS_AT_ONCE = 16


class ContractWatch:
    """Read what the gatekeeper judges, through a chain of its own; `sender` is the key it shuts the contract with."""

    def __init__(self, chain: Chain, sender: str) -> None:
        self._chain = chain
        self._sender = sender

    async def head(self) -> Block:
        """Return the newest block that a quorum has."""
        return await self._chain.head()

    async def block(self, number: int) -> Block | None:
        """Return the canonical block of that number."""
        return await self._chain.block(number)

    async def flows(self, first: int, last: int) -> Sequence[Flow]:
        """Return every mint and redemption of a range with the time of its block."""
        settled = await self._chain.settled_since(first, last)
        times = await self._times({each.block_number: each.block_hash for each in settled})
        return tuple(
            Flow(
                side=Side(each.order_type),
                asset=each.collateral_asset,
                collateral=each.collateral_amount,
                issued=each.usde_amount,
                block_number=each.block_number,
                block_hash=each.block_hash,
                at_s=times[each.block_number],
                tx_hash=each.tx_hash,
                log_index=each.log_index,
                caller=each.sender,
            )
            for each in settled
        )

    async def _times(self, blocks: dict[int, str]) -> dict[int, int]:
        found: dict[int, int] = {}
        numbers = sorted(blocks)
        for start in range(0, len(numbers), BLOCKS_AT_ONCE):
            some = numbers[start : start + BLOCKS_AT_ONCE]
            for number, block in zip(some, await asyncio.gather(*map(self._chain.block, some)), strict=True):
                if block is None or block.block_hash != blocks[number]:
                    raise Unavailable(f"reorganised: block {number} is another than its logs say")
                found[number] = block.timestamp_s
        return found

    async def caps(self, number: int) -> Caps:
        """Return the global caps at a block."""
        terms = await self._chain.terms((), number)
        return Caps(terms.global_max_mint_per_block, terms.global_max_redeem_per_block)

    async def receipt(self, tx_hash: str) -> Receipt | None:
        """Return a transaction's receipt on the canonical chain."""
        return await self._chain.receipt(tx_hash)

    async def next_nonce(self, number: int) -> int:
        """Return the sender's next free nonce at a block."""
        return await self._chain.transaction_count(self._sender, number)


class ContractGate:
    """Sign and send `disableMintRedeem` and nothing else."""

    def __init__(self, sending: Sending) -> None:
        self._sending = sending

    @property
    def sender(self) -> str:
        """Return the sender's address, lower case."""
        return self._sending.sender

    async def preflight(self) -> int:
        """Try the call at the head and return the gas limit to use."""
        return await self._sending.preflight(disable_mint_redeem(), GAS_LIMIT)

    async def fees(self, tries: int) -> Fees:
        """Return the fees to offer now."""
        return await self._sending.fees(tries)

    async def sign(self, nonce: int, gas_limit: int, fees: Fees) -> Transaction:
        """Return the signed call, unsent."""
        return await self._sending.sign(Errand.SETTLE, disable_mint_redeem(), nonce, gas_limit, fees)

    async def broadcast(self, transaction: Transaction) -> None:
        """Send the same bytes to every endpoint."""
        await self._sending.broadcast(transaction)


def gate_sending(chain: Chain, signer: Signer, priority_fee_wei: int, max_fee_wei_max: int) -> Sending:
    """Return a sender that is for the gatekeeper's call alone; use as `async with`. It may outbid anybody."""
    fees = FeeSettings(
        priority_fee_wei=priority_fee_wei, max_fee_wei_max=max_fee_wei_max, priority_fee_wei_max=max_fee_wei_max
    )
    settings = SendingSettings(fees=fees, gas_limit_max=GAS_LIMIT_MAX)
    return Sending(chain, signer, settings, allowed=frozenset({DISABLE_MINT_REDEEM}))
