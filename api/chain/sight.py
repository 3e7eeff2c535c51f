"""What a sender of transactions sees of the chain: the head, and which of its own nonces are used up, and for good."""

import msgspec

from commands.chain_ports import ChainReader
from domain.transaction import Block, Errand, Fees, Transaction

# The chain, or the signer, is away: asked again after so long.
AWAY_S = 1.0
# What a node says of a transaction that cannot be paid: a person must fund the sender.
UNPAYABLE = "INSUFFICIENT_FUNDS"

_FREE = Fees(max_fee_wei=0, priority_fee_wei=0)


class Sight(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Hold a head and what the sender has used up: `used` nonces in its chain, `used_finally` of them deep enough.

    `final` is the number of the last block that counts as final, below 0 while the chain is too short.
    """

    head: Block
    final: int
    used: int
    used_finally: int


async def look_round(reader: ChainReader, sender: str, finality_blocks: int, head: Block) -> Sight:
    """Return what a sender sees from a head; raise `Unavailable` when the endpoints do not agree."""
    final = head.number - finality_blocks
    used_finally = await reader.transaction_count(sender, final) if final >= 0 else 0
    used = await reader.transaction_count(sender, head.number)
    return Sight(head=head, final=final, used=max(used, used_finally), used_finally=used_finally)


def draft(errand: Errand, sender: str, nonce: int, fees: Fees = _FREE) -> Transaction:
    """Return what a transaction would be, unsigned, for the Book's rules to be tried on."""
    return Transaction(errand=errand, sender=sender, nonce=nonce, tx_hash="0x", raw="0x", gas_limit=1, fees=fees)
