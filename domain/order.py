"""Venue orders: an intent first, then each attempt, then what the venue says; unknown until it says it."""

from enum import StrEnum
from uuid import UUID

import msgspec

from domain.event import Event, catalogued
from domain.quantity import Num
from domain.quote import Source


class OrderSide(StrEnum):
    """Say which way an order trades."""

    BUY = "buy"
    SELL = "sell"


class TimeInForce(StrEnum):
    """Say how long an order rests."""

    IOC = "ioc"
    GTC = "gtc"
    POST_ONLY = "gtx"


class Ending(StrEnum):
    """Say how an order ended."""

    FILLED = "filled"
    EXPIRED = "expired"  # an IOC's rest, or cancelled by the venue
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    ABSENT = "absent"  # the venue was asked after the request's validity and never had it


class Order(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Say what a venue is to do; `quantity` in base units, positive."""

    order_id: UUID
    venue: str
    account: str
    symbol: str
    side: OrderSide
    quantity: Num
    limit_price: Num
    time_in_force: TimeInForce
    reduce_only: bool


@catalogued
class OrderSubmissionRequested(Event, frozen=True, kw_only=True, tag="order.submission_requested.v2"):
    """The book means to send this order; it was checked against every limit. `sources` vouch for its limit price."""

    order: Order
    hedge_id: UUID
    sources: tuple[Source, ...] = ()

    @property
    def originator(self) -> UUID:
        """Return the order's id."""
        return self.order.order_id


@catalogued
class OrderAttempted(Event, frozen=True, kw_only=True, tag="order.attempted.v1"):
    """An attempt may be sent under this client order id until `send_before_us`; from here on it may be at the venue."""

    order_id: UUID
    attempt: int
    client_order_id: str
    send_before_us: int

    @property
    def originator(self) -> UUID:
        """Return the order's id."""
        return self.order_id


@catalogued
class OrderAcknowledged(Event, frozen=True, kw_only=True, tag="order.acknowledged.v1"):
    """The venue has the order: its own id, the quantity it accepted, how much it says was filled.

    `terminal` says that the venue will do no more with it.
    """

    order_id: UUID
    attempt: int
    venue_order_id: str
    accepted_quantity: Num
    filled: Num
    terminal: bool

    @property
    def originator(self) -> UUID:
        """Return the order's id."""
        return self.order_id


@catalogued
class OrderRejected(Event, frozen=True, kw_only=True, tag="order.rejected.v1"):
    """The venue surely did not take the order."""

    order_id: UUID
    attempt: int
    code: str
    text: str

    @property
    def originator(self) -> UUID:
        """Return the order's id."""
        return self.order_id


@catalogued
class OrderOutcomeUnknown(Event, frozen=True, kw_only=True, tag="order.outcome_unknown.v1"):
    """What became of an attempt is not known: it stays in exposure at its worst until the venue was asked."""

    order_id: UUID
    attempt: int
    text: str

    @property
    def originator(self) -> UUID:
        """Return the order's id."""
        return self.order_id


@catalogued
class OrderCancelRequested(Event, frozen=True, kw_only=True, tag="order.cancel_requested.v1"):
    """The book means to cancel what is left of an order."""

    order_id: UUID
    text: str

    @property
    def originator(self) -> UUID:
        """Return the order's id."""
        return self.order_id


@catalogued
class OrderClosed(Event, frozen=True, kw_only=True, tag="order.closed.v1"):
    """An order is over and every fill of it is recorded."""

    order_id: UUID
    hedge_id: UUID
    ending: Ending
    filled: Num

    @property
    def originator(self) -> UUID:
        """Return the order's id."""
        return self.order_id
