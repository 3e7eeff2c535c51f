"""The simulated futures' Algo Service: orders that wait for a price, and those that work through time. No I/O.

Conditional orders stand here and nowhere else: the endpoints for plain orders neither tell nor cancel them. Whether
`countdownCancelAll` ends them is not documented ("all open orders of the symbol"): it does not here. Trailing stops and
`closePosition` are not simulated, and what became of one is not told on the account's stream.
"""

from collections.abc import Mapping
from typing import Any

from adapters.simulators.admission import OrderRequest
from adapters.simulators.binance.errors import BinanceError
from adapters.simulators.binance.gate import integer
from adapters.simulators.binance.order_endpoints import (
    CLIENT_ID,
    CONDITIONAL,
    SIDES,
    TIMES,
    Endpoint,
    Parameters,
    Venue,
)
from adapters.simulators.binance.wire import Json
from adapters.simulators.conditional import Conditional, ConditionalRequest, Way
from adapters.simulators.instruments import parse_decimal, plain
from adapters.simulators.ledger import ZERO
from adapters.simulators.matching import Side
from adapters.simulators.refusals import Refusal, Refused

TWAP, VP = "TWAP", "VP"
WORKING = frozenset({TWAP, VP})
TWAP_S_MIN, TWAP_S_MAX = 300, 86_400
_STATUSES: Mapping[str, str] = {
    "waiting": "NEW",
    "triggered": "TRIGGERED",
    "refused": "REJECTED",
    "cancelled": "CANCELED",
}
# A stop waits for the market to go the order's way, a profit for it to come back.
_WAYS: Mapping[tuple[bool, Side], Way] = {
    (True, "BUY"): "rises",
    (True, "SELL"): "falls",
    (False, "BUY"): "falls",
    (False, "SELL"): "rises",
}


def create(venue: Venue, parameters: Parameters, now_ms: int) -> Any:
    """Keep a conditional order."""
    venue.exchange.instrument(parameters.get("symbol"))
    if parameters.get("algoType") != "CONDITIONAL":
        raise BinanceError(-1102, "Mandatory parameter 'algotype' was not sent, was empty/null, or malformed.")
    return _row(venue, venue.exchange.place_conditional(_read(parameters), now_ms))


def tell(venue: Venue, parameters: Parameters, _now_ms: int) -> Any:
    """Tell one."""
    return _row(venue, venue.exchange.conditionals.find(*_which(parameters)))


def tell_open(venue: Venue, parameters: Parameters, _now_ms: int) -> Any:
    """Tell those that wait, of a symbol or of all."""
    asked = parameters.get("symbol")
    symbol = venue.exchange.instrument(asked).symbol if asked else None
    return [_row(venue, each) for each in venue.exchange.conditionals.waiting(symbol) if each.kind not in WORKING]


def cancel(venue: Venue, parameters: Parameters, now_ms: int) -> Any:
    """End one."""
    found = venue.exchange.cancel_conditional(*_which(parameters), now_ms)
    return {"algoId": found.conditional_id, "clientAlgoId": found.client_id, "code": "200", "msg": "success"}


def cancel_all(venue: Venue, parameters: Parameters, now_ms: int) -> Any:
    """End those of a symbol: that there is none is no refusal."""
    symbol = venue.exchange.instrument(parameters.get("symbol")).symbol
    for each in venue.exchange.conditionals.waiting(symbol):
        if each.kind not in WORKING:
            venue.exchange.cancel_conditional(each.conditional_id, None, now_ms)
    return {"code": 200, "msg": "The operation of cancel all open order is done."}


def _read(parameters: Parameters) -> ConditionalRequest:
    for name in ("side", "type", "triggerPrice", "quantity"):
        if not parameters.get(name):
            raise Refused(Refusal.MISSING, name)
    kind, side = parameters["type"], SIDES.get(parameters["side"])
    if side is None:
        raise Refused(Refusal.BAD_SIDE)
    if kind not in CONDITIONAL - {"TRAILING_STOP_MARKET"}:
        raise Refused(Refusal.BAD_TYPE)
    at_market = kind.endswith("_MARKET")
    price = parameters.get("price")
    if at_market and price is not None:
        raise Refused(Refusal.NOT_REQUIRED, "price")
    if not at_market and price is None:
        raise Refused(Refusal.MISSING, "price")
    lifetime = TIMES.get(parameters.get("timeInForce", "GTC"))
    if lifetime is None:
        raise Refused(Refusal.BAD_TIME_IN_FORCE)
    client_id = parameters.get("clientAlgoId")
    if client_id is not None and not CLIENT_ID.match(client_id):
        raise Refused(Refusal.BAD_CLIENT_ID)
    order = OrderRequest(
        symbol=parameters["symbol"],
        side=side,
        type="MARKET" if at_market else "LIMIT",
        quantity=parse_decimal(parameters["quantity"], "quantity"),
        price=None if price is None else parse_decimal(price, "price"),
        time_in_force="GTC" if at_market else lifetime,
        reduce_only=parameters.get("reduceOnly", "false").lower() == "true",
        client_id=client_id,
    )
    way = _WAYS[kind.startswith("STOP"), side]
    return ConditionalRequest(
        kind=kind, order=order, price=parse_decimal(parameters["triggerPrice"], "triggerPrice"), way=way
    )


