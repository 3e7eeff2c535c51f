"""The parsers against payloads as the venue documents and sends them, and against what it must never mean."""

import json
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import aiohttp
import ccxt
import pytest
from ccxt.base.errors import ExchangeError

from adapters.exchange.binance import parse
from adapters.exchange.binance.codes import FUTURES_REASONS
from adapters.exchange.binance.usdm import BinanceUsdmDialect
from adapters.exchange.failures import Failures, VenueUnsuitable
from adapters.exchange.fields import Unreadable
from adapters.exchange.naming import Account, Market
from domain.venue import Rejected, Unavailable, Unknown

OF = Account(
    "binanceusdm",
    "main",
    [
        Market(
            key=f"{base}USDT",
            market_id=f"{base}USDT",
            symbol=f"{base}/USDT:USDT",
            kind="linear",
            base=base,
            quote="USDT",
            settle="USDT",
        )
        for base in ("BTC", "ETH")
    ],
)
FAILURES = Failures(BinanceUsdmDialect.code, BinanceUsdmDialect.reason, ("k" * 20, "hush"))
D = Decimal

# From the venue's documentation of ORDER_TRADE_UPDATE, with the fields of a one-way account.
ORDER_TRADE_UPDATE: dict[str, Any] = json.loads("""
{"e":"ORDER_TRADE_UPDATE","E":1568879465651,"T":1568879465650,"o":{"s":"BTCUSDT","c":"b-1","S":"SELL","o":"LIMIT",
"f":"IOC","q":"0.003","p":"9910","ap":"9912.5","sp":"0","x":"TRADE","X":"PARTIALLY_FILLED","i":8886774,"l":"0.001",
"z":"0.002","L":"9913","N":"USDT","n":"0.00396520","T":1568879465651,"t":1234567,"b":"0","a":"9.91","m":false,"R":true,
"wt":"CONTRACT_PRICE","ot":"LIMIT","ps":"BOTH","cp":false,"rp":"0","V":"EXPIRE_MAKER","pm":"NONE","gtd":0}}
""")
ORDER = json.loads("""
{"clientOrderId":"testOrder","cumQty":"0","cumQuote":"0","executedQty":"0","orderId":22542179,"avgPrice":"0.00000",
"origQty":"10","price":"0","reduceOnly":false,"side":"BUY","positionSide":"BOTH","status":"NEW","stopPrice":"9300",
"closePosition":false,"symbol":"BTCUSDT","timeInForce":"GTC","type":"MARKET","origType":"MARKET",
"updateTime":1566818724722,"workingType":"CONTRACT_PRICE","priceProtect":false}
""")
USER_TRADE = json.loads("""
{"buyer":false,"commission":"-0.07819010","commissionAsset":"USDT","id":698759,"maker":true,"orderId":25851813,
"price":"7819.01","qty":"0.002","quoteQty":"15.63802","realizedPnl":"-0.91539999","side":"SELL","positionSide":"BOTH",
"symbol":"BTCUSDT","time":1569514978020}
""")
POSITION = json.loads("""
{"symbol":"ETHUSDT","positionSide":"BOTH","positionAmt":"-1.500","entryPrice":"2650.5","breakEvenPrice":"2649.1",
"markPrice":"2681.62","unRealizedProfit":"-46.68","liquidationPrice":"0","isolatedMargin":"0","notional":"-4022.43",
"marginAsset":"USDT","isolatedWallet":"0","initialMargin":"804.486","maintMargin":"20.11215","updateTime":1720736417660}
""")


def event(**changes: Any) -> dict[str, Any]:
    return ORDER_TRADE_UPDATE | {"o": ORDER_TRADE_UPDATE["o"] | changes}


def test_a_fill_event() -> None:
    fill = parse.fill_event(ORDER_TRADE_UPDATE, OF)
    assert fill is not None
    assert fill.fill_key == ("binanceusdm", "main", "BTC/USDT:USDT", "1234567", "8886774", "sell")
    assert (fill.price, fill.quantity, fill.fee_quantity, fill.fee_asset) == (
        D(9913),
        D("0.001"),
        D("0.00396520"),
        "USDT",
    )
    assert (fill.liquidity, fill.kind, fill.source, fill.at_us) == ("taker", "trade", "stream", 1568879465651_000)


def test_an_order_event() -> None:
    report = parse.order_event(ORDER_TRADE_UPDATE, OF)
    assert (report.status, report.quantity, report.filled) == ("partially_filled", D("0.003"), D("0.002"))
    assert (report.limit_price, report.average_price, report.reduce_only) == (D(9910), D("9912.5"), True)


@pytest.mark.parametrize("execution", ["NEW", "CANCELED", "EXPIRED", "AMENDMENT"])
def test_other_executions_are_no_fills(execution: str) -> None:
    assert parse.fill_event(event(x=execution), OF) is None


@pytest.mark.parametrize(
    ("client_id", "kind"), [("autoclose-1569", "liquidation"), ("adl_autoclose", "adl"), ("web_1", "trade")]
)
def test_what_the_venues_engine_did_is_called_so(client_id: str, kind: str) -> None:
    fill = parse.fill_event(event(c=client_id, x="CALCULATED"), OF)
    assert fill is not None
    assert fill.kind == kind


def test_a_market_order_has_no_limit_price() -> None:
    report = parse.order(ORDER, OF)
    assert (report.limit_price, report.average_price, report.status) == (None, None, "new")
    assert report.quantity == D(10)


