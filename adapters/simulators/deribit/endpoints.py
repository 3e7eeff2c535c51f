"""Which methods the simulated Deribit has. Every one is a GET; those under `private` are signed."""

from collections.abc import Callable, Mapping
from typing import Any

from adapters.simulators.deribit import market_endpoints as market
from adapters.simulators.deribit import order_endpoints as account
from adapters.simulators.deribit.market_endpoints import Desk, Parameters

Method = Callable[[Desk, Parameters, int], Any]

PUBLIC: Mapping[str, Method] = {
    "public/get_time": market.get_time,
    "public/test": market.test,
    "public/status": market.status,
    "public/get_currencies": market.get_currencies,
    "public/get_instruments": market.get_instruments,
    "public/get_instrument": market.get_instrument,
    "public/ticker": market.ticker,
    "public/get_order_book": market.get_order_book,
    "public/get_funding_rate_value": market.get_funding_rate_value,
}
MATCHING: Mapping[str, Method] = {
    "private/buy": account.buy,
    "private/sell": account.sell,
    "private/cancel": account.cancel,
    "private/cancel_by_label": account.cancel_by_label,
    "private/cancel_all": account.cancel_all,
}
QUESTIONS: Mapping[str, Method] = {
    "private/get_order_state": account.get_order_state,
    "private/get_order_state_by_label": account.get_order_state_by_label,
    "private/get_open_orders": account.get_open_orders,
    "private/get_open_orders_by_instrument": account.get_open_orders_by_instrument,
    "private/get_open_orders_by_currency": account.get_open_orders_by_currency,
    "private/get_order_history_by_instrument": account.get_order_history_by_instrument,
    "private/get_user_trades_by_instrument": account.get_user_trades_by_instrument,
    "private/get_user_trades_by_instrument_and_time": account.get_user_trades_by_instrument,
    "private/get_positions": account.get_positions,
    "private/get_position": account.get_position,
    "private/get_account_summaries": account.get_account_summaries,
    "private/get_account_summary": account.get_account_summary,
    "private/get_transaction_log": account.get_transaction_log,
}
METHODS: Mapping[str, Method] = {**PUBLIC, **MATCHING, **QUESTIONS}
