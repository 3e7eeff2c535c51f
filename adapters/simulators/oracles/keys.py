"""Test keys that sign the simulated oracles' prices: made from a seed, so the same seed is the same set of signers."""

import json

import coincurve
from eth_hash.auto import keccak

SIGNERS, QUORUM = 5, 3


class Keys:
    """Hold an oracle's signers. They are worthless: whoever knows the seed knows them."""

    def __init__(self, oracle: str, seed: int) -> None:
        self._keys = [
            coincurve.PrivateKey(keccak(f"ballast simulated {oracle} {seed} {index}".encode()))
            for index in range(SIGNERS)
        ]
        self.addresses = tuple(_address(key) for key in self._keys)

    def sign(self, index: int, digest: bytes) -> tuple[bytes, int]:
        """Return r and s, 32 bytes each, and the recovery id."""
        signature = self._keys[index].sign_recoverable(digest, hasher=None)
        return signature[:64], signature[64]

    def signer_set(self) -> bytes:
        """Return the set as Ballast reads it: `{"quorum": n, "addresses": {"<index>": "0x..."}}`."""
        addresses = {str(index): f"0x{address.hex()}" for index, address in enumerate(self.addresses)}
        return json.dumps({"quorum": QUORUM, "addresses": addresses}, indent=2).encode()


def _address(key: coincurve.PrivateKey) -> bytes:
    return keccak(key.public_key.format(compressed=False)[1:])[-20:]
