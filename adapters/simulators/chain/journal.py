"""The simulated chain's memory: a file of records, each with its length and checksum, read back after kill -9.

Blocks are kept with the nodes that they wrote, so nothing is run again: a restart gives the same blocks, hashes and
pool. A record torn by a crash was never told to anyone, and is cut off.
"""

import os
import zlib
from collections.abc import Iterator
from pathlib import Path

import msgspec

from adapters.simulators.chain.blocks import Block

HEAD_BYTES = 8


class Kept(msgspec.Struct, frozen=True, array_like=True, tag="kept"):
    """Record everything as it stands: the first record of every file."""

    chain_id: int
    blocks: tuple[Block, ...]
    nodes: dict[bytes, bytes]
    pooled: tuple[tuple[bytes, bool], ...]
    held: tuple[bytes, ...]


class Made(msgspec.Struct, frozen=True, array_like=True, tag="made"):
    """Record a new head and the nodes that came with it. A block of a known hash has another state after it."""

    block: Block
    nodes: dict[bytes, bytes]


class Headed(msgspec.Struct, frozen=True, array_like=True, tag="headed"):
    """Record that a known block is the head now."""

    block_hash: bytes


class Pooled(msgspec.Struct, frozen=True, array_like=True, tag="pooled"):
    """Record a transaction that the pool took."""

    raw: bytes
    private: bool


class Forgotten(msgspec.Struct, frozen=True, array_like=True, tag="forgotten"):
    """Record transactions that the pool forgot."""

    hashes: tuple[bytes, ...]


class HeldNow(msgspec.Struct, frozen=True, array_like=True, tag="held"):
    """Record what is held."""

    held: tuple[bytes, ...]


Record = Kept | Made | Headed | Pooled | Forgotten | HeldNow
_DECODER: msgspec.msgpack.Decoder[Record] = msgspec.msgpack.Decoder(Record)
_ENCODER = msgspec.msgpack.Encoder()


class Journal:
    """Append records to a file, and put a whole new file in its place."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._file = path.open("ab", buffering=0)

    @property
    def size(self) -> int:
        """Return how long the file is, bytes."""
        return self._file.tell()

    @staticmethod
    def read(path: Path) -> Iterator[Record]:
        """Yield what was written; cut a torn end off."""
        data = path.read_bytes() if path.exists() else b""
        at = 0
        while (body := _body(data, at)) is not None:
            yield _DECODER.decode(body)
            at += HEAD_BYTES + len(body)
        if at < len(data):
            os.truncate(path, at)

    def append(self, record: Record, *, promise: bool) -> None:
        """Write a record; with `promise` return only when the disk has it."""
        framed = _framed(record)
        if self._file.write(framed) != len(framed):
            raise OSError(f"{self._path}: the disk did not take the whole record")
        if promise:
            os.fdatasync(self._file.fileno())

    def rewrite(self, record: Kept) -> None:
        """Put a file of one record in this one's place, whole or not at all."""
        part = self._path.with_suffix(".part")
        with part.open("wb") as file:
            file.write(_framed(record))
            file.flush()
            os.fsync(file.fileno())
        part.replace(self._path)
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        self._file.close()
        self._file = self._path.open("ab", buffering=0)

    def close(self) -> None:
        """Close the file; idempotent."""
        self._file.close()


def _framed(record: Record) -> bytes:
    body = _ENCODER.encode(record)
    return len(body).to_bytes(4, "big") + zlib.crc32(body).to_bytes(4, "big") + body


def _body(data: bytes, at: int) -> bytes | None:
    size = int.from_bytes(data[at : at + 4], "big")
    body = data[at + HEAD_BYTES : at + HEAD_BYTES + size]
    whole = size > 0 and len(body) == size and zlib.crc32(body).to_bytes(4, "big") == data[at + 4 : at + HEAD_BYTES]
    return body if whole else None
