"""OKX payloads as the venue documents them, and every trap in them."""

import json
from decimal import Decimal
from typing import Any

import ccxt.pro
import msgspec
import pytest
from ccxt.base import errors

from adapters.exchange.dialect import Dropped, Heard, Listening
from adapters.exchange.failures import Failures, VenueUnsuitable
from adapters.exchange.fields import Unreadable
from adapters.exchange.naming import Account, Market
from adapters.exchange.okx import listing, parse
from adapters.exchange.okx.dialect import OkxDialect
from adapters.exchange.okx.fields import data
from domain.venue import FillReport, OrderReport, Rejected, Unknown

D = Decimal
LINEAR = Market(
    key="ETH-USDT-SWAP",
    market_id="ETH-USDT-SWAP",
    symbol="ETH/USDT:USDT",
    kind="linear",
    base="ETH",
    quote="USDT",
    settle="USDT",
    contract_size=D("0.1"),
)
INVERSE = Market(
    key="ETH-USD-SWAP",
    market_id="ETH-USD-SWAP",
    symbol="ETH/USD:ETH",
    kind="inverse",
    base="ETH",
    quote="USD",
    settle="ETH",
    contract_size=D(10),
)
OF = Account("okx", "main", [LINEAR, INVERSE])
FAILURES = Failures(OkxDialect.code, OkxDialect.reason, ())

ORDER: dict[str, Any] = json.loads("""
{"accFillSz":"12.34","algoClOrdId":"","algoId":"","amendResult":"","attachAlgoOrds":[],"avgPx":"2500.25","cTime":
"1708587373361","cancelSource":"","category":"normal","ccy":"","clOrdId":"bl1","code":"0","execType":"T","fee":"-0.154",
"feeCcy":"USDT","fillFee":"-0.0617","fillFeeCcy":"USDT","fillNotionalUsd":"1.2","fillPnl":"0","fillPx":"2500.5",
"fillSz":"4.94","fillTime":"1708587373362","instId":"ETH-USDT-SWAP","instType":"SWAP","lever":"5","msg":"",
"notionalUsd":"5000","ordId":"680800019749904384","ordType":"limit","pnl":"0","posSide":"net","px":"2500","rebate":"0",
"rebateCcy":"USDT","reduceOnly":"false","reqId":"","side":"sell","source":"","state":"partially_filled","sz":"20.5",
"tag":"","tdMode":"cross","tgtCcy":"","tradeId":"744876980","uTime":"1708587373363"}
""")
FILL: dict[str, Any] = json.loads("""
{"side":"buy","fillSz":"0.5","fillPx":"2500.25","fillPxVol":"","fillFwdPx":"","fee":"-0.0625","fillPnl":"0","ordId":
"680800019749904384","feeRate":"","instType":"SWAP","fillPxUsd":"","instId":"ETH-USDT-SWAP","clOrdId":"bl1","posSide":
"net","billId":"680800019754098688","subType":"1","fillMarkVol":"","tag":"","fillTime":"1708587373361","execType":"M",
"fillIdxPx":"","tradeId":"744876980","fillMarkPx":"","feeCcy":"USDT","ts":"1708587373362","tradeQuoteCcy":""}
""")
POSITION: dict[str, Any] = json.loads("""
{"adl":"1","availPos":"","avgPx":"2500.5","cTime":"1619507758793","ccy":"USDT","imr":"250.05","instId":"ETH-USDT-SWAP",
"instType":"SWAP","interest":"","last":"2499","lever":"5","liqPx":"","markPx":"2499.5","margin":"","mgnMode":"cross",
"mgnRatio":"11.7","mmr":"6.25","notionalUsd":"1250","pos":"-5.5","posCcy":"","posId":"307173036051017730","posSide":
"net","thetaBS":"","tradeId":"109844","uTime":"1619507761462","upl":"0.55","uplRatio":"0.1"}
""")
BALANCE: dict[str, Any] = json.loads("""
{"availBal":"9000","availEq":"9000","cashBal":"10000.5","ccy":"USDT","crossLiab":"","eq":"10001.05","frozenBal":"1001",
"imr":"","isoEq":"0","mmr":"","uTime":"1705474164160","upl":"0.55"}
""")
BILL: dict[str, Any] = json.loads("""
{"bal":"8694.2179403378290202","balChg":"0.0219338232210000","billId":"623950854533513219","ccy":"USDT","clOrdId":"",
"execType":"","fee":"0","from":"","instId":"ETH-USDT-SWAP","instType":"SWAP","mgnMode":"cross","notes":"","ordId":"",
"pnl":"0.021933823221","posBal":"0","posBalChg":"0","px":"","subType":"174","sz":"9","tag":"","to":"","ts":
"1695033476167","type":"8"}
""")
SWAP: dict[str, Any] = json.loads("""
{"alias":"","baseCcy":"","category":"1","ctMult":"1","ctType":"linear","ctVal":"0.1","ctValCcy":"ETH","expTime":"",
"groupId":"4","instFamily":"ETH-USDT","instId":"ETH-USDT-SWAP","instType":"SWAP","lever":"100","listTime":
"1611916828000","lotSz":"0.01","maxLmtSz":"10000000","maxMktSz":"40000","minSz":"0.01","quoteCcy":"","settleCcy":
"USDT","state":"live","stk":"","tickSz":"0.01","uly":"ETH-USDT"}
""")
FUNDING = {"fundingRate": "0.0001", "fundingTime": "1700726400000", "nextFundingTime": "1700740800000"}


