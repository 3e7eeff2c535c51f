"""Timers: commands that the book owes itself. Firing one twice is harmless, its id derives from its cause."""

from uuid import UUID

import msgspec

from domain.ids import natural_id

RETRY_DELAY_MAX_MS = 30_000


class Wake(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Ask to be woken at `at_us` with the command `kind` and its JSON `body`; one per key, the last one counts.

    `subject` is what it is for: when the subject is over, its wakes go with it. `tries` counts refusals so far.
    """

    key: str
    subject: UUID
    at_us: int
    kind: str
    body: str
    tries: int = 0

    @property
    def command_id(self) -> UUID:
        """Return the id of the command it fires."""
        return natural_id("wake", self.key, str(self.at_us), str(self.tries))


def again(wake: Wake, now_us: int, delay_ms: int) -> Wake:
    """Return the wake that follows a refused one: later each time, up to a bound."""
    delay = min(delay_ms << min(wake.tries, 16), RETRY_DELAY_MAX_MS)
    return Wake(
        key=wake.key,
        subject=wake.subject,
        at_us=now_us + delay * 1_000,
        kind=wake.kind,
        body=wake.body,
        tries=wake.tries + 1,
    )
