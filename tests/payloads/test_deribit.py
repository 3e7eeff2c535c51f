"""Deribit payloads as the venue documents them, and every trap in them."""

import asyncio
import json
from decimal import Decimal
from itertools import pairwise
from typing import Any

import aiohttp
import ccxt.pro
import pytest
from ccxt.base import errors

from adapters.exchange.client import make_client
from adapters.exchange.deribit import parse
from adapters.exchange.deribit.dialect import CHANNELS, ORDERS, SIGNATURE_VALID_MS, TRADES, DeribitDialect
from adapters.exchange.deribit.labels import ours
from adapters.exchange.deribit.margin import LINES, margin_tiers
from adapters.exchange.dialect import Dropped, Heard, Lines, Listening
from adapters.exchange.failures import Failures
from adapters.exchange.fields import Unreadable
from adapters.exchange.naming import Account, Market
from adapters.exchange.sending import SendingOnce, once
from adapters.exchange.settings import VenueSettings
from domain.venue import FillReport, OrderReport, Rejected, Unavailable, Unknown

D = Decimal
INVERSE = Market(
    key="BTC-PERPETUAL",
    market_id="BTC-PERPETUAL",
    symbol="BTC/USD:BTC",
    kind="inverse",
    base="BTC",
    quote="USD",
    settle="BTC",
    contract_size=D(10),
)
LINEAR = Market(
    key="ETH_USDC-PERPETUAL",
    market_id="ETH_USDC-PERPETUAL",
    symbol="ETH/USDC:USDC",
    kind="linear",
    base="ETH",
    quote="USDC",
    settle="USDC",
    contract_size=D("0.001"),
)
OF = Account("deribit", "main", [INVERSE, LINEAR])
FAILURES = Failures(DeribitDialect.code, DeribitDialect.reason, ())

ORDER: dict[str, Any] = json.loads("""
{"time_in_force":"good_til_cancelled","reduce_only":false,"replaced":false,"price":50000.5,"post_only":false,
"order_type":"limit","order_state":"open","order_id":"1234567","max_show":30.0,"last_update_timestamp":1708587373363,
"label":"bl1","is_rebalance":false,"is_liquidation":false,"instrument_name":"BTC-PERPETUAL","filled_amount":10.0,
"direction":"sell","creation_timestamp":1708587373361,"average_price":50000.5,"api":true,"web":false,"amount":30.0}
""")
FILL: dict[str, Any] = json.loads("""
{"trade_seq":1966042,"trade_id":"48079269","timestamp":1708587373362,"tick_direction":1,"state":"open",
"self_trade":false,"risk_reducing":false,"reduce_only":false,"profit_loss":1.1e-7,"price":50000.5,"post_only":false,
"order_type":"limit","order_id":"1234567","matching_id":null,"mark_price":50001.5,"mmp":false,"liquidity":"T",
"label":"bl1","instrument_name":"BTC-PERPETUAL","index_price":50003.1,"fee_currency":"BTC","fee":1.0e-7,
"direction":"sell","api":true,"amount":10.0}
""")
POSITION: dict[str, Any] = json.loads("""
{"average_price":7440.18,"delta":-0.687,"direction":"sell","estimated_liquidation_price":9000.5,
"floating_profit_loss":0.000906,"index_price":7466.79,"initial_margin":0.0001,"instrument_name":"BTC-PERPETUAL",
"interest_value":1.75,"kind":"future","leverage":34,"maintenance_margin":0.00007,"mark_price":7476.65,
"open_orders_margin":0.000197,"realized_funding":-1e-8,"realized_profit_loss":-9e-9,"settlement_price":7476.65,
"size":-5110,"size_currency":-0.687,"total_profit_loss":0.0009}
""")
SUMMARY: dict[str, Any] = json.loads("""
{"currency":"BTC","balance":302.6,"equity":302.61869214,"margin_balance":302.61,"available_funds":301.38059622,
"available_withdrawal_funds":301.35,"initial_margin":1.23809592,"maintenance_margin":0.8857841,
"session_rpl":-0.03258105,"session_upl":0.05271555,"futures_session_rpl":-0.03258105,"futures_session_upl":0.05271555,
"options_value":0.0,"cross_collateral_enabled":false,"portfolio_margining_enabled":false,"margin_model":"segregated_sm"}
""")
LOG: dict[str, Any] = json.loads("""
{"username":"TestUser","user_seq":6008,"user_id":7,"type":"settlement","trade_id":null,"total_interest_pl":0.00001243,
"timestamp":1613659544153,"side":"long","session_upl":0.00220172,"session_rpl":-0.00004467,"price_currency":"USD",
"price":51807.07,"position":1520,"order_id":null,"interest_pl":0.00000993,"instrument_name":"BTC-PERPETUAL",
"info":{"settlement_price":51807,"floating_pl":0.00220172},"id":61311,"equity":3003.42821428,"currency":"BTC",
"commission":null,"change":0.00215706,"cashflow":0.00215706,"balance":3003.72270418,"amount":1520}
""")
TICKER: dict[str, Any] = json.loads("""
{"timestamp":1623060194301,"instrument_name":"BTC-PERPETUAL","mark_price":36281.63,"index_price":36441.64,
"current_funding":-0.0000245,"funding_8h":-0.00000103,"interest_value":1.7362511643080387,"state":"open"}
""")
LISTING: dict[str, Any] = json.loads("""
{"instrument_name":"BTC-PERPETUAL","tick_size":0.5,"min_trade_amount":10.0,"contract_size":10.0,
"taker_commission":0.0005,"maker_commission":0.0,"expiration_timestamp":32503708800000}
""")
FEES: dict[str, Any] = {"fees": [{"instrument_type": "perpetual", "maker_fee": -0.0001, "taker_fee": 0.0003}]}


