"""What this entrance told people is done: a read that comes right after it waits until it can show it."""

from collections.abc import Callable

from api.http.ports import Views

SHOWN_WITHIN_S = 2.0


class Told:
    """Hold the last position at which somebody was told that a command is durable, for `SHOWN_WITHIN_S` after it.

    Read models follow the log by some milliseconds. Whoever halts and looks must not see ACTIVE, and the person who is
    asked to grant must see what is asked. Whoever names a moment (`?at=`, `?wait_for=`) gets that moment.
    """

    def __init__(self, monotonic_s: Callable[[], float]) -> None:
        self._monotonic_s = monotonic_s
        self._position = 0
        self._until_s = monotonic_s()

    def note(self, position: int) -> None:
        """Note that somebody was told of a position; one that changed nothing (0) moves nothing."""
        if position > self._position:
            self._position = position
            self._until_s = self._monotonic_s() + SHOWN_WITHIN_S

    async def shown(self, views: Views, view: str) -> None:
        """Wait until a view shows what was told; return without it when the view falls behind for longer."""
        left_s = self._until_s - self._monotonic_s()
        if left_s > 0:
            await views.wait_for(view, self._position, left_s)
