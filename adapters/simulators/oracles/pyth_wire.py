"""Pyth's accumulator updates as Hermes hands them out: messages, the Merkle tree over them, the signed root."""

from collections.abc import Sequence

import msgspec
from eth_hash.auto import keccak

from adapters.simulators.oracles.keys import QUORUM, SIGNERS, Keys

HASH_BYTES = 20
EXPONENT = -8
EMITTER = b"Pythnet" * 4 + b"Pyth"
CHAIN = 26
RING = 10_000


class Quote(msgspec.Struct, frozen=True, kw_only=True):
    """Hold what is said of one feed; prices in units of 10^-8."""

    feed_id: str
    price: int
    conf: int
    publish_time: int
    prev_publish_time: int


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """Hold one slot: its quotes, its tree, and the VAA over its root."""

    slot: int
    quotes: tuple[Quote, ...]
    levels: tuple[tuple[bytes, ...], ...]
    vaa: bytes


def message(quote: Quote) -> bytes:
    """Return a price message of 85 bytes."""
    return b"".join(
        (
            b"\x00",
            bytes.fromhex(quote.feed_id),
            quote.price.to_bytes(8, "big", signed=True),
            quote.conf.to_bytes(8, "big"),
            EXPONENT.to_bytes(4, "big", signed=True),
            quote.publish_time.to_bytes(8, "big", signed=True),
            quote.prev_publish_time.to_bytes(8, "big", signed=True),
            quote.price.to_bytes(8, "big", signed=True),
            quote.conf.to_bytes(8, "big"),
        )
    )


def snapshot(slot: int, quotes: Sequence[Quote], keys: Keys, *, timestamp_s: int, spoiled: bool = False) -> Snapshot:
    """Sign a slot's quotes by a quorum whose members rotate; a spoiled one has a bit flipped in a signature."""
    levels = _tree([_hash(b"\x00", message(quote)) for quote in quotes])
    payload = b"AUWV\x00" + slot.to_bytes(8, "big") + RING.to_bytes(4, "big") + levels[-1][0]
    body = (
        timestamp_s.to_bytes(4, "big")
        + bytes(4)
        + CHAIN.to_bytes(2, "big")
        + EMITTER
        + slot.to_bytes(8, "big")
        + b"\x01"
        + payload
    )
    digest = keccak(keccak(body))
    chosen = sorted((slot + offset) % SIGNERS for offset in range(QUORUM))
    signatures = bytearray()
    for index in chosen:
        compact, recovery_id = keys.sign(index, digest)
        signatures += bytes((index,)) + compact + bytes((recovery_id,))
    if spoiled:
        signatures[1] ^= 1
    vaa = b"\x01" + bytes(4) + bytes((len(chosen),)) + bytes(signatures) + body
    return Snapshot(slot=slot, quotes=tuple(quotes), levels=levels, vaa=vaa)


def update(of: Snapshot, feeds: Sequence[str]) -> bytes:
    """Return the update with some of a slot's feeds, each proven."""
    places = [at for at, quote in enumerate(of.quotes) if quote.feed_id in feeds]
    parts = bytearray()
    for at in places:
        body, proof = message(of.quotes[at]), _proof(of.levels, at)
        parts += len(body).to_bytes(2, "big") + body + bytes((len(proof),)) + b"".join(proof)
    header = b"PNAU\x01\x00\x00\x00" + len(of.vaa).to_bytes(2, "big")
    return header + of.vaa + bytes((len(places),)) + bytes(parts)


def _hash(prefix: bytes, *parts: bytes) -> bytes:
    return keccak(prefix + b"".join(parts))[:HASH_BYTES]


def _tree(leaves: list[bytes]) -> tuple[tuple[bytes, ...], ...]:
    width = 1
    while width < len(leaves):
        width *= 2
    levels = [tuple(leaves) + (_hash(b"\x02"),) * (width - len(leaves))]
    while len(levels[-1]) > 1:
        below = levels[-1]
        levels.append(tuple(_hash(b"\x01", *sorted(below[at : at + 2])) for at in range(0, len(below), 2)))
    return tuple(levels)


def _proof(levels: tuple[tuple[bytes, ...], ...], at: int) -> list[bytes]:
    return [level[(at >> height) ^ 1] for height, level in enumerate(levels[:-1])]
