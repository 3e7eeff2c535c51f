"""What the core needs from outside: the log it appends to and the world it acts in."""

from collections.abc import AsyncGenerator, Awaitable, Coroutine, Mapping, Sequence
from typing import Any, Protocol
from uuid import UUID

from commands.envelope import Reply
from domain.approval import Approved
from domain.carry import MarkEvidence
from domain.depth import BookEvidence
from domain.log import Batch, Head, KeptCommand, NewEvent, Snapshot, StoredEvent
from domain.market import Witness
from domain.venue import AccountEvent, Acknowledgement, FillReport, OrderReport, VenueOrder


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

    async def commands(self, after: int, limit: int) -> Sequence[KeptCommand]:
        """Return up to `limit` kept commands with sequences above `after`, in order, without gaps."""
        ...

    async def read(self, after: int, limit: int) -> Sequence[StoredEvent]:
        """Return up to `limit` committed events with positions above `after`, in order, without gaps."""
        ...

    async def load_snapshot(self, name: str, schema: str) -> Snapshot | None:
        """Return the newest snapshot of that name and schema, if any."""
        ...

    def save_snapshot(self, snapshot: Snapshot) -> Coroutine[Any, Any, None]:
        """Keep a snapshot; older ones of the name beyond a bound are dropped."""
        ...

    async def close(self) -> None:
        """Release the fence and every connection; idempotent."""
        ...


class Clock(Protocol):
    """Tell the date; elapsed time is the event loop's."""

    def now_us(self) -> int:
        """Return microseconds since the Unix epoch, UTC."""
        ...


class Evidence(Protocol):
    """Show the markets as the core sees them now."""

    def look(self, now_us: int) -> tuple[BookEvidence, ...]:
        """Return the book of every instrument that was seen, each with its age at `now_us`."""
        ...

    def witnesses(self, now_us: int) -> tuple[Witness, ...]:
        """Return what every source says at `now_us`, those included that cannot be believed, in a fixed order."""
        ...

    def marks(self, now_us: int) -> tuple[MarkEvidence, ...]:
        """Return the newest mark and funding rate of every perpetual, each with its age at `now_us`."""
        ...


class Publisher(Protocol):
    """Tell the world what is committed."""

    def offer(self, first_position: int, events: Sequence[NewEvent]) -> None:
        """Take events just committed; never wait. What is dropped here is read from the log later."""
        ...


class Source(Protocol):
    """Stand for a door through which commands come: the request/reply door, the inbox, the core's own wakes."""

    def answer(self, answers: Sequence[tuple[object, Reply]]) -> None:
        """Answer targets of this door, after the commit, in one go; never wait and never raise."""
        ...


class Facts(Protocol):
    """Tell the core what happened outside, through the inbox."""

    async def publish(self, source: str, kind: str, natural_key: str, body: bytes) -> object:
        """Return once the inbox holds the fact. Raise `Unavailable` or `Unknown`: publishing again is harmless."""
        ...


class LoggedEvent(Protocol):
    """Show what a follower reads of a committed event."""

    @property
    def position(self) -> int:
        """Return its position."""
        ...

    @property
    def topic(self) -> str:
        """Return its tag."""
        ...

    @property
    def state(self) -> bytes:
        """Return its body."""
        ...

    @property
    def metadata(self) -> bytes:
        """Return its metadata."""
        ...


class Follower(Protocol):
    """Follow the committed log from a position, in order and without gaps."""

    async def next_batch(self, limit: int = ...) -> Sequence[LoggedEvent]:
        """Wait for and return the next events, at least one."""
        ...


class Venue(Protocol):
    """Trade on one account of one venue. Failures are those of `domain.venue`."""

    @property
    def name(self) -> str:
        """Return the venue's id."""
        ...

    @property
    def account(self) -> str:
        """Return the account's name."""
        ...

    @property
    def absence_after_ms(self) -> int:
        """Return how long after an attempt's last sending the venue's "no such order" may be believed.

        It covers the validity of a request on its way and the time until a new order shows in queries.
        """
        ...

    async def submit(self, approved: Approved[VenueOrder]) -> Acknowledgement:
        """Send an order once. Raise `Rejected`, `Unavailable` (surely not sent) or `Unknown` (ask, never resend).

        Our own order rate comes before the venue's: what has no room before its time has passed is `RateSpent`.
        """
        ...

    async def cancel(self, symbol: str, client_order_id: str) -> OrderReport:
        """Cancel what is left of an order and return its state then, before any order that waits for its turn.

        Raise `Rejected` with `unknown_order` when the venue has nothing open under the id: it is over, was never there,
        or is not there yet, so ask. Raise `Unavailable` when surely nothing was sent, `Unknown` when the outcome cannot
        be known. Cancelling again is harmless.
        """
        ...

    async def order_state(self, symbol: str, client_order_id: str) -> OrderReport | None:
        """Ask for an order by our id; None when the venue does not know it now."""
        ...

    async def fills_since(self, symbol: str, since_us: int) -> Sequence[FillReport]:
        """Return every fill of the account in a symbol at or after an instant, oldest first."""
        ...

    def account_events(self) -> AsyncGenerator[AccountEvent, None]:
        """Stream fills, order states, and every connect and disconnect; it reconnects by itself."""
        ...


class Lease(Protocol):
    """Hold the sole right to act on an account."""

    def check(self) -> None:
        """Raise `Fenced` when the right may be another's by now."""
        ...
