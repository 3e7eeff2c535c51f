"""The base of every event and the register of their tags."""

from typing import ClassVar, TypeVar
from uuid import UUID

import msgspec


class Event(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag_field="type"):
    """Record one fact, past tense. `originator` names the stream it belongs to; versions count within it."""

    TOPIC: ClassVar[str] = ""

    @property
    def originator(self) -> UUID:
        """Return the stream's id; every event says its own."""
        raise NotImplementedError


E_ = TypeVar("E_", bound=type[Event])

CATALOGUE: dict[str, type[Event]] = {}


def catalogued(event_type: E_) -> E_:
    """Enter an event type into the catalogue under its tag; a tag is used once, for ever."""
    tag = event_type.__struct_config__.tag
    if not isinstance(tag, str) or tag in CATALOGUE:
        raise TypeError(f"{event_type.__name__} needs a tag of its own, not {tag!r}")
    event_type.TOPIC = tag
    CATALOGUE[tag] = event_type
    return event_type
