"""The event log in memory: what Postgres keeps, what a killed writer may still do to it, and the port over it.

The server (`LogStore`) outlives every process. An append has three moments: sent, locked (the epoch row is read
`FOR SHARE`, and the takeover waits for it), committed. A writer can die between any two; what was locked commits.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from uuid import UUID

from commands.ports import AppendFailed, Fenced
from domain.chain import GENESIS, chain_hash
from domain.log import Batch, Head, KeptCommand, Snapshot, StoredEvent
from tests.simulation.loop import Process, SimFuture
from tests.simulation.sim import Sim

SESSION_WAIT_S = 10.0
"""How long a takeover waits for a living writer to yield."""
SNAPSHOTS_KEPT = 3
SEND_US = (50, 400)
COMMIT_US = (200, 3_000)
SLOW_COMMIT_US = (100_000, 4_000_000)
SESSION_END_US = (100, 800_000)
EVICT_US = (1_000, 1_500_000)
READ_BACK_US = (10_000, 900_000)

SITES = (
    "log.append_failed",
    "log.never_sent",
    "log.slow_commit",
    "log.ambiguous_in",
    "log.ambiguous_out",
    "log.session_lost",
)


class LogStore:
    """What the database server holds, and every commit's one moment."""

    def __init__(self, sim: Sim) -> None:
        self.sim = sim
        self.epoch = 0
        self.events: list[StoredEvent] = []
        self.commands: list[KeptCommand] = []
        self.kept: dict[UUID, KeptCommand] = {}
        self.snapshots: dict[str, list[Snapshot]] = {}
        self.checkpoints: dict[str, int] = {}
        self.holder: SimEventLog | None = None
        self.generation = 0
        self.sharing = 0
        self.on_commit: list[Callable[[Batch], None]] = []
        self._versions: set[tuple[UUID, int]] = set()
        self._up = asyncio.Event()
        self._up.set()
        self._changed: list[SimFuture] = []

    def head(self) -> Head:
        """Return the end of the log as committed."""
        return Head(
            epoch=self.epoch,
            position=len(self.events),
            sequence=len(self.commands),
            chain_hash=self.events[-1].chain_hash if self.events else GENESIS,
        )

    def refusal(self, epoch: int, batch: Batch) -> Exception | None:
        """Say why a batch cannot be committed by the writer of an epoch, if so."""
        if epoch != self.epoch:
            return Fenced(f"epoch {epoch} is over: it is {self.epoch}")
        if batch.first_position != len(self.events) + 1:
            return AppendFailed(f"position {batch.first_position} after {len(self.events)}")
        keys = [(event.originator_id, event.version) for event in batch.events]
        if len(set(keys)) != len(keys) or not self._versions.isdisjoint(keys):
            return AppendFailed("a version is there already")
        ids = [command.command_id for command in batch.commands]
        if len(set(ids)) != len(ids) or not self.kept.keys().isdisjoint(ids):
            return AppendFailed("a command is kept already")
        sequences = [command.sequence for command in batch.commands]
        if sequences != list(range(len(self.commands) + 1, len(self.commands) + 1 + len(sequences))):
            return AppendFailed(f"sequences {sequences} after {len(self.commands)}")
        return None

    def commit(self, batch: Batch) -> None:
        """Make a batch durable: the caller holds the share lock and has no refusal."""
        last = self.events[-1].chain_hash if self.events else GENESIS
        for position, event in enumerate(batch.events, batch.first_position):
            last = chain_hash(
                last, position, event.originator_id, event.version, event.topic, event.state, event.metadata
            )
            self._versions.add((event.originator_id, event.version))
            self.events.append(
                StoredEvent(
                    position=position,
                    originator_id=event.originator_id,
                    version=event.version,
                    topic=event.topic,
                    state=event.state,
                    metadata=event.metadata,
                    chain_hash=last,
                    command_id=event.command_id,
                    recorded_at_us=batch.recorded_at_us,
                )
            )
        for command in batch.commands:
            self.commands.append(command)
            self.kept[command.command_id] = command
        self.sim.note("postgres", "committed", f"{batch.first_position}+{len(batch.events)}", len(batch.commands))
        for told in self.on_commit:
            told(batch)

    def release(self, log: "SimEventLog") -> None:
        """End a writer's session, and with it its lock."""
        if self.holder is log:
            self.holder = None
            self.announce()

    def announce(self) -> None:
        """Wake whoever waits for a lock."""
        waiting, self._changed = self._changed, []
        for future in waiting:
            self.sim.settle(future)

    async def changed(self, timeout_s: float) -> None:
        """Wait until a lock was let go, or the time is over."""
        future = self.sim.loop.create_future()
        self._changed.append(future)
        timer = self.sim.loop.call_later(timeout_s, self.sim.settle, future)
        await future
        timer.cancel()

    def crash(self, down_us: int) -> None:
        """Kill the server: sessions and what is not committed go; it comes back after `down_us`."""
        self.generation += 1
        self.sharing = 0
        self.holder = None
        self._up.clear()
        self.sim.note("postgres", "killed")
        self.sim.loop.after_us(down_us, self._up.set)
        self.sim.loop.after_us(down_us, self.announce)

    async def up(self) -> None:
        """Wait until the server answers."""
        await self._up.wait()

    @property
    def is_up(self) -> bool:
        """Whether the server answers."""
        return self._up.is_set()


