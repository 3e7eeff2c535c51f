"""The minting contract's typed data (EIP-712): domain separator and order hash, equal to its `hashOrder`.

The trap: the type string that is signed swaps the widths of expiry and nonce against the struct that the contract
decodes (`uint120 expiry; uint128 nonce`). The hash follows the signed string; the bounds below follow both, since an
order must be signed by the one and decoded by the other. Every static field is one 32-byte word, so the encoding is
a join of words: no ABI library on the hot path.
"""

from typing import Protocol

import msgspec
from eth_hash.auto import keccak

from domain.refusal import Reason, Refusal

DOMAIN_TYPE = b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
ORDER_TYPE = (
    b"Order(string order_id,uint8 order_type,uint128 expiry,uint120 nonce,address benefactor,address beneficiary,"
    b"address collateral_asset,uint128 collateral_amount,uint128 usde_amount)"
)
ORDER_TYPEHASH = keccak(ORDER_TYPE)

CONTRACT_NAME = b"EthenaMinting"
CONTRACT_VERSION = b"1"

ORDER_TYPES = {"MINT": 0, "REDEEM": 1}

EXPIRY_END = 1 << 120  # signed as uint128, decoded as uint120: beyond it the contract cannot be called
NONCE_END = 1 << 120  # signed as uint120
AMOUNT_END = 1 << 128
ORDER_ID_BYTES_MAX = 128
ADDRESS_BYTES = 20

_WORD = 32
_ADDRESS_PAD = bytes(_WORD - ADDRESS_BYTES)


class OrderTerms(Protocol):
    """Read the fields of an order as they were signed. Addresses are 0x and 40 hex digits, amounts are atoms."""

    @property
    def order_id(self) -> str:
        """Return the RFQ's id, exactly as signed."""
        ...

    @property
    def order_type(self) -> str:
        """Return MINT or REDEEM."""
        ...

    @property
    def expiry(self) -> int:
        """Return seconds since the Unix epoch."""
        ...

    @property
    def nonce(self) -> int:
        """Return the nonce."""
        ...

    @property
    def benefactor(self) -> str:
        """Return whose collateral or dollars are taken."""
        ...

    @property
    def beneficiary(self) -> str:
        """Return who is paid."""
        ...

    @property
    def collateral_asset(self) -> str:
        """Return the collateral's contract."""
        ...

    @property
    def collateral_amount(self) -> int:
        """Return atoms of the collateral."""
        ...

    @property
    def usde_amount(self) -> int:
        """Return atoms of the issued dollar."""
        ...


class ContractDomain(msgspec.Struct, frozen=True, kw_only=True):
    """Name the contract that orders are signed for."""

    chain_id: int
    verifying_contract: str


def address_bytes(text: str) -> bytes:
    """Return an address' 20 bytes; raise ValueError for anything but 0x and 40 hex digits."""
    if len(text) != 2 + 2 * ADDRESS_BYTES or text[:2] != "0x":
        raise ValueError("an address is 0x and 40 hex digits")
    if not text.isascii() or not text[2:].isalnum():
        raise ValueError("an address is 0x and 40 hex digits")
    return bytes.fromhex(text[2:])


def _word(value: int) -> bytes:
    return value.to_bytes(_WORD, "big")


def domain_separator(domain: ContractDomain) -> bytes:
    """Return the 32-byte domain separator of the contract on its chain."""
    contract = _ADDRESS_PAD + address_bytes(domain.verifying_contract)
    return keccak(
        keccak(DOMAIN_TYPE) + keccak(CONTRACT_NAME) + keccak(CONTRACT_VERSION) + _word(domain.chain_id) + contract
    )


def out_of_bounds(order: OrderTerms) -> Refusal | None:
    """Return why the contract could not hold this order, or None when it can."""
    if order.order_type not in ORDER_TYPES:
        return Refusal(reason=Reason.ORDER_TYPE_INVALID, text="order_type is MINT or REDEEM")
    if not 0 < len(order.order_id.encode()) <= ORDER_ID_BYTES_MAX:
        return Refusal(reason=Reason.QUOTE_UNKNOWN, text=f"order_id has 1 to {ORDER_ID_BYTES_MAX} bytes")
    if not 0 <= order.expiry < EXPIRY_END:
        return Refusal(reason=Reason.SIGNATURE_INVALID, text="expiry must lie from 0 to below 2^120")
    if not 0 <= order.nonce < NONCE_END:
        return Refusal(reason=Reason.NONCE_INVALID, text="nonce must lie from 0 to below 2^120")
    if not (0 <= order.collateral_amount < AMOUNT_END and 0 <= order.usde_amount < AMOUNT_END):
        return Refusal(reason=Reason.SIGNATURE_INVALID, text="amounts must lie from 0 to below 2^128")
    return None


def struct_hash(order: OrderTerms) -> bytes:
    """Return the 32-byte hash of the order alone; the order must be within bounds."""
    words = (
        ORDER_TYPEHASH,
        keccak(order.order_id.encode()),
        _word(ORDER_TYPES[order.order_type]),
        _word(order.expiry),
        _word(order.nonce),
        _ADDRESS_PAD,
        address_bytes(order.benefactor),
        _ADDRESS_PAD,
        address_bytes(order.beneficiary),
        _ADDRESS_PAD,
        address_bytes(order.collateral_asset),
        _word(order.collateral_amount),
        _word(order.usde_amount),
    )
    return keccak(b"".join(words))


def order_hash(separator: bytes, order: OrderTerms) -> bytes:
    """Return the 32 bytes that are signed: keccak(0x1901 || domain separator || struct hash)."""
    return keccak(b"\x19\x01" + separator + struct_hash(order))
