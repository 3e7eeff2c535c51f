"""How long to wait before trying again: doubling, bounded, and what the venue asks for before that. Pure."""

FIRST_S = 0.2
MOST_S = 30.0
# What lasted this long counts as a success: the next failure starts from the beginning.
STEADY_S = 5.0
# No venue is obeyed for longer than this.
RETRY_AFTER_S_MAX = 600.0


class Backoff:
    """Count failures in a row. `free` first ones cost no wait at all."""

    def __init__(self, *, free: int = 0) -> None:
        self._free = free
        self._failures = 0
        self._until_s = float("-inf")

    def pause_s(self, now_s: float, asked_s: float = 0.0) -> float:
        """Return how long to wait after a failure at `now_s`, on any steady clock."""
        if now_s > self._until_s + STEADY_S:
            self._failures = 0
        doubled = 0.0 if self._failures < self._free else FIRST_S * 2 ** min(self._failures - self._free, 20)
        self._failures += 1
        pause_s = max(min(MOST_S, doubled), min(RETRY_AFTER_S_MAX, asked_s))
        self._until_s = now_s + pause_s
        return pause_s