class SimEventLog:
    """The `EventLog` port of one process over the store."""

    def __init__(self, store: LogStore, process: Process) -> None:
        self._store = store
        self._sim = store.sim
        self._process = process
        self.evicts = False
        """Whether a takeover ends a living writer's session after a while, as a second writer's does."""
        self._epoch = 0
        self._generation = 0
        self._failure: Exception | None = None
        self._queue: deque[tuple[Batch, SimFuture]] = deque()
        self._busy = False
        self._locked = False
        self._answered_us = 0
        process.on_death.append(self._died)

    def _died(self) -> None:
        """Let the server notice after a while that its client is gone; what it never got is gone too."""
        if self._sim.faults.hit("log.never_sent"):
            sent = [self._queue[0]] if self._locked else []
            self._queue = deque(sent)
        self._sim.later("log.session_end", *SESSION_END_US, self._store.release, self)

    @property
    def checkpoints(self) -> dict[str, int]:
        """Give the server's table of cursors: what is written there outlives its writer."""
        return self._store.checkpoints

    async def take_over(self) -> Head:
        """See `EventLog.take_over`."""
        store, loop = self._store, self._sim.loop
        end_us = loop.now_us + round(SESSION_WAIT_S * 1e6)
        while True:
            await self._ask("log.take_over")
            generation = store.generation
            if self.evicts and store.holder is not None and store.holder is not self:
                self._sim.later("log.evict", *EVICT_US, store.release, store.holder)
            while store.holder is not None and store.holder is not self:
                if loop.now_us >= end_us:
                    raise Fenced("a living writer holds the session lock")
                await store.changed((end_us - loop.now_us) / 1e6)
                self._process.fence()
            store.holder = self
            while store.sharing:
                await store.changed(SESSION_WAIT_S)
                self._process.fence()
            if generation == store.generation:
                break
        store.epoch += 1
        self._epoch, self._generation, self._failure = store.epoch, store.generation, None
        self._sim.note(self._process, "took over, epoch", store.epoch)
        head = store.head()
        await self._ask("log.head")
        return head

    def append(self, batch: Batch) -> Awaitable[None]:
        """See `EventLog.append`."""
        self._process.point("log.append")
        future = self._sim.loop.create_future()
        if self._failure is None and (self._epoch == 0 or self._generation != self._store.generation):
            self._failure = AppendFailed("the session is lost")
        if self._failure is not None:
            self._sim.settle(future, error=self._failure)
            return future
        self._queue.append((batch, future))
        if not self._busy:
            self._busy = True
            self._send()
        return future

    def _send(self) -> None:
        if self._sim.faults.hit("log.session_lost"):
            self._store.release(self)
        self._sim.later("log.send", *SEND_US, self._lock)

    def _lock(self) -> None:
        if not self._queue:
            self._busy = False
            return
        if self._sim.faults.hit("log.append_failed") or not self._intact():
            self._fail(AppendFailed("the connection broke before the commit was sent"))
            return
        refusal = self._store.refusal(self._epoch, self._queue[0][0])
        if refusal is not None:
            self._fail(refusal)
            return
        self._store.sharing += 1
        self._locked = True
        slow = self._sim.faults.hit("log.slow_commit")
        self._sim.later("log.commit", *(SLOW_COMMIT_US if slow else COMMIT_US), self._commit)

    def _commit(self) -> None:
        self._locked = False
        if not self._intact():
            # The server died under the transaction: it is surely not in, which reading back shows when it is up again.
            self._read_back(AppendFailed("the commit did not happen"))
            return
        self._store.sharing -= 1
        if self._sim.faults.hit("log.ambiguous_out"):
            self._store.announce()
            self._read_back(AppendFailed("the commit did not happen"))
            return
        batch, future = self._queue.popleft()
        self._store.commit(batch)
        self._store.announce()
        if self._sim.faults.hit("log.ambiguous_in"):
            self._answer_append("log.read_back", READ_BACK_US, future)
        else:
            self._answer_append("log.answer", SEND_US, future)
        self._sim.strike(self._process, "log.committed")
        if self._queue:
            self._send()
        else:
            self._busy = False

    def _answer_append(self, site: str, delay_us: tuple[int, int], future: SimFuture) -> None:
        """Tell of a commit after a while, and never before an earlier one: they travel over one connection."""
        now_us = self._sim.loop.now_us
        self._answered_us = max(self._answered_us + 1, now_us + self._sim.faults.between(site, *delay_us))
        self._sim.loop.after_us(self._answered_us - now_us, self._sim.settle, future)

    def _intact(self) -> bool:
        return self._generation == self._store.generation and self._store.is_up

    def _read_back(self, failure: Exception) -> None:
        self._sim.later("log.read_back", *READ_BACK_US, self._fail, failure)

    def _fail(self, failure: Exception) -> None:
        self._failure = failure
        self._busy = False
        while self._queue:
            self._sim.settle(self._queue.popleft()[1], error=failure)

    async def outcomes(self, command_ids: Sequence[UUID]) -> Mapping[UUID, KeptCommand]:
        """See `EventLog.outcomes`."""
        await self._ask("log.outcomes")
        kept = self._store.kept
        found = {command_id: kept[command_id] for command_id in command_ids if command_id in kept}
        await self._answer("log.outcomes")
        return found

    async def commands(self, after: int, limit: int) -> Sequence[KeptCommand]:
        """See `EventLog.commands`."""
        await self._ask("log.commands")
        found = tuple(self._store.commands[after : after + limit])
        await self._answer("log.commands")
        return found

    async def read(self, after: int, limit: int) -> Sequence[StoredEvent]:
        """See `EventLog.read`."""
        await self._ask("log.read")
        found = tuple(self._store.events[after : after + limit])
        await self._answer("log.read")
        return found

    async def load_snapshot(self, name: str, schema: str) -> Snapshot | None:
        """See `EventLog.load_snapshot`."""
        await self._ask("log.load_snapshot")
        fitting = [kept for kept in self._store.snapshots.get(name, []) if kept.schema == schema]
        return fitting[-1] if fitting else None

    async def save_snapshot(self, snapshot: Snapshot) -> None:
        """See `EventLog.save_snapshot`."""
        await self._ask("log.save_snapshot")
        kept = self._store.snapshots.setdefault(snapshot.name, [])
        kept.append(snapshot)
        kept.sort(key=lambda one: one.position)
        del kept[:-SNAPSHOTS_KEPT]
        await self._answer("log.save_snapshot")

    async def close(self) -> None:
        """See `EventLog.close`."""
        self._store.release(self)
        if self._failure is None:
            self._failure = AppendFailed("the log is closed")

    async def _ask(self, site: str) -> None:
        await self._sim.travel(self._process, site, *SEND_US)
        await self._store.up()
        self._process.fence()

    async def _answer(self, site: str) -> None:
        await self._sim.travel(self._process, f"{site}.answer", *SEND_US)
