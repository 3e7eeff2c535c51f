"""Warnings: how near to its limit a control is, in bands; told when a band is entered and when it is left again."""

from uuid import UUID

from domain.event import Event, catalogued
from domain.ids import natural_id
from domain.limit import Control
from domain.quantity import Num

BREACHED = 10_000
"""The band of what is at its limit or beyond, bps of it."""


@catalogued
class LimitApproached(Event, frozen=True, kw_only=True, tag="limit.approached.v1"):
    """A control used so much of its limit that it entered, or left, a band; `band` is bps of the limit, 0 below all.

    `subject` is the narrower scope in which it was measured, such as the venue that is nearest to a global limit.
    """

    control: Control
    scope: str
    subject: str
    band: int
    before: int
    used: Num
    limit: Num
    unit: str

    @property
    def originator(self) -> UUID:
        """Return the stream of this control and scope."""
        return natural_id("warning", self.control, self.scope)
