"""How to follow a venue's public market data."""

import msgspec

from adapters.exchange.settings import Loopback
from domain.depth import DEPTH_LEVELS_MAX


class FeedSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Say which venue to follow and how.

    `venue` is its ccxt id. Without `loopback` the real venue is spoken to. `levels` is how many of each side are handed
    out. A believed book that is not told of for `silence_ms` is lost, and its socket replaced.
    """

    venue: str
    loopback: Loopback | None = None
    levels: int = DEPTH_LEVELS_MAX
    silence_ms: int = 5_000
    snapshot_ms: int = 10_000
    timeout_ms: int = 10_000
    trades_max: int = 10_000
    clock_interval_ms: int = 10_000
    trades: bool = True
    marks: bool = True