def _which(parameters: Parameters) -> tuple[int | None, str | None]:
    return integer(parameters, "algoId"), parameters.get("clientAlgoId")


def _row(venue: Venue, one: Conditional) -> Json:
    instrument, order = venue.exchange.instruments[one.order.symbol], one.order
    own = {"pair": f"{instrument.base}{instrument.quote}"} if instrument.kind == "inverse" else {}
    return own | {
        "algoId": one.conditional_id,
        "clientAlgoId": one.client_id,
        "algoType": "CONDITIONAL",
        "orderType": one.kind,
        "symbol": order.symbol,
        "side": order.side,
        "positionSide": "BOTH",
        "timeInForce": order.time_in_force,
        "quantity": plain(order.quantity),
        "algoStatus": _STATUSES[one.status],
        "actualOrderId": str(one.order_id or ""),
        "actualPrice": "0.00000",
        "triggerPrice": plain(one.price or ZERO),
        "price": plain(order.price or ZERO),
        "icebergQuantity": None,
        "tpTriggerPrice": "0.000",
        "tpPrice": "0.000",
        "slTriggerPrice": "0.000",
        "slPrice": "0.000",
        "tpOrderType": "",
        "selfTradePreventionMode": "EXPIRE_MAKER",
        "workingType": "MARK_PRICE",
        "priceMatch": "NONE",
        "closePosition": False,
        "priceProtect": False,
        "reduceOnly": order.reduce_only,
        "createTime": one.created_ms,
        "updateTime": one.updated_ms,
        "triggerTime": one.updated_ms if one.order_id else 0,
        "goodTillDate": 0,
    }


# What works through time: `sapi`, for one of its markets. -------------------------------------------------------------


def _work(venue: Venue, parameters: Parameters, now_ms: int) -> Any:
    """Keep a TWAP."""
    symbol = venue.exchange.instrument(parameters.get("symbol")).symbol
    side = SIDES.get(parameters.get("side", ""))
    if side is None:
        raise Refused(Refusal.BAD_SIDE)
    seconds = integer(parameters, "duration")
    if seconds is None:
        raise Refused(Refusal.MISSING, "duration")
    if not TWAP_S_MIN <= seconds <= TWAP_S_MAX:
        raise BinanceError(-20121, "Duration is out of range.")
    quantity = parse_decimal(parameters.get("quantity", ""), "quantity")
    order = OrderRequest(
        symbol=symbol, side=side, type="MARKET", quantity=quantity, client_id=parameters.get("clientAlgoId")
    )
    made = venue.exchange.place_conditional(ConditionalRequest(kind=TWAP, order=order, price=None), now_ms)
    return {"clientAlgoId": made.client_id, "success": True, "code": 0, "msg": "OK"}


def _tell_working(venue: Venue, _parameters: Parameters, _now_ms: int) -> Any:
    found = [_working_row(each) for each in venue.exchange.conditionals.waiting() if each.kind in WORKING]
    return {"total": len(found), "orders": found}


def _cancel_working(venue: Venue, parameters: Parameters, now_ms: int) -> Any:
    algo_id = integer(parameters, "algoId")
    if algo_id is None:
        raise Refused(Refusal.MISSING, "algoId")
    try:
        found = venue.exchange.cancel_conditional(algo_id, None, now_ms)
    except Refused:
        raise BinanceError(-20124, "Invalid algo id or it has been completed.") from None
    return {"algoId": found.conditional_id, "success": True, "code": 0, "msg": "OK"}


def _working_row(one: Conditional) -> Json:
    return {
        "algoId": one.conditional_id,
        "symbol": one.order.symbol,
        "side": one.order.side,
        "positionSide": "BOTH",
        "totalQty": plain(one.order.quantity),
        "executedQty": "0",
        "executedAmt": "0",
        "avgPrice": "0",
        "clientAlgoId": one.client_id,
        "bookTime": one.created_ms,
        "endTime": 0,
        "algoStatus": "WORKING",
        "algoType": one.kind,
        "urgency": "",
    }


def worked(market: str) -> Mapping[str, Endpoint]:
    """Return the endpoints of what works through time in one of the venue's markets: `futures` or `spot`."""
    root = f"/sapi/v1/algo/{market}"
    return {
        f"POST {root}/newOrderTwap": Endpoint("signed", 1, _work),
        f"GET {root}/openOrders": Endpoint("signed", 1, _tell_working),
        f"DELETE {root}/order": Endpoint("signed", 1, _cancel_working),
    }


WORKED = worked("futures")
