"""The simulated venue's REST endpoints: parameters in, rows out. No I/O."""

from collections.abc import Mapping
from typing import Any

from adapters.simulators.binance import algo_endpoints, wire
from adapters.simulators.binance.errors import BinanceError
from adapters.simulators.binance.gate import integer
from adapters.simulators.binance.order_endpoints import (
    Endpoint,
    Parameters,
    Venue,
    all_orders,
    all_orders_coinm,
    cancel_all_orders,
    cancel_order,
    count_down,
    create_order,
    get_order,
    income,
    open_orders,
    rows_wanted,
    user_trades,
)
from adapters.simulators.binance.statement import (
    account_row,
    coinm_account_row,
    coinm_position_rows,
    position_rows,
)
from adapters.simulators.instruments import EIGHT_HOURS_MS, plain
from adapters.simulators.interest import open_interest

HOUR_MS = 3_600_000
TOP_TIER_END = 1_000_000_000


def ping(_venue: Venue, _parameters: Parameters, _now_ms: int) -> Any:
    """Be there."""
    return {}


def time(_venue: Venue, _parameters: Parameters, now_ms: int) -> Any:
    """Tell the time."""
    return {"serverTime": now_ms}


def _exchange_info(venue: Venue, _parameters: Parameters, now_ms: int) -> Any:
    instruments = venue.exchange.instruments.values()
    return {
        "timezone": "UTC",
        "serverTime": now_ms,
        "rateLimits": [],
        "assets": [
            {"asset": asset, "marginAvailable": True} for asset in sorted({each.settle for each in instruments})
        ],
        "symbols": [wire.symbol_row(each) for each in instruments],
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


def _premium_row(venue: Venue, symbol: str, now_ms: int) -> wire.Json:
    instrument = venue.exchange.instruments[symbol]
    mark = plain(venue.exchange.mark(symbol))
    own = {"pair": wire.pair(instrument)} if instrument.kind == "inverse" else {}
    return own | {
        "symbol": symbol,
        "markPrice": mark,
        "indexPrice": mark,
        "estimatedSettlePrice": mark,
        "lastFundingRate": plain(instrument.funding_rate),
        "interestRate": "0.0001",
        "nextFundingTime": instrument.next_funding_ms(now_ms),
        "time": now_ms,
    }


def _open_interest(venue: Venue, parameters: Parameters, now_ms: int) -> Any:
    instrument = venue.exchange.instrument(parameters.get("symbol"))
    own = {"pair": wire.pair(instrument), "contractType": "PERPETUAL"} if instrument.kind == "inverse" else {}
    told = plain(open_interest(venue.exchange, instrument))
    return own | {"symbol": instrument.symbol, "openInterest": told, "time": now_ms}


def _premium_index(venue: Venue, parameters: Parameters, now_ms: int) -> Any:
    asked = parameters.get("symbol")
    if asked:
        return _premium_row(venue, venue.exchange.instrument(asked).symbol, now_ms)
    return [_premium_row(venue, symbol, now_ms) for symbol in venue.exchange.marks]


def _premium_index_coinm(venue: Venue, parameters: Parameters, now_ms: int) -> Any:
    """Answer with rows, even for one symbol: that is COIN-M's way."""
    found = _premium_index(venue, parameters, now_ms)
    return found if isinstance(found, list) else [found]


def _funding_info(venue: Venue, _parameters: Parameters, _now_ms: int) -> Any:
    """Tell only what does not pay by eight hours."""
    return [
        {
            "symbol": each.symbol,
            "adjustedFundingRateCap": "0.02",
            "adjustedFundingRateFloor": "-0.02",
            "fundingIntervalHours": each.funding_interval_ms // HOUR_MS,
            "disclaimer": False,
        }
        for each in venue.exchange.instruments.values()
        if each.funding_interval_ms != EIGHT_HOURS_MS
    ]


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


def _account_coinm(venue: Venue, _parameters: Parameters, now_ms: int) -> Any:
    return coinm_account_row(venue.exchange, now_ms)


def _position_risk(venue: Venue, parameters: Parameters, now_ms: int) -> Any:
    asked = parameters.get("symbol")
    symbol = venue.exchange.instrument(asked).symbol if asked else None
    return position_rows(venue.exchange, symbol, now_ms)


def _position_risk_coinm(venue: Venue, _parameters: Parameters, now_ms: int) -> Any:
    return coinm_position_rows(venue.exchange, now_ms)


def _leverage_bracket(venue: Venue, parameters: Parameters, _now_ms: int) -> Any:
    """Tell the margin tiers: in quote money on USD-M, in the base asset on COIN-M."""
    asked = parameters.get("symbol")
    rows: list[wire.Json] = []
    for instrument in venue.exchange.instruments.values():
        unit = "qty" if instrument.kind == "inverse" else "notional"
        tiers = instrument.tiers()
        ends = [*(tier.floor for tier in tiers[1:]), TOP_TIER_END]
        brackets = [
            {
                "bracket": number,
                "initialLeverage": tier.leverage_max,
                f"{unit}Cap": int(end),
                f"{unit}Floor": int(tier.floor),
                "maintMarginRatio": float(tier.rate),
                "cum": float(tier.deducted),
            }
            for number, (tier, end) in enumerate(zip(tiers, ends, strict=True), 1)
        ]
        if asked in {None, instrument.symbol}:
            rows.append({"symbol": instrument.symbol, "brackets": brackets})
    return rows


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
    bound = "maxQty" if venue.exchange.instruments[symbol].kind == "inverse" else "maxNotionalValue"
    return {"leverage": venue.exchange.ledger.leverage[symbol], bound: "1000000000", "symbol": symbol}


def _open_listen_key(venue: Venue, _parameters: Parameters, now_ms: int) -> Any:
    return {"listenKey": venue.sockets.open_listen_key(now_ms)}


def _renew_listen_key(venue: Venue, _parameters: Parameters, now_ms: int) -> Any:
    return {"listenKey": venue.sockets.renew_listen_key(now_ms)}


def _close_listen_key(venue: Venue, _parameters: Parameters, _now_ms: int) -> Any:
    venue.sockets.close_listen_key()
    return {}


_COMMON: Mapping[str, Endpoint] = {
    "GET v1/ping": Endpoint("open", 1, ping),
    "GET v1/time": Endpoint("open", 1, time),
    "GET v1/exchangeInfo": Endpoint("open", 1, _exchange_info),
    "GET v1/depth": Endpoint("open", 20, _depth),
    "GET v1/fundingRate": Endpoint("open", 1, _funding_rate),
    "GET v1/fundingInfo": Endpoint("open", 0, _funding_info),
    "POST v1/order": Endpoint("signed", 0, create_order),
    "GET v1/order": Endpoint("signed", 1, get_order),
    "DELETE v1/order": Endpoint("signed", 1, cancel_order),
    "POST v1/algoOrder": Endpoint("signed", 1, algo_endpoints.create),
    "GET v1/algoOrder": Endpoint("signed", 1, algo_endpoints.tell),
    "DELETE v1/algoOrder": Endpoint("signed", 1, algo_endpoints.cancel),
    "GET v1/openAlgoOrders": Endpoint("signed", 40, algo_endpoints.tell_open),
    "DELETE v1/algoOpenOrders": Endpoint("signed", 1, algo_endpoints.cancel_all),
    "POST v1/countdownCancelAll": Endpoint("signed", 10, count_down),
    "DELETE v1/allOpenOrders": Endpoint("signed", 1, cancel_all_orders),
    "GET v1/openOrders": Endpoint("signed", 1, open_orders),
    "GET v1/userTrades": Endpoint("signed", 5, user_trades),
    "GET v1/income": Endpoint("signed", 30, income),
    "GET v1/commissionRate": Endpoint("signed", 20, _commission_rate),
    "GET v1/openInterest": Endpoint("open", 1, _open_interest),
    "GET v1/positionSide/dual": Endpoint("signed", 30, _position_mode),
    "POST v1/leverage": Endpoint("signed", 1, _leverage),
    "POST v1/listenKey": Endpoint("key", 1, _open_listen_key),
    "PUT v1/listenKey": Endpoint("key", 1, _renew_listen_key),
    "DELETE v1/listenKey": Endpoint("key", 1, _close_listen_key),
}
_USDM: Mapping[str, Endpoint] = {
    "GET v1/premiumIndex": Endpoint("open", 1, _premium_index),
    "GET v1/allOrders": Endpoint("signed", 5, all_orders),
    "GET v3/account": Endpoint("signed", 5, _account),
    "GET v3/positionRisk": Endpoint("signed", 5, _position_risk),
    "GET v1/leverageBracket": Endpoint("signed", 1, _leverage_bracket),
    "GET v1/symbolConfig": Endpoint("signed", 5, _symbol_config),
    "GET v1/accountConfig": Endpoint("signed", 5, _account_config),
}
_COINM: Mapping[str, Endpoint] = {
    "GET v1/premiumIndex": Endpoint("open", 10, _premium_index_coinm),
    "GET v1/allOrders": Endpoint("signed", 20, all_orders_coinm),
    "GET v1/account": Endpoint("signed", 5, _account_coinm),
    "GET v1/positionRisk": Endpoint("signed", 1, _position_risk_coinm),
    "GET v2/leverageBracket": Endpoint("signed", 1, _leverage_bracket),
}


def _under(prefix: str, *tables: Mapping[str, Endpoint]) -> Mapping[str, Endpoint]:
    named: dict[str, Endpoint] = {}
    for table in tables:
        for name, endpoint in table.items():
            method, _, path = name.partition(" ")
            named[f"{method} /{prefix}/{path}"] = endpoint
    return named


USDM_ENDPOINTS: Mapping[str, Endpoint] = {**_under("fapi", _COMMON, _USDM), **algo_endpoints.WORKED}
COINM_ENDPOINTS: Mapping[str, Endpoint] = _under("dapi", _COMMON, _COINM)
