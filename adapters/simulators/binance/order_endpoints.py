"""The simulated venue's order endpoints: orders, fills and the wallet's history, from parameters to rows. No I/O."""

import re
from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any, Literal, Protocol

import msgspec

from adapters.simulators.admission import OrderRequest
from adapters.simulators.binance import wire
from adapters.simulators.binance.errors import BinanceError
from adapters.simulators.binance.gate import integer
from adapters.simulators.binance.streams import Streams
from adapters.simulators.changes import Snapshot
from adapters.simulators.exchange import Exchange
from adapters.simulators.instruments import parse_decimal
from adapters.simulators.ledger import Order, OrderType, TimeInForce, Trade
from adapters.simulators.matching import Side
from adapters.simulators.refusals import Refusal, Refused

Parameters = Mapping[str, str]
Security = Literal["open", "key", "signed"]
LIMIT_DEFAULT = 500
LIMIT_MAX = 1000
COINM_ORDERS_MAX = 100
COINM_ORDERS_DEFAULT = 50
WEEK_MS = 7 * 24 * 3_600_000
CLIENT_ID = re.compile(r"^[.A-Z:/a-z0-9_-]{1,36}$")
# Types that only the Algo Service takes: on USD-M since 2025-12-09, on COIN-M since 2026-06-30.
CONDITIONAL = frozenset({"STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET"})
SWITCHED = (-4120, "Order type not supported for this endpoint. Please use the Algo Order API endpoints instead.")
SIDES: Mapping[str, Side] = {"BUY": "BUY", "SELL": "SELL"}
_TYPES: Mapping[str, OrderType] = {"LIMIT": "LIMIT", "MARKET": "MARKET"}
TIMES: Mapping[str, TimeInForce] = {"GTC": "GTC", "IOC": "IOC", "FOK": "FOK", "GTX": "POST"}


class Venue(Protocol):
    """What endpoints work on."""

    exchange: Exchange
    sockets: Streams

    def snapshot(self, symbol: str, limit: int) -> Snapshot:
        """Return a book."""
        ...

    def count_down(self, name: str, for_ms: int) -> None:
        """Cancel a symbol's orders when nobody asks again within this time; 0 stops it."""
        ...


class Endpoint(msgspec.Struct, frozen=True):
    """Describe an endpoint: who may call it, what it weighs, what it does."""

    security: Security
    weight: int
    answer: Callable[[Venue, Parameters, int], Any]


def read_order(parameters: Parameters) -> OrderRequest:
    """Return the order that a request's words spell; refuse unknown words and what their combinations forbid."""
    for name in ("symbol", "side", "type", "quantity"):
        if not parameters.get(name):
            raise Refused(Refusal.MISSING, name)
    side, kind = SIDES.get(parameters["side"]), _TYPES.get(parameters["type"])
    if parameters["type"] in CONDITIONAL:
        raise BinanceError(*SWITCHED)
    if side is None:
        raise Refused(Refusal.BAD_SIDE)
    if kind is None:
        raise Refused(Refusal.BAD_TYPE)
    lasts, price = parameters.get("timeInForce"), parameters.get("price")
    if kind == "LIMIT" and lasts is None:
        raise Refused(Refusal.MISSING, "timeInForce")
    if kind == "MARKET" and (lasts is not None or price is not None):
        raise Refused(Refusal.NOT_REQUIRED, "timeInForce")
    lifetime = TIMES.get(lasts or "GTC")
    if lifetime is None:
        raise Refused(Refusal.BAD_TIME_IN_FORCE)
    if parameters.get("positionSide", "BOTH") != "BOTH":
        raise Refused(Refusal.BAD_POSITION_SIDE)
    return OrderRequest(
        symbol=parameters["symbol"],
        side=side,
        type=kind,
        quantity=parse_decimal(parameters["quantity"], "quantity"),
        price=None if price is None else parse_decimal(price, "price"),
        time_in_force=lifetime,
        reduce_only=parameters.get("reduceOnly", "false").lower() == "true",
        client_id=check_client_id(parameters),
    )


def check_client_id(parameters: Parameters) -> str | None:
    """Return the client's own id of a new order, if it gave one, or refuse it."""
    client_id = parameters.get("newClientOrderId")
    if client_id is not None and not CLIENT_ID.match(client_id):
        raise Refused(Refusal.BAD_CLIENT_ID)
    return client_id


def create_order(venue: Venue, parameters: Parameters, now_ms: int) -> Any:
    """Accept an order."""
    venue.exchange.instrument(parameters.get("symbol"))
    request = read_order(parameters)
    order = venue.exchange.place(request, now_ms)
    row = wire.order_row(order, venue.exchange.instruments[order.symbol])
    if parameters.get("newOrderRespType", "ACK") == "ACK":
        row |= {"status": "NEW", "executedQty": "0", "cumQty": "0", "avgPrice": "0"}
        row |= {name: "0" for name in ("cumQuote", "cumBase") if name in row}
    return row


def which_order(parameters: Parameters) -> tuple[str, int | None, str | None]:
    """Return what a request names an order by."""
    return parameters.get("symbol", ""), integer(parameters, "orderId"), parameters.get("origClientOrderId")


def get_order(venue: Venue, parameters: Parameters, _now_ms: int) -> Any:
    """Tell an order."""
    order = venue.exchange.order(*which_order(parameters))
    return wire.order_row(order, venue.exchange.instruments[order.symbol])


