"""The synchronous handler: one command at a time, decided on a state that runs ahead of the commits.

`offer` decides and evolves, `take` closes a batch for the log, `committed` says what may be acknowledged. A decision is
final for the Book when it is made and true for the world when it is committed: nothing is answered in between. When an
append fails the whole handler is thrown away and the log is read again.
"""

import hashlib
from collections import deque
from collections.abc import Iterable
from uuid import UUID

import msgspec

from commands.context import Context
from commands.dispatch import REACTIONS, READERS
from commands.envelope import Command, Envelope, EventView, Outcome, Reply
from commands.evidence import trim
from commands.process import Message, Record
from commands.refused import REFUSED, outcome_of, told, transient
from domain.book import Book, evolve
from domain.codec import encode
from domain.event import Event
from domain.ids import derive_id
from domain.instant import rfc3339
from domain.log import Batch, Head, KeptCommand, NewEvent, StoredEvent
from domain.refusal import Broken, Reason, Refusal
from domain.wake import Wake, again

# One command brings about at most this many events; more means that two processes feed each other.
EVENTS_PER_COMMAND_MAX = 512

ACCEPTED, MALFORMED = "accepted", "malformed"


class Metadata(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Describe where an event comes from, as stored beside it."""

    at: str
    recorded_at: str
    actor: str
    cause: str
    command_id: UUID
    command_sha256: str
    trace: str


class Decision(msgspec.Struct, frozen=True, gc=False):
    """Hold one decided command until its batch is durable."""

    envelope: Envelope
    kept_id: UUID
    sequence: int
    command: bytes
    outcome: Outcome
    events: tuple[Event, ...]
    first_position: int
    last_position: int
    versions: tuple[int, ...]

    @property
    def transient(self) -> bool:
        """Say whether the command may be asked again under the same id."""
        return self.kept_id != self.envelope.command_id


class Closed(msgspec.Struct, frozen=True, gc=False):
    """Hold a batch on its way to the log, with the decisions it makes durable."""

    batch: Batch
    decisions: tuple[Decision, ...]

    def stored(self, decision: Decision) -> tuple[NewEvent, ...]:
        """Return the events of one of its decisions as they go to the log."""
        if not decision.events:
            return ()
        start = decision.first_position - self.batch.first_position
        return self.batch.events[start : start + len(decision.events)]


class Handler:
    """Decide commands on one Book, in order, ahead of their commits."""

    def __init__(self, book: Book, head: Head) -> None:
        self.book = book
        self.position = head.position
        self.sequence = head.sequence
        self.epoch = head.epoch
        self.at_us = book.at_us
        self._open: deque[Decision] = deque()
        self._pending: dict[UUID, Decision] = {}

    @property
    def waiting(self) -> int:
        """Return how many decisions wait for a batch."""
        return len(self._open)

    def replay(self, event: Event, position: int, at_us: int) -> None:
        """Fold one event of the log; wakes are kept, everything else that it caused is in the log itself."""
        if position != self.position + 1:
            raise Broken(f"the log goes from position {self.position} to {position}")
        self.position = position
        self.at_us = max(self.at_us, at_us)
        evolve(self.book, event, at_us)
        for message in _reactions(self.book, event, at_us):
            if not isinstance(message, Record):
                self.book.arm(message.wake)

    def pending(self, command_id: UUID) -> Decision | None:
        """Return the decision in flight under this id, for a duplicate to join."""
        return self._pending.get(command_id)

    def offer(self, envelope: Envelope) -> Decision | Reply:
        """Decide one command; a `Reply` comes back at once only for what cannot be read.

        The caller has looked the id up in the log: a remembered outcome must not be decided again. Raise `Broken` when
        an invariant fails; the handler must not be used after that.
        """
        at_us = max(self.at_us, envelope.at_us)
        joined = self._pending.get(envelope.command_id)
        if joined is not None:
            return joined if same_body(joined.envelope, envelope) else reused(envelope)
        reader = READERS.get(envelope.kind)
        if reader is None:
            return malformed(envelope, f"no command is called {envelope.kind!r}")
        decode, decide = reader
        try:
            command = decode(envelope.body)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            return malformed(envelope, str(error))
        self.at_us = at_us
        envelope = self._kept_envelope(envelope, command, at_us)
        context = Context(
            envelope.command_id, envelope.actor, at_us, envelope.evidence, envelope.witnesses, envelope.marks
        )
        result = decide(self.book, command, context)
        if isinstance(result, Refusal):
            decision = self._refused(envelope, result)
        else:
            decision = self._decided(envelope, result, Outcome(status=ACCEPTED))
        self._open.append(decision)
        self._pending[envelope.command_id] = decision
        return decision

    def _kept_envelope(self, envelope: Envelope, command: Command, at_us: int) -> Envelope:
        """Return the envelope as it is decided and kept: at the handler's time, with no more evidence than it needs."""
        given = (envelope.evidence, envelope.witnesses, envelope.marks)
        needed = trim(self.book, command, *given)
        if (envelope.at_us, given) == (at_us, needed):
            return envelope
        evidence, witnesses, marks = needed
        return msgspec.structs.replace(envelope, at_us=at_us, evidence=evidence, witnesses=witnesses, marks=marks)

    def _refused(self, envelope: Envelope, refusal: Refusal) -> Decision:
        events = told(self.book, envelope, refusal, self.at_us)
        outcome = outcome_of(self.book, refusal)
        return self._decided(envelope, events, outcome, transient=transient(envelope, refusal))

    def _decided(
        self, envelope: Envelope, first: Iterable[Event], outcome: Outcome, *, transient: bool = False
    ) -> Decision:
        before = self.position
        events, versions = self._record(first)
        self.position += len(events)
        self.sequence += 1
        kept_id = derive_id(envelope.command_id, f"try:{self.sequence}") if transient else envelope.command_id
        return Decision(
            envelope=envelope,
            kept_id=kept_id,
            sequence=self.sequence,
            command=encode(envelope),
            outcome=outcome,
            events=events,
            first_position=before + 1 if events else 0,
            last_position=self.position if events else 0,
            versions=versions,
        )

    def _record(self, first: Iterable[Event]) -> tuple[tuple[Event, ...], tuple[int, ...]]:
        """Fold events and all that follows from them at once."""
        queue, events, versions = deque(first), list[Event](), list[int]()
        while queue:
            event = queue.popleft()
            if len(events) == EVENTS_PER_COMMAND_MAX:
                raise Broken(f"more than {EVENTS_PER_COMMAND_MAX} events from one command, {event} among them")
            versions.append(self.book.next_version(event))
            evolve(self.book, event, self.at_us)
            events.append(event)
            for message in _reactions(self.book, event, self.at_us):
                if isinstance(message, Record):
                    queue.append(message.event)
                else:
                    self.book.arm(message.wake)
        return tuple(events), tuple(versions)

    def take(self, recorded_at_us: int, commands_max: int) -> Closed | None:
        """Close a batch of up to `commands_max` decisions, oldest first; None when there is none."""
        count = min(len(self._open), commands_max)
        if count == 0:
            return None
        decisions = tuple(self._open.popleft() for _ in range(count))
        recorded_at = rfc3339(recorded_at_us)
        first = next((decision.first_position for decision in decisions if decision.events), self._next_position())
        batch = Batch(
            first,
            tuple(event for decision in decisions for event in _stored(decision, recorded_at)),
            tuple(_kept(decision) for decision in decisions),
            recorded_at_us,
        )
        return Closed(batch, decisions)

    def _next_position(self) -> int:
        """Return the position that the next event takes, for a batch without events."""
        following = next((decision.first_position for decision in self._open if decision.events), None)
        return following if following is not None else self.position + 1

    def committed(self, closed: Closed) -> None:
        """Forget the decisions of a durable batch: from now on the log answers their duplicates."""
        for decision in closed.decisions:
            del self._pending[decision.envelope.command_id]

    def due(self, now_us: int, most: int) -> tuple[Wake, ...]:
        """Return the wakes whose time has come, the earliest first; they stay until `fired`."""
        due = [wake for wake in self.book.wakes.values() if wake.at_us <= now_us]
        return tuple(sorted(due, key=lambda wake: (wake.at_us, wake.key))[:most])

    def next_wake_us(self) -> int | None:
        """Return when the next wake is due."""
        return min((wake.at_us for wake in self.book.wakes.values()), default=None)

    def fired(self, wake: Wake, *, accepted: bool, now_us: int, delay_ms: int) -> None:
        """Drop a wake whose command was accepted; try a refused one again later."""
        if self.book.wakes.get(wake.key) != wake:
            return
        if accepted:
            del self.book.wakes[wake.key]
        else:
            self.book.arm(again(wake, now_us, delay_ms))


def _reactions(book: Book, event: Event, at_us: int) -> Iterable[Message]:
    for react in REACTIONS.get(type(event), ()):
        yield from react(book, event, at_us)


def same_body(first: Envelope, second: Envelope) -> bool:
    """Say whether two envelopes ask the same."""
    return first.kind == second.kind and bytes(first.body) == bytes(second.body)


def reused(envelope: Envelope) -> Reply:
    """Answer an id that came with another body before."""
    return Reply(
        status=REFUSED,
        command_id=str(envelope.command_id),
        reason=Reason.COMMAND_ID_REUSED.name,
        text="this command id was used with another body: take a new id",
    )


def malformed(envelope: Envelope, text: str) -> Reply:
    """Answer what cannot be read; it is counted, never appended."""
    return Reply(status=MALFORMED, command_id=str(envelope.command_id), text=text)


def _stored(decision: Decision, recorded_at: str) -> Iterable[NewEvent]:
    if not decision.events:
        return
    envelope = decision.envelope
    metadata = encode(
        Metadata(
            at=rfc3339(envelope.at_us),
            recorded_at=recorded_at,
            actor=envelope.actor,
            cause=envelope.cause,
            command_id=decision.kept_id,
            command_sha256=hashlib.sha256(decision.command).hexdigest(),
            trace=envelope.trace,
        )
    )
    for event, version in zip(decision.events, decision.versions, strict=True):
        yield NewEvent(event.originator, version, event.TOPIC, encode(event), metadata, decision.kept_id)


def _kept(decision: Decision) -> KeptCommand:
    return KeptCommand(
        decision.kept_id,
        decision.sequence,
        decision.envelope.kind,
        decision.command,
        encode(decision.outcome),
        decision.first_position or None,
        decision.last_position or None,
    )


def reply(decision: Decision, stored: Iterable[NewEvent]) -> Reply:
    """Return the answer to a durable decision, its events with it."""
    views = tuple(
        EventView(position=position, topic=event.topic, state=msgspec.Raw(event.state))
        for position, event in enumerate(stored, decision.first_position)
    )
    return _answer(decision.envelope.command_id, decision.outcome, decision.last_position, views)


def remembered(command_id: UUID, kept: KeptCommand, stored: Iterable[StoredEvent]) -> Reply:
    """Return the answer that a kept command was given, its events read from the log."""
    outcome = msgspec.json.decode(kept.outcome, type=Outcome)
    views = tuple(
        EventView(position=event.position, topic=event.topic, state=msgspec.Raw(event.state)) for event in stored
    )
    return _answer(command_id, outcome, kept.last_position or 0, views)


def _answer(command_id: UUID, outcome: Outcome, position: int, views: tuple[EventView, ...]) -> Reply:
    return Reply(
        status=outcome.status,
        command_id=str(command_id),
        position=position,
        reason=outcome.reason,
        text=outcome.text,
        control=outcome.control,
        scope=outcome.scope,
        limit=outcome.limit,
        value=outcome.value,
        policy_version=outcome.policy_version,
        events=views,
    )