def speaker() -> DeribitDialect:
    made = object.__new__(DeribitDialect)
    made.of = OF
    made._confirmed = set()  # pyright: ignore[reportPrivateUsage] - a dialect without its lines
    return made


def heard(message: dict[str, Any]) -> list[Heard]:
    return list(speaker().hear(message))


def pushed(channel: str, data: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "method": "subscription", "params": {"channel": channel, "data": data}}


def test_an_order_is_in_dollars_under_our_label() -> None:
    report = parse.order(ORDER, OF)
    assert (report.client_order_id, report.venue_order_id, report.symbol) == ("bl1", "1234567", "BTC/USD:BTC")
    assert (report.quantity, report.filled, report.status) == (D(30), D(10), "partially_filled")
    assert (report.limit_price, report.average_price) == (D("50000.5"), D("50000.5"))
    assert report.at_us == 1_708_587_373_363_000


def test_ccxts_cost_of_a_partly_filled_inverse_order_is_not_used() -> None:
    client: Any = ccxt.pro.deribit()
    market = {"inverse": True, "base": "BTC", "symbol": "BTC/USD:BTC", "id": "BTC-PERPETUAL", "type": "swap"}
    unified = client.parse_order(ORDER, market)
    assert unified["cost"] == pytest.approx(30 / 50000.5), "of the whole amount, a third of which was filled"
    assert unified["clientOrderId"] is None
    assert parse.order(ORDER, OF).filled == D(10)


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"filled_amount": 0.0, "average_price": 0.0}, "new"),
        ({"order_state": "filled", "filled_amount": 30.0}, "filled"),
        ({"order_state": "cancelled"}, "canceled"),
        ({"order_state": "cancelled", "time_in_force": "immediate_or_cancel"}, "expired"),
        ({"order_state": "cancelled", "time_in_force": "fill_or_kill", "filled_amount": 0}, "expired"),
        ({"order_state": "rejected"}, "rejected"),
    ],
)
def test_states(changes: dict[str, Any], status: str) -> None:
    assert parse.order(ORDER | changes, OF).status == status


def test_a_market_orders_price_is_a_word() -> None:
    assert parse.order(ORDER | {"price": "market_price"}, OF).limit_price is None


