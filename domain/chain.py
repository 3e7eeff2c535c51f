"""The hash chain over the log: change one stored byte and every later hash differs."""

import hashlib
import struct
from uuid import UUID

GENESIS = bytes(32)

_FIXED = struct.Struct(">Q16sQH")
_LENGTH = struct.Struct(">I")


def chain_hash(
    previous: bytes, position: int, originator_id: UUID, version: int, topic: str, state: bytes, metadata: bytes
) -> bytes:
    """Return the 32-byte chain hash of one stored event.

    sha256(previous || position u64be || originator_id 16 || version u64be || u16be len(topic) || topic ||
    u32be len(state) || state || metadata), over the bytes as stored, never re-encoded.
    """
    tag = topic.encode()
    fixed = _FIXED.pack(position, originator_id.bytes, version, len(tag))
    return hashlib.sha256(b"".join((previous, fixed, tag, _LENGTH.pack(len(state)), state, metadata))).digest()
