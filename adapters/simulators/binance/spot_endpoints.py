"""The simulated Binance spot's REST endpoints: parameters in, rows out. No I/O."""

from collections.abc import Mapping
from typing import Any

from adapters.simulators.admission import OrderRequest
from adapters.simulators.binance import algo_endpoints, spot_stops, spot_wire, wire
from adapters.simulators.binance.endpoints import ping, time
from adapters.simulators.binance.errors import BinanceError
from adapters.simulators.binance.gate import integer
from adapters.simulators.binance.order_endpoints import (
    SIDES,
    Endpoint,
    Parameters,
    Venue,
    check_client_id,
    orders_since,
    rows_wanted,
    trades_since,
    which_order,
)
from adapters.simulators.conditional import FIRST_ID
from adapters.simulators.instruments import parse_decimal, plain
from adapters.simulators.ledger import ZERO, TimeInForce
from adapters.simulators.refusals import Refusal, Refused

DAY_MS = 24 * 3_600_000
DEPTH_MAX = 5_000
_TIMES: Mapping[str, TimeInForce] = {"GTC": "GTC", "IOC": "IOC", "FOK": "FOK"}


def read_order(parameters: Parameters) -> OrderRequest:
    """Return the order that a request's words spell; refuse unknown words and forbidden combinations."""
    _check_names(parameters)
    kind, lasts, price = parameters["type"], parameters.get("timeInForce"), parameters.get("price")
    side = SIDES.get(parameters["side"])
    if side is None:
        raise Refused(Refusal.BAD_SIDE)
    if kind not in {"LIMIT", "MARKET", "LIMIT_MAKER"}:
        raise Refused(Refusal.BAD_TYPE)
    if kind == "LIMIT" and lasts is None:
        raise Refused(Refusal.MISSING, "timeInForce")
    if kind != "LIMIT" and lasts is not None:
        raise Refused(Refusal.NOT_REQUIRED, "timeInForce")
    if kind == "MARKET" and price is not None:
        raise Refused(Refusal.NOT_REQUIRED, "price")
    lifetime = _TIMES.get(lasts or "GTC")
    if lifetime is None:
        raise Refused(Refusal.BAD_TIME_IN_FORCE)
    return OrderRequest(
        symbol=parameters["symbol"],
        side=side,
        type="MARKET" if kind == "MARKET" else "LIMIT",
        quantity=parse_decimal(parameters["quantity"], "quantity"),
        price=None if price is None else parse_decimal(price, "price"),
        time_in_force="POST" if kind == "LIMIT_MAKER" else lifetime,
        client_id=check_client_id(parameters),
    )


def _check_names(parameters: Parameters) -> None:
    for name in ("symbol", "side", "type", "quantity"):
        if not parameters.get(name):
            raise Refused(Refusal.MISSING, name)
    unread = {"reduceOnly", "positionSide"} & set(parameters)
    if unread:
        sent = len(parameters)
        text = f"Not all sent parameters were read; read '{sent - len(unread)}' parameter(s) but was sent '{sent}'."
        raise BinanceError(-1104, text)


def _create_order(venue: Venue, parameters: Parameters, now_ms: int) -> Any:
    """Accept an order; a limit or market order is answered in full unless something else is asked for."""
    venue.exchange.instrument(parameters.get("symbol"))
    if parameters.get("type") in spot_stops.TYPES:
        return spot_stops.create(venue, parameters, now_ms)
    request = read_order(parameters)
    known = len(venue.exchange.ledger.trades)
    order = venue.exchange.place(request, now_ms)
    instrument = venue.exchange.instruments[order.symbol]
    wanted = parameters.get("newOrderRespType", "ACK" if request.time_in_force == "POST" else "FULL")
    if wanted == "ACK":
        return spot_wire.acknowledged_row(order)
    fills = [trade for trade in venue.exchange.ledger.trades[known:] if trade.order_id == order.order_id]
    return spot_wire.made_row(order, instrument, fills if wanted == "FULL" else None)


def _get_order(venue: Venue, parameters: Parameters, _now_ms: int) -> Any:
    order = venue.exchange.order(*which_order(parameters))
    return spot_wire.order_row(order, venue.exchange.instruments[order.symbol])


def _cancel_order(venue: Venue, parameters: Parameters, now_ms: int) -> Any:
    if (integer(parameters, "orderId") or 0) >= FIRST_ID:
        found = venue.exchange.cancel_conditional(integer(parameters, "orderId"), None, now_ms)
        return spot_stops.cancelled_row(found)
    order = venue.exchange.cancel(*which_order(parameters), now_ms)
    return spot_wire.cancelled_row(order, venue.exchange.instruments[order.symbol], cancel_id(order.order_id))


def _cancel_all(venue: Venue, parameters: Parameters, now_ms: int) -> Any:
    """Cancel every open order of a symbol; here, unlike on the futures, that there is none is refused."""
    symbol = venue.exchange.instrument(parameters.get("symbol")).symbol
    stops = spot_stops.cancel_all(venue, symbol, now_ms)
    found = venue.exchange.cancel_all(now_ms, symbol)
    if not found and not stops:
        raise Refused(Refusal.CANCEL_UNKNOWN)
    listed = venue.exchange.instruments
    return stops + [spot_wire.cancelled_row(order, listed[order.symbol], cancel_id(order.order_id)) for order in found]


