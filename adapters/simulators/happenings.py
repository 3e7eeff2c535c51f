"""What happens on a simulated venue, in no dialect: the account's own changes, and what the public sees."""

from decimal import Decimal
from typing import Literal

import msgspec

from adapters.simulators.instruments import Instrument
from adapters.simulators.ledger import Income, Order, Position, Trade

Execution = Literal["NEW", "TRADE", "CANCELED", "EXPIRED"]


class OrderChanged(msgspec.Struct, frozen=True, kw_only=True):
    """Say that an order changed; `order` is a copy of how it then stood, `trade` the fill when it was one."""

    order: Order
    instrument: Instrument
    execution: Execution
    trade: Trade | None
    time_ms: int


class AccountChanged(msgspec.Struct, frozen=True, kw_only=True):
    """Say that wallets or a position changed; all values as they stood afterwards.

    `wallets` holds what changed, by asset; `margin_used` is the symbol's, in its settle asset. On spot the position is
    always flat.
    """

    reason: Literal["order", "funding"]
    instrument: Instrument
    wallets: dict[str, Decimal]
    position: Position
    leverage: int
    mark: Decimal
    margin_used: Decimal
    time_ms: int


class FundingPaid(msgspec.Struct, frozen=True, kw_only=True):
    """Say that funding was paid (negative) or received; an `AccountChanged` follows."""

    instrument: Instrument
    income: Income
    position: Position
    mark: Decimal
    rate: Decimal
    time_ms: int


Happening = OrderChanged | AccountChanged | FundingPaid


class Print(msgspec.Struct, frozen=True, kw_only=True):
    """Show one public trade."""

    symbol: str
    trade_id: int
    price: Decimal
    quantity: Decimal
    buyer_is_maker: bool
    time_ms: int
