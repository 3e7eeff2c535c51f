"""The rules of limits in a world: what allows more was asked for by one person and granted by another."""

from collections.abc import Callable
from typing import Any

from commands.limit import SYSTEM
from domain.approvals import ApprovalGranted
from domain.book import Book
from domain.event import Event
from domain.ids import natural_id
from domain.limit import LimitExpired, LimitRemoved, LimitSet
from domain.limit_course import Course, course_of, loosens
from domain.limits import CONTROLS
from domain.log import StoredEvent

Check = Callable[..., None]


class Bounds:
    """Hold what the log does to limits against what they were."""

    def __init__(self, book: Book, check: Check) -> None:
        self.loosened = 0
        self._book = book
        self._check = check
        self.rules: dict[type[Event], Callable[[Any, StoredEvent], None]] = {
            LimitSet: self._set,
            LimitRemoved: self._removed,
            LimitExpired: self._expired,
            ApprovalGranted: self._granted,
        }

    def _set(self, event: LimitSet, stored: StoredEvent) -> None:
        before = self._book.limit(event.control, event.scope)
        if before is None:
            never = natural_id("limit", event.control, event.scope) not in self._book.versions
            alone = event.author == SYSTEM and never
            self._check(alone or self._by_two(event), "a first limit is the settings'", stored.position, event)
            return
        after = Course(event.value, event.expires_at_us, event.returns_to)
        if loosens(CONTROLS[event.control], course_of(before), after, self._book.at_us):
            self.loosened += 1
            self._check(self._by_two(event), "a limit is loosened by two", stored.position, event)

    def _removed(self, event: LimitRemoved, stored: StoredEvent) -> None:
        self._check(self._by_two(event), "a limit is removed by two", stored.position, event)

    def _expired(self, event: LimitExpired, stored: StoredEvent) -> None:
        before = self._book.limit(event.control, event.scope)
        due = before is not None and before.returns_to == event.value
        self._check(due, "a limit returns to what was approved", stored.position, event)

    def _granted(self, event: ApprovalGranted, stored: StoredEvent) -> None:
        waiting = self._book.approvals.get(event.approval_id)
        fits = waiting is not None and waiting.requested.change_sha256 == event.change_sha256
        self._check(fits, "what is granted waits, and is what was asked for", stored.position, event)
        if waiting is not None:
            own = waiting.requested.author == event.author
            self._check(not own, "nobody grants what he asked for", stored.position, event)

    def _by_two(self, event: LimitSet | LimitRemoved) -> bool:
        return event.approved_by not in {"", event.author} and event.approval_id is not None
