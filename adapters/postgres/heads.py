"""The newest version of each stream, as far as this writer remembers: bounded, in memory."""

from collections.abc import Collection, Iterable
from uuid import UUID

from adapters.postgres.failures import AppendConflict
from domain.log import NewEvent

FIRST_VERSIONS = (0, 1)
# What is remembered of a stream known to have no event: 0 follows it, and so does 1.
EMPTY = -1
GENERATION_STREAMS_MAX = 100_000


class VersionHeads:
    """Check that versions follow each other. Streams not met for a long time are forgotten.

    A forgotten stream's event is let through: the table's primary key stands behind it.
    """

    def __init__(self, generation_streams_max: int = GENERATION_STREAMS_MAX) -> None:
        self._streams_max = generation_streams_max
        # Keyed by the id's integer: a UUID's own hash and comparison are Python code, and this is the hot path.
        self._young: dict[int, int] = {}
        self._old: dict[int, int] = {}

    def known(self, originator_id: UUID) -> int | None:
        """Return the stream's newest version, None if it is not remembered."""
        version = self._young.get(originator_id.int)
        return version if version is not None else self._old.get(originator_id.int)

    def advance(self, events: Iterable[NewEvent]) -> Collection[int]:
        """Take events in, all or none, and return their streams' keys, to be given to `forget` if they fail.

        Raise AppendConflict when a version does not follow the one remembered.
        """
        staged: dict[int, int] = {}
        young, old = self._young, self._old
        for event in events:
            key = event.originator_id.int
            known = staged.get(key)
            if known is None and (known := young.get(key)) is None:
                known = old.get(key)
            if (
                known is not None
                and event.version != known + 1
                and (known != EMPTY or event.version != FIRST_VERSIONS[1])
            ):
                raise AppendConflict(
                    f"stream {event.originator_id} is at version {known}: {event.version} does not follow"
                )
            staged[key] = event.version
        if len(young) >= self._streams_max:
            self._old, self._young = young, {}
        self._young.update(staged)
        return staged.keys()

    def remember(self, originator_id: UUID, version: int) -> None:
        """Note a stream's newest version, read from the log."""
        self._young[originator_id.int] = version

    def forget(self, streams: Iterable[int]) -> None:
        """Forget streams whose events failed: what was taken in is not in the log."""
        for key in streams:
            self._young.pop(key, None)
            self._old.pop(key, None)

    def clear(self) -> None:
        """Forget everything."""
        self._young.clear()
        self._old.clear()
