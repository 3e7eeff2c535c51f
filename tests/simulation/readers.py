"""The process that reads the log for people: read models with their checkpoints, and alerts on their stream.

The product's own `Projector` and `AlertWatch`, over tables and bookmarks that outlive the process. What they write is
judged against a fold of the whole log.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager

import msgspec

from api.alerting import AlertWatch
from api.projecting import Projector
from domain.log import StoredEvent
from domain.refusal import Unavailable
from domain.watch import AlertRaised
from projections.catalogue import VIEWS
from projections.folding import Folding, start
from projections.ports import Bookmark, Change, Checkpoint, LogPage, Page, Query, StoredRow, StoreUnreachable
from projections.ports import ViewSnapshot as StoredSnapshot
from projections.view import View
from tests.simulation.log import SimEventLog
from tests.simulation.loop import Process
from tests.simulation.ports import SimFacts
from tests.simulation.relay import SimFollower
from tests.simulation.sim import Sim
from tests.simulation.stream import Stream, StreamMissing
from tests.support.memory_views import MemoryLog, MemoryViewStore

HOP_US = (50, 3_000)
PAGE = 24
SITES = ("readers.unreachable", "readers.ambiguous")


class Tables:
    """What the database holds for readers: rows, checkpoints, states, bookmarks."""

    def __init__(self) -> None:
        self.views = MemoryViewStore(MemoryLog())
        self.bookmarks: dict[str, Bookmark] = {}


class SimReader:
    """The `LogReader` of one process."""

    def __init__(self, log: SimEventLog) -> None:
        self._log = log

    async def head(self) -> int:
        """See `LogReader.head`."""
        position = 0
        while events := await self._log.read(position, PAGE):
            position += len(events)
        return position

    async def page(self, after: int, limit: int, without: frozenset[str], until: int | None = None) -> LogPage:
        """See `LogReader.page`."""
        most = min(limit, PAGE) if until is None else min(limit, PAGE, until - after)
        events = await self._log.read(after, most) if most > 0 else ()
        kept = [event for event in events if event.topic not in without]
        return LogPage(events=kept, position=after + len(events), last=len(events) < min(limit, PAGE))

    async def recorded_at_us(self, position: int) -> int | None:
        """See `LogReader.recorded_at_us`."""
        events = await self._log.read(position - 1, 1)
        return events[0].recorded_at_us if events else None

    async def position_at(self, at_us: int) -> int:
        """See `LogReader.position_at`: nobody here asks."""
        raise NotImplementedError(f"nobody asks for {at_us}")


class SimViewStore:
    """The `ViewStore` and the `Bookmarks` of one process: each call is a journey, each write one moment."""

    def __init__(self, sim: Sim, process: Process, tables: Tables) -> None:
        self._sim = sim
        self._process = process
        self._tables = tables

    async def _go(self, site: str) -> None:
        await self._sim.travel(self._process, site, *HOP_US)
        if self._sim.faults.hit("readers.unreachable"):
            raise StoreUnreachable("no connection")

    async def checkpoints(self, names: Sequence[str]) -> Mapping[str, Checkpoint]:
        """See `ViewStore.checkpoints`."""
        await self._go("views.checkpoints")
        return await self._tables.views.checkpoints(names)

    async def apply(self, changes: Sequence[Change]) -> None:
        """See `ViewStore.apply`."""
        await self._go("views.apply")
        await self._tables.views.apply(changes)
        self._sim.strike(self._process, "views.applied")
        if self._sim.faults.hit("readers.ambiguous"):
            raise StoreUnreachable("no answer to a commit")
        await self._sim.travel(self._process, "views.apply.answer", *HOP_US)

    async def snapshot(self, view: View, at_or_before: int) -> StoredSnapshot | None:
        """See `ViewStore.snapshot`."""
        await self._go("views.snapshot")
        return await self._tables.views.snapshot(view, at_or_before)

    async def page(self, view: View, query: Query) -> Page:
        """See `ViewStore.page`."""
        return await self._tables.views.page(view, query)

    async def closed_before(self, view: View, position: int, query: Query) -> Sequence[StoredRow]:
        """See `ViewStore.closed_before`."""
        return await self._tables.views.closed_before(view, position, query)

    async def load(self, name: str) -> Bookmark:
        """See `Bookmarks.load`."""
        await self._go("bookmarks.load")
        return self._tables.bookmarks.get(name, Bookmark(0))

    async def save(self, name: str, bookmark: Bookmark) -> None:
        """See `Bookmarks.save`."""
        await self._go("bookmarks.save")
        self._tables.bookmarks[name] = bookmark


class Found(msgspec.Struct, frozen=True):
    """Describe a stream as found."""

    generation: str


class SimAlertBus:
    """The `AlertBus` of one process."""

    def __init__(self, sim: Sim, process: Process, stream: Stream) -> None:
        self._sim = sim
        self._process = process
        self._stream = stream

    async def ensure(self) -> Found:
        """See `AlertBus.ensure`."""
        await self._sim.travel(self._process, "alerts.ensure", *HOP_US)
        if self._sim.bus_down:
            raise Unavailable("the bus is down")
        self._stream.create()
        return Found(str(self._stream.generation))

    async def publish(self, severity: str, area: str, alert_id: str, body: bytes) -> object:
        """See `AlertBus.publish`."""
        try:
            return await self._stream.publish(self._process, f"alerts.{severity}.{area}", body, {}, alert_id)
        except StreamMissing as error:
            raise Unavailable("no stream takes alerts") from error


class Streams(msgspec.Struct, frozen=True):
    """Name the streams that readers use."""

    events: Stream
    inbox: Stream
    alerts: Stream


async def run_readers(sim: Sim, process: Process, log: SimEventLog, tables: Tables, streams: Streams) -> None:
    """Keep every read model moving and tell alerts, until killed."""

    @asynccontextmanager
    async def tail(after: int) -> AsyncGenerator[SimFollower]:
        yield SimFollower(process, streams.events, log, after)

    store, reader, stop = SimViewStore(sim, process, tables), SimReader(log), asyncio.Event()
    projector = Projector(tuple(VIEWS.values()), reader, store, tail)
    watch = AlertWatch(
        reader=reader,
        store=store,
        tail=tail,
        bookmarks=store,
        facts=SimFacts(process, streams.inbox),
        bus=SimAlertBus(sim, process, streams.alerts),
    )
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(projector.run(stop))
        tasks.create_task(watch.run(stop))


def behind(tables: Tables, head: int) -> bool:
    """Say whether a read model has not seen the whole log yet."""
    places = tables.views.places
    return any(name not in places or places[name].position != head for name in VIEWS)


def untold(events: Sequence[StoredEvent], alerts: Stream) -> set[str]:
    """Return the alerts of the log that their stream does not hold."""
    raised = {str(event.originator_id) for event in events if event.topic == AlertRaised.TOPIC}
    return raised - {message.message_id for message in alerts.messages}


def wrong_views(events: Sequence[StoredEvent], tables: Tables) -> list[str]:
    """Name the read models whose rows are not what the log folds to, up to where each of them is.

    A world at rest still marks what is held: the last marks may come between a view's last look and the end.
    """
    places = tables.views.places
    reached = {name: places[name].position if name in places else len(events) for name in VIEWS}
    wrong: list[str] = []
    for position in sorted(set(reached.values())):
        folding = Folding([start(view) for name, view in VIEWS.items() if reached[name] == position])
        folding.fold(events[:position], position)
        wanted = {change.view.name: {row.key: row for row in change.rows} for change in folding.take()}
        names = [name for name in VIEWS if reached[name] == position]
        wrong += [name for name in names if wanted.get(name, {}) != tables.views.rows.get(name, {})]
    return wrong
