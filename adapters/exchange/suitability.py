"""Whether an account, its markets and an order are fit to be traded: asked before money moves."""

import re
import time
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from adapters.exchange import parse
from adapters.exchange.asking import asked
from adapters.exchange.client import Ccxt
from domain.venue import InstrumentReport, Rejected, VenueOrder

CLIENT_ORDER_ID = re.compile(r"^[.A-Z:/a-z0-9_-]{1,36}$")
CLOCK_SAMPLES = 3


class VenueUnsuitable(Exception):
    """Say why this account must not be traded as it is set up."""


def listings(markets: Mapping[str, Any], symbols: Sequence[str], venue: str) -> dict[str, InstrumentReport]:
    """Return the listings of these symbols; refuse those that are not plain linear perpetuals under that very name."""
    found: dict[str, InstrumentReport] = {}
    for symbol in symbols:
        market = markets.get(symbol)
        if market is None or symbol != market["symbol"]:
            raise VenueUnsuitable(f"{symbol} is not listed at {venue} under that very name")
        size = Decimal(str(market["contractSize"]))
        if market["type"] != "swap" or market["linear"] is not True or size != 1:
            raise VenueUnsuitable(f"{symbol} is not a linear perpetual of contract size 1")
        found[symbol] = parse.instrument(market, venue)
    return found


async def check_position_mode(client: Ccxt) -> None:
    """Refuse an account in hedge mode: its positions would be two."""
    mode = await asked(client.fapiPrivateGetPositionSideDual())
    if not isinstance(mode, dict) or mode.get("dualSidePosition") is not False:
        raise VenueUnsuitable(f"the account must be in one-way position mode, and says {mode!r}")


async def check_clock(client: Ccxt, skew_ms_max: int) -> None:
    """Refuse to trade with a clock that the venue would refuse: its recvWindow counts in its own time."""
    skews: list[int] = []
    for _ in range(CLOCK_SAMPLES):
        asked_ms = time.time_ns() // 1_000_000
        answer = await asked(client.fetch_time())
        answered_ms = time.time_ns() // 1_000_000
        if answer is None:
            raise VenueUnsuitable("the venue does not tell its time")
        skews.append(abs(int(answer) - (asked_ms + answered_ms) // 2))
    if min(skews) > skew_ms_max:
        raise VenueUnsuitable(f"this machine's clock is {min(skews)} ms off the venue's")


def check_order(order: VenueOrder, listed: InstrumentReport) -> None:
    """Refuse what ccxt would round or the venue would misread."""
    if not CLIENT_ORDER_ID.match(order.client_order_id):
        raise Rejected("malformed", f"client order id {order.client_order_id!r}")
    if order.limit_price is None and order.time_in_force != "ioc":
        raise Rejected("malformed", "a market order takes only ioc")
    if not _is_multiple(order.quantity, listed.step):
        raise Rejected("size_or_price_step", f"quantity {order.quantity} is not a multiple of {listed.step}")
    price = order.limit_price
    if price is not None and not _is_multiple(price, listed.tick):
        raise Rejected("size_or_price_step", f"price {price} is not a multiple of {listed.tick}")


def _is_multiple(value: Decimal, step: Decimal) -> bool:
    if not value.is_finite() or value <= 0:
        return False
    try:
        return not value % step
    except InvalidOperation:  # more digits than any venue takes
        return False
