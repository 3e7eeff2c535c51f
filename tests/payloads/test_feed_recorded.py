"""Recorded markets through the dialects: no gap, and every top of book is the venue's own word for it.

bookTicker is a stream of its own. A depth message ends at update id u; the newest bookTicker with an id up to u tells
the top as of u. The two streams are recorded on one socket, so a ticker that belongs before u may be recorded after it:
tickers are collected first. Nothing else is explained away: every boundary that has a ticker must match.
"""

import gzip
import os
from bisect import bisect_right
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from adapters.exchange.feeds.binance import Binance, BinanceCoinm, BinanceSpot, BinanceUsdm
from adapters.exchange.feeds.dialect import Changed, Lost, Memories, Unread
from domain.venue import InstrumentReport, TradePrint
from tests.support.feeds import listing

SHARED = Path(os.environ.get("BALLAST_SHARED", Path(__file__).parents[3] / "shared"))
FOLDER = SHARED / "data/binance"
recorded = pytest.mark.skipif(not FOLDER.exists(), reason="the recorded data (BALLAST_SHARED) is not here")

USDM = listing("binanceusdm", "ETH/USDT:USDT", "ETHUSDT")
COINM = listing("binancecoinm", "ETH/USD:ETH", "ETHUSD_PERP", kind="inverse", contract_size=Decimal(10))
SPOT = listing("binance", "ETH/USDT", "ETHUSDT", kind="spot")

Ticker = tuple[int, Decimal, Decimal, Decimal, Decimal]


def messages(name: str) -> list[bytes]:
    with gzip.open(FOLDER / name, "rb") as file:
        bodies = [line.partition(b" ")[2] for line in file]
    return [bytes(msgspec.json.decode(body, type=dict[str, msgspec.Raw]).get("data", body)).strip() for body in bodies]


def ticker(row: dict[str, Any], unit: Decimal) -> Ticker:
    return (
        row["u"],
        Decimal(row["b"]),
        Decimal(row["B"]) * unit,
        Decimal(row["a"]),
        Decimal(row["A"]) * unit,
    )


CASES = [
    (BinanceUsdm, USDM, "usdm_ethusdt_20240808.gz", 6_500, 14_000),
    (BinanceCoinm, COINM, "coinm_ethusd_perp_20240808.gz", 15_000, 1_700),
    (BinanceSpot, SPOT, "spot_ethusdt_20240808.gz", 3_400, 6_000),
]


@recorded
@pytest.mark.parametrize(("kind", "instrument", "name", "compared_min", "trades_min"), CASES)
def test_a_recorded_market_has_no_gap_and_the_recorded_tops(
    kind: type[Binance], instrument: InstrumentReport, name: str, compared_min: int, trades_min: int
) -> None:
    unit = instrument.contract_size
    tickers: list[Ticker] = []
    told: list[bytes] = []
    for body in messages(name):
        if b'"bookTicker"' in body or (b'"B":' in body and b'"e":' not in body):
            tickers.append(ticker(msgspec.json.decode(body), unit))
        else:
            told.append(body)
    ids = [row[0] for row in tickers]
    assert ids == sorted(ids)
    dialect = kind([instrument], Memories(), levels=20, streams=("books", "trades"))
    compared = trades = 0
    different: list[Any] = []
    for body in told:
        is_snapshot = body.startswith(b'{"lastUpdateId"')
        acts = dialect.fetched(instrument.symbol, body, 1) if is_snapshot else dialect.receive(body, 1)
        for act in acts:
            assert not isinstance(act, Lost | Unread), act
            trades += isinstance(act, TradePrint)
            if not isinstance(act, Changed):
                continue
            update = dialect.book(instrument.symbol)
            found = bisect_right(ids, update.sequence)
            if not 0 < found < len(ids):
                continue
            top = update.top
            assert top is not None
            seen = (top.bid_price, top.bid_quantity, top.ask_price, top.ask_quantity)
            compared += 1
            if seen != tickers[found - 1][1:]:
                different.append((update.sequence, tickers[found - 1], seen))
    assert different == []
    assert compared >= compared_min
    assert trades >= trades_min
