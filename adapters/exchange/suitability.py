"""Whether an account, its markets and an order are fit to be traded: asked before money moves."""

import re
import time
from collections.abc import Awaitable, Callable
from decimal import Context, Decimal, InvalidOperation

from adapters.exchange.failures import VenueUnsuitable
from domain.venue import InstrumentReport, Rejected, VenueOrder

CLOCK_SAMPLES = 3
# What a venue's numbers are divided in, whatever precision this thread has otherwise.
DIGITS_MAX = 28
_EXACT = Context(prec=DIGITS_MAX, traps=[InvalidOperation])


async def check_clock(time_ms: Callable[[], Awaitable[int]], skew_ms_max: int) -> None:
    """Refuse to trade with a clock that the venue would refuse: a request's validity counts in the venue's time."""
    skews: list[int] = []
    for _ in range(CLOCK_SAMPLES):
        asked_ms = time.time_ns() // 1_000_000
        told_ms = await time_ms()
        answered_ms = time.time_ns() // 1_000_000
        skews.append(abs(told_ms - (asked_ms + answered_ms) // 2))
    if min(skews) > skew_ms_max:
        raise VenueUnsuitable(f"this machine's clock is {min(skews)} ms off the venue's")


def check_order(order: VenueOrder, listed: InstrumentReport, client_order_id: re.Pattern[str]) -> None:
    """Refuse what ccxt would round or the venue would misread."""
    if not client_order_id.fullmatch(order.client_order_id):
        raise Rejected("malformed", f"client order id {order.client_order_id!r}")
    if order.limit_price is None and order.time_in_force != "ioc":
        raise Rejected("malformed", "a market order takes only ioc")
    if order.reduce_only and listed.kind == "spot":
        raise Rejected("reduce_only", "there is no position to reduce on spot")
    if not _is_multiple(order.quantity, listed.step):
        raise Rejected("size_or_price_step", f"quantity {order.quantity} is not a multiple of {listed.step}")
    price = order.limit_price
    if price is not None and not _is_multiple(price, listed.tick):
        raise Rejected("size_or_price_step", f"price {price} is not a multiple of {listed.tick}")


def _is_multiple(value: Decimal, step: Decimal) -> bool:
    if not value.is_finite() or value <= 0:
        return False
    try:
        return not _EXACT.remainder(value, step)
    except InvalidOperation:  # more digits than any venue takes
        return False
