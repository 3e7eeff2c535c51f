"""What a call failed with: the contract's errors by their four bytes, a token's, Solidity's own. Pure.

The names come from the canonical ABI, since the compiler of the contract writes none into its own.
"""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec

from adapters.chain.calls import SELECTOR_BYTES, selector

ABI: tuple[dict[str, Any], ...] = tuple(
    msgspec.json.decode((Path(__file__).parent / "abi.json").read_bytes(), type=list[dict[str, Any]])
)
REVERTED = "REVERTED"
OUT_OF_GAS = "OUT_OF_GAS"
TEXT_CHARS_MAX = 120

_WORD = 32
_TEXT_ERROR = selector("Error(string)")
_PANIC = selector("Panic(uint256)")
# Errors that come through from tokens and from the contract's access control; the ABI holds its own alone.
_FOREIGN = (
    "ERC20InsufficientBalance(address,uint256,uint256)",
    "ERC20InsufficientAllowance(address,uint256,uint256)",
    "ERC20InvalidSender(address)",
    "ERC20InvalidReceiver(address)",
    "ERC20InvalidApprover(address)",
    "ERC20InvalidSpender(address)",
    "SafeERC20FailedOperation(address)",
    "AccessControlUnauthorizedAccount(address,bytes32)",
    "ReentrancyGuardReentrantCall()",
)


def signature_of(entry: Mapping[str, Any]) -> str:
    """Return a function's, event's or error's signature: its name and the types of its inputs."""
    return f"{entry['name']}({','.join(_type_of(each) for each in entry['inputs'])})"


def _type_of(parameter: Mapping[str, Any]) -> str:
    kind = str(parameter["type"])
    if not kind.startswith("tuple"):
        return kind
    return f"({','.join(_type_of(each) for each in parameter['components'])}){kind.removeprefix('tuple')}"


ERRORS: Mapping[bytes, str] = MappingProxyType(
    {selector(text): text.partition("(")[0] for text in _FOREIGN}
    | {selector(signature_of(entry)): str(entry["name"]) for entry in ABI if entry["type"] == "error"}
)


def _text(data: bytes) -> str:
    """Return the words of Error(string), shortened, and only what prints; "" when they cannot be read."""
    length = int.from_bytes(data[_WORD : 2 * _WORD])
    if len(data) < 2 * _WORD or length > len(data) - 2 * _WORD:
        return ""
    words = data[2 * _WORD : 2 * _WORD + length].decode("utf-8", "replace")
    return "".join(letter for letter in words[:TEXT_CHARS_MAX] if letter.isprintable())


def named(data: bytes) -> tuple[str, str]:
    """Return the code of what a call reverted with, and words for people."""
    first, rest = data[:SELECTOR_BYTES], data[SELECTOR_BYTES:]
    if first in ERRORS:
        return ERRORS[first], "the contract refuses"
    if first == _TEXT_ERROR:
        return REVERTED, _text(rest) or "the contract refuses, in words that cannot be read"
    if first == _PANIC and len(rest) == _WORD:
        return f"PANIC_{min(int.from_bytes(rest), 0xFFFF):#04x}", "the contract panics"
    if not data:
        return REVERTED, "the contract refuses without a word"
    return REVERTED, f"the contract refuses with an unknown error 0x{first.hex()}"
