"""RedStone's signed data packages: the bytes that were signed rebuilt, the signer recovered from them.

Signed bytes: points sorted by their 32-byte id (feed id 32 | value 32), timestamp in milliseconds u48, value size u32,
count of points u24; the digest is their plain keccak. A feed id is UTF-8 padded on the right up to 31 characters, else
its keccak. What a gateway says besides (`isSignatureValid`, `signerAddress`) proves nothing.
"""

import base64
import binascii
import json
from collections.abc import Iterable, Mapping
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

import msgspec
from eth_hash.auto import keccak

from adapters.oracle.recovery import COMPACT_BYTES, checksummed, recover
from adapters.oracle.rejected import PRICE_MAX, OracleRejected, scaled, sensible, sensible_time

DECIMALS = 8
DECIMALS_MAX = 18
VALUE_BYTES = 32
ID_BYTES, ID_TEXT_MAX = 32, 31
TIMESTAMP_BYTES, SIZE_BYTES, COUNT_BYTES, SIGNATURE_BYTES = 6, 4, 3, 65
MARKER = bytes.fromhex("000002ed57011e0000")
METADATA_SIZE_BYTES, PACKAGES_BYTES = 3, 2
V_BASE = 27

FEEDS_MAX, PACKAGES_MAX, POINTS_MAX = 4_096, 64, 4_096
GATEWAY_BYTES_MAX = 16 << 20
PAYLOAD_BYTES_MAX = 1 << 20
_WIDE = Context(prec=400)


class Point(msgspec.Struct, frozen=True):
    """Hold one signed value: the feed's 32 bytes, and the value in units of 10^-decimals."""

    feed: bytes
    atoms: int
    decimals: int = DECIMALS


class Package(msgspec.Struct, frozen=True, kw_only=True):
    """Hold one signed package and its signer, recovered from the signature; whether it may sign is not judged yet."""

    points: tuple[Point, ...]
    timestamp_ms: int
    signer: bytes


def feed_bytes(name: str) -> bytes:
    """Return the 32 bytes that stand for a feed."""
    try:
        written = name.encode()
    except UnicodeEncodeError:
        raise OracleRejected("malformed", "a feed's name that is no text") from None
    if b"\0" in written:  # its padding would make another name of it
        raise OracleRejected("malformed", "a feed's name with a zero in it")
    return written.ljust(ID_BYTES, b"\0") if len(name) <= ID_TEXT_MAX and len(written) <= ID_BYTES else keccak(written)


def feed_name(feed: bytes) -> str:
    """Return a feed's name, or its 32 bytes in hex when they are the hash of a long one."""
    text = feed.rstrip(b"\0")
    try:
        name = text.decode()
    except UnicodeDecodeError:
        return f"0x{feed.hex()}"
    return name if name.isprintable() and 0 < len(name) <= ID_TEXT_MAX else f"0x{feed.hex()}"


def signed_bytes(points: Iterable[Point], timestamp_ms: int) -> bytes:
    """Return what a node signs."""
    ordered = sorted(points, key=lambda point: point.feed)
    body = b"".join(point.feed + point.atoms.to_bytes(VALUE_BYTES, "big") for point in ordered)
    return (
        body
        + timestamp_ms.to_bytes(TIMESTAMP_BYTES, "big")
        + VALUE_BYTES.to_bytes(SIZE_BYTES, "big")
        + len(ordered).to_bytes(COUNT_BYTES, "big")
    )


def price_of(point: Point) -> Decimal:
    """Return a point's price; refuse what cannot be meant."""
    price = scaled(point.atoms, -point.decimals)
    sensible(price, Decimal(0))
    return price


