"""The simulated venue's REST endpoints: parameters in, rows out. No I/O."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import msgspec

from adapters.simulators.binance import wire
from adapters.simulators.binance.errors import BinanceError
from adapters.simulators.binance.gate import integer
from adapters.simulators.binance.order_endpoints import (
    Parameters,
    Venue,
    all_orders,
    cancel_order,
    create_order,
    get_order,
    income,
    open_orders,
    rows_wanted,
    user_trades,
)
from adapters.simulators.binance.statement import account_row, position_rows
from adapters.simulators.instruments import plain

Security = Literal["open", "key", "signed"]


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
    limit = rows_wanted(parameters)
    if limit not in {5, 10, 20, 50, 100, 500, 1000}:
        raise BinanceError(-4021, f"{limit} is not valid depth limit.")
    book = venue.snapshot(instrument.symbol, limit)
    return {
        "lastUpdateId": book.last_id,
        "E": book.time_ms,
        "T": book.time_ms,
        "bids": wire.rows(book.bids),
        "asks": wire.rows(book.asks),
    }


def _premium_index(venue: Venue, parameters: Parameters, now_ms: int) -> Any:
    asked = parameters.get("symbol")
    symbols = [venue.exchange.instrument(asked).symbol] if asked else list(venue.exchange.marks)
    rows = [
        {
            "symbol": symbol,
            "markPrice": plain(venue.exchange.mark(symbol)),
            "indexPrice": plain(venue.exchange.mark(symbol)),
            "estimatedSettlePrice": plain(venue.exchange.mark(symbol)),
            "lastFundingRate": plain(venue.exchange.instruments[symbol].funding_rate),
            "interestRate": "0.0001",
            "nextFundingTime": venue.exchange.instruments[symbol].next_funding_ms(now_ms),
            "time": now_ms,
        }
        for symbol in symbols
    ]
    return rows[0] if asked else rows


def _funding_rate(venue: Venue, parameters: Parameters, now_ms: int) -> Any:
    instrument = venue.exchange.instrument(parameters.get("symbol"))
    interval = instrument.funding_interval_ms
    last = now_ms - now_ms % interval
    times = [last - i * interval for i in range(min(rows_wanted(parameters), 100))]
    start = integer(parameters, "startTime") or 0
    end = integer(parameters, "endTime") or now_ms
    return [
        {
            "symbol": instrument.symbol,
            "fundingTime": at,
            "fundingRate": plain(instrument.funding_rate),
            "markPrice": "",
        }
        for at in sorted(times)
        if start <= at <= end
    ]


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


_TABLE: Sequence[tuple[str, Endpoint]] = (
    ("GET /fapi/v1/ping", Endpoint("open", 1, _ping)),
    ("GET /fapi/v1/time", Endpoint("open", 1, _time)),
    ("GET /fapi/v1/exchangeInfo", Endpoint("open", 1, _exchange_info)),
    ("GET /fapi/v1/depth", Endpoint("open", 20, _depth)),
    ("GET /fapi/v1/premiumIndex", Endpoint("open", 1, _premium_index)),
    ("GET /fapi/v1/fundingRate", Endpoint("open", 1, _funding_rate)),
    ("POST /fapi/v1/order", Endpoint("signed", 0, create_order)),
    ("GET /fapi/v1/order", Endpoint("signed", 1, get_order)),
    ("DELETE /fapi/v1/order", Endpoint("signed", 1, cancel_order)),
    ("GET /fapi/v1/openOrders", Endpoint("signed", 1, open_orders)),
    ("GET /fapi/v1/allOrders", Endpoint("signed", 5, all_orders)),
    ("GET /fapi/v1/userTrades", Endpoint("signed", 5, user_trades)),
    ("GET /fapi/v1/income", Endpoint("signed", 30, income)),
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
