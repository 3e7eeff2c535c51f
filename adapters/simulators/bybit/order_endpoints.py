"""The simulated Bybit's private REST endpoints: orders, executions, positions, wallet. No I/O."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from adapters.simulators.admission import OrderRequest
from adapters.simulators.bybit import stops
from adapters.simulators.bybit.errors import BybitError
from adapters.simulators.bybit.executions import Execution
from adapters.simulators.bybit.identities import order_number, order_word
from adapters.simulators.bybit.market_endpoints import Desk, Parameters, category, listed, named, whole
from adapters.simulators.bybit.protection import PRODUCTS, WINDOW_S_MAX, WINDOW_S_MIN
from adapters.simulators.bybit.statement import position_row, wallet_row
from adapters.simulators.bybit.wire import LIFETIMES, execution_row, order_row
from adapters.simulators.conditional import FIRST_ID, Conditional
from adapters.simulators.instruments import parse_decimal, plain
from adapters.simulators.ledger import ZERO, Order, OrderType, TimeInForce
from adapters.simulators.matching import Side
from adapters.simulators.refusals import Refusal, Refused
from adapters.simulators.sockets import Json

CLIENT_ID = re.compile(r"[A-Za-z0-9_-]{1,36}")
ORDERS_PAGE, ORDERS_PAGE_MAX = 20, 50
EXECUTIONS_PAGE, EXECUTIONS_PAGE_MAX = 50, 100
SEVEN_DAYS_MS = 7 * 24 * 3_600_000
# How many closed orders are still told beside the open ones.
CLOSED_KEPT = 500
_SIDES: Mapping[str, Side] = {"Buy": "BUY", "Sell": "SELL"}
_TYPES: Mapping[str, OrderType] = {"Limit": "LIMIT", "Market": "MARKET"}
_TIMES: Mapping[str, TimeInForce] = {"GTC": "GTC", "IOC": "IOC", "FOK": "FOK", LIFETIMES["POST"]: "POST"}

T = TypeVar("T")


def create_order(desk: Desk, parameters: Parameters, now_ms: int) -> Json:
    """Take an order. What became of it is not said."""
    order = read_order(desk, parameters)
    if parameters.get("triggerPrice"):
        return stops.ids(desk.exchange.place_conditional(stops.read(order, parameters), now_ms))
    return _ids(desk.exchange.place(order, now_ms))


def cancel_order(desk: Desk, parameters: Parameters, now_ms: int) -> Json:
    """Cancel an order."""
    instrument = named(desk, parameters)
    word, client_id = parameters.get("orderId"), parameters.get("orderLinkId")
    if not word and not client_id:
        raise Refused(Refusal.MISSING, "orderId or orderLinkId")
    number = order_number(word) if word else None
    if (number or 0) >= FIRST_ID:
        return stops.ids(desk.exchange.cancel_conditional(number, None, now_ms))
    return _ids(desk.exchange.cancel(instrument.symbol, number, client_id, now_ms))


def cancel_all(desk: Desk, parameters: Parameters, now_ms: int) -> Json:
    """Cancel the open orders of a category that are meant, and tell which they were."""
    if category(parameters) in {"linear", "inverse"} and not ({"symbol", "settleCoin", "baseCoin"} & set(parameters)):
        raise Refused(Refusal.MISSING, "symbol or settleCoin or baseCoin")
    asked = stops.kinds(parameters, default=None if category(parameters) != "spot" else stops.PLAIN)
    found = [order for order in _orders(desk, parameters) if order.is_open] if stops.PLAIN in asked else []
    told = [_ids(desk.exchange.cancel(order.symbol, order.order_id, None, now_ms)) for order in reversed(found)]
    waiting = _conditional(desk, parameters) if stops.STOP in asked else []
    ended = [desk.exchange.cancel_conditional(each.conditional_id, None, now_ms) for each in waiting]
    return {"list": [*told, *map(stops.ids, ended)], "success": "1"}


def spreads(_desk: Desk, _parameters: Parameters, _now_ms: int) -> Json:
    """Tell the open orders of spreads: none is listed."""
    return {"list": [], "nextPageCursor": ""}


def cancel_spreads(_desk: Desk, parameters: Parameters, _now_ms: int) -> Json:
    """Cancel the orders of spreads: none is listed."""
    if not parameters.get("symbol") and parameters.get("cancelAll") != "true":
        raise Refused(Refusal.MISSING, "symbol or cancelAll")
    return {"list": [], "success": "1"}


def read_order(desk: Desk, parameters: Parameters) -> OrderRequest:
    """Return the order that a request's words spell; refuse unknown words."""
    symbol = named(desk, parameters).symbol
    side, kind = _SIDES.get(parameters.get("side", "")), _TYPES.get(parameters.get("orderType", ""))
    if side is None:
        raise Refused(Refusal.BAD_SIDE)
    if kind is None:
        raise Refused(Refusal.BAD_TYPE)
    # A market order is always immediate or cancel, whatever is asked for.
    lifetime = "IOC" if kind == "MARKET" else _TIMES.get(parameters.get("timeInForce", "GTC"))
    if lifetime is None:
        raise Refused(Refusal.BAD_TIME_IN_FORCE)
    if parameters.get("positionIdx", "0") != "0":
        raise Refused(Refusal.BAD_POSITION_SIDE)
    client_id = parameters.get("orderLinkId") or None
    if client_id is not None and not CLIENT_ID.fullmatch(client_id):
        raise Refused(Refusal.BAD_CLIENT_ID)
    price = parameters.get("price")
    if kind == "LIMIT" and not price:
        raise Refused(Refusal.MISSING, "price")
    return OrderRequest(
        symbol=symbol,
        side=side,
        type=kind,
        quantity=parse_decimal(parameters.get("qty", ""), "qty"),
        price=parse_decimal(price, "price") if price and kind == "LIMIT" else None,
        time_in_force=lifetime,
        reduce_only=parameters.get("reduceOnly", "false") == "true",
        client_id=client_id,
    )


