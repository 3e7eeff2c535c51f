"""Old captures of OKX (2022) and Deribit (2021): real payloads, chained and rebuilt.

OKX then sent a checksum of the best 25 levels and no sequence numbers; the numbers are put in here, and the checksum is
the venue's own word on the rebuilt book. Deribit chains by itself, and its ticker tells the top at a time.
"""

import os
import zlib
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from adapters.exchange.feeds.deribit import Deribit
from adapters.exchange.feeds.dialect import Changed, Dialect, Lost, Memories, Unread
from adapters.exchange.feeds.okx import Okx
from domain.venue import TradePrint
from tests.support.feeds import listing

SHARED = Path(os.environ.get("BALLAST_SHARED", Path(__file__).parents[3] / "shared"))
FOLDER = SHARED / "data/venues"
recorded = pytest.mark.skipif(not FOLDER.exists(), reason="the recorded data (BALLAST_SHARED) is not here")
CHECKSUM_LEVELS = 25


def messages(name: str) -> Iterator[bytes]:
    for line in (FOLDER / name).read_text().splitlines():
        _, separator, body = line.partition(": ")
        if separator and not line.startswith("wss:"):
            yield body.encode()


def written(value: Decimal) -> str:
    return f"{value.normalize():f}"


def checksum(dialect: Dialect, symbol: str) -> int:
    book = dialect.book(symbol)
    parts: list[str] = []
    for at in range(CHECKSUM_LEVELS):
        for side in (book.bids, book.asks):
            if at < len(side):
                parts += [written(side[at][0]), written(side[at][1])]
    unsigned = zlib.crc32(":".join(parts).encode())
    return unsigned - (1 << 32) if unsigned >= 1 << 31 else unsigned


@recorded
def test_okx_books_have_the_recorded_checksums() -> None:
    listed = [
        listing("okx", "BTC/USD:BTC-220527", "BTC-USD-220527", kind="inverse"),
        listing("okx", "UNI/USD:UNI", "UNI-USD-SWAP", kind="inverse", tick=Decimal("0.001")),
        listing("okx", "BTC/USDT", "BTC-USDT"),
    ]
    symbols = {row.market_id: row.symbol for row in listed}
    dialect = Okx(listed, Memories(), levels=CHECKSUM_LEVELS, streams=("books", "trades"))
    last = dict.fromkeys(symbols, -1)
    compared = trades = 0
    for number, body in enumerate(messages("okx_ws.txt"), start=1):
        row: dict[str, Any] = msgspec.json.decode(body)
        is_book = row.get("arg", {}).get("channel") == "books" and "data" in row
        market_id = row["arg"]["instId"]
        if is_book:
            row["data"][0] |= {"prevSeqId": last[market_id], "seqId": number}
            last[market_id] = number
        for act in dialect.receive(msgspec.json.encode(row), 1):
            assert not isinstance(act, Lost | Unread), act
            trades += isinstance(act, TradePrint)
            if isinstance(act, Changed):
                compared += 1
                assert checksum(dialect, act.symbol) == row["data"][0]["checksum"]
    assert compared == 290
    assert trades > 70


@recorded
def test_deribit_books_chain_and_have_the_recorded_tops() -> None:
    bodies = list(messages("deribit_ws.txt"))
    rows: list[dict[str, Any]] = [msgspec.json.decode(body) for body in bodies]
    names = sorted(
        {
            row["params"]["data"]["instrument_name"]
            for row in rows
            if "book." in row.get("params", {}).get("channel", "")
        }
    )
    listed = [listing("deribit", f"{name}/X:X", name, tick=Decimal("0.0001")) for name in names]
    dialect = Deribit(listed, Memories(), levels=20, streams=("books", "trades", "marks"))
    tops: dict[str, list[tuple[int, tuple[Decimal, ...]]]] = {row.symbol: [] for row in listed}
    tickers: list[tuple[str, int, tuple[Decimal, ...]]] = []
    for body, row in zip(bodies, rows, strict=True):
        data = row.get("params", {}).get("data", {})
        for act in dialect.receive(body.replace(b".raw", b".100ms"), 1):
            assert not isinstance(act, Unread), act
            # An option's book may well have one side only.
            assert not isinstance(act, Lost) or act.reason in {"crossed: no bids", "crossed: no asks"}, act
            if isinstance(act, Changed):
                book = dialect.book(act.symbol)
                assert book.top is not None
                best = (book.top.bid_price, book.top.bid_quantity, book.top.ask_price, book.top.ask_quantity)
                tops[act.symbol].append((book.exchange_at_us // 1_000, best))
        if "best_bid_price" in data:
            told = [data[name] for name in ("best_bid_price", "best_bid_amount", "best_ask_price", "best_ask_amount")]
            best = tuple(Decimal(str(value)) for value in told)
            tickers.append((f"{data['instrument_name']}/X:X", data["timestamp"], best))
    compared = 0
    for symbol, at_ms, told_top in tickers:
        known = [best for book_ms, best in tops[symbol] if book_ms <= at_ms]
        if known:
            compared += 1
            assert told_top == known[-1]
    assert sum(map(len, tops.values())) >= 40
    assert compared >= 70
