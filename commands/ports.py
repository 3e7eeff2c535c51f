"""What the core needs from outside: the log it appends to and the world it acts in."""

from collections.abc import Awaitable, Mapping, Sequence
from typing import Protocol
from uuid import UUID

from domain.log import Batch, Head, KeptCommand, Snapshot, StoredEvent


class Fenced(Exception):
    """Say that another writer took over: stop at once, acknowledge nothing more."""


class AppendFailed(Exception):
    """Say that a batch is surely not in the log; nothing after it is either."""


class EventLog(Protocol):
    """Append to and read from the book's log. One writer at a time, fenced by an epoch."""

    async def take_over(self) -> Head:
        """Become the writer: commit epoch + 1 (which waits for appends in flight), then read the head.

        Raise `Fenced` when a living writer holds the session lock and does not yield within the adapter's bound.
        """
        ...

    def append(self, batch: Batch) -> Awaitable[None]:
        """Queue a batch at once, in call order; the awaitable ends when it is durable.

        Several may be in flight; they commit in order. Raise `Fenced` or `AppendFailed`; an ambiguous commit is
        resolved by reading back before either is raised. After a failure every later batch fails too.
        """
        ...

    async def outcomes(self, command_ids: Sequence[UUID]) -> Mapping[UUID, KeptCommand]:
        """Return the kept commands among these ids."""
        ...

    async def read(self, after: int, limit: int) -> Sequence[StoredEvent]:
        """Return up to `limit` committed events with positions above `after`, in order, without gaps."""
        ...

    async def load_snapshot(self, name: str, schema: str) -> Snapshot | None:
        """Return the newest snapshot of that name and schema, if any."""
        ...

    async def save_snapshot(self, snapshot: Snapshot) -> None:
        """Keep a snapshot; older ones of the name beyond a bound are dropped."""
        ...

    async def close(self) -> None:
        """Release the fence and every connection; idempotent."""
        ...
