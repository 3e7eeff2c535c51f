"""Binance COIN-M payloads as the venue documents them: contracts become USD, and refusals are told by their codes."""

import json
from decimal import Decimal
from typing import Any

import ccxt
import pytest
from ccxt.base.errors import ExchangeError

from adapters.exchange.binance import parse
from adapters.exchange.binance.coinm import BinanceCoinmDialect
from adapters.exchange.failures import Failures
from adapters.exchange.fields import Unreadable
from adapters.exchange.naming import Account, Market
from domain.venue import Rejected, Unknown

D = Decimal
BTC = Market(
    key="BTCUSD_PERP",
    market_id="BTCUSD_PERP",
    symbol="BTC/USD:BTC",
    kind="inverse",
    base="BTC",
    quote="USD",
    settle="BTC",
    contract_size=D(100),
)
OF = Account("binancecoinm", "main", [BTC])
FAILURES = Failures(BinanceCoinmDialect.code, BinanceCoinmDialect.reason, ("hush",))

ORDER_TRADE_UPDATE: dict[str, Any] = json.loads("""
{"e":"ORDER_TRADE_UPDATE","E":1591274595442,"T":1591274595453,"i":"SfsR","o":{"s":"BTCUSD_PERP","c":"b-1","S":"SELL",
"o":"LIMIT","f":"IOC","q":"5","p":"9600.1","ap":"9600.5","sp":"0","x":"TRADE","X":"PARTIALLY_FILLED","i":8886774,
"l":"2","z":"3","L":"9600.5","ma":"BTC","N":"BTC","n":"0.00001041","T":1591274595448,"t":1122,"rp":"0","b":"0","a":"0",
"m":true,"R":false,"wt":"CONTRACT_PRICE","ot":"LIMIT","ps":"BOTH","cp":false,"pP":false,"si":0,"ss":0}}
""")
USER_TRADE = json.loads("""
{"symbol":"BTCUSD_PERP","id":6,"orderId":28,"pair":"BTCUSD","side":"SELL","price":"8800","qty":"1","realizedPnl":"0",
"marginAsset":"BTC","baseQty":"0.01136364","commission":"0.00000454","commissionAsset":"BTC","time":1590743483586,
"positionSide":"BOTH","buyer":false,"maker":false}
""")
POSITION = json.loads("""
{"symbol":"BTCUSD_PERP","positionAmt":"-12","entryPrice":"9600.5","markPrice":"9601.0","unRealizedProfit":"-0.00000650",
"liquidationPrice":"12000.1","leverage":"20","maxQty":"50","marginType":"cross","isolatedMargin":"0.00000000",
"isAutoAddMargin":"false","positionSide":"BOTH","notionalValue":"0.1249869","isolatedWallet":"0",
"updateTime":1591274595453}
""")
MARGINS = {"symbol": "BTCUSD_PERP", "initialMargin": "0.00624934", "maintMargin": "0.00049994"}
BRACKETS = json.loads("""
{"symbol":"BTCUSD_PERP","brackets":[
{"bracket":2,"initialLeverage":100,"qtyCap":10,"qtyFloor":5,"maintMarginRatio":0.005,"cum":0.005},
{"bracket":1,"initialLeverage":125,"qtyCap":5,"qtyFloor":0,"maintMarginRatio":0.004,"cum":0.0}]}
""")
MARKET = {"info": {"filters": [
    {"filterType": "PRICE_FILTER", "minPrice": "0.1", "maxPrice": "100000", "tickSize": "0.1"},
    {"filterType": "LOT_SIZE", "minQty": "1", "maxQty": "60000", "stepSize": "1"},
]}}  # fmt: skip


