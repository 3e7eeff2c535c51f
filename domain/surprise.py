"""Surprises: fills that no open order accounts for. What they change is open delta until it is traded again."""

from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from domain.event import Event, catalogued
from domain.fill import FillKind, FillRecorded
from domain.ids import natural_id
from domain.order_state import OpenOrder
from domain.quantity import Num, subtract


class SurpriseKind(StrEnum):
    """Say what a surprise was."""

    LATE = "late"  # of an order of ours that was over
    UNKNOWN_ORDER = "unknown_order"  # of no order of ours, or none that is known any more
    LIQUIDATION = "liquidation"
    ADL = "adl"
    OVERFILL = "overfill"  # of an open order, beyond what was asked


# The venue closed a position by itself: what it closed is traded elsewhere.
FORCED = frozenset({SurpriseKind.LIQUIDATION, SurpriseKind.ADL})


@catalogued
class SurpriseClassified(Event, frozen=True, kw_only=True, tag="surprise.classified.v1"):
    """A fill changed a position by `quantity` (signed base units) that nobody planned.

    It was put into the underlying's carry with the opposite sign as it was recorded; an overfill goes there when its
    hedge is over.
    """

    fill_id: UUID
    kind: SurpriseKind
    underlying: str
    venue: str
    account: str
    symbol: str
    quantity: Num
    order_id: UUID | None = None

    @property
    def originator(self) -> UUID:
        """Return an id of its own: one of each fill at most, a stream of one event."""
        return natural_id("surprise", str(self.fill_id))


def rehedging(underlying: str) -> UUID:
    """Return the subject of the wakes that trade what an underlying carries: nothing ever ends it."""
    return natural_id("rehedge", underlying)


def classify(fill: FillRecorded, order: OpenOrder | None, underlying: str) -> SurpriseClassified | None:
    """Say what kind of surprise a fill is; `order` is the open order that it counts for, this fill in it already."""
    quantity = fill.signed
    if fill.kind is not FillKind.TRADE:
        kind = SurpriseKind.ADL if fill.kind is FillKind.ADL else SurpriseKind.LIQUIDATION
    elif order is None:
        kind = SurpriseKind.LATE if fill.order_id is not None else SurpriseKind.UNKNOWN_ORDER
    else:
        beyond = min(subtract(order.filled, order.order.quantity), fill.quantity)
        if beyond <= 0:
            return None
        kind, quantity = SurpriseKind.OVERFILL, Num(beyond * Decimal(order.direction))
    return SurpriseClassified(
        fill_id=fill.fill_id,
        kind=kind,
        underlying=underlying,
        venue=fill.venue,
        account=fill.account,
        symbol=fill.symbol,
        quantity=quantity,
        order_id=fill.order_id,
    )
