"""The simulated spot's stop orders: they stand among the others, not working, and go with them. No I/O.

At the true venue the order that a stop becomes keeps its id; here it is given one of its own. Order lists (OCO, OTO)
and trailing deltas are not simulated.
"""

from collections.abc import Mapping
from typing import Any

from adapters.simulators.admission import OrderRequest
from adapters.simulators.binance.algo_endpoints import WORKING
from adapters.simulators.binance.order_endpoints import SIDES, TIMES, Parameters, Venue, check_client_id
from adapters.simulators.binance.wire import Json
from adapters.simulators.conditional import Conditional, ConditionalRequest, Way
from adapters.simulators.instruments import parse_decimal, plain
from adapters.simulators.ledger import ZERO
from adapters.simulators.matching import Side
from adapters.simulators.refusals import Refusal, Refused

TYPES = frozenset({"STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT"})
_WAYS: Mapping[tuple[bool, Side], Way] = {
    (True, "BUY"): "rises",
    (True, "SELL"): "falls",
    (False, "BUY"): "falls",
    (False, "SELL"): "rises",
}


def create(venue: Venue, parameters: Parameters, now_ms: int) -> Any:
    """Keep a stop order."""
    for name in ("side", "quantity", "stopPrice"):
        if not parameters.get(name):
            raise Refused(Refusal.MISSING, name)
    kind, side, price = parameters["type"], SIDES.get(parameters["side"]), parameters.get("price")
    if side is None:
        raise Refused(Refusal.BAD_SIDE)
    limited = kind.endswith("_LIMIT")
    if limited and (price is None or "timeInForce" not in parameters):
        raise Refused(Refusal.MISSING, "price" if price is None else "timeInForce")
    lifetime = TIMES.get(parameters.get("timeInForce", "GTC"))
    if lifetime is None or lifetime == "POST":
        raise Refused(Refusal.BAD_TIME_IN_FORCE)
    order = OrderRequest(
        symbol=parameters["symbol"],
        side=side,
        type="LIMIT" if limited else "MARKET",
        quantity=parse_decimal(parameters["quantity"], "quantity"),
        price=parse_decimal(price, "price") if limited and price is not None else None,
        time_in_force=lifetime if limited else "GTC",
        client_id=check_client_id(parameters),
    )
    stop = parse_decimal(parameters["stopPrice"], "stopPrice")
    way = _WAYS[kind.startswith("STOP"), side]
    made = venue.exchange.place_conditional(ConditionalRequest(kind=kind, order=order, price=stop, way=way), now_ms)
    return {
        "symbol": order.symbol,
        "orderId": made.conditional_id,
        "orderListId": -1,
        "clientOrderId": made.client_id,
        "transactTime": now_ms,
    }


def waiting(venue: Venue, symbol: str | None) -> list[Conditional]:
    """Return the stops that wait; what works through time stands elsewhere."""
    return [each for each in venue.exchange.conditionals.waiting(symbol) if each.kind not in WORKING]


def cancel_all(venue: Venue, symbol: str, now_ms: int) -> list[Json]:
    """End a symbol's stops, and tell them."""
    ended = [venue.exchange.cancel_conditional(each.conditional_id, None, now_ms) for each in waiting(venue, symbol)]
    return [cancelled_row(each) for each in ended]


def row(one: Conditional) -> Json:
    """Return a stop as openOrders tells it."""
    return {
        "symbol": one.order.symbol,
        "orderId": one.conditional_id,
        "orderListId": -1,
        "clientOrderId": one.client_id,
        "price": plain(one.order.price or ZERO),
        "origQty": plain(one.order.quantity),
        "executedQty": "0",
        "cummulativeQuoteQty": "0",
        "status": "NEW",
        "timeInForce": one.order.time_in_force,
        "type": one.kind,
        "side": one.order.side,
        "stopPrice": plain(one.price or ZERO),
        "icebergQty": "0",
        "time": one.created_ms,
        "updateTime": one.updated_ms,
        "isWorking": False,
        "workingTime": -1,
        "origQuoteOrderQty": "0",
        "selfTradePreventionMode": "EXPIRE_MAKER",
    }


def cancelled_row(one: Conditional) -> Json:
    """Return a stop as a cancel tells it."""
    told = {"origClientOrderId": one.client_id, "clientOrderId": f"cancel_{one.conditional_id}", "status": "CANCELED"}
    return row(one) | told