def test_an_event_in_contracts_becomes_usd() -> None:
    fill = parse.fill_event(ORDER_TRADE_UPDATE, OF)
    assert fill is not None
    assert (fill.price, fill.quantity, fill.fee_asset, fill.fee_quantity) == (
        D("9600.5"),
        D(200),
        "BTC",
        D("0.00001041"),
    )
    report = parse.order_event(ORDER_TRADE_UPDATE, OF)
    assert (report.quantity, report.filled, report.average_price) == (D(500), D(300), D("9600.5"))


def test_a_swept_fill_becomes_usd() -> None:
    fill = parse.fill(USER_TRADE, OF, None)
    assert (fill.quantity, fill.fee_asset, fill.symbol) == (D(100), "BTC", "BTC/USD:BTC")


def test_a_short_position_in_usd_with_margins_in_base() -> None:
    report = parse.position(POSITION, OF, MARGINS)
    assert (report.quantity, report.entry_price) == (D(-1200), D("9600.5"))
    assert (report.initial_margin, report.maintenance_margin) == (D("0.00624934"), D("0.00049994"))


def test_steps_are_in_usd_and_tiers_in_base() -> None:
    listed = parse.instrument(MARKET, BTC, "binancecoinm")
    assert (listed.step, listed.quantity_min, listed.quantity_max) == (D(100), D(100), D(6_000_000))
    assert (listed.kind, listed.contract_size, listed.notional_min) == ("inverse", D(100), D(0))
    first, second = parse.margin_tiers(BRACKETS, "qtyFloor")
    assert (first.notional_from, first.maintenance_rate, first.leverage_max) == (D(0), D("0.004"), D(125))
    assert second.notional_from == D(5)


def test_a_dated_future_pays_no_funding() -> None:
    row = {"symbol": "BTCUSD_PERP", "markPrice": "1", "indexPrice": "1", "lastFundingRate": "", "nextFundingTime": 0}
    row |= {"time": 1_591_274_595_453}
    assert parse.mark(row, OF, 0).funding_rate == D(0)
    with pytest.raises(Unreadable):
        parse.mark(row, OF, 8 * 3_600_000)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (-5022, "post_only_would_take"),
        (-2019, "insufficient_margin"),
        (-4131, "price_band"),
        (-4164, "min_notional"),
        (-2022, "reduce_only"),
    ],
)
def test_what_ccxt_takes_for_a_plain_error_is_told_by_its_code(code: int, reason: str) -> None:
    failure = FAILURES.classify(ExchangeError(f'binancecoinm {{"code":{code},"msg":"no"}}'))
    assert isinstance(failure, Rejected)
    assert failure.reason == reason


@pytest.mark.parametrize(
    "error",
    [
        ExchangeError('binancecoinm {"code":-1008,"msg":"Server is currently overloaded"}'),
        ExchangeError('binancecoinm {"code":-4116,"msg":"ClientOrderId is duplicated."}'),
        ExchangeError("binancecoinm POST https://dapi.binance.com/dapi/v1/order"),
        ccxt.OperationFailed('binancecoinm {"code":-2019,"msg":"in a 5xx a code proves nothing"}'),
    ],
)
def test_what_may_be_done_is_unknown(error: Exception) -> None:
    assert isinstance(FAILURES.classify(error), Unknown)


def test_public_sockets_are_numbered_and_the_private_one_is_named_by_its_key() -> None:
    private = BinanceCoinmDialect.is_private
    speaker: Any = None
    assert private(speaker, "wss://dstream.binance.com/ws/" + "a" * 64)
    assert not private(speaker, "wss://dstream.binance.com/ws/12")
    assert not private(speaker, "wss://dstream.binance.com/stream?streams=" + "a" * 64)


def test_a_listen_key_in_a_path_is_not_told() -> None:
    assert "a" * 64 not in FAILURES.text(ccxt.NetworkError("lost wss://dstream.binance.com/ws/" + "a" * 64))
    assert "hush" not in FAILURES.text(ccxt.NetworkError("hush"))
    assert "signature" not in FAILURES.text(ccxt.NetworkError("GET https://dapi.binance.com/dapi/v1/order?signature=1"))
