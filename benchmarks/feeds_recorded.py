"""Recorded markets as a feed gets them, and what their own bookTicker says of the tops. Only read, never copied."""

import gzip
import os
from bisect import bisect_right
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from adapters.exchange.feeds.dialect import Acts, Changed, Dialect, Lost
from adapters.exchange.feeds.settings import FeedSettings
from adapters.exchange.feeds.venues import dialects
from domain.venue import InstrumentReport

SHARED = Path(os.environ.get("BALLAST_SHARED", Path(__file__).parents[2] / "shared"))
DEFAULT = SHARED / "data/binance/usdm_ethusdt_20240808.gz"
AT_US = 1_723_161_255_000_000


class Recording(msgspec.Struct, frozen=True):
    """Hold one recording: the instrument, one REST snapshot, the diffs in order, and the tickers by update id."""

    listing: InstrumentReport
    snapshot: bytes
    diffs: list[bytes]
    ticker_ids: list[int]
    tickers: list[tuple[Decimal, ...]]

    def dialect(self) -> Dialect:
        """Return a dialect that was told nothing yet."""
        return dialects(FeedSettings(venue=self.listing.venue), [self.listing])[0]


class Mismatches(msgspec.Struct):
    """Count the boundaries that have a ticker, the tops that differ from it, and the books that were lost."""

    compared: int = 0
    different: int = 0
    lost: int = 0


def _listing(name: str) -> InstrumentReport:
    venue, symbol, market_id, size = {
        "usdm": ("binanceusdm", "ETH/USDT:USDT", "ETHUSDT", 1),
        "coinm": ("binancecoinm", "ETH/USD:ETH", "ETHUSD_PERP", 10),
        "spot": ("binance", "ETH/USDT", "ETHUSDT", 1),
    }[name.partition("_")[0]]
    return InstrumentReport(
        venue=venue,
        symbol=symbol,
        base="ETH",
        quote="USDT",
        settle="USDT",
        tick=Decimal("0.01"),
        step=Decimal("0.001"),
        quantity_min=Decimal("0.001"),
        quantity_max=Decimal(10_000),
        notional_min=Decimal(5),
        market_id=market_id,
        kind="inverse" if size > 1 else ("spot" if venue == "binance" else "linear"),
        contract_size=Decimal(size),
        funding_interval_ms=0 if venue == "binance" else 28_800_000,
    )


def recording(path: Path) -> Recording:
    """Read a recording; its name begins with usdm, coinm or spot."""
    listing = _listing(path.name)
    unit = listing.contract_size
    snapshot = b""
    diffs: list[bytes] = []
    tickers: list[tuple[int, tuple[Decimal, ...]]] = []
    with gzip.open(path, "rb") as file:
        for line in file:
            body = line.partition(b" ")[2].rstrip()
            row: dict[str, Any] = msgspec.json.decode(body)
            told = row.get("data", row)
            if "lastUpdateId" in told:
                snapshot = body
            elif told.get("e") == "depthUpdate":
                diffs.append(bytes(msgspec.json.decode(body, type=dict[str, msgspec.Raw])["data"]))
            elif "B" in told and "A" in told:
                bid, ask = (
                    (Decimal(told["b"]), Decimal(told["B"]) * unit),
                    (Decimal(told["a"]), Decimal(told["A"]) * unit),
                )
                tickers.append((told["u"], (*bid, *ask)))
    tickers.sort(key=lambda ticker: ticker[0])
    return Recording(listing, snapshot, diffs, [number for number, _ in tickers], [best for _, best in tickers])


def started(recorded: Recording, dialect: Dialect) -> list[bytes]:
    """Tell a dialect the snapshot and the diffs that join it; return those that are left."""
    last: int = msgspec.json.decode(recorded.snapshot)["lastUpdateId"]
    for number, diff in enumerate(recorded.diffs):
        dialect.receive(diff, AT_US)
        if msgspec.json.decode(diff)["u"] > last:
            dialect.fetched(recorded.listing.symbol, recorded.snapshot, AT_US)
            return recorded.diffs[number + 1 :]
    raise ValueError("no diff after the snapshot")


def mismatches(recorded: Recording) -> Mismatches:
    """Compare the top after every diff with the newest ticker up to the diff's last id: nothing is explained away."""
    found = Mismatches()
    dialect = recorded.dialect()
    symbol = recorded.listing.symbol

    def look(acts: Acts) -> None:
        found.lost += sum(isinstance(act, Lost) for act in acts)
        if not any(isinstance(act, Changed) for act in acts):
            return
        book = dialect.book(symbol)
        at = bisect_right(recorded.ticker_ids, book.sequence)
        if book.top is None or not 0 < at < len(recorded.ticker_ids):
            return
        found.compared += 1
        seen = (book.top.bid_price, book.top.bid_quantity, book.top.ask_price, book.top.ask_quantity)
        found.different += seen != recorded.tickers[at - 1]

    for diff in started(recorded, dialect):
        look(dialect.receive(diff, AT_US))
    return found