def heard(message: dict[str, Any]) -> list[Heard]:
    speaker = object.__new__(OkxDialect)
    speaker.of = OF
    return list(speaker.hear(message))


def told(**changes: Any) -> list[Heard]:
    return heard({"arg": {"channel": "orders", "instType": "ANY", "uid": "1"}, "data": [ORDER | changes]})


def test_contracts_become_units_exactly() -> None:
    fill, state = told()
    assert isinstance(fill, FillReport)
    assert isinstance(state, OrderReport)
    assert (fill.quantity, fill.price) == (D("0.494"), D("2500.5"))
    assert (state.quantity, state.filled, state.average_price) == (D("2.05"), D("1.234"), D("2500.25"))
    fill, state = told(instId="ETH-USD-SWAP")
    assert isinstance(fill, FillReport)
    assert isinstance(state, OrderReport)
    assert (fill.quantity, state.quantity) == (D("49.4"), D(205)), "dollars"


def test_the_key_of_a_fill_is_the_same_from_stream_and_history() -> None:
    fill = told(side="buy", fillSz="0.5")[0]
    assert isinstance(fill, FillReport)
    assert fill.fill_key == parse.fill(FILL, OF).fill_key
    assert fill.fill_key == ("okx", "main", "ETH/USDT:USDT", "744876980", "680800019749904384", "buy")
    assert (fill.source, parse.fill(FILL, OF).source) == ("stream", "sweep")


def test_the_sign_of_a_fee_turns_once_on_stream_and_rest_alike() -> None:
    fill = told()[0]
    assert isinstance(fill, FillReport)
    assert (fill.fee_quantity, fill.fee_asset) == (D("0.0617"), "USDT")
    assert parse.fill(FILL, OF).fee_quantity == D("0.0625")
    assert parse.fill(FILL | {"fee": "0.01"}, OF).fee_quantity == D("-0.01"), "a rebate is earned"


def test_ccxt_turns_the_sign_of_an_orders_fee_and_not_of_its_fills() -> None:
    client: Any = ccxt.pro.okx()
    order = client.parse_order(ORDER)
    assert order["fee"]["cost"] == 0.154
    assert client.order_to_trade(order)["fee"]["cost"] == -0.0617, "why the raw payload is read"


@pytest.mark.parametrize(
    ("category", "kind"),
    [
        ("normal", "trade"),
        ("twap", "trade"),
        ("full_liquidation", "liquidation"),
        ("partial_liquidation", "liquidation"),
        ("adl", "adl"),
    ],
)
def test_what_the_engine_did_is_called_so_on_the_stream(category: str, kind: str) -> None:
    (fill, _) = told(category=category, execType="" if kind != "trade" else "T", tradeId="-77")
    assert isinstance(fill, FillReport)
    assert (fill.kind, fill.liquidity, fill.trade_id) == (kind, "taker", "-77")


@pytest.mark.parametrize(
    ("sub_type", "kind"),
    [
        *((str(code), "liquidation") for code in range(100, 108)),
        *((str(code), "adl") for code in range(125, 129)),
        ("1", "trade"),
        ("2", "trade"),
        ("324", "trade"),
    ],
)
def test_what_the_engine_did_is_called_so_in_the_history(sub_type: str, kind: str) -> None:
    fill = parse.fill(FILL | {"subType": sub_type, "execType": "" if kind != "trade" else "M"}, OF)
    assert (fill.kind, fill.liquidity) == (kind, "taker" if kind != "trade" else "maker")


def test_an_ordinary_fill_must_say_who_took() -> None:
    with pytest.raises(Unreadable):
        parse.fill(FILL | {"execType": ""}, OF)


