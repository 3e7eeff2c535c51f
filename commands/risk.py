"""Looking at risk: what everything is worth now, how near limits are, and which scopes must be stopped or let go.

The core looks many times a second and asks for `risk.look` only when one would record something. The command brings
what the watcher remembers between looks: since when each thing that may be let go again is sound. All else is judged
by the Book and the evidence, so that history decides as it did.
"""

from collections.abc import Iterable, Iterator

import msgspec

from commands.context import Context
from commands.envelope import Command, command
from commands.limit import SYSTEM
from commands.process import Arm, Message, Record
from commands.rebalance import look_sooner
from domain.account import AccountObserved
from domain.approach import entered, receding, receding_key
from domain.book import Book
from domain.carry import MarkEvidence
from domain.controls import usages
from domain.difference import broken
from domain.event import Event
from domain.instant import MILLISECOND_US
from domain.latch import ControlLatched, ControlReleased
from domain.limit import Control
from domain.mark import InstrumentMark, Mark, RiskMarked, after, instrument_key
from domain.market import Integrity, Witness, distance_bps
from domain.mode import GLOBAL, Mode, ModeChanged, Trigger
from domain.policy import Policy
from domain.reference import Reference, believed, needed, valued, worth
from domain.soft_action import band_of
from domain.surprise import SurpriseClassified, SurpriseKind
from domain.triggers import Tripped, judged, key_of, mode_scopes, sound, stricter, tripped
from domain.warning import LimitApproached

EVENTS_MAX = 32
"""One look records at most so many events; the next one records the rest."""
MARK_PAUSE_US = 250 * MILLISECOND_US
"""Marks alone are recorded no more often."""
SINCE_MAX = 512


class Since(msgspec.Struct, frozen=True, gc=False):
    """Remember since when something has been so without a break."""

    key: str
    since_us: int


@command("risk.look")
class LookAtRisk(Command, frozen=True, kw_only=True):
    """Look at what everything is worth, and at what that does to limits and modes."""

    since: tuple[Since, ...] = ()


class Survey(msgspec.Struct, frozen=True, gc=False):
    """Hold what a look finds: the events it records, and what to remember until the next one."""

    events: tuple[Event, ...]
    since: tuple[Since, ...]


def look_at_risk(book: Book, command: LookAtRisk, context: Context) -> tuple[Event, ...]:
    """Decide `LookAtRisk`."""
    return survey(book, context.at_us, context.witnesses, context.marks, command.since).events


def moved(book: Book, at_us: int, witnesses: tuple[Witness, ...], marks: tuple[MarkEvidence, ...]) -> bool:
    """Say whether what everything is worth differs from the marks in force by enough to look at all limits."""
    policy = book.policy
    return policy is not None and _marked(book, policy, at_us, (witnesses, marks), {})[0] is not None


def survey(
    book: Book,
    at_us: int,
    witnesses: tuple[Witness, ...],
    marks: tuple[MarkEvidence, ...],
    remembered: tuple[Since, ...] = (),
) -> Survey:
    """Look once: value, measure, and judge on those values."""
    policy = book.policy
    if policy is None:
        return Survey((), ())
    since = {each.key: each.since_us for each in remembered[:SINCE_MAX]}
    marked, unheard = _marked(book, policy, at_us, (witnesses, marks), since)
    seen = book if marked is None else msgspec.structs.replace(book, marks=after(book.marks, marked))
    found = judged(seen, usages(seen, at_us, standing=True))
    holding, risk = tripped(seen, found), policy.risk
    mended = sound(seen, found, holding, risk)
    leaving = receding(seen, found, risk.bands)
    now = {*mended, *(receding_key(each.control, each.scope) for each in leaving), *unheard}
    since = {key: min(since.get(key, at_us), at_us) for key in sorted(now)}
    ripe_us = at_us - risk.triggers.resume_after_ms * MILLISECOND_US
    ripe = {key for key, since_us in since.items() if since_us <= ripe_us}
    events: tuple[Event, ...] = (
        *(_stopped(book, each) for each in holding if stricter(book, each)),
        *entered(seen, found, risk.bands),
        *_let_go(book, mended & ripe),
        *(each for each in leaving if receding_key(each.control, each.scope) in ripe),
    )[:EVENTS_MAX]
    if marked is not None and (events or _due(book, marked, at_us)):
        events = (marked, *events)
    return Survey(events, tuple(Since(key, since_us) for key, since_us in since.items()))


