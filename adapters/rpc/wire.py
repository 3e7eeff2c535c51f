"""What a node's answer says, read strictly: whatever is not of the promised shape is that node's failure. Pure."""

from typing import Any

import msgspec

WORD_BYTES = 32
ADDRESS_BYTES = 20
NUMBER_END = 1 << 63
WORD_END = 1 << 256
DATA_BYTES_MAX = 1 << 16

_HEX = frozenset("0123456789abcdefABCDEF")
_REVERTED = 3  # the code of EIP-1474's successors for an execution that reverted
_REVERTED_OF_OLD = -32_015  # Parity's, and of what descends from it
_FAILED = (
    "revert",
    "out of gas",
    "outofgas",
    "invalid opcode",
    "invalid jump",
    "stack underflow",
    "stack overflow",
    "evm error",
)


class Malformed(Exception):
    """Say that an answer has not the shape that the protocol promises."""


class Refused(Exception):
    """Say that a node answered with an error of the protocol. `data` is what came with it, empty if nothing readable.

    The text is the node's own: it is judged, and never told on as it stands.
    """

    def __init__(self, code: int, message: str, data: bytes) -> None:
        super().__init__(f"error {code}")
        self.code = code
        self.message = message
        self.data = data


class Reverted(msgspec.Struct, frozen=True):
    """Say that a call failed in the contract, and with which bytes."""

    data: bytes = b""


class BlockName(msgspec.Struct, frozen=True, kw_only=True):
    """Name a block: its hashes are lower-case hex with 0x."""

    number: int
    block_hash: str
    parent_hash: str
    timestamp_s: int
    base_fee_wei: int


def fields(value: Any, what: str) -> dict[str, Any]:
    """Return an object's fields."""
    if not isinstance(value, dict):
        raise Malformed(f"{what} is no object")
    return value  # pyright: ignore[reportUnknownVariableType] # JSON's own: keys are strings


def hex_digits(value: Any, what: str, digits_max: int) -> str:
    """Return the digits after 0x, at most so many."""
    if not isinstance(value, str) or value[:2] != "0x" or len(value) > 2 + digits_max:
        raise Malformed(f"{what} is no hex text of at most {digits_max} digits")
    if not _HEX.issuperset(value[2:]):
        raise Malformed(f"{what} is no hex text")
    return value[2:].lower()


def quantity(value: Any, what: str, end: int = NUMBER_END) -> int:
    """Return a number from zero to below `end`."""
    digits = hex_digits(value, what, 2 * WORD_BYTES)
    if not digits:
        raise Malformed(f"{what} is no number")
    number = int(digits, 16)
    if number >= end:
        raise Malformed(f"{what} is beyond its bound")
    return number


def octets(value: Any, what: str, bytes_max: int = DATA_BYTES_MAX) -> bytes:
    """Return bytes, at most so many."""
    digits = hex_digits(value, what, 2 * bytes_max)
    if len(digits) % 2:
        raise Malformed(f"{what} is half a byte short")
    return bytes.fromhex(digits)


def sized(value: Any, what: str, size: int) -> str:
    """Return exactly so many bytes as lower-case hex with 0x."""
    digits = hex_digits(value, what, 2 * size)
    if len(digits) != 2 * size:
        raise Malformed(f"{what} has not {size} bytes")
    return "0x" + digits


def word(value: Any, what: str) -> str:
    """Return a hash or a topic, lower case."""
    return sized(value, what, WORD_BYTES)


def address(value: Any, what: str) -> str:
    """Return an address, lower case."""
    return sized(value, what, ADDRESS_BYTES)


def truth(value: Any, what: str) -> bool:
    """Return a JSON boolean."""
    if not isinstance(value, bool):
        raise Malformed(f"{what} is no boolean")
    return value


def block_name(answer: Any, number: int) -> BlockName:
    """Return the name of the block that was asked for by its number."""
    block = fields(answer, "a block")
    found = quantity(block.get("number"), "a block's number")
    if found != number:
        raise Malformed("another block")
    return BlockName(
        number=found,
        block_hash=word(block.get("hash"), "a block's hash"),
        parent_hash=word(block.get("parentHash"), "a block's parent"),
        timestamp_s=quantity(block.get("timestamp"), "a block's time"),
        # Chains that are older than EIP-1559 have none.
        base_fee_wei=quantity(block.get("baseFeePerGas", "0x0"), "a block's base fee"),
    )


def refusal(error: Any) -> Refused:
    """Return a node's error. Its data may be bytes, bytes in an object, or words before bytes: nodes differ."""
    told = fields(error, "an error")
    code, message, data = told.get("code"), told.get("message"), told.get("data")
    if isinstance(data, dict):
        data = data.get("data")  # pyright: ignore[reportUnknownMemberType] # as above
    found = b""
    if isinstance(data, str):
        digits = data.removeprefix("Reverted ")
        try:
            found = octets(digits, "an error's data")
        except Malformed:
            found = b""  # words, for people to read
    return Refused(
        code if isinstance(code, int) and not isinstance(code, bool) else 0,
        message if isinstance(message, str) else "",
        found,
    )


def reverted(refused: Refused) -> Reverted | None:
    """Return how a call failed in the contract, or None when it is the node that refused."""
    message = refused.message.lower()
    if refused.code in {_REVERTED, _REVERTED_OF_OLD} or any(words in message for words in _FAILED):
        return Reverted(refused.data)
    return None
