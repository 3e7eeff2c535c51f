"""What the core tells of itself: queue depths, commit latency, relay lag, counts."""

from typing import Protocol

from api.core import Core
from api.doors import CommandDoor, InboxDoor
from api.http.metrics import Registry

_US = 1_000_000


class RelayNumbers(Protocol):
    """Show how far the relay is."""

    @property
    def lag_events(self) -> int:
        """Return how many committed events the stream is not yet known to hold."""
        ...


class LogNumbers(Protocol):
    """Show the writer's queue."""

    @property
    def backlog(self) -> int:
        """Return how many transactions are on their way."""
        ...


class DoorNumbers(Protocol):
    """Show what is in flight at a door of the bus."""

    @property
    def in_flight(self) -> int:
        """Return how many messages are offered and not answered."""
        ...


class CoreNumbers:
    """Fill a registry from the core's parts at each heartbeat."""

    def __init__(
        self,
        registry: Registry,
        core: Core,
        relay: RelayNumbers,
        log: LogNumbers,
        doors: tuple[CommandDoor, InboxDoor],
        bus: tuple[DoorNumbers, DoorNumbers],
    ) -> None:
        self._core = core
        self._relay = relay
        self._log = log
        self._doors = doors
        self._bus = bus
        self._commit = registry.histogram("ballast_commit_seconds", "From closing a batch to its durable commit.")
        self._queue = registry.gauge("ballast_queue_depth", "Messages and batches that wait, by queue.")
        self._counts = registry.gauge("ballast_core_commands", "Commands since the start, by what became of them.")
        self._lag = registry.gauge("ballast_relay_lag_events", "Committed events not yet known to be in EVENTS.")
        self._open = registry.gauge("ballast_book_open", "What is open in the Book, by kind.")

    def gather(self) -> int:
        """Read every part; return the last durable position."""
        core, book = self._core, self._core.handler.book
        metrics = core.metrics
        while metrics.commit_us:
            self._commit.observe(metrics.commit_us.popleft() / _US)
        depths = {
            "arrived": core.arrived,
            "undecided_batches": self._log.backlog,
            "commands_in_flight": self._bus[0].in_flight,
            "inbox_in_flight": self._bus[1].in_flight,
            "wakes": len(book.wakes),
        }
        for queue, depth in depths.items():
            self._queue.set(depth, queue=queue)
        counts = {
            "decided": metrics.decided,
            "refused": metrics.refused,
            "malformed": metrics.malformed + sum(door.malformed.total() for door in self._doors),
            "remembered": metrics.remembered,
            "joined": metrics.joined,
            "busy": metrics.busy,
            "batches": metrics.batches,
        }
        for outcome, count in counts.items():
            self._counts.set(count, outcome=outcome)
        self._lag.set(self._relay.lag_events)
        kinds = {
            "quotes": book.quotes,
            "requests": book.requests,
            "hedges": book.hedges,
            "orders": book.orders,
            "settlements": book.settlements,
        }
        for kind, things in kinds.items():
            self._open.set(len(things), kind=kind)
        return core.committed_position
