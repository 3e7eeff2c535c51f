"""Who may sign prices: sets of addresses with a quorum, the production ones and those that a file names."""

import json
from collections.abc import Mapping
from typing import Any

import msgspec

SIGNERS_MAX = 255
ADDRESS_BYTES = 20

# "Pythnet" four times and "Pyth": whom the Pyth Pro routers sign for.
ROUTER_EMITTER = b"Pythnet" * 4 + b"Pyth"
LEGACY_EMITTER = bytes.fromhex("e101faedac5851e32b9b23b5f9411a8c2bac4aae3ed4dd7b811dd1a72ea4aa71")
EMITTERS = frozenset({ROUTER_EMITTER, LEGACY_EMITTER})


class SignersUnreadable(Exception):
    """Say that a signer set is not one."""


class SignerSet(msgspec.Struct, frozen=True, kw_only=True):
    """Name the authorised signers by index, how many must sign, and (Pyth) which emitters they may speak for.

    Guardians sign for many programs, so a quorum of them proves nothing without the emitter.
    """

    quorum: int
    addresses: Mapping[int, bytes]
    emitters: frozenset[bytes] = EMITTERS

    def __post_init__(self) -> None:
        """Refuse a set that cannot reach its quorum, or that one signer could reach with two indices."""
        if not 1 <= self.quorum <= len(self.addresses) <= SIGNERS_MAX:
            raise SignersUnreadable(f"a quorum of {self.quorum} among {len(self.addresses)} signers")
        if len(set(self.addresses.values())) != len(self.addresses):
            raise SignersUnreadable("one address stands under two indices")
        if not all(0 <= index <= SIGNERS_MAX for index in self.addresses):
            raise SignersUnreadable(f"an index lies between 0 and {SIGNERS_MAX}")
        if not all(len(address) == ADDRESS_BYTES for address in self.addresses.values()):
            raise SignersUnreadable(f"an address has {ADDRESS_BYTES} bytes")


def signer_set(quorum: int, *addresses: str, emitters: frozenset[bytes] = EMITTERS) -> SignerSet:
    """Return a set of addresses (hex with or without 0x) indexed in their order."""
    return SignerSet(
        quorum=quorum,
        addresses={index: _address(text) for index, text in enumerate(addresses)},
        emitters=emitters,
    )


def parse_signer_set(text: bytes | str) -> SignerSet:
    """Read `{"quorum": n, "addresses": {"<index>": "0x..."}}`; raise `SignersUnreadable`."""
    try:
        told: Any = json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise SignersUnreadable(f"not JSON: {error}") from None
    if not isinstance(told, dict):
        raise SignersUnreadable('not an object with "quorum" and "addresses"')
    quorum, addresses = told.get("quorum"), told.get("addresses")
    if isinstance(quorum, bool) or not isinstance(quorum, int):
        raise SignersUnreadable('"quorum" is not a whole number')
    if not isinstance(addresses, dict):
        raise SignersUnreadable('"addresses" is not an object of index and address')
    return SignerSet(
        quorum=quorum, addresses={_index(index): _address(address) for index, address in addresses.items()}
    )


def written(signers: SignerSet) -> bytes:
    """Write a set in the form that `parse_signer_set` reads."""
    addresses = {str(index): f"0x{address.hex()}" for index, address in sorted(signers.addresses.items())}
    return json.dumps({"quorum": signers.quorum, "addresses": addresses}, indent=2).encode()


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice in one object")
    return found


def _index(text: object) -> int:
    if not isinstance(text, str) or not (text.isascii() and text.isdigit()) or str(int(text[:4])) != text:
        raise SignersUnreadable(f"{text!r} is not an index")
    return int(text)


def _address(text: object) -> bytes:
    if not isinstance(text, str):
        raise SignersUnreadable(f"{text!r} is not an address")
    try:
        address = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        raise SignersUnreadable(f"{text!r} is not an address") from None
    if len(address) != ADDRESS_BYTES or len(text.removeprefix("0x")) != 2 * ADDRESS_BYTES:
        raise SignersUnreadable(f"{text!r} is not an address of {ADDRESS_BYTES} bytes")
    return address


ROUTERS = signer_set(
    3,
    "0x41534bb176e461a3fb30479400f210549ecce638",
    "0x6502987b62f21cab7eb5ccd8f0173084b60d5b41",
    "0x44a3e8f6a382412cf6bb90a3f8106e68977476c9",
    "0xd9d7d4529577864352c9a6539a48238fcd447052",
    "0x1663a5a822336ece48559b1dfb1e93a017a7dac3",
    emitters=frozenset({ROUTER_EMITTER}),
)
"""The five Pyth Pro routers, by majority, and only under their own emitter."""

REDSTONE_PRODUCTION = signer_set(
    3,
    "0x8BB8F32Df04c8b654987DAaeD53D6B6091e3B774",
    "0xdEB22f54738d54976C4c0fe5ce6d408E40d88499",
    "0x51Ce04Be4b3E32572C4Ec9135221d0691Ba7d202",
    "0xDD682daEC5A90dD295d14DA4b0bec9281017b5bE",
    "0x9c5AE89C4Af6aA32cE58588DBaF90d18a855B6de",
)
"""The five nodes of redstone-primary-prod as the contracts have them."""
