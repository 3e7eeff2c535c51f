"""Signatures over orders: read, refuse what the contract would refuse, recover the signer.

What the contract accepts decides what is accepted here. It recovers through OpenZeppelin's ECDSA: exactly 65 bytes
r || s || v, s in the lower half of the curve order (so that nobody can turn one valid signature into a second), and v
27 or 28. A v of 0 or 1, which some wallets emit, makes the precompile answer the zero address and the contract revert;
so it is refused here too instead of being repaired: what is recorded is what will be sent.
"""

import coincurve
import msgspec
from eth_hash.auto import keccak

from adapters.chain.eip712 import ContractDomain, OrderTerms, domain_separator, order_hash, out_of_bounds
from domain.refusal import Reason, Refusal

CURVE_ORDER = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141
S_MAX = CURVE_ORDER // 2
SIGNATURE_BYTES = 65
CONTRACT_SIGNATURE_BYTES_MAX = 2_048
V_BASE = 27

_HEX = frozenset("0123456789abcdefABCDEF")
_CONTRACT_SIGNATURE = "EIP1271"
_PLAIN_SIGNATURE = "EIP712"


class Recovered(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Hold what a signature proves: the hash that was signed, by whom, and the signature in its one form.

    All are lower-case hex with 0x; `signature` is the same text however the client wrote its letters, and `signer` is
    "" for a contract wallet, which must be asked.
    """

    order_hash: str
    signer: str
    signature: str


class SignedOrder(msgspec.Struct, frozen=True, kw_only=True):
    """Hold the terms of an order before and after signing; field names are those of the API's body."""

    order_id: str
    order_type: str
    expiry: int
    nonce: int
    benefactor: str
    beneficiary: str
    collateral_asset: str
    collateral_amount: int
    usde_amount: int


def _refused(text: str) -> Refusal:
    return Refusal(reason=Reason.SIGNATURE_INVALID, text=text)


def parse_signature(text: str) -> bytes | Refusal:
    """Return the 65 bytes r || s || v of a hex signature, or why it is none."""
    if not text.startswith("0x") or not _HEX.issuperset(text[2:]):
        return _refused("a signature is 0x and hex digits")
    if len(text) != 2 + 2 * SIGNATURE_BYTES:
        return _refused(f"a signature has {SIGNATURE_BYTES} bytes: r, s (each padded to 32) and v")
    raw = bytes.fromhex(text[2:])
    r, s, v = int.from_bytes(raw[:32]), int.from_bytes(raw[32:64]), raw[64]
    if not 0 < r < CURVE_ORDER:
        return _refused("r is not in the curve's order")
    if not 0 < s <= S_MAX:
        return _refused("s is not in the lower half of the curve's order")
    if v not in {V_BASE, V_BASE + 1}:
        return _refused("v is 27 or 28")
    return raw


def parse_contract_signature(text: str) -> bytes | Refusal:
    """Return the bytes that a contract wallet judges itself, or why the minting contract could not hand them on."""
    if not text.startswith("0x") or not _HEX.issuperset(text[2:]) or len(text) % 2:
        return _refused("a signature is 0x and hex digits, two a byte")
    if not 0 < len(text) // 2 - 1 <= CONTRACT_SIGNATURE_BYTES_MAX:
        return _refused(f"a contract's signature has 1 to {CONTRACT_SIGNATURE_BYTES_MAX} bytes")
    return bytes.fromhex(text[2:])


def _address(public_key: coincurve.PublicKey) -> str:
    return "0x" + keccak(public_key.format(compressed=False)[1:])[-20:].hex()


def recover(digest: bytes, signature: bytes) -> str | Refusal:
    """Return the lower-case address that signed a 32-byte digest; `signature` comes from `parse_signature`."""
    compact = signature[:64] + bytes((signature[64] - V_BASE,))
    try:
        return _address(coincurve.PublicKey.from_signature_and_message(compact, digest, hasher=None))
    except ValueError:
        return _refused("no key can have made this signature")


class OrderVerifier:
    """Prove who signed an order for one contract on one chain."""

    def __init__(self, domain: ContractDomain) -> None:
        self._separator = domain_separator(domain)

    def order_hash(self, order: OrderTerms) -> str | Refusal:
        """Return the hash that is signed, lower-case hex with 0x, or why the contract could not hold the order."""
        problem = out_of_bounds(order)
        return "0x" + order_hash(self._separator, order).hex() if problem is None else problem

    def verify(self, order: OrderTerms, signature: str, signature_type: str) -> Recovered | Refusal:
        """Return what the signature proves, or the refusal. Whether the signer may act for the benefactor is not asked.

        Addresses must have been checked (`address_bytes` raises ValueError for others).
        """
        if signature_type == _CONTRACT_SIGNATURE:
            return _refused("contract signatures (EIP1271) need the chain: nobody can be recovered from one")
        if signature_type != _PLAIN_SIGNATURE:
            return _refused("signature_type is EIP712 or EIP1271")
        digest = self.order_hash(order)
        if isinstance(digest, Refusal):
            return digest
        raw = parse_signature(signature)
        if isinstance(raw, Refusal):
            return raw
        signer = recover(bytes.fromhex(digest[2:]), raw)
        if isinstance(signer, Refusal):
            return signer
        return Recovered(order_hash=digest, signer=signer, signature="0x" + raw.hex())

    def read_contract(self, order: OrderTerms, signature: str) -> Recovered | Refusal:
        """Return what a contract wallet must be asked (EIP1271): the hash and its signature; `signer` is "".

        Nothing is proven before the wallet was asked.
        """
        digest = self.order_hash(order)
        if isinstance(digest, Refusal):
            return digest
        raw = parse_contract_signature(signature)
        if isinstance(raw, Refusal):
            return raw
        return Recovered(order_hash=digest, signer="", signature="0x" + raw.hex())


def address_of(private_key: str) -> str:
    """Return the lower-case address of a private key (0x and 64 hex digits)."""
    return _address(coincurve.PrivateKey.from_hex(private_key.removeprefix("0x")).public_key)


def sign_order(domain: ContractDomain, order: OrderTerms, private_key: str) -> str:
    """Sign an order as a wallet does (deterministic nonce, low s, v 27 or 28); return 0x and 130 hex digits."""
    digest = order_hash(domain_separator(domain), order)
    raw = coincurve.PrivateKey.from_hex(private_key.removeprefix("0x")).sign_recoverable(digest, hasher=None)
    return "0x" + raw[:64].hex() + bytes((raw[64] + V_BASE,)).hex()
