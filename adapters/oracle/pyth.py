"""Pyth's accumulator updates ("PNAU"): a signed Merkle root, and messages proven to be under it.

Layout, big-endian: "PNAU", major u8 = 1, minor u8, length of a header to skip u8, type u8 = 0, VAA length u16, VAA,
count u8, then each message: length u16, message, proof length u8, that many siblings of 20 bytes. The VAA's payload is
"AUWV", type u8 = 0, slot u64, ring size u32, root 20. Leaf keccak(0x00 | message)[:20], node keccak(0x01 | the lesser |
the greater)[:20]. The minor version and the skipped header are under no signature: new fields go there.
"""

from decimal import Decimal

import msgspec
from eth_hash.auto import keccak

from adapters.oracle.cursor import Cursor
from adapters.oracle.rejected import OracleRejected, scaled, sensible, sensible_time
from adapters.oracle.signers import SignerSet
from adapters.oracle.vaa import VerifiedVaa, verify_vaa

MAGIC, PAYLOAD_MAGIC = b"PNAU", b"AUWV"
MAJOR = 1
HASH_BYTES = 20
PRICE_TYPE, TWAP_TYPE = 0, 1
UPDATE_BYTES_MAX = 1 << 18
"""No update comes near: 255 messages of 101 bytes with proofs of 16 levels are less than half of it."""


class PriceMessage(msgspec.Struct, frozen=True, kw_only=True):
    """Hold a price message as it was signed; `priced` turns `price` and `conf` into numbers, and judges them."""

    feed_id: str
    price: int
    conf: int
    expo: int
    publish_time: int
    prev_publish_time: int
    ema_price: int
    ema_conf: int

    def priced(self) -> tuple[Decimal, Decimal]:
        """Return the price and how far it may be off; refuse what cannot be meant."""
        price, confidence = scaled(self.price, self.expo), scaled(self.conf, self.expo)
        sensible(price, confidence)
        sensible_time(self.publish_time)
        return price, confidence


class TwapMessage(msgspec.Struct, frozen=True, kw_only=True):
    """Hold the running sums whose difference between two slots is a time-weighted price; alone it tells no price."""

    feed_id: str
    cumulative_price: int
    cumulative_conf: int
    num_down_slots: int
    expo: int
    publish_time: int
    prev_publish_time: int
    publish_slot: int


class PythUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """Hold one verified update: who signed it, at which slot, and the messages under its root in their order."""

    vaa: VerifiedVaa
    slot: int
    messages: tuple[PriceMessage | TwapMessage, ...]

    @property
    def prices(self) -> tuple[PriceMessage, ...]:
        """Return the price messages."""
        return tuple(message for message in self.messages if isinstance(message, PriceMessage))


def verify_update(data: bytes, signers: SignerSet) -> PythUpdate:
    """Return an update whose root a quorum signed and whose every message is under it; else raise `OracleRejected`."""
    if len(data) > UPDATE_BYTES_MAX:
        raise OracleRejected("malformed", f"an update of more than {UPDATE_BYTES_MAX} bytes")
    cursor = Cursor(data, "update")
    _read_header(cursor)
    signed = cursor.take(cursor.unsigned(2))
    parts = _read_parts(cursor)
    vaa = verify_vaa(signed, signers)
    slot, root = _read_root(vaa.payload)
    for message, proof in parts:
        if _climb(message, proof) != root:
            raise OracleRejected("proof_invalid", "a message is not under the signed root")
    messages = tuple(parse_message(message) for message, _ in parts)
    told = [(type(message), message.feed_id) for message in messages]
    if len(set(told)) != len(told):
        raise OracleRejected("feed_repeated", "one feed stands twice in an update")
    return PythUpdate(vaa=vaa, slot=slot, messages=messages)


def parse_message(data: bytes) -> PriceMessage | TwapMessage:
    """Read one message; refuse unknown kinds and wrong lengths. Whether its price can be meant, `priced` says."""
    cursor = Cursor(data, "message")
    kind = cursor.unsigned(1)
    if kind not in {PRICE_TYPE, TWAP_TYPE}:
        raise OracleRejected("message_unknown", f"a message of type {kind}")
    message = _price(cursor) if kind == PRICE_TYPE else _twap(cursor)
    cursor.end()
    return message


def _read_header(cursor: Cursor) -> None:
    if cursor.take(4) != MAGIC:
        raise OracleRejected("malformed", 'an update begins with "PNAU"')
    if (major := cursor.unsigned(1)) != MAJOR:
        raise OracleRejected("version_unknown", f"an update of version {major}")
    cursor.unsigned(1)  # the minor version only adds to the header that is skipped
    cursor.take(cursor.unsigned(1))
    if (kind := cursor.unsigned(1)) != 0:
        raise OracleRejected("version_unknown", f"an update of type {kind}, not a Merkle proof")


def _read_parts(cursor: Cursor) -> list[tuple[bytes, list[bytes]]]:
    count = cursor.unsigned(1)
    if count == 0:
        raise OracleRejected("count_wrong", "an update without messages")
    parts: list[tuple[bytes, list[bytes]]] = []
    for _ in range(count):
        message = cursor.take(cursor.unsigned(2))
        parts.append((message, [cursor.take(HASH_BYTES) for _ in range(cursor.unsigned(1))]))
    cursor.end()
    return parts


def _read_root(payload: bytes) -> tuple[int, bytes]:
    cursor = Cursor(payload, "payload")
    if cursor.take(4) != PAYLOAD_MAGIC or cursor.unsigned(1) != 0:
        raise OracleRejected("message_unknown", "what was signed is no Merkle root of prices")
    slot = cursor.unsigned(8)
    cursor.unsigned(4)  # the size of the ring the slots live in
    root = cursor.take(HASH_BYTES)
    cursor.end()
    return slot, root


def leaf_hash(message: bytes) -> bytes:
    """Return the leaf of a message."""
    return keccak(b"\x00" + message)[:HASH_BYTES]


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the node over two hashes, whichever stands first."""
    return keccak(b"\x01" + min(left, right) + max(left, right))[:HASH_BYTES]


def _climb(message: bytes, proof: list[bytes]) -> bytes:
    reached = leaf_hash(message)
    for sibling in proof:
        reached = node_hash(reached, sibling)
    return reached


def _price(cursor: Cursor) -> PriceMessage:
    return PriceMessage(
        feed_id=cursor.take(32).hex(),
        price=cursor.signed(8),
        conf=cursor.unsigned(8),
        expo=cursor.signed(4),
        publish_time=cursor.signed(8),
        prev_publish_time=cursor.signed(8),
        ema_price=cursor.signed(8),
        ema_conf=cursor.unsigned(8),
    )


def _twap(cursor: Cursor) -> TwapMessage:
    return TwapMessage(
        feed_id=cursor.take(32).hex(),
        cumulative_price=cursor.signed(16),
        cumulative_conf=cursor.unsigned(16),
        num_down_slots=cursor.unsigned(8),
        expo=cursor.signed(4),
        publish_time=cursor.signed(8),
        prev_publish_time=cursor.signed(8),
        publish_slot=cursor.unsigned(8),
    )