def test_what_waits_for_a_trigger_is_no_order_of_the_book() -> None:
    waiting = ORDER | {"order_state": "untriggered"}
    assert heard(pushed(ORDERS, waiting)) == []
    with pytest.raises(Unreadable, match="order_state"):
        parse.order(waiting, OF)


def test_a_fill_pays_its_fee_in_the_coin_and_may_be_tiny() -> None:
    report = parse.fill(FILL, OF, "stream")
    assert (report.fee_asset, report.fee_quantity) == ("BTC", D("1E-7"))
    assert (report.liquidity, report.kind, report.client_order_id) == ("taker", "trade", "bl1")
    linear = FILL | {"instrument_name": "ETH_USDC-PERPETUAL", "fee_currency": "USDC", "fee": -0.25, "label": ""}
    rebate = parse.fill(linear, OF, "sweep")
    assert (rebate.fee_asset, rebate.fee_quantity, rebate.client_order_id) == ("USDC", D("-0.25"), None)


@pytest.mark.parametrize(
    ("liquidity", "liquidation", "kind"),
    [
        ("M", "M", "liquidation"),
        ("T", "T", "liquidation"),
        ("M", "MT", "liquidation"),
        ("T", "MT", "liquidation"),
        ("M", "T", "trade"),
        ("T", "M", "trade"),
        ("T", None, "trade"),
    ],
)
def test_a_liquidation_is_ours_only_when_it_is_our_side(liquidity: str, liquidation: Any, kind: str) -> None:
    """Whoever trades with somebody who is liquidated is told of it, too."""
    row = FILL | {"liquidity": liquidity, "liquidation": liquidation}
    assert parse.fill(row, OF, "stream").kind == kind


def test_an_unknown_kind_of_liquidation_is_unreadable() -> None:
    with pytest.raises(Unreadable, match="liquidation"):
        parse.fill(FILL | {"liquidation": "X"}, OF, "stream")


def test_a_short_is_negative_and_flat_is_nothing() -> None:
    report = parse.position(POSITION, OF, 5)
    assert report is not None
    assert (report.quantity, report.at_us, report.liquidation_price) == (D(-5110), 5, D("9000.5"))
    flat = POSITION | {"size": 0.0, "direction": "zero", "average_price": 0.0}
    assert parse.position(flat, OF, 5) is None


@pytest.mark.parametrize("changes", [{"direction": "buy"}, {"size": 5110}, {"direction": "zero"}, {"size": 0}])
def test_a_position_whose_size_and_direction_disagree_is_unreadable(changes: dict[str, Any]) -> None:
    with pytest.raises(Unreadable, match="direction"):
        parse.position(POSITION | changes, OF, 5)


def test_what_was_realised_today_is_not_in_the_balance_yet() -> None:
    report = parse.balance(SUMMARY, OF, 7)
    assert report.wallet == D("302.56741895")
    assert report.margin == D("302.61869214")
    assert (report.available, report.asset) == (D("301.38059622"), "BTC")


def test_funding_is_a_rows_own_share_and_not_the_sessions() -> None:
    paid = parse.funding(LOG, OF)
    assert paid is not None
    assert (paid.amount, paid.asset, paid.payment_id, paid.symbol) == (D("0.00000993"), "BTC", "61311", "BTC/USD:BTC")
    with_a_trade = parse.funding(LOG | {"type": "trade", "id": 61300, "interest_pl": -2.5e-6}, OF)
    assert with_a_trade is not None
    assert with_a_trade.amount == D("-0.0000025"), "paid when the position changed, not at the settlement"
    for nothing in ({"interest_pl": None}, {"interest_pl": 0.0}, {"instrument_name": None}):
        assert parse.funding(LOG | nothing, OF) is None


def test_the_current_rate_is_for_eight_hours() -> None:
    report = parse.mark(TICKER, OF)
    assert (report.funding_rate, report.funding_interval_ms) == (D("-0.0000245"), 8 * 3_600_000)
    assert report.funding_per_hour == D("-0.0000245") / 8
    assert report.next_funding_us > report.at_us