def realtime(desk: Desk, parameters: Parameters, _now_ms: int) -> Json:
    """Tell open orders and, asked by id or for closed ones, the last five hundred closed ones, newest first.

    Those that wait for a price are among the open ones, and newest.
    """
    if category(parameters) == "linear" and not ({"symbol", "settleCoin", "baseCoin"} & set(parameters)):
        raise Refused(Refusal.MISSING, "symbol or settleCoin")
    by_id = "orderId" in parameters or "orderLinkId" in parameters
    asked = stops.kinds(parameters)
    found = _orders(desk, parameters) if stops.PLAIN in asked else []
    waiting = _conditional(desk, parameters) if stops.STOP in asked and parameters.get("openOnly", "0") == "0" else []
    if not by_id and parameters.get("openOnly", "0") == "0":
        found = [order for order in found if order.is_open]
    elif not by_id:
        found = [order for order in found if not order.is_open][:CLOSED_KEPT]
    return _page(desk, parameters, [*waiting, *found])


def history(desk: Desk, parameters: Parameters, _now_ms: int) -> Json:
    """Tell orders that are over, newest first."""
    return _page(desk, parameters, [order for order in _orders(desk, parameters) if not order.is_open])


def executions(desk: Desk, parameters: Parameters, now_ms: int) -> Json:
    """Tell executions, newest first, of at most seven days."""
    wanted = {each.symbol for each in listed(desk, parameters)}
    start, end = _window(parameters, now_ms)
    kind, link = parameters.get("execType"), parameters.get("orderLinkId")
    number = order_number(parameters["orderId"]) if "orderId" in parameters else None
    orders = desk.exchange.orders
    found = [
        execution
        for execution in reversed(desk.executions.all())
        if execution.symbol in wanted
        and start <= execution.time_ms <= end
        and kind in {None, execution.kind}
        and (number is None or (execution.trade is not None and execution.trade.order_id == number))
        and (link is None or (execution.trade is not None and orders[execution.trade.order_id].client_id == link))
    ]
    limit = min(whole(parameters, "limit") or EXECUTIONS_PAGE, EXECUTIONS_PAGE_MAX)
    rows, cursor = _cut(parameters, found, limit, lambda execution: execution_told(desk, execution))
    return {"category": category(parameters), "list": rows, "nextPageCursor": cursor}


