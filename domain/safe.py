"""Batches for a Safe's owners: the Transaction Builder's file, version 1.0, with the checksum that it checks on import.

The checksum is the keccak of the file without it, every object written as its sorted keys and then their values.
"""

import json
from collections.abc import Sequence

import msgspec
from eth_hash.auto import keccak

BUILDER_VERSION = "1.16.5"

Json = str | int | bool | None | list["Json"] | dict[str, "Json"]


class SafeCall(msgspec.Struct, frozen=True, kw_only=True):
    """Name one call of a batch: the contract, the function, and its inputs as (name, type, value) in order."""

    to: str
    function: str
    inputs: tuple[tuple[str, str, str], ...]


def safe_batch(
    calls: Sequence[SafeCall], *, chain_id: int, safe: str, created_at_ms: int, name: str, description: str
) -> str:
    """Return the file's text; nothing in it pays ether. `safe` may be empty: then any Safe may import it."""
    meta: dict[str, Json] = {
        "name": name,
        "description": description,
        "txBuilderVersion": BUILDER_VERSION,
        "createdFromSafeAddress": safe,
        "createdFromOwnerAddress": "",
    }
    document: dict[str, Json] = {
        "version": "1.0",
        "chainId": str(chain_id),
        "createdAt": created_at_ms,
        "meta": meta,
        "transactions": [_transaction(call) for call in calls],
    }
    meta["checksum"] = checksum(document)
    return json.dumps(document, indent=2)


def _transaction(call: SafeCall) -> Json:
    inputs: list[Json] = [{"internalType": kind, "name": name, "type": kind} for name, kind, _ in call.inputs]
    values: dict[str, Json] = {name: value for name, _, value in call.inputs}
    return {
        "to": call.to,
        "value": "0",
        "data": None,
        "contractMethod": {"inputs": inputs, "name": call.function, "payable": False},
        "contractInputsValues": values,
    }


def checksum(document: Json) -> str:
    """Return the checksum of a file whose own is left out."""
    return "0x" + keccak(_serialised(document).encode()).hex()


def _serialised(value: Json) -> str:
    if isinstance(value, list):
        return f"[{','.join(map(_serialised, value))}]"
    if isinstance(value, dict):
        keys = sorted(value)
        return "{" + _text(list(keys)) + "".join(f"{_serialised(value[key])}," for key in keys) + "}"
    return _text(value)


def _text(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