def test_an_event_without_a_trade_is_no_fill() -> None:
    (state,) = told(tradeId="", fillSz="0", fillPx="", fillTime="", accFillSz="0", avgPx="", state="live", execType="")
    assert isinstance(state, OrderReport)
    assert (state.status, state.filled, state.average_price) == ("new", 0, None)


@pytest.mark.parametrize("state", ["canceled", "mmp_canceled"])
def test_a_cancelled_order_keeps_what_it_filled(state: str) -> None:
    report = parse.order(ORDER | {"state": state}, OF)
    assert (report.status, report.filled) == ("canceled", D("1.234"))


def test_a_market_order_has_a_blank_price() -> None:
    assert parse.order(ORDER | {"px": "", "ordType": "market"}, OF).limit_price is None


def test_the_history_tells_when_it_was_filled_not_when_it_was_written_down() -> None:
    assert parse.fill(FILL, OF).at_us == 1708587373361_000
    assert parse.fill(FILL | {"fillTime": ""}, OF).at_us == 1708587373362_000


def test_a_position_of_net_mode_has_its_sign() -> None:
    report = parse.position(POSITION, OF)
    assert (report.quantity, report.entry_price, report.mark_price) == (D("-0.55"), D("2500.5"), D("2499.5"))
    assert (report.liquidation_price, report.initial_margin, report.maintenance_margin) == (
        None,
        D("250.05"),
        D("6.25"),
    )
    flat = parse.position(POSITION | {"pos": "0", "avgPx": "", "upl": "", "imr": "", "mmr": ""}, OF)
    assert (flat.quantity, flat.entry_price, flat.initial_margin) == (0, None, 0)


@pytest.mark.parametrize("changes", [{"posSide": "long"}, {"posSide": "short"}, {"mgnMode": "isolated"}])
def test_hedge_mode_and_isolated_margin_are_not_misread(changes: dict[str, str]) -> None:
    with pytest.raises(Unreadable):
        parse.position(POSITION | changes, OF)


def test_a_balance_has_blank_margins_while_nothing_is_held() -> None:
    report = parse.balance(BALANCE, OF)
    assert (report.wallet, report.margin, report.available) == (D("10000.5"), D("10001.05"), D(9000))
    assert (report.initial_margin, report.maintenance_margin) == (0, 0)


def test_funding_is_what_changed_the_balance_or_the_positions_own() -> None:
    paid = parse.funding(BILL, OF)
    assert (paid.amount, paid.payment_id, paid.asset) == (D("0.021933823221"), "623950854533513219", "USDT")
    isolated = parse.funding(BILL | {"balChg": "0", "posBalChg": "-0.5"}, OF)
    assert isolated.amount == D("-0.5")


def test_the_funding_interval_is_between_the_next_two_payments() -> None:
    marked = {"instId": "ETH-USDT-SWAP", "markPx": "2500", "ts": "1700724675402"}
    mark = parse.mark(marked, {"idxPx": "2501"}, FUNDING, OF)
    assert (mark.funding_interval_ms, mark.next_funding_us) == (4 * 3_600_000, 1700726400000_000)
    assert mark.funding_per_hour == D("0.000025")
    assert (mark.mark_price, mark.index_price) == (2500, 2501)
    with pytest.raises(Unreadable):
        parse.funding_interval_ms(FUNDING | {"nextFundingTime": FUNDING["fundingTime"]})


def test_ccxts_funding_rate_has_no_mark_and_no_index() -> None:
    client: Any = ccxt.pro.okx()
    rate = client.parse_funding_rate(FUNDING | {"instId": "ETH-USDT-SWAP"})
    assert (rate["markPrice"], rate["indexPrice"]) == (None, None), "why three endpoints are asked"


def test_a_listing_in_units() -> None:
    report = listing.instrument({"info": SWAP}, LINEAR, "okx")
    assert (report.tick, report.step, report.quantity_min) == (D("0.01"), D("0.001"), D("0.001"))
    assert (report.quantity_max, report.contract_size) == (D(4_000), D("0.1")), "the smaller of both bounds"
    with pytest.raises(VenueUnsuitable, match="suspend"):
        listing.instrument({"info": SWAP | {"state": "suspend"}}, LINEAR, "okx")