def test_fees_are_the_listings_unless_the_account_has_its_own() -> None:
    own = parse.fee_rates(SUMMARY | FEES, INVERSE, LISTING, "deribit")
    assert (own.maker, own.taker) == (D("-0.0001"), D("0.0003"))
    listed = parse.fee_rates(SUMMARY, INVERSE, LISTING, "deribit")
    assert (listed.maker, listed.taker) == (D(0), D("0.0005"))
    with pytest.raises(Unreadable):
        parse.fee_rates(SUMMARY | {"fees": [{"instrument_type": "option"}]}, INVERSE, LISTING, "deribit")


def test_a_perpetual_that_ends_in_the_year_3000_does_not_end() -> None:
    item = {"id": "BTC-PERPETUAL", "symbol": "BTC/USD:BTC", "base": "BTC", "quote": "USD", "settle": "BTC"}
    item |= {"expiry": 32_503_708_800_000, "contractSize": "10"}
    kind: dict[str, Any] = {"linear": False, "inverse": True}
    perpetual = DeribitDialect.market({**item, "type": "swap", **kind})
    dated = DeribitDialect.market({**item, "type": "future", **kind})
    assert perpetual is not None
    assert dated is not None
    assert (perpetual.expiry_us, dated.expiry_us) == (0, 32_503_708_800_000_000)
    intervals = asyncio.run(DeribitDialect.funding_intervals(None, [perpetual]))
    assert intervals == {"BTC/USD:BTC": 8 * 3_600_000}
    assert asyncio.run(DeribitDialect.funding_intervals(None, [dated])) == {"BTC/USD:BTC": 0}


def test_amounts_are_dollars_whatever_a_contract_is() -> None:
    report = parse.instrument({"info": LISTING}, INVERSE, "deribit")
    assert (report.step, report.quantity_min, report.tick, report.contract_size) == (D(10), D(10), D("0.5"), D(10))


def test_margin_rises_with_size_and_is_never_held_to_be_cheaper_than_it_is() -> None:
    tiers = margin_tiers("BTC", D(1))
    assert [tier.notional_from for tier in tiers[:3]] == [D(0), D(100), D(200)]
    assert (tiers[0].maintenance_rate, tiers[0].leverage_max) == (D("0.015"), D(40))
    line = LINES["BTC"]
    for lower, upper in pairwise(tiers):
        assert lower.maintenance_rate >= line.maintenance + line.rise * upper.notional_from / line.coins
    assert margin_tiers("DOGE", D(1)) == ()


def test_an_old_label_used_by_hand_is_not_ours() -> None:
    by_hand = ORDER | {"order_id": "9", "api": False, "creation_timestamp": 1_708_587_379_999}
    assert ours([ORDER, by_hand], INVERSE, "bl1") == [ORDER]
    with pytest.raises(Unreadable, match="none of them placed by us"):
        ours([by_hand], INVERSE, "bl1")
    assert ours([], INVERSE, "bl1") == []


def test_several_orders_under_a_label_are_told_and_the_newest_counts(caplog: pytest.LogCaptureFixture) -> None:
    second = ORDER | {"order_id": "1234568"}
    found = ours([second, ORDER, ORDER | {"label": "bl2"}], INVERSE, "bl1")
    assert [row["order_id"] for row in found] == ["1234567", "1234568"], "of one millisecond: by number"
    assert "2 orders of ours under the label bl1" in caplog.text


def test_the_stream_is_up_when_both_channels_are_confirmed() -> None:
    dialect = speaker()
    assert list(dialect.hear({"id": 2, "result": {"access_token": "x"}})) == []
    assert list(dialect.hear({"id": 3, "result": [ORDERS]})) == []
    assert list(dialect.hear({"id": 4, "result": [TRADES]})) == [Listening()]
    assert {ORDERS, TRADES} == CHANNELS


def test_a_subscription_that_was_left_out_without_a_word_is_no_subscription() -> None:
    assert heard({"id": 3, "result": []}) == [Dropped("a subscription was left out")]


