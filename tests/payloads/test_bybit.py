"""Bybit v5 payloads as the venue documents them, read; and bent in every field, refused or read, never misread."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import ccxt
import msgspec
import pytest
from ccxt.base.errors import BaseError
from hypothesis import given
from hypothesis import strategies as st

from adapters.exchange.bybit import listing, parse
from adapters.exchange.bybit.dialect import BybitDialect
from adapters.exchange.failures import Failures
from adapters.exchange.fields import Unreadable
from adapters.exchange.naming import Account, Market
from domain.venue import TERMINAL, FillReport, Rejected, Unavailable, Unknown

D = Decimal
XRP = Market(
    key="linear:XRPUSDT", market_id="XRPUSDT", symbol="XRP/USDT:USDT", kind="linear", base="XRP", quote="USDT",
    settle="USDT",
)  # fmt: skip
BTC = Market(
    key="inverse:BTCUSD", market_id="BTCUSD", symbol="BTC/USD:BTC", kind="inverse", base="BTC", quote="USD",
    settle="BTC",
)  # fmt: skip
DATED = msgspec.structs.replace(
    BTC, key="inverse:BTCUSDH26", market_id="BTCUSDH26", symbol="BTC/USD:BTC-260327", expiry_us=1_774_569_600_000_000
)
OF = Account("bybit", "main", [XRP, BTC, DATED])
FAILURES = Failures(BybitDialect.code, BybitDialect.reason, ("hush",))

ORDER: dict[str, Any] = json.loads("""
{"category":"linear","symbol":"XRPUSDT","orderId":"5cf98598-39a7-459e-97bf-76ca765ee020","side":"Sell",
"orderType":"Market","cancelType":"UNKNOWN","price":"0.3207","qty":"25","orderIv":"","timeInForce":"IOC",
"orderStatus":"Filled","orderLinkId":"b-1","lastPriceOnCreated":"","reduceOnly":false,"leavesQty":"","leavesValue":"",
"cumExecQty":"25","cumExecValue":"8.435","avgPrice":"0.3374","blockTradeId":"","positionIdx":0,
"cumExecFee":"0.005061","cumFeeDetail":{"USDT":"0.005061"},"createdTime":"1672364262444","updatedTime":"1672364262457",
"rejectReason":"EC_NoError","stopOrderType":"","tpslMode":"","triggerPrice":"","takeProfit":"","stopLoss":"",
"closeOnTrigger":false,"placeType":"","smpType":"None","smpGroup":0,"smpOrderId":"","feeCurrency":"USDT"}
""")
EXECUTION: dict[str, Any] = json.loads("""
{"category":"linear","symbol":"XRPUSDT","execFee":"0.005061","execId":"7e2ae69c-4edf-5800-a352-893d52b446aa",
"execPrice":"0.3374","execQty":"25","execType":"Trade","execValue":"8.435","isMaker":false,"feeRate":"0.0006",
"tradeIv":"","markIv":"","blockTradeId":"","markPrice":"0.3391","indexPrice":"","underlyingPrice":"","leavesQty":"0",
"orderId":"f6e324ff-99c2-4e89-9739-3086e47f9381","orderLinkId":"","orderPrice":"0.3207","orderQty":"25",
"orderType":"Market","stopOrderType":"UNKNOWN","side":"Sell","execTime":"1672364174443","isLeverage":"0",
"closedSize":"","seq":4688002127}
""")
FUNDING: dict[str, Any] = json.loads("""
{"symbol":"XRPUSDT","orderType":"UNKNOWN","underlyingPrice":"","orderLinkId":"",
"orderId":"a11e5fe2-1dbf-4bab-a9b2-af80a14efc5d","stopOrderType":"UNKNOWN","execTime":"1710950400000",
"feeCurrency":"","createType":"","feeRate":"-0.000761","tradeIv":"","blockTradeId":"","markPrice":"136.79",
"execPrice":"137.11","markIv":"","orderQty":"0","orderPrice":"0","execValue":"134.3678","closedSize":"0",
"execType":"Funding","seq":"28097658790","side":"Sell","indexPrice":"","leavesQty":"0","isMaker":false,
"execFee":"-0.10232512","execId":"8d1ef156-4ec6-4445-9a6c-1c0c24dbd046","marketUnit":"","execQty":"0.98"}
""")
POSITION: dict[str, Any] = json.loads("""
{"symbol":"BTCUSD","leverage":"10","autoAddMargin":0,"avgPrice":"28000.5","liqPrice":"","riskLimitValue":"150",
"takeProfit":"","positionValue":"0.01071409","isReduceOnly":false,"tpslMode":"Full","riskId":1,"trailingStop":"0",
"unrealisedPnl":"-0.00012","markPrice":"28343.77","adlRankIndicator":2,"cumRealisedPnl":"0.00048","positionMM":"0.0000541",
"createdTime":"1672121182216","positionIdx":0,"positionIM":"0.00107","seq":1,"updatedTime":"1672279322668",
"side":"Sell","bustPrice":"","positionBalance":"0","leverageSysUpdatedTime":"","curRealisedPnl":"0","size":"300",
"positionStatus":"Normal","mmrSysUpdatedTime":"","stopLoss":"","tradeMode":0,"sessionAvgPrice":""}
""")
COIN: dict[str, Any] = json.loads("""
{"availableToBorrow":"","bonus":"0","accruedInterest":"0","availableToWithdraw":"","totalOrderIM":"5",
"equity":"1011.5","totalPositionMM":"2.5","usdValue":"1011.42","unrealisedPnl":"11.5","collateralSwitch":true,
"spotHedgingQty":"0","borrowAmount":"0.0","totalPositionIM":"40","walletBalance":"1000","cumRealisedPnl":"0",
"locked":"6","marginCollateral":true,"coin":"USDT"}
""")
TICKER: dict[str, Any] = json.loads("""
{"symbol":"BTCUSD","lastPrice":"16597.00","indexPrice":"16598.54","markPrice":"16596.00","fundingRate":"-0.0001",
"nextFundingTime":"1672387200000","fundingIntervalHour":"4","openInterest":"373504107"}
""")
FEES = {"symbol": "XRPUSDT", "takerFeeRate": "0.0006", "makerFeeRate": "-0.0001"}
LISTING: dict[str, Any] = json.loads("""
{"symbol":"BTCUSD","contractType":"InversePerpetual","fundingInterval":480,"priceFilter":{"minPrice":"0.10",
"maxPrice":"1999999.80","tickSize":"0.10"},"lotSizeFilter":{"maxOrderQty":"25000000","minOrderQty":"10","qtyStep":"1",
"postOnlyMaxOrderQty":"25000000","maxMktOrderQty":"5000000","minNotionalValue":""}}
""")
LIMITS_IN_PERCENT = [
    {"riskLimitValue": "300", "maintenanceMargin": "1", "initialMargin": "2", "maxLeverage": "50.00"},
    {"riskLimitValue": "150", "maintenanceMargin": "0.5", "initialMargin": "1", "maxLeverage": "100.00"},
]
LIMITS_IN_FRACTIONS = [
    {"riskLimitValue": "2000000", "maintenanceMargin": "0.005", "initialMargin": "0.01", "maxLeverage": "100.00"},
    {"riskLimitValue": "4000000", "maintenanceMargin": "0.0151", "initialMargin": "0.03003", "maxLeverage": "33.30"},
]


def bent(row: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {**row, **changes}


def test_a_market_orders_price_is_only_its_bound() -> None:
    found = parse.order(ORDER, "linear", OF)
    assert (found.symbol, found.side, found.status) == ("XRP/USDT:USDT", "sell", "filled")
    assert (found.quantity, found.filled, found.limit_price, found.average_price) == (25, 25, None, D("0.3374"))
    assert found.at_us == 1_672_364_262_457_000
    limit = parse.order(bent(ORDER, orderType="Limit", cumExecQty="0", avgPrice=""), "linear", OF)
    assert (limit.limit_price, limit.average_price) == (D("0.3207"), None)


@pytest.mark.parametrize(
    ("told", "why", "status"),
    [
        ("New", "EC_NoError", "new"),
        ("PartiallyFilled", "EC_NoError", "partially_filled"),
        ("Cancelled", "EC_PerCancelRequest", "canceled"),
        ("Cancelled", "EC_NoImmediateQtyToFill", "expired"),
        ("Cancelled", "EC_CancelForNoFullFill", "expired"),
        ("PartiallyFilledCanceled", "EC_NoError", "canceled"),
        ("Rejected", "EC_PostOnlyWillTakeLiquidity", "rejected"),
    ],
)
def test_how_an_order_stands_in_one_word_and_why(told: str, why: str, status: str) -> None:
    found = parse.order(bent(ORDER, orderStatus=told, rejectReason=why), "linear", OF)
    assert found.status == status
    assert (found.status in TERMINAL) == (told not in {"New", "PartiallyFilled"})


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"rejectReason": "EC_PostOnlyWillTakeLiquidity"}, "post_only_would_take"),
        ({"rejectReason": "EC_PostOnlyWillTakeLiquidity", "orderStatus": "Rejected"}, "post_only_would_take"),
        ({"rejectReason": "EC_Others", "orderStatus": "Rejected"}, "venue_rule"),
        ({"rejectReason": "EC_NoImmediateQtyToFill"}, None),
        ({"rejectReason": "EC_PerCancelRequest"}, None),
        ({"rejectReason": "EC_PostOnlyWillTakeLiquidity", "cumExecQty": "1"}, None),
        ({"rejectReason": "EC_NoError", "orderStatus": "New"}, None),
    ],
)
def test_a_refusal_that_shows_only_later(changes: dict[str, str], reason: str | None) -> None:
    found = parse.refusal(bent(ORDER, orderStatus="Cancelled", cumExecQty="0") | changes)
    assert (None if found is None else found.reason) == reason


@pytest.mark.parametrize(
    ("told", "kind"), [("Trade", "trade"), ("BlockTrade", "trade"), ("AdlTrade", "adl"), ("BustTrade", "liquidation")]
)
def test_each_execution_is_what_it_is(told: str, kind: str) -> None:
    row = bent(EXECUTION, execType=told)
    assert parse.is_fill(row, "linear", OF)
    found = parse.fill(row, "linear", OF, "stream")
    assert (found.kind, found.client_order_id, found.liquidity) == (kind, None, "taker")
    assert (found.price, found.quantity, found.fee_quantity, found.fee_asset) == (
        D("0.3374"), 25, D("0.005061"), "USDT",
    )  # fmt: skip


def test_funding_is_a_payment_and_no_fill() -> None:
    assert not parse.is_fill(FUNDING, "linear", OF)
    found = parse.funding(FUNDING, "linear", OF)
    assert (found.amount, found.asset, found.payment_id) == (D("0.10232512"), "USDT", FUNDING["execId"])
    with pytest.raises(Unreadable):
        parse.funding(EXECUTION, "linear", OF)


def test_a_settlement_ends_a_dated_contract_and_nothing_else() -> None:
    ending = bent(EXECUTION, symbol="BTCUSDH26", execType="Settle")
    assert parse.is_fill(ending, "inverse", OF)
    assert parse.fill(ending, "inverse", OF, "sweep").kind == "trade"
    for row, category in (
        (bent(EXECUTION, execType="Settle"), "linear"),
        (bent(EXECUTION, execType="Novel"), "linear"),
    ):
        with pytest.raises(Unreadable):
            parse.is_fill(row, category, OF)


def test_a_maker_is_paid_a_rebate() -> None:
    found = parse.fill(bent(EXECUTION, execFee="-0.001", isMaker=True), "linear", OF, "sweep")
    assert (found.fee_quantity, found.liquidity) == (D("-0.001"), "maker")


def test_a_market_is_named_with_its_category() -> None:
    with pytest.raises(Unreadable, match="spot:XRPUSDT"):
        parse.fill(EXECUTION, "spot", OF, "stream")


def test_positions_are_signed_and_flat_ones_are_none() -> None:
    found = parse.position(POSITION, "inverse", OF)
    assert found is not None
    assert (found.quantity, found.entry_price, found.liquidation_price) == (-300, D("28000.5"), None)
    assert (found.initial_margin, found.maintenance_margin) == (D("0.00107"), D("0.0000541"))
    assert parse.position(bent(POSITION, size="0", side="", avgPrice="0"), "inverse", OF) is None
    with pytest.raises(Unreadable, match="one-way"):
        parse.position(bent(POSITION, positionIdx=2), "inverse", OF)


def test_a_coin_of_the_unified_account() -> None:
    found = parse.balance(COIN, OF, 7)
    assert (found.wallet, found.margin, found.initial_margin, found.maintenance_margin) == (
        1000, D("1011.5"), 45, D("2.5"),
    )  # fmt: skip
    assert found.available == D("1011.5") - 45 - 6
    assert parse.balance(bent(COIN, totalPositionIM="5000"), OF, 7).available == 0


def test_marks_and_fees() -> None:
    found = parse.mark(TICKER, "inverse", OF, 9)
    assert (found.mark_price, found.index_price, found.funding_rate) == (16596, D("16598.54"), D("-0.0001"))
    assert (found.funding_interval_ms, found.at_us) == (4 * 3_600_000, 9)
    for nonsense in ("0", "-8", "1e999999"):
        with pytest.raises(Unreadable):
            parse.mark(bent(TICKER, fundingIntervalHour=nonsense), "inverse", OF, 9)
    rates = parse.fee_rates(FEES, "linear", OF)
    assert (rates.maker, rates.taker) == (D("-0.0001"), D("0.0006"))


def test_an_inverse_contract_is_one_dollar_whatever_the_least_order_is() -> None:
    item: dict[str, Any] = {
        "id": "BTCUSD", "symbol": "BTC/USD:BTC", "type": "swap", "linear": False, "inverse": True, "base": "BTC",
        "quote": "USD", "settle": "BTC", "contractSize": "10", "expiry": None, "info": LISTING,
    }  # fmt: skip
    market = BybitDialect.market(item)
    assert market is not None
    assert (market.contract_size, market.key) == (1, "inverse:BTCUSD")
    found = listing.instrument(item, market, "bybit")
    assert (found.tick, found.step, found.quantity_min, found.notional_min) == (D("0.1"), 1, 10, 0)
    assert listing.funding_interval_ms(item) == 8 * 3_600_000


def test_risk_limits_tell_where_they_end_in_percent_or_in_fractions() -> None:
    percent = listing.margin_tiers(LIMITS_IN_PERCENT)
    assert [(tier.notional_from, tier.maintenance_rate, tier.leverage_max) for tier in percent] == [
        (0, D("0.005"), 100), (150, D("0.01"), 50),
    ]  # fmt: skip
    fractions = listing.margin_tiers(LIMITS_IN_FRACTIONS)
    assert [(tier.notional_from, tier.maintenance_rate) for tier in fractions] == [
        (0, D("0.005")), (2_000_000, D("0.0151")),
    ]  # fmt: skip


@pytest.mark.parametrize("answer", ["<html></html>", None, [], {}, {"retCode": 0}, {"retCode": 10001, "result": {}}])
def test_an_answer_without_a_result_is_unreadable(answer: Any) -> None:
    with pytest.raises(Unreadable):
        parse.rows(answer)
    with pytest.raises(Unreadable):
        parse.rows({"retCode": 0, "result": {"list": answer if answer != [] else [1]}})


REFUSED = {
    110007: "insufficient_margin", 110012: "insufficient_margin", 110001: "unknown_order", 110017: "reduce_only",
    110094: "min_notional", 110003: "price_band", 110020: "too_many_orders", 10001: "malformed",
    10003: "not_authorised", 10004: "not_authorised", 110063: "venue_rule", 110066: "venue_rule",
    110008: "unknown_order",
}  # fmt: skip
AMBIGUOUS = (10000, 10006, 10014, 10016, 10018, 110030, 110072, 110079, 170007, 999_999)


def classified(code: int, status: int = 200) -> Exception:
    """Return what ccxt makes of a code, and what we make of that."""
    row = {"retCode": code, "retMsg": "hush", "result": {}, "retExtInfo": {}, "time": 1}
    url, method, body = "https://api.bybit.com/v5/order/create", "POST", json.dumps(row)
    client: Any = ccxt.bybit()
    with pytest.raises(BaseError) as caught:
        client.handle_errors(status, "OK", url, method, {}, body, row, {}, {})
    return FAILURES.classify(caught.value)


@pytest.mark.parametrize(("code", "reason"), REFUSED.items())
def test_a_refusal_is_told_by_its_code(code: int, reason: str) -> None:
    found = classified(code)
    assert isinstance(found, Rejected)
    assert found.reason == reason
    assert "hush" not in found.text


@pytest.mark.parametrize("code", AMBIGUOUS)
def test_what_the_venue_itself_does_not_know_is_unknown(code: int) -> None:
    assert isinstance(classified(code), Unknown)


def test_no_code_of_ours_is_both() -> None:
    assert not {str(code) for code in AMBIGUOUS} & set(BybitDialect.reasons)


READERS: list[tuple[dict[str, Any], Callable[[dict[str, Any]], Any]]] = [
    (ORDER, lambda row: parse.order(row, "linear", OF)),
    (EXECUTION, lambda row: parse.is_fill(row, "linear", OF) and parse.fill(row, "linear", OF, "stream")),
    (FUNDING, lambda row: parse.funding(row, "linear", OF)),
    (POSITION, lambda row: parse.position(row, "inverse", OF)),
    (COIN, lambda row: parse.balance(row, OF, 1)),
    (TICKER, lambda row: parse.mark(row, "inverse", OF, 1)),
]
JUNK = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.just("NaN"), st.just("1e999999"),
    st.just("-Infinity"), st.lists(st.integers(), max_size=2), st.dictionaries(st.text(max_size=3), st.integers()),
)  # fmt: skip


@given(st.data(), st.integers(0, len(READERS) - 1))
def test_a_bent_payload_is_read_or_unreadable_and_nothing_else(data: st.DataObject, which: int) -> None:
    row, read = READERS[which]
    name = data.draw(st.sampled_from(sorted(row)))
    changed = dict(row)
    if data.draw(st.booleans()):
        changed[name] = data.draw(JUNK)
    else:
        del changed[name]
    try:
        found = read(changed)
    except Unreadable:
        return
    if isinstance(found, FillReport):
        assert found.price.is_finite()
        assert found.quantity.is_finite()


@given(JUNK, st.sampled_from(["", "order", "execution", "auth", "subscribe"]))
def test_any_message_is_heard_or_refused_but_never_breaks_the_reader(junk: Any, topic: str) -> None:
    lines: Any = type("Lines", (), dict.fromkeys(("orders", "queries", "private", "settings")) | {"of": OF})
    dialect = BybitDialect(lines)
    message = {"topic": topic, "op": topic, "data": [junk, bent(EXECUTION, execQty=junk)], "success": junk, "req_id": 1}
    try:
        heard = list(dialect.hear(message))
    except (Unreadable, KeyError, TypeError):
        return
    assert len(heard) <= 2


def test_nothing_here_says_that_nothing_was_sent() -> None:
    assert not isinstance(FAILURES.classify(ccxt.RequestTimeout("x")), Unavailable)