@pytest.mark.parametrize(("multiplier", "size"), [("1", "0.1"), ("", "0.1"), ("10", "1")])
def test_a_contract_is_its_value_times_its_multiplier_which_ccxt_leaves_out(multiplier: str, size: str) -> None:
    assert listing.contract_size(SWAP | {"ctMult": multiplier}) == D(size)
    client: Any = ccxt.pro.okx()
    market = OkxDialect.market(client.parse_market(SWAP | {"ctMult": multiplier}))
    assert market is not None
    assert market.contract_size == D(size)


@pytest.mark.parametrize("info", [{"instId": "ETH-USD_UM-SWAP", "instType": "SWAP", "state": "preopen"}, {"ctVal": ""}])
def test_what_is_not_open_yet_stops_nothing(info: dict[str, str]) -> None:
    item = {"type": "swap", "id": "ETH-USD_UM-SWAP", "info": info}
    assert OkxDialect.market(item) is None


def test_quantities_are_contracts_both_ways_or_nothing() -> None:
    assert listing.contracts(D("1.234"), LINEAR) == D("12.34")
    assert listing.contracts(D(250), INVERSE) == 25
    assert listing.contracts(D(1), msgspec.structs.replace(LINEAR, contract_size=D(3))) is None


@pytest.mark.parametrize(
    ("mark", "linear", "inverse"), [("2681.9", 2_000, 3_000), ("61701", 60_000, 70_000), ("2000", 2_000, 2_000)]
)
def test_tiers_are_reckoned_at_a_coarse_price_on_the_careful_side(mark: str, linear: int, inverse: int) -> None:
    assert (listing.reference_price(D(mark), LINEAR), listing.reference_price(D(mark), INVERSE)) == (linear, inverse)


def test_tiers_are_in_contracts_and_become_money_at_a_price() -> None:
    rows: list[dict[str, Any]] = [
        {"minSz": "10000", "maxSz": "20000", "mmr": "0.01", "maxLever": "50"},
        {"minSz": "0", "maxSz": "10000", "mmr": "0.005", "maxLever": "100"},
    ]
    tiers = listing.margin_tiers(rows, LINEAR, D(2500))
    assert [(tier.notional_from, tier.leverage_max) for tier in tiers] == [(0, 100), (2_500_000, 50)]
    assert listing.margin_tiers(rows, INVERSE, D(2500))[1].notional_from == 40, "coins"


def test_fee_rates_are_negative_when_paid_and_differ_by_what_settles() -> None:
    row: dict[str, Any] = {"maker": "-0.0002", "taker": "-0.0005", "makerU": "-0.0001", "takerU": "-0.0003"}
    linear, inverse = (listing.fee_rates(row, OF, symbol, "4") for symbol in ("ETH/USDT:USDT", "ETH/USD:ETH"))
    assert (linear.maker, linear.taker) == (D("0.0001"), D("0.0003"))
    assert (inverse.maker, inverse.taker) == (D("0.0002"), D("0.0005"))
    grouped = row | {"feeGroup": [{"groupId": "4", "maker": "0.00005", "taker": "-0.00025"}, {"groupId": "5"}]}
    rates = listing.fee_rates(grouped, OF, "ETH/USDT:USDT", "4")
    assert (rates.maker, rates.taker) == (D("-0.00005"), D("0.00025"))
    client: Any = ccxt.pro.okx()
    assert client.parse_trading_fee(row)["maker"] == 0.0002, "ccxt's is the coin-margined rate for both"


def test_the_stream_is_up_once_the_orders_are_subscribed() -> None:
    assert heard({"event": "login", "code": "0", "msg": ""}) == []
    assert heard({"event": "subscribe", "arg": {"channel": "account"}}) == []
    assert heard({"event": "subscribe", "arg": {"channel": "orders", "instType": "ANY"}}) == [Listening()]


@pytest.mark.parametrize(
    "message",
    [
        {"event": "notice", "code": "64008", "msg": "The connection will soon be closed for a service upgrade."},
        {"event": "error", "code": "60011", "msg": "Please log in"},
    ],
)
def test_a_notice_of_closing_and_an_error_drop_the_socket(message: dict[str, str]) -> None:
    (dropped,) = heard(message)
    assert isinstance(dropped, Dropped)
    assert message["code"] in dropped.reason


def test_other_products_of_the_account_are_not_ours_to_tell() -> None:
    assert told(instType="SPOT", instId="ETH-USDT") == []


def test_a_message_that_cannot_be_read_is_not_passed_over() -> None:
    for broken in (
        {"sz": "NaN"},
        {"side": "long"},
        {"state": "odd"},
        {"instId": "DOGE-USDT-SWAP"},
        {"posSide": "long"},
    ):
        with pytest.raises(Unreadable):
            told(**broken)


