"""The document of a hedge: its rounds of planning with their certificates, its orders, its fills, its cost."""

from enum import StrEnum
from uuid import UUID

import msgspec

from domain.cost import Cost, LegCost
from domain.execution import Style
from domain.fill import FillKind
from domain.hedge import PlannedLeg, Purpose
from domain.order import Ending, OrderSide, TimeInForce
from domain.quantity import Num
from domain.routing.certificate import Certificate
from projections.orders import OrderState

ROUNDS_SHOWN = 8
ORDERS_SHOWN = 50
FILLS_SHOWN = 100
"""A document holds at most so many of each, the newest."""


class HedgeState(StrEnum):
    """Say how far a hedge is."""

    WORKING = "working"
    COMPLETED = "completed"
    ABANDONED = "abandoned"


class RoundLine(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Show a round of planning: what it was to trade over which legs, and what those legs rest on.

    The first is the plan; a later one says in `text` why, and in `failed` which instruments (`venue|account|symbol`)
    it left out. `quantity` is signed base units, `reference` quote units.
    """

    number: int
    at: str
    quantity: Num
    reference: Num
    legs: tuple[PlannedLeg, ...]
    failed: tuple[str, ...]
    text: str
    certificate: Certificate | None


class HedgeOrder(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Show an order of a hedge: quantities in base units, positive; prices in quote units."""

    order_id: UUID
    round: int
    venue: str
    account: str
    symbol: str
    side: OrderSide
    quantity: Num
    limit_price: Num
    time_in_force: TimeInForce
    state: OrderState
    filled: Num
    quote_value: Num
    average_price: Num | None
    ending: Ending | None
    text: str
    requested_at: str


class HedgeFill(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Show a fill of a hedge's order; `fee` is positive when it cost us."""

    fill_id: UUID
    order_id: UUID
    venue: str
    symbol: str
    price: Num
    quantity: Num
    fee_asset: str
    fee: Num
    kind: FillKind
    traded_at: str


class HedgeLine(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Show a hedge: quantities in signed base units (negative sells), prices in quote units.

    `residual` is what is left of `quantity`. `cost` is what the fills until now cost, leg by leg in `legs`; it is None
    where a leg's is not known. `rounds_told`, `orders_told` and `fills_told` count all there were.
    """

    hedge_id: UUID
    request_id: UUID
    purpose: Purpose
    underlying: str
    state: HedgeState
    style: Style
    exposure: Num
    internalised: Num
    quantity: Num
    filled: Num
    residual: Num
    reference: Num
    text: str
    cost: Cost | None
    legs: tuple[LegCost, ...]
    rounds: tuple[RoundLine, ...]
    orders: tuple[HedgeOrder, ...]
    fills: tuple[HedgeFill, ...]
    rounds_told: int
    orders_told: int
    fills_told: int
    planned_at: str
    updated_at: str
