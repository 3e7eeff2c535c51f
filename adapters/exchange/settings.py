"""How to reach a venue account."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec


class Loopback(msgspec.Struct, frozen=True, kw_only=True):
    """Send the venue's real host names to a simulator: its port on 127.0.0.1 and the authority to trust."""

    port: int
    ca_file: Path


class OrderRate(msgspec.Struct, frozen=True, kw_only=True):
    """Bound how often we send orders and cancels: `burst` at once, then `per_s` a second."""

    per_s: float
    burst: int


class VenueSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Say which account to use and how.

    `symbols` are unified (`ETH/USDT:USDT`). Without `loopback` the real venue is spoken to. A look-up that finds no
    order proves absence only `recv_window_ms + settling_ms` after the order was sent. `passphrase` is for venues that
    have one; `order_rate` None leaves our own order rate to the venue's dialect. `ccxt` is told to ccxt's class of a
    venue that has no dialect of its own. The venue's dead-man's switch, once armed, goes off `switch_s` after the last
    sign of life.
    """

    account: str
    api_key: str
    api_secret: str
    symbols: tuple[str, ...]
    venue: str = "binanceusdm"
    passphrase: str = ""
    ccxt: Mapping[str, Any] = {}
    loopback: Loopback | None = None
    recv_window_ms: int = 5_000
    settling_ms: int = 2_000
    timeout_ms: int = 10_000
    order_rate: OrderRate | None = None
    keep_alive_ms: int = 15_000
    listen_key_renewal_ms: int = 5 * 60_000
    clock_skew_ms_max: int = 1_000
    switch_s: int = 30

    def __repr__(self) -> str:
        """Name the account and nothing that is secret: a repr ends up in logs."""
        return f"VenueSettings({self.venue}/{self.account})"
