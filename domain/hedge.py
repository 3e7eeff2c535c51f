"""Hedges: the signed quantity of an underlying that must be traded, and the orders that trade it."""

from enum import StrEnum
from uuid import UUID

import msgspec

from domain.event import Event, catalogued
from domain.quantity import Num
from domain.quote import Source


class Purpose(StrEnum):
    """Say why a hedge exists."""

    OPEN = "open"  # a mint: sell the underlying
    CLOSE = "close"  # a redeem: buy it back
    UNWIND = "unwind"  # the request fell: give back what was traded


@catalogued
class HedgePlanned(Event, frozen=True, kw_only=True, tag="hedge.planned.v2"):
    """The book means to trade `quantity` (base units, signed: negative sells) on one venue at `limit_price` or better.

    `exposure` is the signed change of backing that it answers; the difference to `quantity` (less than a lot, or all of
    it when below the venue's minimum) is carried to the next hedge of the underlying. `sources` vouch for `reference`.
    """

    hedge_id: UUID
    request_id: UUID
    purpose: Purpose
    underlying: str
    venue: str
    account: str
    symbol: str
    exposure: Num
    quantity: Num
    limit_price: Num
    reference: Num
    sources: tuple[Source, ...] = ()

    @property
    def originator(self) -> UUID:
        """Return the hedge's id."""
        return self.hedge_id


@catalogued
class HedgeLegCompleted(Event, frozen=True, kw_only=True, tag="hedge.leg_completed.v1"):
    """One order of a hedge is over, `filled` signed base units of it traded."""

    hedge_id: UUID
    order_id: UUID
    filled: Num

    @property
    def originator(self) -> UUID:
        """Return the hedge's id."""
        return self.hedge_id


@catalogued
class HedgeCompleted(Event, frozen=True, kw_only=True, tag="hedge.completed.v1"):
    """A hedge traded its whole quantity."""

    hedge_id: UUID
    request_id: UUID
    filled: Num
    average_price: Num

    @property
    def originator(self) -> UUID:
        """Return the hedge's id."""
        return self.hedge_id


@catalogued
class HedgeAbandoned(Event, frozen=True, kw_only=True, tag="hedge.abandoned.v1"):
    """A hedge was given up after its last order with `residual` signed base units untraded; a person is told."""

    hedge_id: UUID
    request_id: UUID
    filled: Num
    residual: Num
    text: str

    @property
    def originator(self) -> UUID:
        """Return the hedge's id."""
        return self.hedge_id


class OpenHedge(msgspec.Struct, frozen=True, gc=False):
    """Hold a hedge under way: what it traded, what it paid, and the order that works for it, if any."""

    planned: HedgePlanned
    orders: int
    filled: Num
    quote_value: Num
    working: UUID | None = None