# Marks


def _marked(
    book: Book,
    policy: Policy,
    at_us: int,
    heard: tuple[tuple[Witness, ...], tuple[MarkEvidence, ...]],
    since: dict[str, int],
) -> tuple[RiskMarked | None, frozenset[str]]:
    """Return the marks to value at from now on, None where those in force will do; and who is not heard of now.

    An asset loses its mark when nobody could be believed about it for as long as a mark may be old.
    """
    risk, before = policy.risk, book.marks
    told = _references(policy, heard[0], policy.integrity, book.outside.suspended)
    instruments = tuple(_instrument_marks(policy, heard[1]))
    unheard = frozenset(f"unheard|{asset}" for asset in (*policy.valued, *before.assets) if asset not in told)
    lost_us = at_us - risk.mark_age_ms_max * MILLISECOND_US
    lost = tuple(
        asset
        for asset in sorted(before.assets)
        if asset not in told and since.get(f"unheard|{asset}", at_us) <= lost_us
    )
    stale = at_us - before.marked_at_us >= risk.mark_every_ms * MILLISECOND_US
    changed = any(
        asset not in before.assets or distance_bps(mark.mid, before.assets[asset].mid) >= risk.mark_move_bps
        for asset, mark in told.items()
    ) or any(
        (known := before.instruments.get(instrument_key(each.venue, each.symbol))) is None
        or distance_bps(each.price, known) >= risk.mark_move_bps
        for each in instruments
    )
    if not (lost or changed or (stale and told)):
        return None, unheard
    return RiskMarked(assets=tuple(told.values()), instruments=instruments, lost=lost, marked_at_us=at_us), unheard


def assets_to_mark(policy: Policy) -> tuple[str, ...]:
    """Return what is marked where somebody vouches for it: accounts may hold stables that nothing is traded in."""
    return tuple(sorted({*policy.valued, *policy.integrity.stables}))


def _references(
    policy: Policy, witnesses: tuple[Witness, ...], rules: Integrity, suspended: Iterable[str]
) -> dict[str, Mark]:
    """Return what each asset is worth by those who may be believed: what the policy values, and every stable."""
    believable = believed(witnesses, rules, frozenset(suspended))
    quotes = worth({each.quote for each in believable}, believable, rules)
    told: dict[str, Mark] = {}
    for asset in assets_to_mark(policy):
        found = quotes.get(asset) or valued(asset, needed(asset, believable, rules), rules)
        if isinstance(found, Reference):
            told[asset] = Mark(asset=asset, low=found.lower, mid=found.mid, high=found.upper)
    return told


def _instrument_marks(policy: Policy, marks: tuple[MarkEvidence, ...]) -> Iterator[InstrumentMark]:
    traded = {(each.venue, each.symbol) for each in policy.instruments}
    for each in marks:
        fresh = each.age_ms <= policy.risk.mark_age_ms_max and each.mark > 0
        if fresh and (each.venue, each.symbol) in traded:
            yield InstrumentMark(venue=each.venue, symbol=each.symbol, price=each.mark)


def _due(book: Book, marked: RiskMarked, at_us: int) -> bool:
    """Say whether marks are recorded for their own sake: not faster than anybody needs."""
    return bool(marked.lost) or at_us - book.marks.marked_at_us >= MARK_PAUSE_US


# Modes


def _stopped(book: Book, each: Tripped, author: str = SYSTEM) -> ModeChanged:
    previous = book.mode_causes.get(each.scope, {}).get(each.trigger, Mode.ACTIVE)
    return ModeChanged(
        scope=each.scope, mode=each.mode, previous=previous, author=author, reason=each.text, trigger=each.trigger
    )


