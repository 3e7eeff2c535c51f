"""Latches: a control that tripped and stays so until a named person enables again what it stopped."""

from uuid import UUID

import msgspec

from domain.event import Event, catalogued
from domain.ids import natural_id
from domain.limit import Control


@catalogued
class ControlLatched(Event, frozen=True, kw_only=True, tag="control.latched.v1"):
    """A control tripped: what it guards in this scope is refused until a person releases it."""

    control: Control
    scope: str
    limit: str
    value: str
    text: str

    @property
    def originator(self) -> UUID:
        """Return the stream of this control and scope."""
        return natural_id("control", self.control, self.scope)


@catalogued
class ControlReleased(Event, frozen=True, kw_only=True, tag="control.released.v1"):
    """A person enabled again what a latched control stopped; it counts from nothing."""

    control: Control
    scope: str
    author: str
    reason: str
    approval_id: UUID | None = None
    approved_by: str = ""

    @property
    def originator(self) -> UUID:
        """Return the stream of this control and scope."""
        return natural_id("control", self.control, self.scope)


class Latch(msgspec.Struct, frozen=True, gc=False):
    """Hold a latch that is shut, since when, and why."""

    control: Control
    scope: str
    since_us: int
    text: str
