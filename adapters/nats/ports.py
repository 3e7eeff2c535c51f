"""What the bus needs from the log: events by position, as the event store and its batches already hold them."""

from collections.abc import Awaitable, Sequence
from typing import Protocol
from uuid import UUID


class EventBody(Protocol):
    """Show the encoded parts of an event, whether just committed (`NewEvent`) or read back (`StoredEvent`)."""

    @property
    def originator_id(self) -> UUID:
        """Return whose event it is."""
        ...

    @property
    def version(self) -> int:
        """Return its number among its originator's events."""
        ...

    @property
    def topic(self) -> str:
        """Return its tag, e.g. `fill.recorded.v1`."""
        ...

    @property
    def state(self) -> bytes:
        """Return its body as stored."""
        ...

    @property
    def metadata(self) -> bytes:
        """Return its metadata as stored."""
        ...

    @property
    def command_id(self) -> UUID | None:
        """Return the command that caused it."""
        ...


class LoggedEvent(EventBody, Protocol):
    """Show an event with its place in the log."""

    @property
    def position(self) -> int:
        """Return its position, counted from 1 without gaps."""
        ...


class LogReader(Protocol):
    """Read committed events back from the record."""

    def read(self, after: int, limit: int) -> Awaitable[Sequence[LoggedEvent]]:
        """Return up to `limit` events with positions above `after`, in order, without gaps."""
        ...
