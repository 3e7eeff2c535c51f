"""Binance spot payloads as the venue documents them."""

import json
from collections.abc import Iterable
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import ccxt
import pytest

from adapters.exchange.binance import spot_parse as parse
from adapters.exchange.binance.spot import BinanceSpotDialect
from adapters.exchange.dialect import Dropped, Heard, Listening
from adapters.exchange.failures import Failures
from adapters.exchange.fields import Unreadable
from adapters.exchange.naming import Account, Market
from domain.venue import FillReport, OrderReport, Rejected, Unknown

D = Decimal
ETH = Market(
    key="ETHUSDT", market_id="ETHUSDT", symbol="ETH/USDT", kind="spot", base="ETH", quote="USDT", settle="USDT"
)
OF = Account("binance", "main", [ETH])
FAILURES = Failures(BinanceSpotDialect.code, BinanceSpotDialect.reason, ())

REPORT: dict[str, Any] = json.loads("""
{"e":"executionReport","E":1499405658658,"s":"ETHUSDT","c":"b-1","S":"BUY","o":"LIMIT","f":"GTC","q":"1.00000000",
"p":"2000.10000000","P":"0.00000000","F":"0.00000000","g":-1,"C":"","x":"TRADE","X":"PARTIALLY_FILLED","r":"NONE",
"i":4293153,"l":"0.40000000","z":"0.50000000","L":"2000.00000000","n":"0.00040000","N":"ETH","T":1499405658657,
"t":77,"I":8641984,"w":false,"m":false,"M":true,"O":1499405658657,"Z":"1000.05000000","Y":"800.00000000",
"Q":"0.00000000","W":1499405658657,"V":"NONE"}
""")
ORDER = json.loads("""
{"symbol":"ETHUSDT","orderId":28,"orderListId":-1,"clientOrderId":"b-1","price":"2000.1","origQty":"1.0",
"executedQty":"0.5","cummulativeQuoteQty":"1000.05","status":"PARTIALLY_FILLED","timeInForce":"GTC","type":"LIMIT",
"side":"BUY","stopPrice":"0.0","icebergQty":"0.0","time":1499827319559,"updateTime":1499827319560,"isWorking":true,
"workingTime":1499827319559,"origQuoteOrderQty":"0.0","selfTradePreventionMode":"NONE"}
""")
CANCELLED = json.loads("""
{"symbol":"ETHUSDT","origClientOrderId":"b-1","orderId":28,"orderListId":-1,"clientOrderId":"cancelMyOrder1",
"transactTime":1684804350068,"price":"2000.1","origQty":"1.0","executedQty":"0.0","cummulativeQuoteQty":"0.0",
"status":"CANCELED","timeInForce":"GTC","type":"LIMIT_MAKER","side":"SELL","selfTradePreventionMode":"NONE"}
""")
TRADE = json.loads("""
{"symbol":"ETHUSDT","id":28457,"orderId":100234,"orderListId":-1,"price":"4.00000100","qty":"12.00000000",
"quoteQty":"48.000012","commission":"10.10000000","commissionAsset":"BNB","time":1499865549590,"isBuyer":true,
"isMaker":false,"isBestMatch":true}
""")


def heard(message: dict[str, Any]) -> list[Heard]:
    speaker: Any = SimpleNamespace(of=OF)
    said: Iterable[Heard] = BinanceSpotDialect.hear(speaker, message)
    return list(said)


def test_a_bought_fill_pays_its_fee_in_what_it_bought() -> None:
    fill, state = heard({"subscriptionId": 0, "event": REPORT})
    assert isinstance(fill, FillReport)
    assert isinstance(state, OrderReport)
    assert fill.fill_key == ("binance", "main", "ETH/USDT", "77", "4293153", "buy")
    assert (fill.price, fill.quantity, fill.fee_asset, fill.fee_quantity) == (D(2000), D("0.4"), "ETH", D("0.0004"))
    assert (state.filled, state.average_price, state.limit_price) == (D("0.5"), D("2000.1"), D("2000.1"))


def test_after_a_cancel_the_order_keeps_its_own_name() -> None:
    report = parse.order(CANCELLED, OF)
    assert (report.client_order_id, report.status, report.average_price) == ("b-1", "canceled", None)
    event = REPORT | {"x": "CANCELED", "X": "CANCELED", "c": "web_cancel", "C": "b-1", "N": None, "n": "0"}
    (state,) = heard({"subscriptionId": 0, "event": event})
    assert isinstance(state, OrderReport)
    assert state.client_order_id == "b-1"


def test_an_order_and_a_fill_as_rest_tells_them() -> None:
    report = parse.order(ORDER, OF)
    assert (report.client_order_id, report.filled, report.average_price) == ("b-1", D("0.5"), D("2000.1"))
    market = parse.order(ORDER | {"type": "MARKET", "price": "0.0"}, OF)
    assert market.limit_price is None
    fill = parse.fill(TRADE, OF, None)
    assert (fill.side, fill.fee_asset, fill.fee_quantity, fill.liquidity) == ("buy", "BNB", D("10.1"), "taker")


