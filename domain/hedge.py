"""Hedges: the signed quantity of an underlying that must be traded, and the orders that trade it."""

from enum import StrEnum
from uuid import UUID

import msgspec

from domain.event import Event, catalogued
from domain.execution import SWEEP, Style
from domain.ids import position_key
from domain.quantity import ZERO, Num, subtract
from domain.quote import Source
from domain.routing.certificate import Certificate


class Purpose(StrEnum):
    """Say why a hedge exists."""

    OPEN = "open"  # a mint: sell the underlying
    CLOSE = "close"  # a redeem: buy it back
    UNWIND = "unwind"  # the request fell: give back what was traded
    REHEDGE = "rehedge"  # a venue closed part of a position by itself: trade it again elsewhere
    REBALANCE = "rebalance"  # the same delta in better places


class PlannedLeg(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Hold what one instrument is to trade of a hedge: `quantity` in base units, signed, at `limit_price` or better.

    `reference` is the middle of that instrument's own book. `reduce_only`: it may close a position, never open one.
    """

    venue: str
    account: str
    symbol: str
    quantity: Num
    limit_price: Num
    reference: Num
    reduce_only: bool = False

    @property
    def key(self) -> str:
        """Return the key of its instrument, as of the position there."""
        return position_key(self.venue, self.account, self.symbol)


@catalogued
class HedgePlanned(Event, frozen=True, kw_only=True, tag="hedge.planned.v3"):
    """The book means to trade `quantity` base units of an underlying (signed: negative sells), over these legs.

    `exposure` is the signed change of backing that it answers; the difference to `quantity` (less than a lot, what is
    below every venue's minimum, or what the internalisation band lets rest: `internalised`) is carried to the next
    hedge of the underlying. `reference` is the middle in quote units that `sources` vouch for. A `certificate` shows
    what the legs rest on; there is none where nothing is traded, and none from before there was a router.
    """

    hedge_id: UUID
    request_id: UUID
    purpose: Purpose
    underlying: str
    exposure: Num
    quantity: Num
    reference: Num
    legs: tuple[PlannedLeg, ...]
    sources: tuple[Source, ...] = ()
    internalised: Num = ZERO
    style: Style = SWEEP
    certificate: Certificate | None = None

    @property
    def originator(self) -> UUID:
        """Return the hedge's id."""
        return self.hedge_id


@catalogued
class HedgeRerouted(Event, frozen=True, kw_only=True, tag="hedge.rerouted.v1"):
    """What a hedge has left is traded over these legs instead, since a venue did not do its part or the market moved.

    `failed` names the instruments (`venue|account|symbol`) that are left out; `quantity` is what no leg at work
    accounts for, signed base. Legs under way go on beside these, but for those of `failed`.
    """

    hedge_id: UUID
    quantity: Num
    reference: Num
    legs: tuple[PlannedLeg, ...]
    failed: tuple[str, ...]
    text: str
    sources: tuple[Source, ...] = ()
    certificate: Certificate | None = None

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


class OpenLeg(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Hold a leg under way: how it is traded since when, and how far it is.

    `filled` is signed, of its orders that closed; `orders` counts those that began, `order_id` is the latest.
    `crossing`: what was offered to others did not trade, the rest takes. `over`: nothing more is sent for it, what it
    has left is planned anew.
    """

    leg: PlannedLeg
    style: Style = SWEEP
    began_us: int = 0
    filled: Num = ZERO
    orders: int = 0
    order_id: UUID | None = None
    crossing: bool = False
    over: bool = False

    @property
    def left(self) -> Num:
        """Return what is left of it, signed base units; zero when it traded more than it was to."""
        left = subtract(self.leg.quantity, self.filled)
        return left if (left > 0) == (self.leg.quantity > 0) else ZERO


class OpenHedge(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Hold a hedge under way: its legs, what it traded and paid, and the orders that work for it.

    `rounds` counts its plan and what was planned anew since, `orders` those that began. Instruments by their key:
    `failed` did not do their part, `faltered` did some of it once, `unflagged` refused an order as not reducing.
    `closed_us` is when its latest order was over.
    """

    planned: HedgePlanned
    legs: tuple[OpenLeg, ...]
    rounds: int = 1
    orders: int = 0
    filled: Num = ZERO
    quote_value: Num = ZERO
    working: tuple[UUID, ...] = ()
    failed: tuple[str, ...] = ()
    faltered: tuple[str, ...] = ()
    unflagged: tuple[str, ...] = ()
    closed_us: int = 0
