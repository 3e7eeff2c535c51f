"""What a sweep of a whole account tells: every order that stands there, and every position, whatever the market.

A sweep knows no listings, so that it needs nothing but a key: markets go by the venue's own names, and sizes are as the
venue counts them. A venue keeps an account's orders in parts that are asked for one by one: what one part does not tell
is not known, which is never the same as nothing.
"""

from decimal import Decimal
from typing import Literal

import msgspec

Counted = Literal["base", "quote", "contracts"]
# Plain orders stand in a book. Conditional ones place orders later: at a price (stops, triggers) or by and by (TWAP).
OrderKind = Literal["plain", "conditional"]


class Resting(msgspec.Struct, frozen=True, kw_only=True):
    """Name an order that stands at a venue, whoever placed it; `client_order_id` is empty where nobody named it.

    `part` is the part of the account in which it stands, and `type` the venue's word for a conditional one.
    """

    venue: str
    account: str
    market: str
    venue_order_id: str
    client_order_id: str = ""
    kind: OrderKind = "plain"
    part: str = ""
    type: str = ""


class Untold(msgspec.Struct, frozen=True, kw_only=True):
    """Name a part of an account that a venue did not tell. `refused`: it said no, and will say so again."""

    part: str
    why: str
    refused: bool = False


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """Hold what a sweep found: what stood, what was not told, and in words which cancels failed."""

    orders: tuple[Resting, ...] = ()
    untold: tuple[Untold, ...] = ()
    failed: tuple[str, ...] = ()


class PositionLeft(msgspec.Struct, frozen=True, kw_only=True):
    """Tell a position that is not flat: `quantity` is signed, counted in `unit`s."""

    venue: str
    account: str
    market: str
    quantity: Decimal
    unit: Counted
