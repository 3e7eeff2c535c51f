"""What a sweep of a whole account tells: every order that stands there, and every position, whatever the market.

A sweep knows no listings, so that it needs nothing but a key: markets go by the venue's own names, and sizes are as the
venue counts them.
"""

from decimal import Decimal
from typing import Literal

import msgspec

Counted = Literal["base", "quote", "contracts"]


class Resting(msgspec.Struct, frozen=True, kw_only=True):
    """Name an order that stands at a venue, whoever placed it; `client_order_id` is empty where nobody named it."""

    venue: str
    account: str
    market: str
    venue_order_id: str
    client_order_id: str = ""


class PositionLeft(msgspec.Struct, frozen=True, kw_only=True):
    """Tell a position that is not flat: `quantity` is signed, counted in `unit`s."""

    venue: str
    account: str
    market: str
    quantity: Decimal
    unit: Counted
