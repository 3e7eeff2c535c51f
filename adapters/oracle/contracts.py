"""What the oracles' contracts answer, decoded from the words of the ABI: Chainlink's aggregators, Pyth on chain."""

from decimal import Decimal

import msgspec

from adapters.oracle.rejected import OracleRejected, scaled, sensible, sensible_time

LATEST_ROUND_DATA = bytes.fromhex("feaf968c")
DECIMALS = bytes.fromhex("313ce567")
DESCRIPTION = bytes.fromhex("7284e416")
GET_PRICE_UNSAFE = bytes.fromhex("96834ad3")

WORD = 32
TEXT_BYTES_MAX = 64
DECIMALS_MAX = 18
ROUND_BITS = 80


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """Hold a price as a contract tells it; `confidence` is zero where it tells none."""

    price: Decimal
    confidence: Decimal
    published_s: int


def parse_round(answer: bytes, decimals: int) -> Reading:
    """Read `latestRoundData()`: (uint80 roundId, int256 answer, startedAt, updatedAt, uint80 answeredInRound)."""
    round_id, value, started_s, updated_s, answered_in = _words(answer, 5)
    if max(round_id, answered_in) >= 1 << ROUND_BITS:
        raise OracleRejected("malformed", "a round's number of more than 80 bits")
    if answered_in < round_id or not started_s <= updated_s:
        raise OracleRejected("too_old", "a round that has no answer of its own yet")
    sensible_time(updated_s)
    price = scaled(_signed(value, 256), -decimals)
    sensible(price, Decimal(0))
    return Reading(price=price, confidence=Decimal(0), published_s=updated_s)


def parse_pyth_price(answer: bytes) -> Reading:
    """Read `getPriceUnsafe(bytes32)`: (int64 price, uint64 conf, int32 expo, uint publishTime)."""
    price_word, conf, expo_word, published_s = _words(answer, 4)
    if conf >= 1 << 64:
        raise OracleRejected("malformed", "a confidence of more than 64 bits")
    sensible_time(published_s)
    exponent = _signed(expo_word, 32)
    price, confidence = scaled(_signed(price_word, 64), exponent), scaled(conf, exponent)
    sensible(price, confidence)
    return Reading(price=price, confidence=confidence, published_s=published_s)


def parse_decimals(answer: bytes) -> int:
    """Read `decimals()`."""
    (decimals,) = _words(answer, 1)
    if decimals > DECIMALS_MAX:
        raise OracleRejected("exponent_out_of_bounds", f"{decimals} decimals" if decimals < 1 << 64 else "no decimals")
    return decimals


def parse_text(answer: bytes) -> str:
    """Read a short string, as of `description()`."""
    if len(answer) < 2 * WORD:
        raise OracleRejected("truncated", "an answer without a string")
    offset, length = (int.from_bytes(answer[at : at + WORD], "big") for at in (0, WORD))
    padded = -(-length // WORD) * WORD if length <= TEXT_BYTES_MAX else -1
    if offset != WORD or len(answer) != 2 * WORD + padded:
        raise OracleRejected("malformed", "not one short string")
    try:
        return answer[2 * WORD :][:length].decode()
    except UnicodeDecodeError:
        raise OracleRejected("malformed", "a string that is no text") from None


def price_call(feed_id: str) -> bytes:
    """Return the call data that asks for a Pyth feed."""
    return GET_PRICE_UNSAFE + bytes.fromhex(feed_id)


def _words(answer: bytes, count: int) -> list[int]:
    if len(answer) != count * WORD:
        raise OracleRejected("truncated" if len(answer) < count * WORD else "trailing_bytes", f"{len(answer)} bytes")
    return [int.from_bytes(answer[at : at + WORD], "big") for at in range(0, len(answer), WORD)]


def _signed(word: int, bits: int) -> int:
    """Return a word's number, which must fit the type that the contract promises."""
    value = word - (1 << 256) if word >> 255 else word
    if not -(1 << (bits - 1)) <= value < 1 << (bits - 1):
        raise OracleRejected("malformed", f"a number of more than {bits} bits")
    return value
