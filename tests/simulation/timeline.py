"""What happened, in order: virtual time, step, actor, event. Kept cheap, written out only when somebody asks."""

from tests.simulation.loop import SimLoop

LINES_MAX = 200_000
"""Entries one world may keep; a world that needs more is not one a person can read."""


class Timeline:
    """Collect what every actor of one world did."""

    def __init__(self, loop: SimLoop) -> None:
        self._loop = loop
        self._entries: list[tuple[int, int, str, str, tuple[object, ...]]] = []

    def note(self, actor: object, event: str, *details: object) -> None:
        """Record one event of an actor; details are written only when the timeline is printed."""
        assert len(self._entries) < LINES_MAX, "the timeline's bound"
        self._entries.append((self._loop.now_us, self._loop.steps, str(actor), event, details))

    def render(self, last: int | None = None) -> str:
        """Return one line per event, oldest first; only the `last` ones if asked."""
        shown = self._entries if last is None else self._entries[-last:]
        return "\n".join(
            f"{now_us / 1e6:12.6f} {step:7d} {actor:<14} {event}{''.join(f' {detail}' for detail in details)}"
            for now_us, step, actor, event, details in shown
        )

    def __len__(self) -> int:
        return len(self._entries)
