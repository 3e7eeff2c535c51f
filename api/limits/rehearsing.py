"""Deciding the last day again under other limits: which commands would have come out otherwise.

Each kept command is decided twice on the Book as it was before it, on the evidence that is kept with it: under the
limits of then, and under those with the change. So what differs is the change's doing and nothing else's. It is one
command at a time: what would have followed from another outcome is not played out.
"""

from collections import Counter, deque
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import msgspec

from api.replica import Replica
from commands.context import Context
from commands.dispatch import NEEDS_EVIDENCE, READERS
from commands.envelope import Envelope
from commands.limit import LimitWanted
from domain.book import Book
from domain.codec import decoder, encode
from domain.event import Event
from domain.limit import Control, Limit, limit_key
from domain.limits import CONTROLS
from domain.log import KeptCommand, StoredEvent
from domain.refusal import Refusal

PAGE = 2_000
# So many differences are shown one by one; all are counted.
SHOWN_MAX = 20
# What a limit may refuse or make smaller, and what is looked at against limits.
BOUNDED = NEEDS_EVIDENCE | {"transfer.plan", "risk.look"}

ACCEPTED, OTHERWISE = "accepted", "accepted, and otherwise"

Progress = Callable[[int, int], None]


class KeptLog(Protocol):
    """Read kept commands and events."""

    async def commands(self, after: int, limit: int) -> Sequence[KeptCommand]:
        """Return the next kept commands after a sequence."""
        ...

    async def read(self, after: int, limit: int) -> Sequence[StoredEvent]:
        """Return the next committed events after a position."""
        ...


class Different(msgspec.Struct, frozen=True, kw_only=True):
    """Show a command that would come out otherwise."""

    sequence: int
    at_us: int
    kind: str
    actor: str
    before: str
    after: str
    told: str


class Rehearsed(msgspec.Struct, kw_only=True):
    """Hold what a rehearsal found: commands looked at, those decided again, and what differed, counted and shown."""

    commands: int = 0
    decided: int = 0
    counted: Counter[tuple[str, str, str]] = msgspec.field(default_factory=Counter[tuple[str, str, str]])
    shown: list[Different] = []


class Rehearsal:
    """Walk over a log with a Book that follows it."""

    def __init__(self, log: KeptLog, fold_told: Progress, decide_told: Progress) -> None:
        self._log = log
        self._told = (fold_told, decide_told)
        self._replica = Replica(Book(), 0)
        self._ahead: deque[StoredEvent] = deque()
        self._until = 0

    @property
    def book(self) -> Book:
        """Return the Book as far as the log was followed."""
        return self._replica.book

    async def run(self, wanted: Sequence[LimitWanted], lasting_us: int) -> Rehearsed:
        """Decide again what was decided in so many microseconds before the last command; end at the end of the log."""
        found = Rehearsed()
        last = await self._last_sequence()
        first = await self._first_sequence(last, lasting_us)
        await self._begin(first)
        after = first - 1
        while page := await self._log.commands(after, PAGE):
            for kept in page:
                if kept.first_position is not None:
                    await self._fold(kept.first_position - 1)
                found.commands += 1
                if kept.kind in BOUNDED:
                    self._decide(kept, wanted, found)
                if kept.last_position is not None:
                    await self._fold(kept.last_position)
            after = page[-1].sequence
            self._told[1](after - first + 1, max(last, after) - first + 1)
        return found

    def _decide(self, kept: KeptCommand, wanted: Sequence[LimitWanted], found: Rehearsed) -> None:
        envelope = _ENVELOPE.decode(kept.command)
        limits = self.book.limits
        before = _outcome(self.book, envelope)
        try:
            self.book.limits = changed_limits(limits, wanted)
            after = _outcome(self.book, envelope)
        finally:
            self.book.limits = limits
        found.decided += 1
        if _written(before) == _written(after):
            return
        words = (_word(before), OTHERWISE if _word(before) == _word(after) == ACCEPTED else _word(after))
        found.counted[(kept.kind, *words)] += 1
        if len(found.shown) < SHOWN_MAX:
            different = Different(
                sequence=kept.sequence,
                at_us=envelope.at_us,
                kind=kept.kind,
                actor=envelope.actor,
                before=words[0],
                after=words[1],
                told=_told(after) or _told(before),
            )
            found.shown.append(different)

    async def _begin(self, first: int) -> None:
        """Fold all that stood in the log before the first command that is decided again."""
        after = first - 1
        while page := await self._log.commands(after, PAGE):
            position = next((kept.first_position for kept in page if kept.first_position is not None), None)
            if position is not None:
                await self._fold(position - 1)
                return
            after = page[-1].sequence
        await self._fold(None)

    async def _fold(self, position: int | None) -> None:
        """Follow the log up to a position; None: to its end."""
        while position is None or self._replica.position < position:
            if not self._ahead:
                self._ahead.extend(await self._log.read(self._replica.position, PAGE))
                self._told[0](self._replica.position, position or self._replica.position + len(self._ahead))
            if not self._ahead:
                return
            self._replica.fold(self._ahead.popleft())

    async def _last_sequence(self) -> int:
        """Return the sequence of the last kept command, 0 for none, by doubling and halving."""
        step = 1
        while await self._log.commands(step - 1, 1):
            step *= 2
        low, high = step // 2, step
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if await self._log.commands(middle - 1, 1) else (low, middle)
        return low

    async def _first_sequence(self, last: int, lasting_us: int) -> int:
        """Return the first sequence decided within so many microseconds before the last; times never decrease."""
        if last == 0:
            return 1
        since_us = await self._at_us(last) - lasting_us
        low, high = 0, last
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if await self._at_us(middle) >= since_us else (middle, high)
        return high

    async def _at_us(self, sequence: int) -> int:
        (kept,) = await self._log.commands(sequence - 1, 1)
        return _ENVELOPE.decode(kept.command).at_us


_ENVELOPE = decoder(Envelope)

Result = tuple[Event, ...] | Refusal


def changed_limits(limits: dict[str, Limit], wanted: Sequence[LimitWanted]) -> dict[str, Limit]:
    """Return limits with a change made in them."""
    changed = dict(limits)
    for each in wanted:
        key = limit_key(each.control, each.scope)
        if each.value is None:
            changed.pop(key, None)
        else:
            control = Control(each.control)
            changed[key] = Limit(control, each.scope, each.value, CONTROLS[control].unit)
    return changed


def _outcome(book: Book, envelope: Envelope) -> Result:
    decode, decide = READERS[envelope.kind]
    context = Context(
        envelope.command_id,
        envelope.actor,
        envelope.at_us,
        envelope.evidence,
        envelope.witnesses,
        envelope.marks,
    )
    return decide(book, decode(envelope.body), context)


def _written(result: Result) -> tuple[Any, ...]:
    if isinstance(result, Refusal):
        return (result.reason, result.control)
    return tuple(encode(event) for event in result)


def _word(result: Result) -> str:
    return f"refused {result.reason.name}" if isinstance(result, Refusal) else ACCEPTED


def _told(result: Result) -> str:
    if not isinstance(result, Refusal):
        return ""
    against = f" ({result.control} {result.scope}: {result.value} against {result.limit})" if result.control else ""
    return f"{result.text}{against}"
