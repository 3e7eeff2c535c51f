"""The simulated venue's memory: what it acknowledged is still so after kill -9.

An append-only file of JSON lines. A change is written and flushed to the disk before anyone is told of it. A line torn
by a crash was never acknowledged and is cut off at the next start, and what was overtaken since is left out then.
"""

import os
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path

import msgspec

from adapters.simulators.conditional import Conditional
from adapters.simulators.ledger import Income, Order, Position, Trade


class Opened(msgspec.Struct, frozen=True, kw_only=True, tag="opened"):
    """Record how the account began; refuses to continue another account's journal."""

    deposits: dict[str, Decimal]
    api_key: str


class OrderKept(msgspec.Struct, frozen=True, kw_only=True, tag="order"):
    """Record an order as it now stands."""

    order: Order


class ConditionalKept(msgspec.Struct, frozen=True, kw_only=True, tag="conditional"):
    """Record a conditional order as it now stands."""

    conditional: Conditional


class TradeKept(msgspec.Struct, frozen=True, kw_only=True, tag="trade"):
    """Record a fill with the position after it."""

    trade: Trade
    position: Position


class IncomeKept(msgspec.Struct, frozen=True, kw_only=True, tag="income"):
    """Record one change of the wallet."""

    income: Income


class LeverageKept(msgspec.Struct, frozen=True, kw_only=True, tag="leverage"):
    """Record a symbol's leverage."""

    symbol: str
    leverage: int


class MarketKept(msgspec.Struct, frozen=True, kw_only=True, tag="market"):
    """Record where a market stood, so that a restart does not make the price jump. Not flushed: it is no promise."""

    symbol: str
    mid: int
    funded_until_ms: int


class CountdownKept(msgspec.Struct, frozen=True, kw_only=True, tag="countdown"):
    """Record until when a dead-man's switch counts down, 0 once it does not; a venue that restarts goes on counting."""

    name: str
    until_ms: int


Record = Opened | OrderKept | ConditionalKept | TradeKept | IncomeKept | LeverageKept | MarketKept | CountdownKept
_DECODER: msgspec.json.Decoder[Record] = msgspec.json.Decoder(Record)
_ENCODER = msgspec.json.Encoder()


class Journal:
    """Append records to a file and read them back."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._file = path.open("ab", buffering=0)

    @staticmethod
    def read(path: Path) -> Iterator[Record]:
        """Yield what was written; cut a torn last line off."""
        if not path.exists():
            return
        data = path.read_bytes()
        whole = data.rfind(b"\n") + 1
        if whole < len(data):
            os.truncate(path, whole)
        for line in data[:whole].splitlines():
            yield _DECODER.decode(line)

    @staticmethod
    def rewrite(path: Path, records: Sequence[Record]) -> None:
        """Put other records in a file's place, whole or not at all."""
        part = path.with_suffix(".part")
        with part.open("wb") as file:
            file.writelines(_ENCODER.encode(record) + b"\n" for record in records)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    @property
    def is_closed(self) -> bool:
        """Say whether the file is closed."""
        return self._file.closed

    def append(self, records: Sequence[Record], *, promise: bool = True) -> None:
        """Write records; with `promise` return only when the disk has them."""
        if not records:
            return
        data = b"".join(_ENCODER.encode(record) + b"\n" for record in records)
        if self._file.write(data) != len(data):
            raise OSError(f"{self._path}: the disk did not take the whole record")
        if promise:
            os.fdatasync(self._file.fileno())

    def close(self) -> None:
        """Close the file; idempotent."""
        self._file.close()
