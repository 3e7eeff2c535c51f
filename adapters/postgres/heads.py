"""The newest version of each stream, as far as this writer remembers: bounded, in memory."""

from uuid import UUID

from adapters.postgres.failures import AppendConflict
from domain.log import NewEvent

FIRST_VERSIONS = (0, 1)
GENERATION_STREAMS_MAX = 100_000


class VersionHeads:
    """Check that versions follow each other. Streams not met for a long time are forgotten.

    A forgotten stream's event is let through: the table's primary key stands behind it.
    """

    def __init__(self, generation_streams_max: int = GENERATION_STREAMS_MAX) -> None:
        self._streams_max = generation_streams_max
        self._young: dict[UUID, int] = {}
        self._old: dict[UUID, int] = {}

    def known(self, originator_id: UUID) -> int | None:
        """Return the stream's newest version, None if it is not remembered."""
        version = self._young.get(originator_id)
        return version if version is not None else self._old.get(originator_id)

    def advance(self, event: NewEvent) -> None:
        """Take one event in; raise AppendConflict when its version does not follow the one remembered."""
        known = self.known(event.originator_id)
        if known is not None and event.version != known + 1:
            raise AppendConflict(f"stream {event.originator_id} is at version {known}, {event.version} does not follow")
        self.remember(event.originator_id, event.version)

    def remember(self, originator_id: UUID, version: int) -> None:
        """Note a stream's newest version."""
        if len(self._young) >= self._streams_max:
            self._old, self._young = self._young, {}
        self._young[originator_id] = version

    def forget(self) -> None:
        """Forget everything: after a failure, what was taken in may not be in the log."""
        self._young.clear()
        self._old.clear()
