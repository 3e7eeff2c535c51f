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
V_BASE = 27

_HEX = frozenset("0123456789abcdefABCDEF")
_CONTRACT_SIGNATURE = "EIP1271"
_PLAIN_SIGNATURE = "EIP712"


class Recovered(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Hold what a signature proves: the hash that was signed, by whom, and the signature in its one form.

    All are lower-case hex with 0x; `signature` is the same text however the client wrote its letters.
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

    def verify(self, order: OrderTerms, signature: str, signature_type: str) -> Recovered | Refusal:
        """Return what the signature proves, or the refusal. Whether the signer may act for the benefactor is not asked.

        Addresses must have been checked (`address_bytes` raises ValueError for others).
        """
        if signature_type == _CONTRACT_SIGNATURE:
            return _refused("contract signatures (EIP1271) need the chain and are not taken before it comes")
        if signature_type != _PLAIN_SIGNATURE:
            return _refused("signature_type is EIP712 or EIP1271")
        problem = out_of_bounds(order)
        if problem is not None:
            return problem
        raw = parse_signature(signature)
        if isinstance(raw, Refusal):
            return raw
        digest = order_hash(self._separator, order)
        signer = recover(digest, raw)
        if isinstance(signer, Refusal):
            return signer
        return Recovered(order_hash="0x" + digest.hex(), signer=signer, signature="0x" + raw.hex())


def address_of(private_key: str) -> str:
    """Return the lower-case address of a private key (0x and 64 hex digits)."""
    return _address(coincurve.PrivateKey.from_hex(private_key.removeprefix("0x")).public_key)


def sign_order(domain: ContractDomain, order: OrderTerms, private_key: str) -> str:
    """Sign an order as a wallet does (deterministic nonce, low s, v 27 or 28); return 0x and 130 hex digits."""
    digest = order_hash(domain_separator(domain), order)
    raw = coincurve.PrivateKey.from_hex(private_key.removeprefix("0x")).sign_recoverable(digest, hasher=None)
    return "0x" + raw[:64].hex() + bytes((raw[64] + V_BASE,)).hex()
