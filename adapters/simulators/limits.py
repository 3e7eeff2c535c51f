"""How often a simulated venue may be asked: counts in fixed windows of time."""

import msgspec

MINUTE_MS = 60_000
TEN_SECONDS_MS = 10_000


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Hold a venue's limits: request weight a minute, orders in ten seconds and in a minute."""

    weight_per_minute: int = 2_400
    orders_per_ten_seconds: int = 300
    orders_per_minute: int = 1_200


class Window:
    """Count up to a limit in each fixed window of time."""

    def __init__(self, length_ms: int, limit: int) -> None:
        self._length_ms = length_ms
        self._limit = limit
        self._window = -1
        self.used = 0

    def add(self, weight: int, now_ms: int) -> bool:
        """Count and say whether it is still within the limit."""
        window = now_ms // self._length_ms
        if window != self._window:
            self._window, self.used = window, 0
        self.used += weight
        return self.used <= self._limit
