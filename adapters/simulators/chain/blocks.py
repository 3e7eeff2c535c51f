"""Blocks with what came of their transactions, as plain values: what is kept in memory and in the journal."""

import msgspec

from adapters.simulators.chain.transactions import Signed, decode


class Log(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Hold one log: who wrote it, its topics of 32 bytes, its data."""

    address: bytes
    topics: tuple[bytes, ...]
    data: bytes


class Included(msgspec.Struct, frozen=True, array_like=True):
    """Hold a transaction in its block and how it went. Gas is its own and that of the block up to and with it."""

    raw: bytes
    tx_hash: bytes
    succeeded: bool
    gas_used: int
    gas_cumulative: int
    bloom: bytes
    first_log: int
    logs: tuple[Log, ...]

    @property
    def signed(self) -> Signed:
        """Return the transaction itself."""
        return decode(self.raw)


class Block(msgspec.Struct, frozen=True, array_like=True):
    """Hold a block. `root` is the state after it: the header's, unless an administrator changed the state since.

    `header` is RLP, from which the hash is made.
    """

    number: int
    block_hash: bytes
    parent_hash: bytes
    timestamp_s: int
    base_fee_wei: int
    gas_used: int
    gas_limit: int
    root: bytes
    bloom: bytes
    header: bytes
    included: tuple[Included, ...]
