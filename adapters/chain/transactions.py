"""EIP-1559 transactions: what is asked of a signer, and whether what comes back is exactly that. Pure.

A signer is trusted with a key, not with what it signs: its answer is taken apart, every field must equal what was
asked, and the signature must be our sender's over our own hash of it.
"""

from typing import Any

import msgspec
import rlp
from eth_hash.auto import keccak

from adapters.chain.eip712 import address_bytes
from adapters.chain.signature import CURVE_ORDER, S_MAX, V_BASE, recover
from domain.transaction import Fees

TYPE = b"\x02"
RAW_BYTES_MAX = 16_384
FIELDS = (
    "chain_id",
    "nonce",
    "priority_fee_wei",
    "max_fee_wei",
    "gas_limit",
    "to",
    "value",
    "data",
    "access_list",
)

_WORD = 32


class NotAsAsked(Exception):
    """Say in what a signed transaction differs from what was asked."""


class Unsigned(msgspec.Struct, frozen=True, kw_only=True):
    """Hold a transaction to be signed. Addresses are lower-case hex with 0x; without an access list."""

    chain_id: int
    sender: str
    nonce: int
    fees: Fees
    gas_limit: int
    to: str
    value: int
    data: bytes

    def fields(self) -> list[Any]:
        """Return what is signed, in its order."""
        numbers = (self.chain_id, self.nonce, self.fees.priority_fee_wei, self.fees.max_fee_wei, self.gas_limit)
        return [*(_shortest(each) for each in numbers), address_bytes(self.to), _shortest(self.value), self.data, []]

    def signing_hash(self) -> bytes:
        """Return the 32 bytes that are signed."""
        encoded: Any = rlp.encode(self.fields())
        return keccak(TYPE + encoded)


def _shortest(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def tx_hash_of(raw: bytes) -> str:
    """Return a signed transaction's hash."""
    return "0x" + keccak(raw).hex()


def _taken_apart(raw: bytes) -> list[Any]:
    if len(raw) > RAW_BYTES_MAX or raw[:1] != TYPE:
        raise NotAsAsked("it is no EIP-1559 transaction")
    try:
        parts = rlp.decode(raw[1:], strict=True)
    except (rlp.exceptions.RLPException, RecursionError, ValueError, TypeError):
        raise NotAsAsked("it cannot be read") from None
    if not isinstance(parts, list) or len(parts) != len(FIELDS) + 3:
        raise NotAsAsked("it has not the fields of an EIP-1559 transaction")
    return list(parts)


def check_signed(asked: Unsigned, raw: bytes) -> None:
    """Raise `NotAsAsked` unless `raw` is the asked transaction, signed by its sender, in its one encoding."""
    parts = _taken_apart(raw)
    for name, wanted, found in zip(FIELDS, asked.fields(), parts, strict=False):
        if found != wanted:
            raise NotAsAsked(f"it has another {name}")
    v, r, s = parts[len(FIELDS) :]
    if v not in {b"", b"\x01"} or not all(isinstance(each, bytes) and 0 < len(each) <= _WORD for each in (r, s)):
        raise NotAsAsked("its signature cannot be read")
    if r[0] == 0 or s[0] == 0:
        raise NotAsAsked("its signature is not in its shortest form")
    if int.from_bytes(r) >= CURVE_ORDER or int.from_bytes(s) > S_MAX:
        raise NotAsAsked("its signature is not one that a chain takes")
    compact = r.rjust(_WORD, b"\0") + s.rjust(_WORD, b"\0") + bytes((V_BASE + len(v),))
    if recover(asked.signing_hash(), compact) != asked.sender:
        raise NotAsAsked("another key has signed it")
