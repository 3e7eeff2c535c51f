"""The recorded oracle updates, with what they are stated to say."""

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from adapters.oracle.signers import SignerSet

SHARED = Path(os.environ.get("BALLAST_SHARED", Path(__file__).parents[3] / "shared"))
PYTH = SHARED / "data/pyth/updates.json"
REDSTONE = SHARED / "data/redstone"
GATEWAY = REDSTONE / "primary-prod-data-packages.json"
PAYLOADS = ("eth_primary_3sig.hex", "eth_primary_3sig_newer.hex")
recorded = pytest.mark.skipif(not PYTH.exists(), reason="the recorded data (BALLAST_SHARED) is not here")


@cache
def pyth_vectors() -> list[dict[str, Any]]:
    """Return every recorded update."""
    return json.loads(PYTH.read_text()) if PYTH.exists() else []


def stated_signers(vector: dict[str, Any], quorum: int | None = None) -> SignerSet:
    """Return the set of those who are stated to have signed a vector, all of them needed."""
    addresses = {int(index): bytes.fromhex(address[2:]) for index, address in vector["signers"].items()}
    return SignerSet(quorum=len(addresses) if quorum is None else quorum, addresses=addresses)


def signed_parts(data: bytes) -> dict[str, range]:
    """Return where an update's parts lie: what a flipped bit must spoil, and what no signature covers."""
    header = 8 + data[6]
    vaa_length = int.from_bytes(data[header : header + 2], "big")
    vaa = header + 2
    count = data[vaa + 5]
    body = vaa + 6 + 66 * count
    end = vaa + vaa_length
    return {"signatures": range(vaa + 6, body), "body": range(body, end), "messages and proofs": range(end, len(data))}
