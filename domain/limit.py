"""Limits: the bounds the book keeps, by control and scope; a missing one refuses. What each means: `domain.limits`."""

from enum import StrEnum
from uuid import UUID

import msgspec

from domain.event import Event, catalogued
from domain.ids import natural_id
from domain.quantity import Num


class Control(StrEnum):
    """Name the controls; ids are stable, they stand in the log."""

    # Of a mint or redeem.
    ORDER_NOTIONAL = "order_notional"
    MINT_PER_BLOCK = "mint_per_block"
    MINT_PER_DAY = "mint_per_day"
    REDEEM_PER_BLOCK = "redeem_per_block"
    REDEEM_PER_DAY = "redeem_per_day"
    # Of what the book may come to.
    BACKING_RATIO = "backing_ratio"
    STRESS_LOSS = "stress_loss"
    NET_DELTA = "net_delta"
    GROSS_NOTIONAL = "gross_notional"
    POSITION_NOTIONAL = "position_notional"
    OPEN_INTEREST_SHARE = "open_interest_share"
    MARGIN_RATIO = "margin_ratio"
    LIQUIDATION_DISTANCE = "liquidation_distance"
    LEVERAGE = "leverage"
    VENUE_CONCENTRATION = "venue_concentration"
    CUSTODIAN_CONCENTRATION = "custodian_concentration"
    STABLE_CONCENTRATION = "stable_concentration"
    UNSETTLED_PROFIT = "unsettled_profit"
    SLIPPAGE_PER_DAY = "slippage_per_day"
    # Of a venue order.
    PRICE_COLLAR = "price_collar"
    PRICE_COLLAR_PERIOD = "price_collar_period"
    OPEN_ORDER_NOTIONAL = "open_order_notional"
    OPEN_ORDERS = "open_orders"
    DUPLICATE_ORDERS = "duplicate_orders"
    REPEATED_EXECUTION = "repeated_execution"
    ORDER_RATE = "order_rate"
    MESSAGE_RATE = "message_rate"
    ORDER_TO_TRADE = "order_to_trade"
    # Of the data that is decided on.
    QUOTE_AGE = "quote_age"
    REFERENCE_MISSING = "reference_missing"
    DEPEG = "depeg"
    OWN_TOKEN = "own_token"  # noqa: S105 # no password
    # Of a transfer.
    TRANSFER_NOTIONAL = "transfer_notional"
    TRANSFER_PER_DAY = "transfer_per_day"
    TRANSFER_DESTINATION = "transfer_destination"


def limit_key(control: str, scope: str) -> str:
    """Return the key of a limit in the book."""
    return f"{control}|{scope}"


class Limit(msgspec.Struct, frozen=True, gc=False):
    """Hold a limit in force; from `expires_at_us` (0: never) on it is `returns_to` again, which was approved before."""

    control: Control
    scope: str
    value: Num
    unit: str
    expires_at_us: int = 0
    returns_to: Num | None = None


@catalogued
class LimitSet(Event, frozen=True, kw_only=True, tag="limit.set.v2"):
    """A limit has this value from here on, until `expires_at_us` (0: for good): then it is `returns_to` again.

    `previous` is what was in force. What was loosened by two persons names the second, and their approval.
    """

    control: Control
    scope: str
    value: Num
    unit: str
    author: str
    reason: str
    previous: Num | None = None
    expires_at_us: int = 0
    returns_to: Num | None = None
    approval_id: UUID | None = None
    approved_by: str = ""

    @property
    def originator(self) -> UUID:
        """Return the stream of this control and scope."""
        return natural_id("limit", self.control, self.scope)


@catalogued
class LimitRemoved(Event, frozen=True, kw_only=True, tag="limit.removed.v2"):
    """A limit is gone; what needs it is refused."""

    control: Control
    scope: str
    author: str
    reason: str
    previous: Num | None = None
    approval_id: UUID | None = None
    approved_by: str = ""

    @property
    def originator(self) -> UUID:
        """Return the stream of this control and scope."""
        return natural_id("limit", self.control, self.scope)


@catalogued
class LimitExpired(Event, frozen=True, kw_only=True, tag="limit.expired.v1"):
    """A limit set for a time is over: it has the value again that was approved before."""

    control: Control
    scope: str
    value: Num
    unit: str
    expired: Num

    @property
    def originator(self) -> UUID:
        """Return the stream of this control and scope."""
        return natural_id("limit", self.control, self.scope)