def parse_gateway(data: bytes) -> dict[str, list[Any]]:
    """Read a gateway's answer: packages, yet to be read, by the name they are asked for under."""
    if len(data) > GATEWAY_BYTES_MAX:
        raise OracleRejected("malformed", f"more than {GATEWAY_BYTES_MAX} bytes")
    try:
        told = json.loads(data, object_pairs_hook=_once, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise OracleRejected("malformed", f"not JSON: {str(error)[:100]}") from None
    if not isinstance(told, dict) or not all(isinstance(packages, list) for packages in told.values()):
        raise OracleRejected("malformed", "not an object of feeds with their packages")
    if not 0 < len(told) <= FEEDS_MAX or any(not 0 < len(packages) <= PACKAGES_MAX for packages in told.values()):
        raise OracleRejected("count_wrong", "no feeds, no packages of a feed, or more of them than there can be")
    return told


def verify_package(told: Any, asked_as: str) -> Package:
    """Read one package of a gateway, rebuild what was signed and recover who did; raise `OracleRejected`.

    A package of one point must be of the feed it stands under; who the gateway says signed it must have.
    """
    if not isinstance(told, dict):
        raise OracleRejected("malformed", "a package is not an object")
    points_told, timestamp_ms = told.get("dataPoints"), told.get("timestampMilliseconds")
    if not isinstance(points_told, list) or not 0 < len(points_told) <= POINTS_MAX:
        raise OracleRejected("malformed", "a package without points")
    points = tuple(_point(point) for point in points_told)
    if len({point.feed for point in points}) != len(points):
        raise OracleRejected("feed_repeated", "one feed stands twice in a package")
    if len(points) == 1 and points[0].feed != feed_bytes(asked_as):
        raise OracleRejected("feed_differs", f"a package of {feed_name(points[0].feed)} under {asked_as!r:.80}")
    if isinstance(timestamp_ms, bool) or not isinstance(timestamp_ms, int):
        raise OracleRejected("malformed", f"a timestamp of {timestamp_ms!r:.80}")
    sensible_time(timestamp_ms // 1_000)
    signer = _signer(signed_bytes(points, timestamp_ms), _signature(told.get("signature")))
    said = told.get("signerAddress")
    if said is not None and (not isinstance(said, str) or said.lower() != f"0x{signer.hex()}"):
        raise OracleRejected(
            "signer_differs", f"signed by {checksummed(signer)}, if by anybody, and not by {said!r:.80}"
        )
    return Package(points=points, timestamp_ms=timestamp_ms, signer=signer)


def verify_payload(data: bytes) -> tuple[Package, ...]:
    """Read a calldata payload from its end to its beginning, and recover the signer of every package.

    The unsigned metadata is skipped. Whatever is left in front is refused: then a count was wrong.
    """
    if len(data) > PAYLOAD_BYTES_MAX:
        raise OracleRejected("malformed", f"a payload of more than {PAYLOAD_BYTES_MAX} bytes")
    tail = _Tail(data)
    if tail.take(len(MARKER)) != MARKER:
        raise OracleRejected("malformed", "a payload ends with RedStone's marker")
    tail.take(tail.number(METADATA_SIZE_BYTES))
    count = tail.number(PACKAGES_BYTES)
    if not 0 < count <= PACKAGES_MAX:
        raise OracleRejected("count_wrong", f"a payload of {count} packages")
    packages = [_take_package(tail) for _ in range(count)]
    tail.end()
    if len({package.timestamp_ms for package in packages}) > 1:
        raise OracleRejected("timestamps_differ", "the packages of a payload share one timestamp")
    return tuple(reversed(packages))


def _take_package(tail: "_Tail") -> Package:
    signature = tail.take(SIGNATURE_BYTES)
    count, size, timestamp_ms = tail.number(COUNT_BYTES), tail.number(SIZE_BYTES), tail.number(TIMESTAMP_BYTES)
    if not 0 < count <= POINTS_MAX:
        raise OracleRejected("count_wrong", f"a package of {count} points")
    if size != VALUE_BYTES:
        raise OracleRejected("malformed", f"values of {size} bytes")
    body = tail.take(count * (ID_BYTES + VALUE_BYTES))
    at = range(0, len(body), ID_BYTES + VALUE_BYTES)
    points = tuple(
        Point(body[start : start + ID_BYTES], int.from_bytes(body[start + ID_BYTES :][:VALUE_BYTES], "big"))
        for start in at
    )
    if len({point.feed for point in points}) != len(points):
        raise OracleRejected("feed_repeated", "one feed stands twice in a package")
    sensible_time(timestamp_ms // 1_000)
    signed = (
        body
        + timestamp_ms.to_bytes(TIMESTAMP_BYTES, "big")
        + size.to_bytes(SIZE_BYTES, "big")
        + count.to_bytes(COUNT_BYTES, "big")
    )
    return Package(points=points, timestamp_ms=timestamp_ms, signer=_signer(signed, signature))


def _point(told: Any) -> Point:
    if not isinstance(told, dict):
        raise OracleRejected("malformed", "a point is not an object")
    name, value, decimals = told.get("dataFeedId"), told.get("value"), told.get("decimals", DECIMALS)
    if not isinstance(name, str) or not name:
        raise OracleRejected("malformed", "a point without the name of its feed")
    if isinstance(decimals, bool) or not isinstance(decimals, int) or not 0 <= decimals <= DECIMALS_MAX:
        raise OracleRejected("exponent_out_of_bounds", f"{decimals!r:.80} decimals")
    return Point(feed_bytes(name), atoms(value, decimals), decimals)


def atoms(value: Any, decimals: int) -> int:
    """Return a gateway's number as the node signed it: JavaScript's `toFixed`, on the binary number the text names.

    `toFixed` rounds the exact binary value half away from zero: reading the text as a decimal fails on one signature in
    twenty. This is the only place where a binary float lives.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise OracleRejected("malformed", f"a value of {value!r:.80}, not a number")
    try:
        exact = Decimal(float(value))
    except OverflowError:
        raise OracleRejected("price_out_of_bounds", "a value beyond every number") from None
    if not exact.is_finite() or not 0 <= exact <= PRICE_MAX:
        raise OracleRejected("price_out_of_bounds", f"a value of {value!r:.80}")
    return int(_WIDE.scaleb(exact, decimals).to_integral_value(rounding=ROUND_HALF_UP))


def _signature(told: Any) -> bytes:
    if not isinstance(told, str):
        raise OracleRejected("malformed", "a package without a signature")
    try:
        signature = base64.b64decode(told, validate=True)
    except (binascii.Error, ValueError):
        raise OracleRejected("malformed", "a signature that is not base64") from None
    # The last digit of base64 has bits that mean nothing; they must be as the encoder leaves them.
    if len(signature) != SIGNATURE_BYTES or base64.b64encode(signature).decode() != told:
        raise OracleRejected("malformed", f"a signature has {SIGNATURE_BYTES} bytes: r, s, v")
    return signature


def _signer(signed: bytes, signature: bytes) -> bytes:
    return recover(keccak(signed), signature[:COMPACT_BYTES], signature[COMPACT_BYTES] - V_BASE)


def _once(pairs: list[tuple[str, Any]]) -> Mapping[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice in one object")
    return found


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no number")


class _Tail:
    """Take fields off the end of some bytes."""

    def __init__(self, data: bytes) -> None:
        self._left = data

    def take(self, length: int) -> bytes:
        """Return the last bytes."""
        start = len(self._left) - length
        if start < 0:
            raise OracleRejected("truncated", "the payload begins inside a field")
        taken, self._left = self._left[start:], self._left[:start]
        return taken

    def number(self, length: int) -> int:
        """Return the last number, big-endian."""
        return int.from_bytes(self.take(length), "big")

    def end(self) -> None:
        """Refuse what is left over."""
        if self._left:
            raise OracleRejected("trailing_bytes", f"{len(self._left)} bytes before the first package")
