"""Limits: the greatest values the book allows, by control and scope; a missing one refuses."""

from enum import StrEnum
from uuid import UUID

import msgspec

from domain.event import Event, catalogued
from domain.ids import natural_id
from domain.quantity import Num


class Control(StrEnum):
    """Name the controls; ids are stable, they stand in the log."""

    ORDER_NOTIONAL = "order_notional"  # USD of one request or order, scope global
    NET_DELTA = "net_delta"  # base units of worst-case |delta|, scope asset:<underlying>
    PRICE_COLLAR = "price_collar"  # bps that an order's limit price may lie from the reference, scope global
    QUOTE_AGE = "quote_age"  # ms that market evidence may be old, scope global


UNITS = {
    Control.ORDER_NOTIONAL: "USD",
    Control.NET_DELTA: "base",
    Control.PRICE_COLLAR: "bps",
    Control.QUOTE_AGE: "ms",
}


def limit_key(control: str, scope: str) -> str:
    """Return the key of a limit in the book."""
    return f"{control}|{scope}"


class Limit(msgspec.Struct, frozen=True, gc=False):
    """Hold a limit in force."""

    control: Control
    scope: str
    value: Num
    unit: str


@catalogued
class LimitSet(Event, frozen=True, kw_only=True, tag="limit.set.v1"):
    """A limit has this value from here on."""

    control: Control
    scope: str
    value: Num
    unit: str
    author: str
    reason: str

    @property
    def originator(self) -> UUID:
        """Return the stream of this control and scope."""
        return natural_id("limit", self.control, self.scope)


@catalogued
class LimitRemoved(Event, frozen=True, kw_only=True, tag="limit.removed.v1"):
    """A limit is gone; what needs it is refused."""

    control: Control
    scope: str
    author: str
    reason: str

    @property
    def originator(self) -> UUID:
        """Return the stream of this control and scope."""
        return natural_id("limit", self.control, self.scope)
