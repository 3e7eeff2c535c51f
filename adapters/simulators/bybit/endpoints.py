"""Which REST endpoints the simulated Bybit has, and who may call them."""

from collections.abc import Callable, Mapping
from typing import Literal

import msgspec

from adapters.simulators.bybit import market_endpoints as market
from adapters.simulators.bybit import order_endpoints as account
from adapters.simulators.bybit.market_endpoints import Desk, Parameters
from adapters.simulators.sockets import Json


class Endpoint(msgspec.Struct, frozen=True):
    """Describe an endpoint."""

    security: Literal["open", "signed"]
    answer: Callable[[Desk, Parameters, int], Json]


NEW_ORDER = "POST /v5/order/create"
CANCEL = "POST /v5/order/cancel"
CANCEL_ALL = "POST /v5/order/cancel-all"
COUNTED = frozenset({NEW_ORDER, CANCEL, CANCEL_ALL})
ENDPOINTS: Mapping[str, Endpoint] = {
    "GET /v5/market/time": Endpoint("open", market.server_time),
    "GET /v5/system/status": Endpoint("open", market.status),
    "GET /v5/market/instruments-info": Endpoint("open", market.instruments_info),
    "GET /v5/market/tickers": Endpoint("open", market.tickers),
    "GET /v5/market/orderbook": Endpoint("open", market.orderbook),
    "GET /v5/market/funding/history": Endpoint("open", market.funding_history),
    "GET /v5/market/risk-limit": Endpoint("open", market.risk_limit),
    NEW_ORDER: Endpoint("signed", account.create_order),
    CANCEL: Endpoint("signed", account.cancel_order),
    CANCEL_ALL: Endpoint("signed", account.cancel_all),
    "GET /v5/order/realtime": Endpoint("signed", account.realtime),
    "GET /v5/spread/order/realtime": Endpoint("signed", account.spreads),
    "POST /v5/spread/order/cancel-all": Endpoint("signed", account.cancel_spreads),
    "GET /v5/order/history": Endpoint("signed", account.history),
    "GET /v5/execution/list": Endpoint("signed", account.executions),
    "GET /v5/position/list": Endpoint("signed", account.positions),
    "POST /v5/position/set-leverage": Endpoint("signed", account.set_leverage),
    "POST /v5/position/switch-mode": Endpoint("signed", account.switch_mode),
    "POST /v5/order/disconnected-cancel-all": Endpoint("signed", account.set_protection),
    "GET /v5/account/query-dcp-info": Endpoint("signed", account.protection_told),
    "GET /v5/account/wallet-balance": Endpoint("signed", account.wallet),
    "GET /v5/account/info": Endpoint("signed", account.account_info),
    "GET /v5/account/fee-rate": Endpoint("signed", account.fee_rate),
    "GET /v5/user/query-api": Endpoint("signed", account.api_key),
}
