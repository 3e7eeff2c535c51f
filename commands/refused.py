"""What a refusal leaves in the log besides its kept outcome: that a severe control said no, that one latched."""

from collections.abc import Iterator

from commands.dispatch import INTERNAL, OWED
from commands.envelope import Envelope, Outcome
from commands.latch import latching
from domain.book import Book
from domain.event import Event
from domain.instant import SECOND_US
from domain.limit import limit_key
from domain.refusal import SEVERE, TRANSIENT, UNBELIEVED, UNTRADABLE, Refusal
from domain.watch import MARKET_DATA, UNHEDGED, ControlRefused

# A severe control tells of its refusals at most once in this time, per control and scope.
CONTROL_REFUSED_EVERY_US = SECOND_US
# A person is told at most this often that a hedge waits, be it for market data that can be believed.
HEDGE_WAITS_EVERY_US = 60 * SECOND_US

REFUSED = "refused"


def outcome_of(book: Book, refusal: Refusal) -> Outcome:
    """Return a refusal as its command's outcome; what a control said names the policy it said it under."""
    return Outcome(
        status=REFUSED,
        reason=refusal.reason.name,
        text=refusal.text,
        control=refusal.control,
        scope=refusal.scope,
        limit=refusal.limit,
        value=refusal.value,
        policy_version=_version(book, refusal),
    )


def transient(envelope: Envelope, refusal: Refusal) -> bool:
    """Say whether the same command may be asked again under its id."""
    return refusal.reason in TRANSIENT or envelope.kind in INTERNAL


def told(book: Book, envelope: Envelope, refusal: Refusal, at_us: int) -> tuple[Event, ...]:
    """Return what is recorded with a refusal."""
    return (*latching(book, refusal), *_severe(book, envelope, refusal, at_us))


def _severe(book: Book, envelope: Envelope, refusal: Refusal, at_us: int) -> Iterator[Event]:
    waiting = _waiting(envelope, refusal)
    if not waiting and refusal.reason not in SEVERE:
        return
    control = waiting or refusal.control
    every_us = HEDGE_WAITS_EVERY_US if waiting else CONTROL_REFUSED_EVERY_US
    last = book.control_refused_us.get(limit_key(control, refusal.scope))
    if last is not None and at_us - last < every_us:
        return
    yield ControlRefused(
        control=control,
        scope=refusal.scope,
        limit=refusal.limit,
        value=refusal.value,
        command_kind=envelope.kind,
        actor=envelope.actor,
        text=refusal.text,
        policy_version=_version(book, refusal),
    )


def _waiting(envelope: Envelope, refusal: Refusal) -> str:
    """Return what a hedge that is owed waits for by this refusal; empty where it waits for nothing of the kind."""
    if envelope.kind in INTERNAL and refusal.reason in UNBELIEVED:
        return MARKET_DATA
    return UNHEDGED if envelope.kind in OWED and refusal.reason in UNTRADABLE else ""


def _version(book: Book, refusal: Refusal) -> int:
    return refusal.policy_version or (book.policy_version if refusal.control else 0)
