"""ccxt's unified structures, with numbers as strings, as venues without a dialect give them."""

from decimal import Decimal
from typing import Any

import pytest

from adapters.exchange.fields import Unreadable
from adapters.exchange.naming import Account
from adapters.exchange.unified import parse
from domain.venue import HOUR_MS

D = Decimal
ITEM: dict[str, Any] = {
    "id": "ETH_USDT",
    "symbol": "ETH/USDT:USDT",
    "type": "swap",
    "linear": True,
    "inverse": False,
    "base": "ETH",
    "quote": "USDT",
    "settle": "USDT",
    "contractSize": "0.01",
    "expiry": None,
    "precision": {"price": "0.05", "amount": "1"},
    "limits": {"amount": {"min": "1", "max": None}, "cost": {"min": None}},
}
ORDER: dict[str, Any] = {
    "symbol": "ETH/USDT:USDT",
    "id": "7",
    "clientOrderId": "t-1",
    "side": "sell",
    "status": "open",
    "amount": "200",
    "filled": "0",
    "price": "2000",
    "average": None,
    "reduceOnly": None,
    "timestamp": 1_700_000_000_000,
}
TRADE: dict[str, Any] = {
    "symbol": "ETH/USDT:USDT",
    "id": "9",
    "order": "7",
    "side": "sell",
    "price": "2000",
    "amount": "150",
    "takerOrMaker": "maker",
    "fee": {"cost": "-0.3", "currency": "USDT"},
    "timestamp": 1_700_000_000_000,
}


def account(**changes: Any) -> Account:
    market = parse.market(ITEM | changes)
    assert market is not None
    return Account("gate", "main", [market])


OF = account()


def test_contracts_become_units() -> None:
    report = parse.order(ORDER | {"filled": "150", "average": "2000.5"}, OF)
    assert (report.quantity, report.filled, report.average_price) == (D(2), D("1.5"), D("2000.5"))
    assert report.status == "partially_filled"
    fill = parse.fill(TRADE, OF, "sweep")
    assert (fill.quantity, fill.fee_quantity, fill.liquidity) == (D("1.5"), D("-0.3"), "maker")
    listed = parse.instrument(ITEM, OF.named("ETH/USDT:USDT"), "gate")
    assert (listed.step, listed.quantity_min, listed.quantity_max) == (D("0.01"), D("0.01"), D(0))


def test_a_market_without_a_told_contract_size_counts_units() -> None:
    assert account(contractSize=None).named("ETH/USDT:USDT").contract_size == D(1)


@pytest.mark.parametrize(
    "changes", [{"type": "option"}, {"linear": False, "inverse": False}, {"type": "margin"}, {"linear": None}]
)
def test_what_is_neither_spot_linear_nor_inverse_is_no_market(changes: dict[str, Any]) -> None:
    assert parse.market(ITEM | changes) is None


def test_a_fill_without_a_fee_pays_none() -> None:
    fill = parse.fill(TRADE | {"fee": None}, OF, "stream")
    assert (fill.fee_asset, fill.fee_quantity, fill.source) == ("", D(0), "stream")


@pytest.mark.parametrize(
    ("side", "contracts", "quantity"), [("short", "150", "-1.5"), ("long", "150", "1.5"), ("short", "-150", "-1.5")]
)
def test_a_position_has_the_sign_of_its_side(side: str, contracts: str, quantity: str) -> None:
    row = {"symbol": "ETH/USDT:USDT", "side": side, "contracts": contracts, "entryPrice": "2000"}
    assert parse.position(row, OF).quantity == D(quantity)


def test_a_flat_position_may_be_called_short() -> None:
    row = {"symbol": "ETH/USDT:USDT", "side": "short", "contracts": "0", "entryPrice": None}
    assert (parse.position(row, OF).quantity, parse.position(row, OF).entry_price) == (D(0), None)


@pytest.mark.parametrize(
    ("row", "interval_ms"),
    [
        ({"interval": "1h"}, HOUR_MS),
        ({"interval": "8h"}, 8 * HOUR_MS),
        ({"fundingTimestamp": 1_000, "nextFundingTimestamp": 1_000 + 4 * HOUR_MS}, 4 * HOUR_MS),
        ({"interval": "fortnight"}, None),
        ({"fundingTimestamp": 1_000, "nextFundingTimestamp": None}, None),
        ({}, None),
    ],
)
def test_the_funding_interval_is_told_or_follows_from_its_times(row: dict[str, Any], interval_ms: int | None) -> None:
    assert parse.funding_interval_ms(row) == interval_ms


@pytest.mark.parametrize(
    ("parser", "row"),
    [
        (parse.order, ORDER | {"status": None}),
        (parse.order, ORDER | {"side": None}),
        (parse.order, ORDER | {"amount": None}),
        (parse.order, ORDER | {"id": None}),
        (parse.order, ORDER | {"symbol": "DOGE/USDT:USDT"}),
        (parse.position, {"symbol": "ETH/USDT:USDT", "side": None, "contracts": "1", "entryPrice": "1"}),
        (lambda row, of: parse.mark(row, of, HOUR_MS), {"symbol": "ETH/USDT:USDT", "fundingRate": "0.0001"}),
        (parse.fee_rates, {"symbol": "ETH/USDT:USDT", "maker": "0.0002", "taker": None}),
    ],
)
def test_what_ccxt_leaves_out_is_unreadable(parser: Any, row: dict[str, Any]) -> None:
    with pytest.raises(Unreadable):
        parser(row, OF)