def test_what_open_orders_lock_is_still_ours() -> None:
    row, account = {"asset": "ETH", "free": "4.5", "locked": "0.5"}, {"updateTime": 1_499_405_658_657}
    balance = parse.balance(row, OF, account)
    assert (balance.wallet, balance.margin, balance.available) == (D(5), D(5), D("4.5"))


@pytest.mark.parametrize("name", ["NOTIONAL", "MIN_NOTIONAL"])
def test_the_least_value_of_an_order_goes_by_either_name(name: str) -> None:
    filters = [
        {"filterType": "PRICE_FILTER", "tickSize": "0.01"},
        {"filterType": "LOT_SIZE", "minQty": "0.0001", "maxQty": "9000", "stepSize": "0.0001"},
        {"filterType": name, "minNotional": "5.0"},
    ]
    listed = parse.instrument({"info": {"filters": filters}}, ETH, "binance")
    assert (listed.kind, listed.notional_min, listed.funding_interval_ms) == ("spot", D(5), 0)


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ({"id": "1", "status": 200, "result": {"subscriptionId": 0}}, Listening()),
        (
            {"id": "1", "status": 400, "error": {"code": -1022, "msg": "Signature"}},
            Dropped("the subscription was refused: -1022"),
        ),
        ({"id": "1", "status": 200, "result": {}}, Dropped("the subscription was refused: None")),
        ({"subscriptionId": 0, "event": {"e": "eventStreamTerminated"}}, Dropped("the venue ended the stream")),
    ],
)
def test_a_stream_that_is_refused_or_ended_is_dropped(message: dict[str, Any], said: Heard) -> None:
    assert heard(message) == [said]


@pytest.mark.parametrize("message", [{"subscriptionId": 0, "event": {"e": "outboundAccountPosition"}}, {"id": "1"}])
def test_other_messages_say_nothing(message: dict[str, Any]) -> None:
    assert heard(message) == []


@pytest.mark.parametrize(
    "change", [{"s": "DOGEUSDT"}, {"o": "STOP_LOSS"}, {"Z": ""}, {"X": "PENDING"}, {"t": None}, {"l": 0.4}]
)
def test_what_is_not_documented_is_unreadable(change: dict[str, Any]) -> None:
    with pytest.raises(Unreadable):
        heard({"subscriptionId": 0, "event": REPORT | change})


@pytest.mark.parametrize(
    ("code", "text", "reason"),
    [
        (-2010, "Account has insufficient balance for requested action.", "insufficient_margin"),
        (-2010, "Order would immediately match and take.", "post_only_would_take"),
        (-1013, "Filter failure: LOT_SIZE", "size_or_price_step"),
        (-1013, "Filter failure: PRICE_FILTER", "size_or_price_step"),
        (-1013, "Filter failure: NOTIONAL", "min_notional"),
        (-1013, "Filter failure: PERCENT_PRICE_BY_SIDE", "price_band"),
        (-1013, "Filter failure: MAX_NUM_ORDERS", "too_many_orders"),
        (-1121, "Invalid symbol.", "unknown_symbol"),
        (-2013, "Order does not exist.", "unknown_order"),
    ],
)
def test_codes_that_cover_many_refusals_are_told_by_their_words(code: int, text: str, reason: str) -> None:
    failure = FAILURES.classify(ccxt.ExchangeError(f'binance {{"code":{code},"msg":"{text}"}}'))
    assert isinstance(failure, Rejected)
    assert failure.reason == reason


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (
            ccxt.InsufficientFunds("binance Account has insufficient balance for requested action."),
            "insufficient_margin",
        ),
        (
            ccxt.OrderImmediatelyFillable("binance Order would immediately match and take."),
            "post_only_would_take",
        ),
    ],
)
def test_ccxt_leaves_only_the_words_of_some_refusals(error: Exception, reason: str) -> None:
    failure = FAILURES.classify(error)
    assert isinstance(failure, Rejected)
    assert failure.reason == reason


@pytest.mark.parametrize(
    "error",
    [
        ccxt.InvalidOrder("binance Duplicate order sent."),
        ccxt.ExchangeError("binance GET https://api.binance.com/api/v3/order"),
        ccxt.ExchangeError('binance {"code":-2010,"msg":"Duplicate order sent."}'),
        ccxt.InvalidOrder('binance {"code":-1013,"msg":"Something new"}'),
        ccxt.OperationFailed('binance {"code":-1008,"msg":"Server is currently overloaded"}'),
        ccxt.RequestTimeout('binance {"code":-1007,"msg":"Timeout waiting for response"}'),
        KeyError("spot"),
    ],
)
def test_what_may_be_done_is_unknown(error: Exception) -> None:
    assert isinstance(FAILURES.classify(error), Unknown)
