"""How the Book folds what people and watches say: policy, limits, modes, dependencies and alerts."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import msgspec

from domain.event import Event
from domain.folds.ratios import adopted
from domain.latch import ControlLatched, ControlReleased, Latch
from domain.limit import Limit, LimitExpired, LimitRemoved, LimitSet, limit_key
from domain.mode import PEOPLE, Mode, ModeChanged, held_in
from domain.policy import PolicyAdopted
from domain.state import Book
from domain.warning import LimitApproached
from domain.watch import (
    AlertAcknowledged,
    AlertRaised,
    AlertResolved,
    ControlRefused,
    DependencyDegraded,
    DependencyRestored,
    OpenAlert,
)

# Open alerts kept in the Book; the oldest leave it first, the read model keeps all.
ALERTS_MAX = 1_000


def _policy_adopted(book: Book, event: PolicyAdopted, _at_us: int) -> None:
    adopted(book, event.policy)
    book.policy = event.policy


def _limit_set(book: Book, event: LimitSet, _at_us: int) -> None:
    _in_force(book, Limit(event.control, event.scope, event.value, event.unit, event.expires_at_us, event.returns_to))


def _in_force(book: Book, limit: Limit) -> None:
    """Replace the limits, so that what was read of them holds for as long as they are the same ones."""
    book.limits = {**book.limits, limit_key(limit.control, limit.scope): limit}


def _limit_expired(book: Book, event: LimitExpired, _at_us: int) -> None:
    _in_force(book, Limit(event.control, event.scope, event.value, event.unit))


def _limit_removed(book: Book, event: LimitRemoved, _at_us: int) -> None:
    key = limit_key(event.control, event.scope)
    book.limits = {name: limit for name, limit in book.limits.items() if name != key}
    book.approached.pop(key, None)


def _mode_changed(book: Book, event: ModeChanged, _at_us: int) -> None:
    causes = book.mode_causes.setdefault(event.scope, {})
    causes[event.trigger] = event.mode
    if event.trigger != PEOPLE and event.mode is Mode.ACTIVE:
        del causes[event.trigger]
    book.modes[event.scope] = held_in(causes)
    if event.trigger == PEOPLE:
        book.mode_authors[event.scope] = event.author


def _latched(book: Book, event: ControlLatched, at_us: int) -> None:
    book.latches[limit_key(event.control, event.scope)] = Latch(event.control, event.scope, at_us, event.text)


def _unlatched(book: Book, event: ControlReleased, _at_us: int) -> None:
    book.latches.pop(limit_key(event.control, event.scope), None)


def _approached(book: Book, event: LimitApproached, _at_us: int) -> None:
    key = limit_key(event.control, event.scope)
    if event.band:
        book.approached[key] = event.band
    else:
        book.approached.pop(key, None)


def _control_refused(book: Book, event: ControlRefused, at_us: int) -> None:
    book.control_refused_us[limit_key(event.control, event.scope)] = at_us


def _dependency_degraded(book: Book, event: DependencyDegraded, _at_us: int) -> None:
    book.dependencies[event.dependency] = event.text


def _dependency_restored(book: Book, event: DependencyRestored, _at_us: int) -> None:
    book.dependencies.pop(event.dependency, None)


def _alert_raised(book: Book, event: AlertRaised, _at_us: int) -> None:
    book.alerts[event.alert_id] = OpenAlert(event)
    if len(book.alerts) > ALERTS_MAX:
        oldest = min(book.alerts.values(), key=lambda alert: (alert.raised.cause_position, alert.raised.alert_id.int))
        _drop_alert(book, oldest.raised.alert_id)


def _alert_acknowledged(book: Book, event: AlertAcknowledged, _at_us: int) -> None:
    book.alerts[event.alert_id] = msgspec.structs.replace(book.alerts[event.alert_id], acknowledged_by=event.author)


def _alert_resolved(book: Book, event: AlertResolved, _at_us: int) -> None:
    _drop_alert(book, event.alert_id)


def _drop_alert(book: Book, alert_id: UUID) -> None:
    del book.alerts[alert_id]
    book.versions.pop(alert_id, None)


FOLDS: dict[type[Event], Callable[[Book, Any, int], None]] = {
    PolicyAdopted: _policy_adopted,
    LimitSet: _limit_set,
    LimitRemoved: _limit_removed,
    LimitExpired: _limit_expired,
    ControlLatched: _latched,
    ControlReleased: _unlatched,
    LimitApproached: _approached,
    ModeChanged: _mode_changed,
    ControlRefused: _control_refused,
    DependencyDegraded: _dependency_degraded,
    DependencyRestored: _dependency_restored,
    AlertRaised: _alert_raised,
    AlertAcknowledged: _alert_acknowledged,
    AlertResolved: _alert_resolved,
}
"""How each of these events is folded."""
