"""The simulated venue's REST endpoints: parameters in, rows out. No I/O."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Protocol

import msgspec

from adapters.simulators import wire
from adapters.simulators.admission import OrderRequest
from adapters.simulators.exchange import FUNDING_INTERVAL_MS, FUNDING_RATE, Exchange
from adapters.simulators.gate import integer
from adapters.simulators.instruments import VenueError, parse_decimal, plain
from adapters.simulators.statement import account_row, position_rows

Parameters = Mapping[str, str]
Security = Literal["open", "key", "signed"]
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


class Endpoint(msgspec.Struct, frozen=True):
    """Describe an endpoint: who may call it, what it weighs, what it does."""

    security: Security
    weight: int
    answer: Callable[[Venue, Parameters, int], Any]


def _ping(_venue: Venue, _parameters: Parameters, _now_ms: int) -> Any:
    return {}


def _time(_venue: Venue, _parameters: Parameters, now_ms: int) -> Any:
    return {"serverTime": now_ms}


def _exchange_info(venue: Venue, _parameters: Parameters, now_ms: int) -> Any:
    rows = [wire.symbol_row(instrument) for instrument in venue.exchange.instruments.values()]
    assets = sorted({instrument.quote for instrument in venue.exchange.instruments.values()})
    return {
        "timezone": "UTC",
        "serverTime": now_ms,
        "rateLimits": [],
        "assets": [{"asset": asset, "marginAvailable": True} for asset in assets],
        "symbols": rows,
    }


def _depth(venue: Venue, parameters: Parameters, _now_ms: int) -> Any:
    instrument = venue.exchange.instrument(parameters.get("symbol"))
    limit = _limit(parameters)
    if limit not in {5, 10, 20, 50, 100, 500, 1000}:
        raise VenueError(-4021, f"{limit} is not valid depth limit.")
    return venue.depth_snapshot(instrument.symbol, limit)


def _premium_index(venue: Venue, parameters: Parameters, now_ms: int) -> Any:
    asked = parameters.get("symbol")
    symbols = [venue.exchange.instrument(asked).symbol] if asked else list(venue.exchange.marks)
    rows = [
        {
            "symbol": symbol,
            "markPrice": plain(venue.exchange.mark(symbol)),
            "indexPrice": plain(venue.exchange.mark(symbol)),
            "estimatedSettlePrice": plain(venue.exchange.mark(symbol)),
            "lastFundingRate": plain(FUNDING_RATE),
            "interestRate": "0.0001",
            "nextFundingTime": now_ms - now_ms % FUNDING_INTERVAL_MS + FUNDING_INTERVAL_MS,
            "time": now_ms,
        }
        for symbol in symbols
    ]
    return rows[0] if asked else rows


def _funding_rate(venue: Venue, parameters: Parameters, now_ms: int) -> Any:
    symbol = venue.exchange.instrument(parameters.get("symbol")).symbol
    last = now_ms - now_ms % FUNDING_INTERVAL_MS
    times = [last - i * FUNDING_INTERVAL_MS for i in range(min(_limit(parameters), 100))]
    start = integer(parameters, "startTime") or 0
    end = integer(parameters, "endTime") or now_ms
    return [
        {"symbol": symbol, "fundingTime": at, "fundingRate": plain(FUNDING_RATE), "markPrice": ""}
        for at in sorted(times)
        if start <= at <= end
    ]


def _create_order(venue: Venue, parameters: Parameters, now_ms: int) -> Any:
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


def _get_order(venue: Venue, parameters: Parameters, _now_ms: int) -> Any:
    order = venue.exchange.order(*_which(parameters))
    return wire.order_row(order, venue.exchange.instruments[order.symbol])


def _cancel_order(venue: Venue, parameters: Parameters, now_ms: int) -> Any:
    order = venue.exchange.cancel(*_which(parameters), now_ms)
    return wire.order_row(order, venue.exchange.instruments[order.symbol])


def _open_orders(venue: Venue, parameters: Parameters, _now_ms: int) -> Any:
    asked = parameters.get("symbol")
    symbol = venue.exchange.instrument(asked).symbol if asked else None
    orders = venue.exchange.open_orders(symbol)
    return [wire.order_row(order, venue.exchange.instruments[order.symbol]) for order in orders]


def _all_orders(venue: Venue, parameters: Parameters, _now_ms: int) -> Any:
    instrument = venue.exchange.instrument(parameters.get("symbol"))
    first = integer(parameters, "orderId")
    rows = [
        order
        for order in venue.exchange.orders.values()
        if order.symbol == instrument.symbol
        and order.order_id >= (first or 0)
        and _within(parameters, order.created_ms)
    ]
    limit = _limit(parameters)
    return [wire.order_row(order, instrument) for order in (rows[:limit] if first is not None else rows[-limit:])]


def _user_trades(venue: Venue, parameters: Parameters, _now_ms: int) -> Any:
    instrument = venue.exchange.instrument(parameters.get("symbol"))
    first, order_id = integer(parameters, "fromId"), integer(parameters, "orderId")
    if first is not None and ("startTime" in parameters or "endTime" in parameters):
        raise VenueError(-1128, "Combination of optional parameters invalid.")
    rows = [
        trade
        for trade in venue.exchange.ledger.trades
        if trade.symbol == instrument.symbol
        and trade.trade_id >= (first or 0)
        and (order_id is None or trade.order_id == order_id)
        and _within(parameters, trade.time_ms)
    ]
    limit = _limit(parameters)
    from_start = first is not None or "startTime" in parameters
    return [wire.trade_row(trade) for trade in (rows[:limit] if from_start else rows[-limit:])]


def _income(venue: Venue, parameters: Parameters, _now_ms: int) -> Any:
    rows = [
        row
        for row in venue.exchange.ledger.income
        if parameters.get("symbol") in {None, row.symbol}
        and parameters.get("incomeType") in {None, row.kind}
        and _within(parameters, row.time_ms)
    ]
    limit = _limit(parameters)
    return [wire.income_row(row) for row in (rows[:limit] if "startTime" in parameters else rows[-limit:])]


def _account(venue: Venue, _parameters: Parameters, now_ms: int) -> Any:
    return account_row(venue.exchange, now_ms)


def _position_risk(venue: Venue, parameters: Parameters, now_ms: int) -> Any:
    asked = parameters.get("symbol")
    symbol = venue.exchange.instrument(asked).symbol if asked else None
    return position_rows(venue.exchange, symbol, now_ms)


def _leverage_bracket(venue: Venue, _parameters: Parameters, _now_ms: int) -> Any:
    return [
        {
            "symbol": instrument.symbol,
            "brackets": [
                {
                    "bracket": 1,
                    "initialLeverage": instrument.leverage_max,
                    "notionalCap": 1_000_000_000,
                    "notionalFloor": 0,
                    "maintMarginRatio": float(instrument.maintenance_rate),
                    "cum": 0,
                }
            ],
        }
        for instrument in venue.exchange.instruments.values()
    ]


def _commission_rate(venue: Venue, parameters: Parameters, _now_ms: int) -> Any:
    instrument = venue.exchange.instrument(parameters.get("symbol"))
    return {
        "symbol": instrument.symbol,
        "makerCommissionRate": plain(instrument.maker_rate),
        "takerCommissionRate": plain(instrument.taker_rate),
    }


def _symbol_config(venue: Venue, parameters: Parameters, _now_ms: int) -> Any:
    asked = parameters.get("symbol")
    symbols = [venue.exchange.instrument(asked).symbol] if asked else list(venue.exchange.instruments)
    return [
        {
            "symbol": symbol,
            "marginType": "CROSSED",
            "isAutoAddMargin": False,
            "leverage": venue.exchange.ledger.leverage[symbol],
            "maxNotionalValue": "1000000000",
        }
        for symbol in symbols
    ]


def _account_config(_venue: Venue, _parameters: Parameters, _now_ms: int) -> Any:
    return {"feeTier": 0, "canTrade": True, "dualSidePosition": False, "multiAssetsMargin": False, "tradeGroupId": -1}


def _position_mode(_venue: Venue, _parameters: Parameters, _now_ms: int) -> Any:
    return {"dualSidePosition": False}


def _leverage(venue: Venue, parameters: Parameters, _now_ms: int) -> Any:
    symbol = venue.exchange.instrument(parameters.get("symbol")).symbol
    venue.exchange.set_leverage(symbol, integer(parameters, "leverage") or 0)
    return {"leverage": venue.exchange.ledger.leverage[symbol], "maxNotionalValue": "1000000000", "symbol": symbol}


def _open_listen_key(venue: Venue, _parameters: Parameters, now_ms: int) -> Any:
    return {"listenKey": venue.open_listen_key(now_ms)}


def _renew_listen_key(venue: Venue, _parameters: Parameters, now_ms: int) -> Any:
    return {"listenKey": venue.renew_listen_key(now_ms)}


def _close_listen_key(venue: Venue, _parameters: Parameters, _now_ms: int) -> Any:
    venue.close_listen_key()
    return {}


def _limit(parameters: Parameters) -> int:
    limit = integer(parameters, "limit")
    return min(LIMIT_MAX, LIMIT_DEFAULT if limit is None else max(1, limit))


def _within(parameters: Parameters, at_ms: int) -> bool:
    start, end = integer(parameters, "startTime"), integer(parameters, "endTime")
    return (start is None or at_ms >= start) and (end is None or at_ms <= end)


_TABLE: Sequence[tuple[str, Endpoint]] = (
    ("GET /fapi/v1/ping", Endpoint("open", 1, _ping)),
    ("GET /fapi/v1/time", Endpoint("open", 1, _time)),
    ("GET /fapi/v1/exchangeInfo", Endpoint("open", 1, _exchange_info)),
    ("GET /fapi/v1/depth", Endpoint("open", 20, _depth)),
    ("GET /fapi/v1/premiumIndex", Endpoint("open", 1, _premium_index)),
    ("GET /fapi/v1/fundingRate", Endpoint("open", 1, _funding_rate)),
    ("POST /fapi/v1/order", Endpoint("signed", 0, _create_order)),
    ("GET /fapi/v1/order", Endpoint("signed", 1, _get_order)),
    ("DELETE /fapi/v1/order", Endpoint("signed", 1, _cancel_order)),
    ("GET /fapi/v1/openOrders", Endpoint("signed", 1, _open_orders)),
    ("GET /fapi/v1/allOrders", Endpoint("signed", 5, _all_orders)),
    ("GET /fapi/v1/userTrades", Endpoint("signed", 5, _user_trades)),
    ("GET /fapi/v1/income", Endpoint("signed", 30, _income)),
    ("GET /fapi/v3/account", Endpoint("signed", 5, _account)),
    ("GET /fapi/v3/positionRisk", Endpoint("signed", 5, _position_risk)),
    ("GET /fapi/v1/leverageBracket", Endpoint("signed", 1, _leverage_bracket)),
    ("GET /fapi/v1/commissionRate", Endpoint("signed", 20, _commission_rate)),
    ("GET /fapi/v1/symbolConfig", Endpoint("signed", 5, _symbol_config)),
    ("GET /fapi/v1/accountConfig", Endpoint("signed", 5, _account_config)),
    ("GET /fapi/v1/positionSide/dual", Endpoint("signed", 30, _position_mode)),
    ("POST /fapi/v1/leverage", Endpoint("signed", 1, _leverage)),
    ("POST /fapi/v1/listenKey", Endpoint("key", 1, _open_listen_key)),
    ("PUT /fapi/v1/listenKey", Endpoint("key", 1, _renew_listen_key)),
    ("DELETE /fapi/v1/listenKey", Endpoint("key", 1, _close_listen_key)),
)
ENDPOINTS: Mapping[str, Endpoint] = dict(_TABLE)
NEW_ORDER = "POST /fapi/v1/order"
