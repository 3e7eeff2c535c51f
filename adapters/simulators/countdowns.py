"""Dead-man's switches that count down: what is cancelled when nobody asks for more time, by whose order."""

from collections.abc import Sequence

ALL = ""
"""The name under which the whole account is counted down."""


class Countdowns:
    """Hold when each market's orders end: by symbol, or under `ALL`. Times are the venue's machine time in ms."""

    def __init__(self) -> None:
        self._until_ms: dict[str, int] = {}

    def __contains__(self, name: str) -> bool:
        """Say whether a name is being counted down."""
        return name in self._until_ms

    def put(self, name: str, until_ms: int) -> None:
        """Count down until an instant instead of any before; 0 stops it."""
        if until_ms:
            self._until_ms[name] = until_ms
        else:
            self._until_ms.pop(name, None)

    def due(self, now_ms: int) -> Sequence[str]:
        """Return whose time is over."""
        return [name for name, until_ms in self._until_ms.items() if until_ms <= now_ms]
