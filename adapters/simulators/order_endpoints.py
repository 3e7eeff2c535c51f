"""The simulated venue's order endpoints: orders, fills and the wallet's history, from parameters to rows. No I/O."""

from bisect import bisect_left
from collections.abc import Mapping
from itertools import islice
from typing import Any, Protocol

from adapters.simulators import wire
from adapters.simulators.admission import OrderRequest
from adapters.simulators.exchange import Exchange
from adapters.simulators.gate import integer
from adapters.simulators.instruments import VenueError, parse_decimal

Parameters = Mapping[str, str]
LIMIT_DEFAULT = 500
LIMIT_MAX = 1000


class Venue(Protocol):
    """What endpoints work on."""

    exchange: Exchange

    def depth_snapshot(self, symbol: str, limit: int) -> wire.Json:
        """Return a book as REST tells it."""
        ...

    def open_listen_key(self, now_ms: int) -> str:
        """Return the account's listen key, renewed or new."""
        ...

    def renew_listen_key(self, now_ms: int) -> str:
        """Renew the listen key or refuse with -1125."""
        ...

    def close_listen_key(self) -> None:
        """Forget the listen key."""
        ...


def create_order(venue: Venue, parameters: Parameters, now_ms: int) -> Any:
    """Accept an order."""
    for name in ("symbol", "side", "type", "quantity"):
        if not parameters.get(name):
            raise VenueError(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")
    price = parameters.get("price")
    request = OrderRequest(
        symbol=parameters["symbol"],
        side=parameters["side"],
        type=parameters["type"],
        quantity=parse_decimal(parameters["quantity"], "quantity"),
        price=None if price is None else parse_decimal(price, "price"),
        time_in_force=parameters.get("timeInForce"),
        reduce_only=parameters.get("reduceOnly", "false").lower() == "true",
        client_id=parameters.get("newClientOrderId"),
        position_side=parameters.get("positionSide", "BOTH"),
    )
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
        raise VenueError(-1128, "Combination of optional parameters invalid.")
    trades = venue.exchange.ledger.trades
    # Trade ids are consecutive from 1 and times never decrease: start where the asked rows may start.
    begin = max(first or 1, 1) - 1
    start = integer(parameters, "startTime")
    if start is not None:
        begin = bisect_left(trades, start, key=lambda trade: trade.time_ms)
    rows = [
        trade
        for trade in islice(trades, begin, None)
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