@pytest.mark.parametrize(
    "answer",
    [None, "page", {"code": "1", "data": []}, {"code": "2", "data": [{}]}, {"data": []}, {"code": "0", "data": {}}],
)
def test_an_answer_is_believed_only_when_it_says_success(answer: Any) -> None:
    with pytest.raises(Unreadable):
        data(answer)


REFUSED = [
    ("51008", "insufficient_margin"),
    ("51169", "reduce_only"),
    ("51170", "reduce_only"),
    ("51121", "size_or_price_step"),
    ("51020", "size_or_price_step"),
    ("51137", "price_band"),
    ("51001", "unknown_symbol"),
    ("51000", "malformed"),
    ("51010", "venue_rule"),
    ("51400", "unknown_order"),
    ("51603", "unknown_order"),
]


def raised(body: dict[str, Any], status: int = 200) -> Exception:
    """Return what ccxt throws at an answer, or at its HTTP status where it has nothing to say."""
    client: Any = ccxt.pro.okx()
    text = json.dumps(body)
    with pytest.raises(errors.BaseError) as caught:
        client.handle_errors(status, "", "", "POST", {}, text, body, {}, "")
    return caught.value


@pytest.mark.parametrize(("code", "reason"), REFUSED)
@pytest.mark.parametrize("spelt", ["{}", "{}_1000"])
def test_an_items_code_is_what_refuses_though_the_envelope_says_only_one(code: str, reason: str, spelt: str) -> None:
    item = {"clOrdId": "bl1", "ordId": "", "sCode": spelt.format(code), "sMsg": "no", "tag": ""}
    found = FAILURES.classify(raised({"code": "1", "data": [item], "msg": "All operations failed"}))
    assert isinstance(found, Rejected)
    assert found.reason == reason


def test_bare_exchange_errors_of_ccxt_are_told_apart_by_their_code() -> None:
    item = {"sCode": "51169", "sMsg": "Order failed because you don't have any positions in this direction"}
    error = raised({"code": "1", "data": [item], "msg": ""})
    assert type(error) is errors.ExchangeError
    assert isinstance(FAILURES.classify(error), Rejected)


@pytest.mark.parametrize("code", ["51016", "50071", "51149", "51054", "50004", "50026", "59999"])
def test_codes_that_do_not_surely_refuse_are_unknown(code: str) -> None:
    item = {"sCode": code, "sMsg": "?"}
    assert isinstance(FAILURES.classify(raised({"code": "1", "data": [item], "msg": ""})), Unknown)


@pytest.mark.parametrize(
    ("code", "kind"),
    [("50011", errors.RateLimitExceeded), ("50001", errors.OnMaintenance), ("50102", errors.InvalidNonce)],
)
def test_rate_limits_maintenance_and_clocks_leave_the_outcome_unknown(code: str, kind: type[Exception]) -> None:
    error = raised({"code": code, "data": [], "msg": ""}, 503)
    assert isinstance(error, kind)
    assert isinstance(FAILURES.classify(error), Unknown)


def test_a_partial_success_is_no_error_to_ccxt() -> None:
    body = {"code": "2", "data": [{"sCode": "51008"}, {"sCode": "0"}], "msg": "Bulk operation partially succeeded."}
    client: Any = ccxt.pro.okx()
    assert client.handle_errors(200, "", "", "POST", {}, json.dumps(body), body, {}, "") is None


@pytest.mark.parametrize(("code", "sub"), [("51008", ""), ("51008_1000", "1000")])
def test_the_item_of_a_partial_success_is_read_all_the_same(code: str, sub: str) -> None:
    item = {"sCode": code, "subCode": sub, "sMsg": "Insufficient", "clOrdId": "bl1", "ordId": ""}
    with pytest.raises(Rejected) as caught:
        parse.check_item({"code": "2", "data": [item]}, "bl1", OkxDialect.reason)
    assert caught.value.reason == "insufficient_margin"
    yes = {"sCode": "0", "clOrdId": "bl1", "ordId": "9"}
    parse.check_item({"code": "0", "data": [yes]}, "bl1", OkxDialect.reason)
    for no in ({"sCode": "51016"}, {"sCode": None}, {"clOrdId": "other"}, {"ordId": ""}):
        with pytest.raises(Unreadable):
            parse.check_item({"code": "0", "data": [yes | no]}, "bl1", OkxDialect.reason)
    for answer in ("page", None, {"data": []}, {"data": [yes, yes]}):
        with pytest.raises(Unreadable):
            parse.check_item(answer, "bl1", OkxDialect.reason)