def _open_orders(venue: Venue, parameters: Parameters, _now_ms: int) -> Any:
    asked = parameters.get("symbol")
    symbol = venue.exchange.instrument(asked).symbol if asked else None
    found = venue.exchange.open_orders(symbol)
    rows = [spot_wire.order_row(order, venue.exchange.instruments[order.symbol]) for order in found]
    return rows + [spot_stops.row(each) for each in spot_stops.waiting(venue, symbol)]


def _all_orders(venue: Venue, parameters: Parameters, _now_ms: int) -> Any:
    found = orders_since(venue, parameters)
    return [spot_wire.order_row(order, venue.exchange.instruments[order.symbol]) for order in found]


def _my_trades(venue: Venue, parameters: Parameters, _now_ms: int) -> Any:
    """Tell fills, oldest first; at most a day at once."""
    start, end = integer(parameters, "startTime"), integer(parameters, "endTime")
    if start is not None and end is not None and not 0 <= end - start <= DAY_MS:
        raise BinanceError(-1127, "More than 24 hours between startTime and endTime.")
    return [spot_wire.trade_row(trade) for trade in trades_since(venue, parameters)]


def _exchange_info(venue: Venue, parameters: Parameters, now_ms: int) -> Any:
    asked = parameters.get("symbol")
    instruments = [venue.exchange.instrument(asked)] if asked else list(venue.exchange.instruments.values())
    return {
        "timezone": "UTC",
        "serverTime": now_ms,
        "rateLimits": [],
        "exchangeFilters": [],
        "symbols": [spot_wire.symbol_row(each) for each in instruments],
    }


def _depth(venue: Venue, parameters: Parameters, _now_ms: int) -> Any:
    """Tell a book; spot says no time of it."""
    instrument = venue.exchange.instrument(parameters.get("symbol"))
    limit = min(rows_wanted({"limit": "100"} | dict(parameters)), DEPTH_MAX)
    book = venue.snapshot(instrument.symbol, limit)
    return {"lastUpdateId": book.last_id, "bids": wire.rows(book.bids), "asks": wire.rows(book.asks)}


def account_row(venue: Venue, now_ms: int) -> wire.Json:
    """Return the account: every asset, free and locked."""
    locked = venue.exchange.locked()
    rates = next(iter(venue.exchange.instruments.values()))
    wallets = venue.exchange.ledger.wallets
    return {
        "makerCommission": 10,
        "takerCommission": 10,
        "commissionRates": {"maker": plain(rates.maker_rate), "taker": plain(rates.taker_rate)},
        "canTrade": True,
        "canWithdraw": True,
        "canDeposit": True,
        "updateTime": now_ms,
        "accountType": "SPOT",
        "balances": [
            {"asset": asset, "free": plain(wallet - locked.get(asset, ZERO)), "locked": plain(locked.get(asset, ZERO))}
            for asset, wallet in wallets.items()
        ],
        "permissions": ["SPOT"],
    }


def _account(venue: Venue, _parameters: Parameters, now_ms: int) -> Any:
    return account_row(venue, now_ms)


def _trade_fee(venue: Venue, parameters: Parameters, _now_ms: int) -> Any:
    asked = parameters.get("symbol")
    instruments = [venue.exchange.instrument(asked)] if asked else list(venue.exchange.instruments.values())
    return [
        {
            "symbol": each.symbol,
            "makerCommission": plain(each.maker_rate),
            "takerCommission": plain(each.taker_rate),
        }
        for each in instruments
    ]


def cancel_id(order_id: int) -> str:
    """Return the client id that the venue gives a cancel."""
    return f"cancel_{order_id}"


SPOT_ENDPOINTS: Mapping[str, Endpoint] = {
    "GET /api/v3/ping": Endpoint("open", 1, ping),
    "GET /api/v3/time": Endpoint("open", 1, time),
    "GET /api/v3/exchangeInfo": Endpoint("open", 20, _exchange_info),
    "GET /api/v3/depth": Endpoint("open", 50, _depth),
    "POST /api/v3/order": Endpoint("signed", 1, _create_order),
    "GET /api/v3/order": Endpoint("signed", 4, _get_order),
    "DELETE /api/v3/order": Endpoint("signed", 1, _cancel_order),
    "DELETE /api/v3/openOrders": Endpoint("signed", 1, _cancel_all),
    "GET /api/v3/openOrders": Endpoint("signed", 6, _open_orders),
    "GET /api/v3/allOrders": Endpoint("signed", 20, _all_orders),
    "GET /api/v3/myTrades": Endpoint("signed", 20, _my_trades),
    "GET /api/v3/account": Endpoint("signed", 20, _account),
    "GET /sapi/v1/asset/tradeFee": Endpoint("signed", 1, _trade_fee),
    **algo_endpoints.worked("spot"),
}
