"""What the relay tells about itself."""

from collections import deque
from dataclasses import dataclass, field

LAG_SAMPLES_MAX = 65_536


@dataclass(kw_only=True)
class RelayMetrics:
    """Count what the relay did. Lags are seconds from the offer of an event (its commit) to the stream's answer."""

    head: int
    published: int = 0
    refilled: int = 0
    hot_drops: int = 0
    resyncs: int = 0
    refusals: int = 0
    streams_made: int = 0
    groups: int = 0
    lag_s_last: float = 0.0
    lags: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=LAG_SAMPLES_MAX))

    def note_lags(self, offered: list[tuple[float, int]], sent: int, now_s: float) -> None:
        """Note that `sent` events, offered at these times in these numbers, are in the stream now."""
        self.groups += 1
        for offered_at_s, number in offered:
            if sent <= 0:
                break
            self.lag_s_last = now_s - offered_at_s
            self.lags.append((self.lag_s_last, min(number, sent)))
            sent -= number

    def lag_quantile_ms(self, quantile: float) -> float:
        """Return the lag in ms below which this part of the sampled events stayed; 0 without samples."""
        ordered = sorted(self.lags)
        rank = quantile * sum(number for _, number in ordered)
        for lag_s, number in ordered:
            rank -= number
            if rank <= 0:
                return lag_s * 1000
        return ordered[-1][0] * 1000 if ordered else 0.0