def _let_go(book: Book, ripe: Iterable[str]) -> Iterator[ModeChanged]:
    ready = frozenset(ripe)
    for scope, causes in book.mode_causes.items():
        for trigger, mode in causes.items():
            if key_of(trigger, scope) in ready:
                text = f"what tripped {trigger} has been sound for long enough"
                yield ModeChanged(
                    scope=scope, mode=Mode.ACTIVE, previous=mode, author=SYSTEM, reason=text, trigger=trigger
                )


def react_latched(book: Book, event: ControlLatched, _at_us: int) -> tuple[Message, ...]:
    """Halt the scope of a latched control in the same append."""
    scope = event.scope if event.scope in mode_scopes(book.policy) else GLOBAL
    return _record(book, Tripped(Trigger.LATCH, scope, Mode.HALTED, f"{event.control} latched: {event.text}"))


def react_unlatched(book: Book, event: ControlReleased, _at_us: int) -> tuple[Message, ...]:
    """Let a scope go with the last of its latches: that release was granted by another person already."""
    scopes = mode_scopes(book.policy)
    scope = event.scope if event.scope in scopes else GLOBAL
    left = any((each.scope if each.scope in scopes else GLOBAL) == scope for each in book.latches.values())
    before = book.mode_causes.get(scope, {}).get(Trigger.LATCH, Mode.ACTIVE)
    if left or before is Mode.ACTIVE:
        return ()
    released = ModeChanged(
        scope=scope,
        mode=Mode.ACTIVE,
        previous=before,
        author=event.author,
        reason=event.reason,
        trigger=Trigger.LATCH,
        approval_id=event.approval_id,
        approved_by=event.approved_by,
    )
    return (Record(released),)


def react_surprised(book: Book, event: SurpriseClassified, _at_us: int) -> tuple[Message, ...]:
    """Reduce a venue that traded for us what nobody asked for: its word and the log have come apart."""
    if event.kind is not SurpriseKind.UNKNOWN_ORDER:
        return ()
    text = f"{event.venue} traded {event.quantity} of {event.symbol} for no order of ours"
    return _reconcile(book, event.venue, text)


def react_compared(book: Book, event: AccountObserved, _at_us: int) -> tuple[Message, ...]:
    """Reduce a venue whose account holds, again and again, what the log does not explain."""
    found = broken(book.differences, event)
    if not found:
        return ()
    told = ", ".join(f"{each.amount} of {symbol}" for symbol, each in found)
    text = f"{event.venue} {event.account} holds {told} more than the log explains, in {found[0][1].times} observations"
    return _reconcile(book, event.venue, text)


def _reconcile(book: Book, venue: str, text: str) -> tuple[Message, ...]:
    scope = f"venue:{venue}"
    if scope not in mode_scopes(book.policy):
        return ()
    return _record(book, Tripped(Trigger.RECONCILIATION, scope, Mode.REDUCE_ONLY, text))


def _record(book: Book, each: Tripped) -> tuple[Message, ...]:
    return (Record(_stopped(book, each)),) if stricter(book, each) else ()


# Soft actions


def react_approached(book: Book, event: LimitApproached, at_us: int) -> tuple[Message, ...]:
    """Have the hedges looked at where a band asks for it: moving some may be what brings a limit back."""
    policy = book.policy
    if policy is None or event.band <= event.before or event.control not in _MOVABLE:
        return ()
    band = band_of(policy.risk.bands, event.band)
    if band is None or not band.rebalances:
        return ()
    kind, _, name = (event.subject or event.scope).partition(":")
    traded = sorted({each.base for each in policy.instruments})
    named = [name] if kind == "asset" and name in traded else traded
    return tuple(Arm(wake) for underlying in named for wake in look_sooner(book, underlying, at_us))


_MOVABLE = frozenset(
    {
        Control.MARGIN_RATIO,
        Control.LIQUIDATION_DISTANCE,
        Control.LEVERAGE,
        Control.VENUE_CONCENTRATION,
        Control.UNSETTLED_PROFIT,
        Control.POSITION_NOTIONAL,
        Control.OPEN_INTEREST_SHARE,
    }
)
"""The controls that moving hedges to another venue may relieve."""
