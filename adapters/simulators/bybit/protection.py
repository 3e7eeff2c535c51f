"""Bybit's protection against lost connections (DCP): which products, how long, and the topics that take part.

Only a private connection that subscribed to a product's topic counts; once the last one is gone, the window begins, and
a new one that subscribes ends it. An account must have been set up for it by the venue: what one that was not is told
is not documented, and taken to be a lack of permission here.
"""

import msgspec


class Product(msgspec.Struct, frozen=True):
    """Name a product for REST and its topic for sockets."""

    product: str
    topic: str


DERIVATIVES = Product("DERIVATIVES", "dcp.future")
_OTHERS = (Product("SPOT", "dcp.spot"), Product("OPTIONS", "dcp.option"))
PRODUCTS = frozenset(each.product for each in (DERIVATIVES, *_OTHERS))
GUARDS = frozenset(each.topic for each in (DERIVATIVES, *_OTHERS))
WINDOW_S_MIN, WINDOW_S_MAX = 3, 300


class Protection(msgspec.Struct):
    """Hold how an account is protected: each product's window in seconds."""

    allowed: bool = True
    windows_s: dict[str, int] = msgspec.field(default_factory=dict[str, int])
