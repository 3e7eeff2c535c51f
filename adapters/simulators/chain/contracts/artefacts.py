"""Compiled contracts, read from the files beside their sources: nobody needs the compiler to deploy them.

An artefact's creation code takes the constructor's arguments appended, ABI-encoded. Its runtime lacks what the
constructor makes immutable, so code for a genesis state is read from a deployed contract, not from here.
"""

from functools import cache
from pathlib import Path
from typing import Any

import msgspec

CONTRACTS = ("minting", "issued", "erc20", "usdt", "weth", "wallet1271", "staked")

_FOLDER = Path(__file__).parent


class Artefact(msgspec.Struct, frozen=True, kw_only=True):
    """Hold one compiled contract. Codes are 0x and hex, the ABI is the compiler's: it names no errors."""

    contract: str
    source_sha256: str
    compiler: str
    evm_version: str
    abi: list[dict[str, Any]]
    bytecode: str
    runtime: str


def source_path(contract: str) -> Path:
    """Return where a contract's source is; raise KeyError for a contract that is not ours."""
    if contract not in CONTRACTS:
        raise KeyError(contract)
    return _FOLDER / f"{contract}.vy"


def artefact_path(contract: str) -> Path:
    """Return where a contract's artefact is; raise KeyError for a contract that is not ours."""
    return source_path(contract).with_suffix(".json")


@cache
def artefact(contract: str) -> Artefact:
    """Return a compiled contract: one of `CONTRACTS`, KeyError otherwise."""
    return msgspec.json.decode(artefact_path(contract).read_bytes(), type=Artefact)
