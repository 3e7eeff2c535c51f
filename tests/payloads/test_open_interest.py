"""Open interest as each venue documents it: in its own contracts or amounts there, in units here."""

from decimal import Decimal
from typing import Any

import pytest

from adapters.exchange.binance import parse as binance
from adapters.exchange.bybit import parse as bybit
from adapters.exchange.deribit import parse as deribit
from adapters.exchange.fields import Unreadable
from adapters.exchange.naming import Account, Market
from adapters.exchange.okx import parse as okx

D = Decimal


def market(key: str, symbol: str, kind: Any, contract_size: str = "1") -> Market:
    return Market(
        key=key,
        market_id=key,
        symbol=symbol,
        kind=kind,
        base=symbol.partition("/")[0],
        quote="USD",
        settle="USD",
        contract_size=D(contract_size),
    )


USDM = Account("binanceusdm", "main", [market("BTCUSDT", "BTC/USDT:USDT", "linear")])
COINM = Account("binancecoinm", "main", [market("BTCUSD_PERP", "BTC/USD:BTC", "inverse", "100")])
OKX = Account(
    "okx",
    "main",
    [
        market("BTC-USDT-SWAP", "BTC/USDT:USDT", "linear", "0.01"),
        market("BTC-USD-SWAP", "BTC/USD:BTC", "inverse", "100"),
    ],
)
USDM_ROW: dict[str, Any] = {"openInterest": "10659.509", "symbol": "BTCUSDT", "time": 1589437530011}
COINM_ROW: dict[str, Any] = {
    "symbol": "BTCUSD_PERP",
    "pair": "BTCUSD",
    "openInterest": "15004",
    "contractType": "PERPETUAL",
    "time": 1591261042378,
}
OKX_ROW: dict[str, Any] = {
    "instType": "SWAP",
    "instId": "BTC-USDT-SWAP",
    "oi": "2125419.37",
    "oiCcy": "21254.1937",
    "oiUsd": "2020000000.5",
    "ts": "1743041250440",
}
BYBIT_ROW: dict[str, Any] = {"symbol": "BTCUSD", "openInterest": "373504107", "openInterestValue": "22505.67"}
DERIBIT_ROW: dict[str, Any] = {"instrument_name": "BTC-PERPETUAL", "open_interest": 1234567.5, "state": "open"}


def test_usdm_tells_base_units_and_coinm_contracts_of_so_many_dollars() -> None:
    assert binance.open_interest(USDM_ROW, USDM, "BTC/USDT:USDT") == D("10659.509")
    assert binance.open_interest(COINM_ROW, COINM, "BTC/USD:BTC") == 1_500_400


def test_okx_tells_contracts_beside_coins_and_dollars() -> None:
    assert okx.open_interest(OKX_ROW, OKX, "BTC/USDT:USDT") == D("21254.1937")
    inverse = OKX_ROW | {"instId": "BTC-USD-SWAP", "oi": "7"}
    assert okx.open_interest(inverse, OKX, "BTC/USD:BTC") == 700


def test_bybits_ticker_tells_dollars_of_inverse_contracts() -> None:
    assert bybit.open_interest(BYBIT_ROW) == 373_504_107


def test_deribits_ticker_tells_it_as_a_number() -> None:
    assert deribit.open_interest(DERIBIT_ROW) == D("1234567.5")


def test_an_answer_about_another_contract_is_not_read() -> None:
    with pytest.raises(Unreadable):
        binance.open_interest(USDM_ROW | {"symbol": "ETHUSDT"}, USDM, "BTC/USDT:USDT")
    with pytest.raises(Unreadable, match="BTC-USD-SWAP"):
        okx.open_interest(OKX_ROW | {"instId": "BTC-USD-SWAP"}, OKX, "BTC/USDT:USDT")


@pytest.mark.parametrize("told", ["-1", "", "NaN", None, "1e999999"])
def test_what_is_no_amount_is_not_read(told: Any) -> None:
    for read in (
        lambda: binance.open_interest(USDM_ROW | {"openInterest": told}, USDM, "BTC/USDT:USDT"),
        lambda: okx.open_interest(OKX_ROW | {"oi": told}, OKX, "BTC/USDT:USDT"),
        lambda: bybit.open_interest(BYBIT_ROW | {"openInterest": told}),
        lambda: deribit.open_interest(DERIBIT_ROW | {"open_interest": told}),
    ):
        with pytest.raises(Unreadable):
            read()
