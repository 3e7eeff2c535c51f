"""The newest mark and funding rate of each perpetual, bounded; read only when a decision asks, once."""

import msgspec

from domain.carry import MarkEvidence
from domain.codec import decoder
from domain.quantity import num
from domain.venue import MarkReport

# Instruments beyond these are left out and counted.
MARKS_MAX = 256
MARK = "mark"
_MS_US = 1_000
_READ = decoder(MarkReport).decode


class _HeardMark:
    """Hold the newest word on one instrument: as it came, and as it is read when somebody asks."""

    __slots__ = ("_at_us", "_evidence", "raw")

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self._at_us = 0
        self._evidence: MarkEvidence | None = None

    def evidence(self, now_us: int) -> MarkEvidence:
        if self._evidence is None:
            report = _READ(self.raw)
            self._at_us = report.at_us
            self._evidence = _evidence(report)
        # A date ahead of ours is as doubtful as one behind.
        age_ms = abs(now_us - self._at_us) // _MS_US
        if self._evidence.age_ms != age_ms:
            self._evidence = msgspec.structs.replace(self._evidence, age_ms=age_ms)
        return self._evidence


def _evidence(report: MarkReport) -> MarkEvidence:
    return MarkEvidence(
        venue=report.venue,
        symbol=report.symbol,
        mark=num(report.mark_price),
        index=num(report.index_price),
        funding_rate=num(report.funding_rate),
        interval_ms=report.funding_interval_ms,
        next_funding_us=report.next_funding_us,
        age_ms=-1,
    )


class Marks:
    """Keep the newest mark of each instrument."""

    def __init__(self) -> None:
        self.overlooked = 0
        self._heard: dict[tuple[str, str], _HeardMark] = {}

    def put(self, venue: str, symbol: str, raw: bytes) -> None:
        """Take a `MarkReport` as it is published; the newest replaces what was there."""
        key = (venue, symbol)
        if key in self._heard:
            self._heard[key] = _HeardMark(raw)
        elif len(self._heard) >= MARKS_MAX:
            self.overlooked += 1
        else:
            self._heard = {each: self._heard.get(each) or _HeardMark(raw) for each in sorted((*self._heard, key))}

    def look(self, now_us: int) -> tuple[MarkEvidence, ...]:
        """Return every mark with its age at `now_us`, in a fixed order."""
        return tuple(heard.evidence(now_us) for heard in self._heard.values())