def execution_told(desk: Desk, execution: Execution) -> Json:
    """Return an execution in Bybit's words."""
    exchange = desk.exchange
    order = exchange.orders[execution.trade.order_id] if execution.trade is not None else None
    mark = exchange.marks.get(execution.symbol, ZERO)
    return execution_row(execution, exchange.instruments[execution.symbol], order, mark)


def positions(desk: Desk, parameters: Parameters, now_ms: int) -> Json:
    """Tell positions: a flat one only when its symbol was asked for."""
    coin = parameters.get("settleCoin")
    if category(parameters) == "linear" and not ({"symbol", "settleCoin"} & set(parameters)):
        raise Refused(Refusal.MISSING, "symbol or settleCoin")
    rows: list[Json] = []
    for instrument in listed(desk, parameters):
        position = desk.exchange.ledger.positions[instrument.symbol]
        if coin in {None, instrument.settle} and (position.quantity or "symbol" in parameters):
            rows.append(position_row(desk.exchange, instrument, position, now_ms))
    return {"category": category(parameters), "list": rows, "nextPageCursor": ""}


def set_leverage(desk: Desk, parameters: Parameters, _now_ms: int) -> Json:
    """Set a leverage, the same both ways; refuse the one that is set already."""
    symbol = named(desk, parameters).symbol
    wanted = parse_decimal(parameters.get("buyLeverage", ""), "buyLeverage")
    if parameters.get("sellLeverage") != parameters.get("buyLeverage") or wanted != int(wanted):
        raise Refused(Refusal.BAD_LEVERAGE, plain(wanted))
    if desk.exchange.ledger.leverage[symbol] == wanted:
        raise BybitError(110043, "leverage not modified")
    desk.exchange.set_leverage(symbol, int(wanted))
    return {}


def switch_mode(desk: Desk, parameters: Parameters, _now_ms: int) -> Json:
    """Stay in one-way mode: there is no other."""
    category(parameters)
    if parameters.get("mode") == "0":
        raise BybitError(110025, "Position mode is not modified")
    raise BybitError(110029, f"Hedge mode is not available for {len(desk.exchange.instruments)} symbols")


def set_protection(desk: Desk, parameters: Parameters, _now_ms: int) -> Json:
    """Set how long after the last private connection was lost everything of a product is cancelled."""
    if not desk.protection.allowed:
        raise BybitError(10005, "Permission denied, please check your API key permissions.")
    product = parameters.get("product", "OPTIONS")
    window_s = whole(parameters, "timeWindow") or 0
    if product not in PRODUCTS:
        raise Refused(Refusal.MALFORMED, "product")
    if not WINDOW_S_MIN <= window_s <= WINDOW_S_MAX:
        raise Refused(Refusal.MALFORMED, "timeWindow")
    desk.protection.windows_s[product] = window_s
    return {}


def protection_told(desk: Desk, _parameters: Parameters, _now_ms: int) -> Json:
    """Tell which products are protected; nothing of an account that was never set up for it."""
    windows = desk.protection.windows_s.items()
    return {"dcpInfos": [{"product": name, "dcpStatus": "ON", "timeWindow": str(each)} for name, each in windows]}


def wallet(desk: Desk, parameters: Parameters, _now_ms: int) -> Json:
    """Tell the unified account's coins."""
    if parameters.get("accountType") != "UNIFIED":
        raise Refused(Refusal.MALFORMED, "accountType")
    asked = parameters.get("coin")
    coins = [coin for coin in desk.exchange.ledger.wallets if asked is None or coin in asked.split(",")]
    return {"list": [wallet_row(desk.exchange, desk.world, coins)]}


def account_info(_desk: Desk, _parameters: Parameters, now_ms: int) -> Json:
    """Tell the account's modes."""
    return {
        "unifiedMarginStatus": 6,
        "marginMode": "REGULAR_MARGIN",
        "isMasterTrader": False,
        "spotHedgingStatus": "OFF",
        "updatedTime": str(now_ms),
        "dcpStatus": "OFF",
        "timeWindow": 0,
        "smpGroup": 0,
    }


