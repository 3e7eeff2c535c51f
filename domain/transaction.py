"""Ethereum transactions as the book knows them: what was signed, at which nonce and fees, and what became of it.

A transaction is recorded with its raw bytes before it is broadcast. Sending the same bytes again is harmless: a nonce
is used once. So after any crash every recorded transaction may be sent again, and nothing is ever signed twice blindly.
"""

from enum import StrEnum

import msgspec

# A node takes a replacement only when both fee fields rise by at least this (geth's default price bump).
REPLACEMENT_BUMP_PERCENT = 10


class Errand(StrEnum):
    """Say what a transaction is for."""

    SETTLE = "settle"  # the call itself
    CANCEL = "cancel"  # nothing, at the same nonce: so that the call can no longer happen, and later nonces go on


class Fees(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Hold EIP-1559 fees, wei a unit of gas."""

    max_fee_wei: int
    priority_fee_wei: int


class Transaction(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Hold a signed transaction: hashes and bytes as lower-case hex with 0x, `sender` in lower case."""

    errand: Errand
    sender: str
    nonce: int
    tx_hash: str
    raw: str
    gas_limit: int
    fees: Fees


class Block(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Name a block. `base_fee_wei` is that of the block itself."""

    number: int
    block_hash: str
    parent_hash: str
    timestamp_s: int
    base_fee_wei: int = 0


class Receipt(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Say how an included transaction went; `error` names the contract's error when it failed, "" when unknown."""

    tx_hash: str
    block_number: int
    block_hash: str
    succeeded: bool
    gas_used: int
    gas_price_wei: int
    error: str = ""


def replacement_fees(before: Fees, wanted: Fees) -> Fees:
    """Return the least fees that replace `before` everywhere and are no lower than `wanted`, rounded up."""

    def bumped(fee_wei: int) -> int:
        return -(-fee_wei * (100 + REPLACEMENT_BUMP_PERCENT) // 100)

    return Fees(
        max_fee_wei=max(bumped(before.max_fee_wei), wanted.max_fee_wei),
        priority_fee_wei=max(bumped(before.priority_fee_wei), wanted.priority_fee_wei),
    )
