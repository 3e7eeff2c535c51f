"""RedStone's data packages as its gateway serves them: one point each, signed by one node."""

import base64
from typing import Any

from eth_hash.auto import keccak

from adapters.simulators.oracles.keys import Keys

ATOM = 8
ID_BYTES = VALUE_BYTES = 32


def package(
    feed: str, atoms: int, timestamp_ms: int, node: int, keys: Keys, *, spoiled: bool = False
) -> dict[str, Any]:
    """Return one node's package; a spoiled one has a bit flipped in its signature.

    The value is told as JSON's number, which a reader must round as the node did: so it is given with digits to spare.
    """
    signed = (
        feed.encode().ljust(ID_BYTES, b"\0")
        + atoms.to_bytes(VALUE_BYTES, "big")
        + timestamp_ms.to_bytes(6, "big")
        + VALUE_BYTES.to_bytes(4, "big")
        + (1).to_bytes(3, "big")
    )
    compact, recovery_id = keys.sign(node, keccak(signed))
    signature = bytearray(compact + bytes((27 + recovery_id,)))
    if spoiled:
        signature[0] ^= 1
    return {
        "timestampMilliseconds": timestamp_ms,
        "signature": base64.b64encode(bytes(signature)).decode(),
        "isSignatureValid": True,
        "dataPoints": [{"dataFeedId": feed, "value": atoms / 10**ATOM, "metadata": {"nodeLabel": f"node {node}"}}],
        "dataServiceId": "redstone-primary-prod",
        "dataFeedId": feed,
        "dataPackageId": feed,
        "signerAddress": f"0x{keys.addresses[node].hex()}",
    }