def test_orders_come_alone_or_in_lists_and_fills_in_lists() -> None:
    assert [type(each) for each in heard(pushed(ORDERS, ORDER))] == [OrderReport]
    assert [type(each) for each in heard(pushed(ORDERS, [ORDER, ORDER]))] == [OrderReport, OrderReport]
    assert [type(each) for each in heard(pushed(TRADES, [FILL]))] == [FillReport]
    assert heard({"method": "heartbeat", "params": {"type": "test_request"}}) == []
    with pytest.raises(Unreadable):
        heard(pushed(TRADES, FILL))


@pytest.mark.parametrize("code", ["13888", "13028", "10001", "10040", "10041", "10047", "11031", "11094", "99999"])
def test_a_code_that_leaves_the_outcome_open_is_unknown(code: str) -> None:
    told = errors.ExchangeError(f'deribit {{"error":{{"message":"x","code":{code}}}}}')
    assert isinstance(FAILURES.classify(told), Unknown)


@pytest.mark.parametrize(
    ("code", "message", "reason"),
    [
        ("10009", "not_enough_funds", "insufficient_margin"),
        ("11054", "post_only_reject", "post_only_would_take"),
        ("10004", "order_not_found", "unknown_order"),
        ("11044", "not_open_order", "unknown_order"),
        ("-32602", "Invalid params", "malformed"),
        ("11030", "other_reject reduce_only", "reduce_only"),
        ("11030", "other_reject something", "venue_rule"),
    ],
)
def test_a_code_that_refuses_is_a_refusal_whatever_class_ccxt_gives_it(code: str, message: str, reason: str) -> None:
    told = errors.ExchangeError(f'deribit {{"error":{{"message":"{message}","code":{code}}}}}')
    refused = FAILURES.classify(told)
    assert isinstance(refused, Rejected)
    assert refused.reason == reason


def test_a_bare_type_error_is_unknown() -> None:
    """What ccxt's own create_order makes of a web page."""
    assert isinstance(FAILURES.classify(TypeError("'NoneType' object does not support item assignment")), Unknown)
    with pytest.raises(Unreadable):
        parse.result("<html></html>")


def test_a_signed_order_on_its_way_may_still_arrive_for_a_minute() -> None:
    settings = VenueSettings(account="a", api_key="k", api_secret="s", symbols=())
    assert DeribitDialect.absence_after_ms(settings) == SIGNATURE_VALID_MS + settings.settling_ms


@pytest.mark.parametrize("error", [aiohttp.ClientOSError(104, "reset"), aiohttp.ServerDisconnectedError()])
async def test_a_lost_answer_is_not_one_after_which_a_get_is_sent_again(error: Exception) -> None:
    async def send(_request: Any) -> Any:
        raise error

    with pytest.raises(aiohttp.ClientConnectionError) as caught:
        await once(None, send)  # pyright: ignore[reportArgumentType] - it is only passed on
    assert not isinstance(caught.value, (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError))


async def test_what_never_connected_stays_provably_unsent() -> None:
    key: Any = type("Key", (), {"host": "www.deribit.com", "port": 443, "ssl": True, "is_ssl": True})()

    async def send(_request: Any) -> Any:
        raise aiohttp.ClientConnectorError(key, OSError(111, "refused"))

    with pytest.raises(aiohttp.ClientConnectorError) as caught:
        await once(None, send)  # pyright: ignore[reportArgumentType] - it is only passed on
    wrapped = errors.ExchangeNotAvailable("x")
    wrapped.__cause__ = caught.value
    assert isinstance(FAILURES.classify(wrapped), Unavailable)


async def test_the_true_venues_own_session_sends_once_too_and_is_closed() -> None:
    settings = VenueSettings(venue="deribit", account="a", api_key="k", api_secret="s", symbols=())
    clients: list[Any] = [make_client("deribit", settings, {}, None, paced=False) for _ in range(3)]
    orders, queries, private = clients
    lines = Lines(
        orders=orders, queries=queries, private=private, of=OF, listed={}, settings=settings, failures=FAILURES
    )
    DeribitDialect(lines)
    assert isinstance(orders.session, SendingOnce)
    assert queries.session is None, "opened by ccxt with its first question"
    assert orders.session.closed is False
    sent = orders.session
    for client in clients:
        await client.close()
    assert sent.closed is True
