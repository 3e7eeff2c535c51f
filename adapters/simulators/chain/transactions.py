"""Signed transactions as plain values, decoded from the bytes that were sent."""

from functools import lru_cache
from typing import Any

import msgspec
from eth_hash.auto import keccak

from adapters.simulators.chain.evm import PragueTransactionBuilder, RLPException, ValidationError
from adapters.simulators.chain.refused import Refused

DECODED_KEPT = 4_096
LEGACY, ACCESS_LIST, DYNAMIC_FEE, BLOB, SET_CODE = range(5)
TYPES = (LEGACY, ACCESS_LIST, DYNAMIC_FEE)
LEGACY_FROM = 0xC0
RAW_BYTES_MAX = 128 * 1024
INITCODE_BYTES_MAX = 49_152


class Signed(msgspec.Struct, frozen=True, kw_only=True):
    """Hold a transaction; fees in wei a unit of gas, `to` empty for a creation. `evm` is the same in py-evm's shape."""

    raw: bytes
    tx_hash: bytes
    sender: bytes
    type_id: int
    chain_id: int | None
    nonce: int
    to: bytes
    value: int
    data: bytes
    gas: int
    max_fee: int
    priority_fee: int
    access_list: tuple[tuple[bytes, tuple[int, ...]], ...]
    y_parity: int
    r: int
    s: int
    intrinsic_gas: int
    evm: Any

    @property
    def cost_wei(self) -> int:
        """Return the most it can take from its sender."""
        return self.gas * self.max_fee + self.value

    def tip_wei(self, base_fee_wei: int) -> int:
        """Return what a unit of gas leaves to the block's maker; negative when it cannot pay the base fee."""
        return min(self.priority_fee, self.max_fee - base_fee_wei)

    def price_wei(self, base_fee_wei: int) -> int:
        """Return what a unit of gas costs at a base fee."""
        return min(self.max_fee, base_fee_wei + self.priority_fee)


@lru_cache(maxsize=DECODED_KEPT)
def decode(raw: bytes) -> Signed:
    """Decode a signed transaction and recover its sender. Raise Refused when it is none."""
    if not raw:
        raise Refused("transaction is empty")
    if len(raw) > RAW_BYTES_MAX:
        raise Refused(f"oversized data: transaction size {len(raw)}, limit {RAW_BYTES_MAX}")
    kind = raw[0] if raw[0] < LEGACY_FROM else LEGACY
    if kind not in TYPES or raw[0] == LEGACY:
        raise Refused("transaction type not supported")
    try:
        found = PragueTransactionBuilder.decode(raw)
        found.validate()
        sender = bytes(found.sender)
    except (RLPException, ValidationError, ValueError, TypeError, IndexError) as error:
        raise Refused(f"rlp: {error}") from error
    return Signed(
        raw=raw,
        tx_hash=bytes(keccak(raw)),
        sender=sender,
        type_id=kind,
        chain_id=found.chain_id,
        nonce=found.nonce,
        to=bytes(found.to),
        value=found.value,
        data=bytes(found.data),
        gas=found.gas,
        max_fee=found.max_fee_per_gas,
        priority_fee=found.max_priority_fee_per_gas,
        access_list=_access_list(found) if kind != LEGACY else (),
        y_parity=found.y_parity,
        r=found.r,
        s=found.s,
        intrinsic_gas=_intrinsic_gas(found),
        evm=found,
    )


def _access_list(found: Any) -> tuple[tuple[bytes, tuple[int, ...]], ...]:
    return tuple((bytes(each[0]), tuple(each[1])) for each in found.access_list)


def _intrinsic_gas(found: Any) -> int:
    """Return the least gas that a node takes it with: what it costs by itself, and EIP-7623's floor for its data."""
    zeros = found.data.count(0)
    tokens = zeros + 4 * (len(found.data) - zeros)
    return max(int(found.intrinsic_gas), 21_000 + 10 * tokens)
