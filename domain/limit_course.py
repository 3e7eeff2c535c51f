"""The course of a limit: what it is at any time from now on, and whether a change loosens it at any of them.

A limit set for a time returns to what was approved before it. So a change is judged over its whole course: more at any
instant than what would have been in force then is loosening, whatever it is now.
"""

import msgspec

from domain.limit import Limit
from domain.limits import ControlSpec
from domain.quantity import Num


class Course(msgspec.Struct, frozen=True, gc=False):
    """Hold a limit's value until `until_us` (0: for good), and what it is from then on."""

    value: Num
    until_us: int = 0
    then: Num | None = None

    def at(self, at_us: int) -> Num:
        """Return the value at an instant."""
        over = self.then is not None and at_us >= self.until_us
        return self.value if not over or self.then is None else self.then

    @property
    def lasting(self) -> Num:
        """Return the value that was approved for good."""
        return self.value if self.then is None else self.then


def course_of(limit: Limit) -> Course:
    """Return the course of a limit in force."""
    return Course(limit.value, limit.expires_at_us, limit.returns_to)


def changed(before: Course, value: Num, until_us: int) -> Course:
    """Return the course after a change: a value for a time returns to what was approved for good, and to no other."""
    return Course(value, until_us, before.lasting) if until_us else Course(value)


def loosens(spec: ControlSpec, before: Course, after: Course, at_us: int) -> bool:
    """Say whether the changed course allows more at any instant from now on."""
    return any(spec.looser(before.at(turn), after.at(turn)) for turn in _turns(before, after, at_us))


def same(before: Course, after: Course, at_us: int) -> bool:
    """Say whether two courses are the same from now on."""
    return all(before.at(turn) == after.at(turn) for turn in _turns(before, after, at_us))


def _turns(before: Course, after: Course, at_us: int) -> tuple[int, ...]:
    """Return the instants at which either course may differ: now, and where one of them turns later."""
    return (at_us, *(turn for turn in (before.until_us, after.until_us) if turn > at_us))
