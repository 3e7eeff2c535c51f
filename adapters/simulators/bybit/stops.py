"""The simulated Bybit's conditional orders: told and cancelled beside the plain ones, by `orderFilter` apart. No I/O.

At the true venue the order that one becomes keeps its id; here it is given one of its own. Profits and stops that hang
on a position are not simulated. Whether the protection against lost connections ends conditional orders is not
documented ("all active orders"): it does not here.
"""

from collections.abc import Mapping

from adapters.simulators.admission import OrderRequest
from adapters.simulators.bybit.identities import order_word
from adapters.simulators.bybit.market_endpoints import Parameters
from adapters.simulators.bybit.wire import LIFETIMES, SIDES
from adapters.simulators.conditional import Conditional, ConditionalRequest, Way
from adapters.simulators.instruments import parse_decimal, plain
from adapters.simulators.ledger import ZERO
from adapters.simulators.refusals import Refusal, Refused
from adapters.simulators.sockets import Json

PLAIN, STOP = "Order", "StopOrder"
FILTERS = frozenset({PLAIN, STOP, "tpslOrder", "OcoOrder", "BidirectionalTpslOrder"})
_WAYS: Mapping[str, Way] = {"1": "rises", "2": "falls"}
_DIRECTIONS: Mapping[Way, int] = {"rises": 1, "falls": 2}


def kinds(parameters: Parameters, default: str | None = None) -> frozenset[str]:
    """Return the kinds that a request is about: one that it names, or all of them."""
    asked = parameters.get("orderFilter", default)
    if asked is None:
        return FILTERS
    if asked not in FILTERS:
        raise Refused(Refusal.MALFORMED, "orderFilter")
    return frozenset({asked})


def read(order: OrderRequest, parameters: Parameters) -> ConditionalRequest:
    """Return an order that waits for a price, and which way that is."""
    way = _WAYS.get(parameters.get("triggerDirection", ""))
    if way is None:
        raise Refused(Refusal.MALFORMED, "triggerDirection")
    price = parse_decimal(parameters.get("triggerPrice", ""), "triggerPrice")
    return ConditionalRequest(kind="Stop", order=order, price=price, way=way)


def ids(one: Conditional) -> Json:
    """Return what a request about one is answered with."""
    return {"orderId": order_word(one.conditional_id), "orderLinkId": one.client_id}


def row(one: Conditional) -> Json:
    """Return one as `order/realtime` tells it while it waits."""
    order = one.order
    return {
        **ids(one),
        "symbol": order.symbol,
        "blockTradeId": "",
        "side": SIDES[order.side],
        "positionIdx": 0,
        "orderStatus": "Untriggered",
        "cancelType": "UNKNOWN",
        "rejectReason": "EC_NoError",
        "timeInForce": LIFETIMES[order.time_in_force],
        "isLeverage": "",
        "price": plain(order.price or ZERO),
        "qty": plain(order.quantity),
        "avgPrice": "",
        "leavesQty": plain(order.quantity),
        "leavesValue": "0",
        "cumExecQty": "0",
        "cumExecValue": "0",
        "cumExecFee": "0",
        "cumFeeDetail": {},
        "orderType": "Limit" if order.type == "LIMIT" else "Market",
        "stopOrderType": one.kind,
        "orderIv": "",
        "triggerPrice": plain(one.price or ZERO),
        "takeProfit": "",
        "stopLoss": "",
        "tpslMode": "",
        "triggerBy": "MarkPrice",
        "triggerDirection": _DIRECTIONS[one.way],
        "reduceOnly": order.reduce_only,
        "closeOnTrigger": False,
        "createType": "CreateByUser",
        "smpType": "None",
        "createdTime": str(one.created_ms),
        "updatedTime": str(one.updated_ms),
    }