def test_a_rebate_is_a_negative_fee() -> None:
    fill = parse.fill(USER_TRADE, OF, "b-1")
    assert (fill.fee_quantity, fill.liquidity, fill.source) == (D("-0.07819010"), "maker", "sweep")


def test_a_short_position() -> None:
    report = parse.position(POSITION, OF, POSITION)
    assert (report.quantity, report.entry_price, report.liquidation_price) == (D("-1.500"), D("2650.5"), None)


@pytest.mark.parametrize(
    ("parser", "payload"),
    [
        (parse.order_event, event(s="DOGEUSDT")),
        (parse.order_event, event(X="PENDING")),
        (parse.order_event, event(S="HOLD")),
        (parse.order_event, event(q=0.003)),
        (parse.order_event, event(q="NaN")),
        (parse.order_event, event(q="")),
        (parse.order_event, event(q=None)),
        (parse.order_event, event(i=None)),
        (parse.order_event, event(i=True)),
        (parse.order_event, event(T="now")),
        (parse.order_event, event(R="true")),
        (parse.order_event, ORDER_TRADE_UPDATE | {"o": []}),
        (parse.order_event, event(ps="SHORT")),
        (parse.fill_event, event(ps="SHORT")),
        (lambda row, of: parse.fill(row, of, None), USER_TRADE | {"positionSide": "LONG"}),
        (parse.order, {}),
        (lambda row, of: parse.position(row, of, row), POSITION | {"positionSide": "LONG"}),
        (lambda row, of: parse.mark(row, of, 1), {"symbol": "ETHUSDT"}),
    ],
)
def test_what_is_not_documented_is_unreadable(parser: Any, payload: dict[str, Any]) -> None:
    with pytest.raises(Unreadable):
        parser(payload, OF)


def refused(kind: type[ccxt.BaseError], code: int | str) -> ccxt.BaseError:
    return kind(f'binanceusdm {{"code":{code},"msg":"no"}}')


@pytest.mark.parametrize("code", sorted(FUTURES_REASONS))
def test_listed_codes_are_rejections(code: str) -> None:
    failure = FAILURES.classify(refused(ccxt.InvalidOrder, code))
    assert isinstance(failure, Rejected)
    assert failure.reason == FUTURES_REASONS[code]


@pytest.mark.parametrize(
    "error",
    [
        ExchangeError("binanceusdm GET https://fapi.binance.com/fapi/v1/order"),
        refused(ccxt.InvalidOrder, -4116),
        refused(ccxt.InvalidOrder, -9999),
        ccxt.InvalidOrder("binanceusdm amount must be greater than minimum"),
        refused(ccxt.OperationFailed, -1001),
        refused(ccxt.RequestTimeout, -1007),
        refused(ccxt.InvalidNonce, -1021),
        refused(ccxt.RateLimitExceeded, -1015),
        ccxt.DDoSProtection("binanceusdm 429 Too Many Requests"),
        ccxt.ExchangeNotAvailable("binanceusdm 502"),
        ccxt.OnMaintenance("binanceusdm 503"),
        TypeError("'NoneType' object is not subscriptable"),
        KeyError("orderId"),
        TimeoutError(),
    ],
)
def test_everything_else_is_unknown(error: Exception) -> None:
    assert isinstance(FAILURES.classify(error), Unknown)


def test_only_a_connection_that_never_came_to_be_is_unavailable() -> None:
    key: Any = SimpleNamespace(host="fapi.binance.com", port=443, ssl=True, is_ssl=True)
    for cause, kind in (
        (aiohttp.ClientConnectorError(key, OSError(111, "refused")), Unavailable),
        (aiohttp.ServerDisconnectedError(), Unknown),
        (aiohttp.ClientOSError(104, "reset"), Unknown),
    ):
        error = ccxt.ExchangeNotAvailable("binanceusdm POST")
        error.__cause__ = cause
        assert type(FAILURES.classify(error)) is kind


@pytest.mark.parametrize("mode", [{"dualSidePosition": True}, {}, [], {"dualSidePosition": "false"}])
async def test_hedge_mode_is_refused(mode: object) -> None:
    async def told() -> object:
        return mode

    speaker: Any = SimpleNamespace(ask=lambda *_: told, orders=None)
    with pytest.raises(VenueUnsuitable, match="one-way"):
        await BinanceUsdmDialect.check(speaker)


def test_a_market_that_pays_by_another_interval_is_told_apart() -> None:
    rows = [{"symbol": "ETHUSDT", "adjustedFundingRateCap": "0.02", "fundingIntervalHours": 4, "disclaimer": False}]
    assert parse.funding_intervals(rows) == {"ETHUSDT": 4 * 3_600_000}


def test_margin_tiers_are_exact_although_their_rates_are_json_numbers() -> None:
    brackets = [
        {"bracket": 2, "initialLeverage": 50, "notionalCap": 1e6, "notionalFloor": 50000, "maintMarginRatio": 0.0065},
        {"bracket": 1, "initialLeverage": 100, "notionalCap": 5e4, "notionalFloor": 0, "maintMarginRatio": 0.004},
    ]
    first, second = parse.margin_tiers({"symbol": "ETHUSDT", "brackets": brackets}, "notionalFloor")
    assert (first.notional_from, first.maintenance_rate, first.leverage_max) == (D(0), D("0.004"), D(100))
    assert (second.notional_from, second.maintenance_rate) == (D(50_000), D("0.0065"))
