"""What a file of one update holds, however it was saved: the verified prices as plain data, or why they are not."""

import base64
import binascii
import time
from collections.abc import Callable
from typing import Any

import msgspec

from adapters.oracle.median import medians
from adapters.oracle.pyth import PriceMessage, verify_update
from adapters.oracle.redstone import Package, parse_gateway, verify_package, verify_payload
from adapters.oracle.rejected import OracleRejected
from adapters.oracle.signers import SignerSet
from domain.quantity import plain

FILE_BYTES_MAX = 32 << 20


def pyth_report(content: bytes, signers: SignerSet, now_s: int | None = None) -> dict[str, Any]:
    """Verify one update, in hex or base64, and return what it says; raise `OracleRejected` if any part fails."""
    update = verify_update(_binary(content), signers)
    now_s = int(time.time()) if now_s is None else now_s
    prices: list[dict[str, Any]] = []
    for message in update.prices:
        price, confidence = message.priced()
        prices.append(
            {
                "feed": message.feed_id,
                "price": plain(price),
                "confidence": plain(confidence),
                "published_at": message.publish_time,
                "age_s": now_s - message.publish_time,
            }
        )
    return {
        "oracle": "pyth",
        "slot": update.slot,
        "emitter": update.vaa.emitter.hex(),
        "set_index": update.vaa.set_index,
        "quorum": signers.quorum,
        "signers": {str(index): address for index, address in update.vaa.signers.items()},
        "prices": prices,
        # As they were signed: whole numbers, and names as the oracle has them.
        "messages": [
            {"type": 0 if isinstance(message, PriceMessage) else 1, **msgspec.structs.asdict(message)}
            for message in update.messages
        ],
    }


def redstone_report(content: bytes, signers: SignerSet, now_s: int | None = None) -> dict[str, Any]:
    """Verify a gateway's answer or a calldata payload, and return its prices; raise `OracleRejected`.

    Every package must be by an authorised signer, and every feed must have a quorum of them at one time.
    """
    is_gateway = content.lstrip()[:1] in {b"{", b"["}
    packages = _gateway(content) if is_gateway else verify_payload(_hex(content))
    now_ms = (int(time.time()) if now_s is None else now_s) * 1_000
    return {
        "oracle": "redstone",
        "quorum": signers.quorum,
        "packages": len(packages),
        "prices": [
            {
                "feed": median.feed,
                "price": plain(median.price),
                "confidence": plain(median.confidence),
                "published_at_ms": median.timestamp_ms,
                "age_s": (now_ms - median.timestamp_ms) // 1_000,
                "signers": list(median.signers),
            }
            for median in medians(packages, signers)
        ],
    }


def _gateway(content: bytes) -> tuple[Package, ...]:
    told = parse_gateway(content)
    return tuple(verify_package(package, feed) for feed, packages in told.items() for package in packages)


def _hex(content: bytes) -> bytes:
    text = b"".join(content.split())
    try:
        return binascii.unhexlify(text.removeprefix(b"0x"))
    except (binascii.Error, ValueError):
        raise OracleRejected("malformed", "neither JSON nor hex") from None


def _binary(content: bytes) -> bytes:
    """Read hex or base64: an update begins with "PNAU", which tells them apart."""
    readers: tuple[Callable[[bytes], bytes], ...] = (_hex, _base64)
    for read in readers:
        try:
            return read(content)
        except OracleRejected:
            continue
    raise OracleRejected("malformed", "neither hex nor base64")


def _base64(content: bytes) -> bytes:
    text = b"".join(content.split())
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise OracleRejected("malformed", "not base64") from None
    if base64.b64encode(data) != text:
        raise OracleRejected("malformed", "base64 with bits that mean nothing")
    return data
