"""The market as the entrance sees it, in memory: what sources say, and what was sampled."""

from bisect import insort
from collections.abc import Sequence
from decimal import Decimal

import msgspec

from api.http.ports import SeriesQuery
from domain.instant import rfc3339
from domain.market import SourceKind, Witness
from domain.quantity import Num


def a_witness(source: str = "bybit", symbol: str = "ETH/USDT:USDT", *, bid: str = "2000.10", lost: str = "") -> Witness:
    """Give what a source says of ether."""
    return Witness(
        source=source,
        kind=SourceKind.LINEAR,
        symbol=symbol,
        base="ETH",
        quote="USDT",
        bid=Num(bid),
        ask=Num(Decimal(bid) * 2),
        sequence=7,
        age_ms=120,
        drift_ms=-3,
        lost=lost,
    )


class MemoryBoard:
    """Tell what the test says that sources say; `reasons` are of suspended sources."""

    def __init__(self) -> None:
        self.witnesses: list[Witness] = []
        self.reasons: dict[str, str] = {}
        self.fault: Exception | None = None

    def board(self) -> Sequence[Witness]:
        if self.fault is not None:
            raise self.fault
        return self.witnesses

    def suspended(self, witness: Witness) -> str:
        return self.reasons.get(witness.source, "")


class MemoryRow(msgspec.Struct, frozen=True, order=True):
    """Hold a sample in its place."""

    at_us: int
    tie: str
    document: bytes


class MemorySeries:
    """Keep samples under (table, source, symbol)."""

    def __init__(self) -> None:
        self.asked: list[SeriesQuery] = []
        self.fault: Exception | None = None
        self._rows: dict[tuple[str, str, str], list[MemoryRow]] = {}

    def add(self, table: str, source: str, symbol: str, at_us: int, tie: str = "") -> None:
        document = msgspec.json.encode({"at": rfc3339(at_us), "tie": tie})
        insort(self._rows.setdefault((table, source, symbol), []), MemoryRow(at_us, tie, document))

    async def read(self, asked: SeriesQuery, /) -> Sequence[MemoryRow]:
        self.asked.append(asked)
        if self.fault is not None:
            raise self.fault
        rows = [
            row
            for row in self._rows.get((asked.table, asked.source, asked.symbol), [])
            if asked.from_us <= row.at_us < asked.to_us
            and (asked.after_us is None or (row.at_us, row.tie) > (asked.after_us, asked.after_tie))
        ]
        return rows[: asked.limit]
