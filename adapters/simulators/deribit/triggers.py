"""The simulated Deribit's trigger orders: told and cancelled among the others, and ended with their connection. No I/O.

Whichever price one is told to wait for, it waits for the mark. Trailing stops and linked orders are not simulated.
"""

from collections.abc import Mapping

from adapters.simulators.admission import OrderRequest
from adapters.simulators.conditional import Conditional, ConditionalRequest, Way
from adapters.simulators.deribit.market_endpoints import Parameters
from adapters.simulators.deribit.wire import LIFETIMES, MARKET_PRICE, SIDES, number
from adapters.simulators.instruments import Instrument, parse_decimal
from adapters.simulators.ledger import ZERO
from adapters.simulators.refusals import Refusal, Refused
from adapters.simulators.sockets import Json

# The kinds, and what each becomes.
TYPES: Mapping[str, str] = {
    "stop_limit": "limit",
    "stop_market": "market",
    "take_limit": "limit",
    "take_market": "market",
}
SOURCES: Mapping[str, str] = {"index_price": "SLIS", "mark_price": "SLMS", "last_price": "SLTS"}
ALL, LIMIT, TRIGGERS = "all", "limit", "trigger_all"


def kinds(parameters: Parameters) -> tuple[bool, bool]:
    """Say whether a request is about plain orders, and whether about those that wait."""
    asked = parameters.get("type", ALL)
    if asked not in {ALL, LIMIT, TRIGGERS}:
        raise Refused(Refusal.BAD_TYPE, "type")
    return asked in {ALL, LIMIT}, asked in {ALL, TRIGGERS}


def read(order: OrderRequest, parameters: Parameters) -> ConditionalRequest:
    """Return an order that waits for a price."""
    kind = parameters["type"]
    if parameters.get("trigger") not in SOURCES:
        raise Refused(Refusal.MISSING if "trigger" not in parameters else Refusal.MALFORMED, "trigger")
    if "trigger_price" not in parameters:
        raise Refused(Refusal.MISSING, "trigger_price")
    rises = (order.side == "BUY") == kind.startswith("stop")
    way: Way = "rises" if rises else "falls"
    price = parse_decimal(parameters["trigger_price"], "trigger_price")
    return ConditionalRequest(kind=kind, order=order, price=price, way=way)


def row(one: Conditional, instrument: Instrument) -> Json:
    """Return one while it waits, or as it ended."""
    order = one.order
    amount = number(order.quantity)
    name = f"{SOURCES['mark_price']}-{one.conditional_id}"
    return {
        "time_in_force": LIFETIMES[order.time_in_force],
        "reduce_only": order.reduce_only,
        "replaced": False,
        "price": number(order.price) if order.price is not None else MARKET_PRICE,
        "post_only": False,
        "order_type": one.kind,
        "order_state": "untriggered" if one.is_waiting else one.status,
        "order_id": name if instrument.settle == "BTC" else f"{instrument.settle}-{name}",
        "max_show": amount,
        "last_update_timestamp": one.updated_ms,
        "label": one.client_id,
        "is_rebalance": False,
        "is_liquidation": False,
        "instrument_name": order.symbol,
        "filled_amount": number(ZERO),
        "direction": SIDES[order.side],
        "creation_timestamp": one.created_ms,
        "average_price": number(ZERO),
        "api": True,
        "web": False,
        "amount": amount,
        "trigger": "mark_price",
        "trigger_price": number(one.price or ZERO),
        "triggered": one.order_id > 0,
    }
