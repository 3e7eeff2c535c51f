"""The core's loop: commands in, one decision at a time, groups to the log, answers out after their commit.

Four stages overlap: while one group is looked up and decided, two more are on their way to the disk. The loop knows no
NATS and no Postgres; doors hand it `Asked` and get their answers back.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import msgspec

from api.replica import PAGE, SNAPSHOT_NAME, recorded_us
from commands.dispatch import NEEDS_EVIDENCE, NEEDS_MARKS
from commands.envelope import Envelope, Reply
from commands.handler import ACCEPTED, Closed, Decision, Handler, remembered, reply, reused
from commands.ports import Clock, EventLog, Evidence, Publisher, Source
from domain.book import Book
from domain.carry import MarkEvidence
from domain.codec import decode_event, decoder, encode_state, schema_fingerprint
from domain.depth import BookEvidence
from domain.instant import MILLISECOND_US
from domain.log import Head, KeptCommand, Snapshot
from domain.market import Witness
from domain.refusal import Broken
from domain.wake import Wake

ARRIVED_MAX = 8_192
GROUP_MAX = 512
BATCHES_IN_FLIGHT_MAX = 2
SNAPSHOT_EVERY_EVENTS = 50_000
SNAPSHOT_EVENTS_PER_HELD = 8
WAKES_AT_ONCE_MAX = 64
# Outcomes of the last commands, so that the common repeated fact costs no look-up.
RECENT_MAX = 16_384
WAKE_RETRY_MS = 250
# The id of these derives from what was signed; the rest of the body is what the edge found at that moment, and differs
# from one sending of the same order to the next.
ASKED_BY_CONTENT = frozenset({"request.accept"})

# These go before all that waits, the book's own timers too, and are taken when the queue is full: whoever stops
# something is not made to wait for what is to be stopped. So many of them at most.
URGENT = frozenset({"mode.change", "risk.look"})
URGENT_MAX = 64

ACTOR = "ballast"


class Asked(msgspec.Struct, frozen=True, gc=False):
    """Hold a command as it came through a door; `target` is the door's own address for the answer."""

    command_id: UUID
    kind: str
    actor: str
    body: bytes
    cause: str
    trace: str
    source: Source
    target: object


@dataclass(kw_only=True)
class CoreMetrics:
    """Count what the core did; read by the heartbeat."""

    decided: int = 0
    refused: int = 0
    malformed: int = 0
    remembered: int = 0
    joined: int = 0
    busy: int = 0
    batches: int = 0
    commit_us: deque[int] = field(default_factory=lambda: deque[int](maxlen=1_024))


async def restore(log: EventLog, head: Head) -> Handler:
    """Return a handler whose Book is the log folded up to `head`: the newest snapshot, then what came after it."""
    schema = schema_fingerprint(Book)
    snapshot = await log.load_snapshot(SNAPSHOT_NAME, schema)
    if snapshot is not None and snapshot.position > head.position:
        raise Broken(f"a snapshot at {snapshot.position} is ahead of the log at {head.position}: the log was cut")
    book, start = (decoder(Book).decode(snapshot.state), snapshot.position) if snapshot else (Book(), 0)
    handler = Handler(book, Head(head.epoch, start, head.sequence, head.chain_hash))
    while handler.position < head.position:
        page = await log.read(handler.position, min(PAGE, head.position - handler.position))
        if not page:
            raise Broken(f"the log ends at {handler.position}, its head says {head.position}")
        for event in page:
            handler.replay(decode_event(event.topic, event.state), event.position, recorded_us(event))
    for last in await log.commands(head.sequence - 1, 1) if head.sequence else ():
        # A refusal leaves no event, but its time counts: history decides again only if time never went back.
        handler.at_us = max(handler.at_us, msgspec.json.decode(last.command, type=_KeptAt).at_us)
    return handler