def api_key(_desk: Desk, _parameters: Parameters, _now_ms: int) -> Json:
    """Tell what the key may do: trade, not withdraw."""
    permissions = {"ContractTrade": ["Order", "Position"], "Spot": [], "Wallet": [], "Derivatives": []}
    return {"readOnly": 0, "permissions": permissions, "unified": 0, "uta": 1, "userID": 1, "isMaster": False}


def fee_rate(desk: Desk, parameters: Parameters, _now_ms: int) -> Json:
    """Tell what the account pays."""
    found = [
        {
            "symbol": each.symbol,
            "baseCoin": "",
            "takerFeeRate": plain(each.taker_rate),
            "makerFeeRate": plain(each.maker_rate),
        }
        for each in listed(desk, parameters)
    ]
    return {"category": category(parameters), "list": found}


def _ids(order: Order) -> Json:
    return {"orderId": order_word(order.order_id), "orderLinkId": order.client_id}


def _orders(desk: Desk, parameters: Parameters) -> list[Order]:
    """Return the orders that are asked for, newest first."""
    wanted = {each.symbol: each.settle for each in listed(desk, parameters)}
    coin = parameters.get("settleCoin")
    orders = desk.exchange.orders
    if "orderId" in parameters:
        one = orders.get(order_number(parameters["orderId"]))
        found = [] if one is None else [one]
    elif "orderLinkId" in parameters:
        found = desk.exchange.orders_named(parameters["orderLinkId"])
    else:
        found = list(orders.values())
    return [
        order for order in reversed(found) if coin in {None, wanted.get(order.symbol, "")} and order.symbol in wanted
    ]


def _conditional(desk: Desk, parameters: Parameters) -> list[Conditional]:
    """Return what waits for a price and is asked for, newest first."""
    wanted = {each.symbol: each.settle for each in listed(desk, parameters)}
    coin, link = parameters.get("settleCoin"), parameters.get("orderLinkId")
    number = order_number(parameters["orderId"]) if "orderId" in parameters else None
    return [
        each
        for each in reversed(desk.exchange.conditionals.waiting())
        if each.order.symbol in wanted
        and coin in {None, wanted[each.order.symbol]}
        and number in {None, each.conditional_id}
        and link in {None, each.client_id}
    ]


def _page(desk: Desk, parameters: Parameters, found: Sequence[Order | Conditional]) -> Json:
    limit = min(whole(parameters, "limit") or ORDERS_PAGE, ORDERS_PAGE_MAX)

    def word(order: Order | Conditional) -> Json:
        if isinstance(order, Conditional):
            return stops.row(order)
        return order_row(order, desk.exchange.instruments[order.symbol], desk.executions.fees(order))

    rows, cursor = _cut(parameters, found, limit, word)
    return {"category": category(parameters), "list": rows, "nextPageCursor": cursor}


def _cut(parameters: Parameters, found: Sequence[T], limit: int, word: Callable[[T], Json]) -> tuple[list[Json], str]:
    """Return one page and where the next one begins, counted from the oldest, so that new rows move nothing."""
    begin = 0
    if parameters.get("cursor"):
        begin = max(0, len(found) - (whole(parameters, "cursor") or 0))
    page = found[begin : begin + limit]
    left = len(found) - begin - len(page)
    return [word(row) for row in page], str(left) if left > 0 else ""


def _window(parameters: Parameters, now_ms: int) -> tuple[int, int]:
    start, end = whole(parameters, "startTime"), whole(parameters, "endTime")
    if start is None and end is None:
        return now_ms - SEVEN_DAYS_MS, now_ms
    if start is None or end is None:
        return (start, start + SEVEN_DAYS_MS) if start is not None else ((end or 0) - SEVEN_DAYS_MS, end or 0)
    if end - start > SEVEN_DAYS_MS:
        raise Refused(Refusal.BAD_COMBINATION, "startTime and endTime are more than 7 days apart:")
    return start, end