def cancel_order(venue: Venue, parameters: Parameters, now_ms: int) -> Any:
    """Cancel an order."""
    order = venue.exchange.cancel(*which_order(parameters), now_ms)
    return wire.order_row(order, venue.exchange.instruments[order.symbol])


def cancel_all_orders(venue: Venue, parameters: Parameters, now_ms: int) -> Any:
    """Cancel every open order of a symbol: that there is none is no refusal."""
    venue.exchange.cancel_all(now_ms, venue.exchange.instrument(parameters.get("symbol")).symbol)
    return {"code": 200, "msg": "The operation of cancel all open order is done."}


def count_down(venue: Venue, parameters: Parameters, _now_ms: int) -> Any:
    """Cancel a symbol's orders after a countdown, unless it is asked for again; 0 stops it."""
    symbol = venue.exchange.instrument(parameters.get("symbol")).symbol
    for_ms = integer(parameters, "countdownTime")
    if for_ms is None:
        raise Refused(Refusal.MISSING, "countdownTime")
    venue.count_down(symbol, for_ms)
    return {"symbol": symbol, "countdownTime": str(for_ms)}


def open_orders(venue: Venue, parameters: Parameters, _now_ms: int) -> Any:
    """Tell open orders."""
    asked = parameters.get("symbol")
    symbol = venue.exchange.instrument(asked).symbol if asked else None
    orders = venue.exchange.open_orders(symbol)
    return [wire.order_row(order, venue.exchange.instruments[order.symbol]) for order in orders]


def orders_since(venue: Venue, parameters: Parameters) -> list[Order]:
    """Return a symbol's orders, oldest first, from an order id or a time on, or the newest."""
    instrument = venue.exchange.instrument(parameters.get("symbol"))
    first = integer(parameters, "orderId")
    orders = venue.exchange.orders
    # Ids are consecutive from 1, so that the rest of a long history need not be looked at.
    rows = [
        orders[order_id]
        for order_id in range(max(first or 1, 1), len(orders) + 1)
        if orders[order_id].symbol == instrument.symbol and _within(parameters, orders[order_id].created_ms)
    ]
    limit = rows_wanted(parameters)
    return rows[:limit] if first is not None else rows[-limit:]


def all_orders(venue: Venue, parameters: Parameters, _now_ms: int) -> Any:
    """Tell orders, oldest first."""
    return [
        wire.order_row(order, venue.exchange.instruments[order.symbol]) for order in orders_since(venue, parameters)
    ]


def all_orders_coinm(venue: Venue, parameters: Parameters, now_ms: int) -> Any:
    """Tell orders, oldest first: COIN-M tells a hundred at most."""
    if (integer(parameters, "limit") or 0) > COINM_ORDERS_MAX:
        raise BinanceError(-1130, "Data sent for parameter 'limit' is not valid.")
    return all_orders(venue, {"limit": str(COINM_ORDERS_DEFAULT)} | dict(parameters), now_ms)


def trades_since(venue: Venue, parameters: Parameters) -> list[Trade]:
    """Return a symbol's fills, oldest first, from a trade id or a time on, or the newest."""
    instrument = venue.exchange.instrument(parameters.get("symbol"))
    first, order_id = integer(parameters, "fromId"), integer(parameters, "orderId")
    if first is not None and ("startTime" in parameters or "endTime" in parameters):
        raise Refused(Refusal.BAD_COMBINATION)
    ledger = venue.exchange.ledger
    # Trade ids are consecutive from 1: start where the asked rows may start.
    start = integer(parameters, "startTime")
    candidates = islice(ledger.trades, max(first or 1, 1) - 1, None) if start is None else ledger.trades_from(start)
    rows = [
        trade
        for trade in candidates
        if trade.symbol == instrument.symbol
        and (order_id is None or trade.order_id == order_id)
        and _within(parameters, trade.time_ms)
    ]
    limit = rows_wanted(parameters)
    return rows[:limit] if first is not None or start is not None else rows[-limit:]


def user_trades(venue: Venue, parameters: Parameters, _now_ms: int) -> Any:
    """Tell fills, oldest first; at most a week at once."""
    start, end = integer(parameters, "startTime"), integer(parameters, "endTime")
    if start is not None and end is not None and not 0 <= end - start <= WEEK_MS:
        raise BinanceError(-4165, "Invalid time interval: at most 7 days.")
    return [
        wire.trade_row(trade, venue.exchange.instruments[trade.symbol]) for trade in trades_since(venue, parameters)
    ]


def income(venue: Venue, parameters: Parameters, _now_ms: int) -> Any:
    """Tell changes of the wallet, oldest first."""
    rows = [
        row
        for row in venue.exchange.ledger.income
        if parameters.get("symbol") in {None, row.symbol}
        and parameters.get("incomeType") in {None, row.kind}
        and _within(parameters, row.time_ms)
    ]
    limit = rows_wanted(parameters)
    return [wire.income_row(row) for row in (rows[:limit] if "startTime" in parameters else rows[-limit:])]


def rows_wanted(parameters: Parameters) -> int:
    """Return how many rows are wanted, within the bounds."""
    limit = integer(parameters, "limit")
    return min(LIMIT_MAX, LIMIT_DEFAULT if limit is None else max(1, limit))


def _within(parameters: Parameters, at_ms: int) -> bool:
    start, end = integer(parameters, "startTime"), integer(parameters, "endTime")
    return (start is None or at_ms >= start) and (end is None or at_ms <= end)
