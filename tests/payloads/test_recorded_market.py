"""The replayed book against the venue's own word: bookTicker is a stream of its own, so it checks the rebuilt top."""

import os
from bisect import bisect_right
from decimal import Decimal
from pathlib import Path

import pytest

from adapters.simulators.binance.instruments import ETHUSDT
from adapters.simulators.binance.replay import Line, RecordingBroken, Ticker, lines, parse_line, parse_ticker, steps
from adapters.simulators.exchange import Exchange

SHARED = Path(os.environ.get("BALLAST_SHARED", Path(__file__).parents[3] / "shared"))
RECORDING = SHARED / "data/binance/usdm_ethusdt_20240808.gz"
recorded = pytest.mark.skipif(not RECORDING.exists(), reason="the recorded data (BALLAST_SHARED) is not here")


@recorded
def test_the_rebuilt_top_is_the_recorded_bookticker() -> None:
    tickers: list[Ticker] = []

    def tapped() -> list[Line]:
        kept: list[Line] = []
        for line in lines(RECORDING):
            data = line.message.get("data", {})
            if data.get("e") == "bookTicker":
                tickers.append(parse_ticker(data, ETHUSDT))
            else:
                kept.append(line)
        return kept

    venue = Exchange((ETHUSDT,), {"USDT": Decimal(0)}, now_ms=0)
    book = venue.books["ETHUSDT"]
    source = tapped()
    ids = [ticker.update_id for ticker in tickers]
    assert ids == sorted(ids)
    compared = different = trades = 0
    for timed in steps(iter(source), ETHUSDT):
        for stranger in timed.step.strangers:
            trades += 1
            venue.market_trade("ETHUSDT", stranger.side, stranger.price, stranger.quantity, 0)
        if not timed.update_id:
            continue
        venue.set_market("ETHUSDT", timed.step.bids, timed.step.asks, 0)
        found = bisect_right(ids, timed.update_id)
        if not 0 < found < len(ids):
            continue
        told = tickers[found - 1]
        top = tuple(book.levels(side, 1)[0] for side in ("BUY", "SELL"))
        compared += 1
        different += top != (told.bid, told.ask)
    assert compared > 6_000
    assert trades > 5_000, "the strangers' trades were played"
    assert different == 0


@pytest.mark.parametrize("line", [b"", b"123", b"x {}", b"12 [1]", b'12 {"a":'])
def test_what_is_not_a_recorded_line_is_refused(line: bytes) -> None:
    with pytest.raises(RecordingBroken):
        parse_line(line)


def test_a_hole_in_a_recording_is_an_error() -> None:
    def diff(first: int, last: int, previous: int) -> Line:
        body = {"e": "depthUpdate", "s": "ETHUSDT", "T": 1, "U": first, "u": last, "pu": previous, "b": [], "a": []}
        return Line(1, {"data": body})

    snapshot = Line(1, {"lastUpdateId": 10, "bids": [], "asks": []})
    whole = [snapshot, diff(9, 12, 8), diff(13, 15, 12)]
    assert [timed.update_id for timed in steps(iter(whole), ETHUSDT)] == [10, 12, 15]
    with pytest.raises(RecordingBroken, match="gap"):
        list(steps(iter([*whole, diff(17, 18, 16)]), ETHUSDT))
    with pytest.raises(RecordingBroken, match="snapshot"):
        list(steps(iter([diff(1, 2, 0)]), ETHUSDT))


def test_a_size_between_lots_is_an_error() -> None:
    broken = Line(1, {"lastUpdateId": 10, "bids": [["1.001", "1"]], "asks": []})
    with pytest.raises(RecordingBroken, match="between"):
        list(steps(iter([broken]), ETHUSDT))