class _Wakes:
    """Be the door of the core's own timers."""

    def answer(self, answers: Sequence[tuple[object, Reply]]) -> None:
        """Need no answer: the handler was told when the wake's command was decided."""


class Core:
    """Run one book: be its only writer until fenced, failed or stopped."""

    def __init__(self, handler: Handler, log: EventLog, clock: Clock, evidence: Evidence, publisher: Publisher) -> None:
        self.handler = handler
        self.metrics = CoreMetrics()
        self.committed_position = handler.position
        self._log = log
        self._clock = clock
        self._evidence = evidence
        self._publisher = publisher
        self._arrived: deque[Asked] = deque()
        self._urgent: deque[Asked] = deque()
        self._waiting: dict[int, list[Asked]] = {}
        self._work = asyncio.Event()
        self._slots = asyncio.Semaphore(BATCHES_IN_FLIGHT_MAX)
        self._appending: asyncio.Queue[tuple[Closed, Awaitable[None], float] | None] = asyncio.Queue()
        self._recent: OrderedDict[UUID, tuple[Closed, Decision]] = OrderedDict()
        self._wakes = _Wakes()
        self._snapshot_at = handler.position
        self._snapshot: Snapshot | None = None
        self._stopping = False
        self._looked_ms = -1
        self._looked: tuple[tuple[BookEvidence, ...], tuple[Witness, ...]] = ((), ())
        self._marked_ms = -1
        self._marked: tuple[MarkEvidence, ...] = ()

    @property
    def arrived(self) -> int:
        """Return how many commands wait to be decided."""
        return len(self._urgent) + len(self._arrived)

    def offer(self, asked: Asked) -> None:
        """Take a command from a door; it is answered later, or at once when the core is full or stopping."""
        queue, most = (self._urgent, URGENT_MAX) if asked.kind in URGENT else (self._arrived, ARRIVED_MAX)
        if self._stopping or len(queue) >= most:
            self.metrics.busy += 1
            status = "stopping" if self._stopping else "busy"
            answer = Reply(status=status, command_id=str(asked.command_id), text="nothing was decided: ask again")
            asked.source.answer([(asked.target, answer)])
            return
        queue.append(asked)
        self._work.set()

    def stop(self) -> None:
        """Take no more commands; `run` ends when everything taken is durable and answered."""
        self._stopping = True
        self._work.set()

    async def run(self) -> None:
        """Decide and append until stopped; raise `Fenced`, `AppendFailed` or `Broken`, after which it is over."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._commit_in_order(tasks))
            while not (self._stopping and not self.arrived):
                await self._until_work()
                if not self.arrived and not self._due():
                    continue
                await self._slots.acquire()
                await self._decide(self._next_group(self._urgent), self._next_group(self._arrived))
                self._close()
            self._appending.put_nowait(None)
        await self._save_last()

    def _next_group(self, queue: deque[Asked]) -> list[Asked]:
        return [queue.popleft() for _ in range(min(len(queue), GROUP_MAX))]

    async def _until_work(self) -> None:
        """Wait for a command, or until the next wake is due."""
        if self.arrived or self._stopping:
            return
        self._work.clear()
        due_us = self.handler.next_wake_us()
        delay = None if due_us is None else max(due_us - self._clock.now_us(), 0) / 1_000_000
        try:
            async with asyncio.timeout(delay):
                await self._work.wait()
        except TimeoutError:
            return

    def _due(self) -> tuple[Wake, ...]:
        return self.handler.due(self._clock.now_us(), WAKES_AT_ONCE_MAX) if not self._stopping else ()

    async def _decide(self, urgent: list[Asked], group: list[Asked]) -> None:
        wakes = self._due()
        ids = [wake.command_id for wake in wakes]
        recent = {asked.command_id: self._recent.get(asked.command_id) for asked in (*urgent, *group)}
        ids += [command_id for command_id, hit in recent.items() if hit is None]
        kept = await self._log.outcomes([each for each in ids if self.handler.pending(each) is None])
        for asked in urgent:
            hit = recent[asked.command_id] or self._recent.get(asked.command_id)
            await self._answer_or_decide(asked, hit, kept.get(asked.command_id))
        for wake in wakes:
            self._fire(wake, kept.get(wake.command_id))
        for asked in group:
            hit = recent[asked.command_id] or self._recent.get(asked.command_id)
            await self._answer_or_decide(asked, hit, kept.get(asked.command_id))

    def _fire(self, wake: Wake, kept: KeptCommand | None) -> None:
        now_us = self._clock.now_us()
        if kept is not None:
            self.handler.fired(wake, accepted=True, now_us=now_us, delay_ms=WAKE_RETRY_MS)
            return
        asked = Asked(wake.command_id, wake.kind, ACTOR, wake.body.encode(), wake.key, "", self._wakes, wake.key)
        decision = self._offer(asked)
        accepted = decision is not None and decision.outcome.status == ACCEPTED
        self.handler.fired(wake, accepted=accepted, now_us=now_us, delay_ms=WAKE_RETRY_MS)

    async def _answer_or_decide(
        self, asked: Asked, recent: tuple[Closed, Decision] | None, kept: KeptCommand | None
    ) -> None:
        if recent is not None:
            self.metrics.remembered += 1
            closed, decision = recent
            same = _asks_the_same(decision, asked)
            answer = reply(decision, closed.stored(decision)) if same else reused(decision.envelope)
            asked.source.answer([(asked.target, answer)])
        elif kept is not None:
            self.metrics.remembered += 1
            asked.source.answer([(asked.target, await self._remembered(asked, kept))])
        else:
            self._offer(asked)

    async def _remembered(self, asked: Asked, kept: KeptCommand) -> Reply:
        """Answer from the log what was decided before, possibly by a core before this one."""
        before = msgspec.json.decode(kept.command, type=_KeptBody)
        if not _same_question(before.kind, bytes(before.body), asked):
            return reused(self._envelope(asked))
        first, last = kept.first_position, kept.last_position
        events = await self._log.read(first - 1, last - first + 1) if first is not None and last is not None else ()
        return remembered(asked.command_id, kept, events)

    def _look(self, now_us: int) -> tuple[tuple[BookEvidence, ...], tuple[Witness, ...]]:
        """Return what the markets say; commands of the same millisecond share one look, since ages count in those."""
        if self._looked_ms != now_us // MILLISECOND_US:
            self._looked_ms = now_us // MILLISECOND_US
            self._looked = self._evidence.look(now_us), self._evidence.witnesses(now_us)
        return self._looked

    def _look_at_marks(self, now_us: int) -> tuple[MarkEvidence, ...]:
        """Return every perpetual's mark, looked at once a millisecond like the rest."""
        if self._marked_ms != now_us // MILLISECOND_US:
            self._marked_ms = now_us // MILLISECOND_US
            self._marked = self._evidence.marks(now_us)
        return self._marked

    def _envelope(self, asked: Asked) -> Envelope:
        now_us = self._clock.now_us()
        evidence, witnesses = self._look(now_us) if asked.kind in NEEDS_EVIDENCE else ((), ())
        marks = self._look_at_marks(now_us) if asked.kind in NEEDS_MARKS else ()
        return Envelope(
            command_id=asked.command_id,
            kind=asked.kind,
            actor=asked.actor,
            body=msgspec.Raw(asked.body),
            at_us=now_us,
            evidence=evidence,
            witnesses=witnesses,
            cause=asked.cause,
            trace=asked.trace,
            marks=marks,
        )

    def _offer(self, asked: Asked) -> Decision | None:
        """Decide a command, or let it join its first copy in flight: nothing is answered before that is durable."""
        joined = self.handler.pending(asked.command_id)
        if joined is not None:
            self.metrics.joined += 1
            self._waiting[joined.sequence].append(asked)
            return joined
        result = self.handler.offer(self._envelope(asked))
        if isinstance(result, Reply):
            self.metrics.malformed += 1
            asked.source.answer([(asked.target, result)])
            return None
        self._waiting[result.sequence] = [asked]
        return result

    def _close(self) -> None:
        closed = self.handler.take(self._clock.now_us(), URGENT_MAX + GROUP_MAX + WAKES_AT_ONCE_MAX)
        if closed is None:
            self._slots.release()
            return
        if self._snapshot_due():
            self._snapshot_at, self._snapshot = self.handler.position, self._book_snapshot()
        started = asyncio.get_running_loop().time()
        self._appending.put_nowait((closed, self._log.append(closed.batch), started))

    def _snapshot_due(self) -> bool:
        """Say whether enough was appended since the last snapshot: writing one must cost little beside it."""
        book = self.handler.book
        held = len(book.quotes) + len(book.used_quotes) + len(book.requests) + len(book.orders)
        since = self.handler.position - self._snapshot_at
        return since >= max(SNAPSHOT_EVERY_EVENTS, SNAPSHOT_EVENTS_PER_HELD * held)

    async def _commit_in_order(self, tasks: asyncio.TaskGroup) -> None:
        """Acknowledge batches as they become durable, in the order of the log; at most as many wait as have a slot."""
        while (appending := await self._appending.get()) is not None:
            closed, durable, started = appending
            await durable
            self.metrics.commit_us.append(int((asyncio.get_running_loop().time() - started) * 1_000_000))
            self._slots.release()
            self._committed(closed)
            snapshot = self._snapshot
            if snapshot is not None and snapshot.position <= self.committed_position:
                self._snapshot = None
                tasks.create_task(self._log.save_snapshot(snapshot))

    def _committed(self, closed: Closed) -> None:
        self.metrics.batches += 1
        self.handler.committed(closed)
        events = closed.batch.events
        if events:
            self.committed_position = closed.batch.first_position + len(events) - 1
            self._publisher.offer(closed.batch.first_position, events)
        self._answer(closed)

    def _answer(self, closed: Closed) -> None:
        answers: dict[Source, list[tuple[object, Reply]]] = {}
        for decision in closed.decisions:
            self.metrics.decided += 1
            self.metrics.refused += decision.outcome.status != ACCEPTED
            answer = reply(decision, closed.stored(decision))
            for asked in self._waiting.pop(decision.sequence):
                own = answer if _asks_the_same(decision, asked) else reused(decision.envelope)
                answers.setdefault(asked.source, []).append((asked.target, own))
            if not decision.transient:
                self._remember(decision, closed)
        for source, told in answers.items():
            source.answer(told)

    def _remember(self, decision: Decision, closed: Closed) -> None:
        self._recent[decision.envelope.command_id] = (closed, decision)
        if len(self._recent) > RECENT_MAX:
            self._recent.popitem(last=False)

    def _book_snapshot(self) -> Snapshot:
        book = self.handler.book
        position, sequence = self.handler.position, self.handler.sequence
        return Snapshot(SNAPSHOT_NAME, position, sequence, schema_fingerprint(Book), encode_state(book))

    async def _save_last(self) -> None:
        """Keep a last snapshot on the way out, so that the next start reads little."""
        if self.handler.position > self._snapshot_at:
            await self._log.save_snapshot(self._book_snapshot())


def _asks_the_same(decision: Decision, asked: Asked) -> bool:
    return _same_question(decision.envelope.kind, bytes(decision.envelope.body), asked)


def _same_question(kind: str, body: bytes, asked: Asked) -> bool:
    return kind == asked.kind and (kind in ASKED_BY_CONTENT or body == asked.body)


class _KeptAt(msgspec.Struct, gc=False):
    at_us: int


class _KeptBody(msgspec.Struct, gc=False):
    kind: str
    body: msgspec.Raw
