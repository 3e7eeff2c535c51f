"""The simulated venue's order endpoints: orders, fills and the wallet's history, from parameters to rows. No I/O."""

import re
from collections.abc import Mapping
from itertools import islice
from typing import Any, Protocol

from adapters.simulators.admission import OrderRequest
from adapters.simulators.binance import wire
from adapters.simulators.binance.gate import integer
from adapters.simulators.changes import Snapshot
from adapters.simulators.exchange import Exchange
from adapters.simulators.instruments import parse_decimal
from adapters.simulators.ledger import OrderType, TimeInForce
from adapters.simulators.matching import Side
from adapters.simulators.refusals import Refusal, Refused

Parameters = Mapping[str, str]
LIMIT_DEFAULT = 500
LIMIT_MAX = 1000
CLIENT_ID = re.compile(r"^[.A-Z:/a-z0-9_-]{1,36}$")
_SIDES: Mapping[str, Side] = {"BUY": "BUY", "SELL": "SELL"}
_TYPES: Mapping[str, OrderType] = {"LIMIT": "LIMIT", "MARKET": "MARKET"}
_TIMES: Mapping[str, TimeInForce] = {"GTC": "GTC", "IOC": "IOC", "FOK": "FOK", "GTX": "POST"}


class Venue(Protocol):
    """What endpoints work on."""

    exchange: Exchange

    def snapshot(self, symbol: str, limit: int) -> Snapshot:
        """Return a book."""
        ...

    def open_listen_key(self, now_ms: int) -> str:
        """Return the account's listen key, renewed or new."""
        ...

    def renew_listen_key(self, now_ms: int) -> str:
        """Renew the listen key or refuse."""
        ...

    def close_listen_key(self) -> None:
        """Forget the listen key."""
        ...


def read_order(parameters: Parameters) -> OrderRequest:
    """Return the order that a request's words spell; refuse unknown words and what their combinations forbid."""
    for name in ("symbol", "side", "type", "quantity"):
        if not parameters.get(name):
            raise Refused(Refusal.MISSING, name)
    side, kind = _SIDES.get(parameters["side"]), _TYPES.get(parameters["type"])
    if side is None:
        raise Refused(Refusal.BAD_SIDE)
    if kind is None:
        raise Refused(Refusal.BAD_TYPE)
    lasts, price = parameters.get("timeInForce"), parameters.get("price")
    if kind == "LIMIT" and lasts is None:
        raise Refused(Refusal.MISSING, "timeInForce")
    if kind == "MARKET" and (lasts is not None or price is not None):
        raise Refused(Refusal.NOT_REQUIRED, "timeInForce")
    lifetime = _TIMES.get(lasts or "GTC")
    if lifetime is None:
        raise Refused(Refusal.BAD_TIME_IN_FORCE)
    if parameters.get("positionSide", "BOTH") != "BOTH":
        raise Refused(Refusal.BAD_POSITION_SIDE)
    client_id = parameters.get("newClientOrderId")
    if client_id is not None and not CLIENT_ID.match(client_id):
        raise Refused(Refusal.BAD_CLIENT_ID)
    return OrderRequest(
        symbol=parameters["symbol"],
        side=side,
        type=kind,
        quantity=parse_decimal(parameters["quantity"], "quantity"),
        price=None if price is None else parse_decimal(price, "price"),
        time_in_force=lifetime,
        reduce_only=parameters.get("reduceOnly", "false").lower() == "true",
        client_id=client_id,
    )


def create_order(venue: Venue, parameters: Parameters, now_ms: int) -> Any:
    """Accept an order."""
    venue.exchange.instrument(parameters.get("symbol"))
    request = read_order(parameters)
    order = venue.exchange.place(request, now_ms)
    row = wire.order_row(order, venue.exchange.instruments[order.symbol])
    if parameters.get("newOrderRespType", "ACK") == "ACK":
        row |= {"status": "NEW", "executedQty": "0", "cumQty": "0", "cumQuote": "0", "avgPrice": "0"}
    return row


def _which(parameters: Parameters) -> tuple[str, int | None, str | None]:
    return parameters.get("symbol", ""), integer(parameters, "orderId"), parameters.get("origClientOrderId")


def get_order(venue: Venue, parameters: Parameters, _now_ms: int) -> Any:
    """Tell an order."""
    order = venue.exchange.order(*_which(parameters))
    return wire.order_row(order, venue.exchange.instruments[order.symbol])


def cancel_order(venue: Venue, parameters: Parameters, now_ms: int) -> Any:
    """Cancel an order."""
    order = venue.exchange.cancel(*_which(parameters), now_ms)
    return wire.order_row(order, venue.exchange.instruments[order.symbol])


def open_orders(venue: Venue, parameters: Parameters, _now_ms: int) -> Any:
    """Tell open orders."""
    asked = parameters.get("symbol")
    symbol = venue.exchange.instrument(asked).symbol if asked else None
    orders = venue.exchange.open_orders(symbol)
    return [wire.order_row(order, venue.exchange.instruments[order.symbol]) for order in orders]


def all_orders(venue: Venue, parameters: Parameters, _now_ms: int) -> Any:
    """Tell orders, oldest first."""
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
    return [wire.order_row(order, instrument) for order in (rows[:limit] if first is not None else rows[-limit:])]


def user_trades(venue: Venue, parameters: Parameters, _now_ms: int) -> Any:
    """Tell fills, oldest first."""
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
    from_start = first is not None or "startTime" in parameters
    return [wire.trade_row(trade) for trade in (rows[:limit] if from_start else rows[-limit:])]


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
