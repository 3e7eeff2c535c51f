"""What a simulated venue is told at its start."""

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import msgspec

from adapters.simulators.limits import Limits


class SimulatorSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Say how to simulate a venue.

    `deposits` come on top of `deposit_usdt`. `basis` is how far the venue's prices are from the world's, as a fraction.
    `more_keys` are other keys of the same account and their secrets, under the same passphrase. `port` 0 takes the
    port of last time, or a free one. `replay_file` replays a recording and goes on at random after its end. `step_ms` 0
    leaves the market standing still until `step_market` is called. `admin_token` None closes the admin endpoint.
    `port`, `step_ms` and `admin_token` count where a venue is started alone.
    """

    data_dir: Path
    api_key: str
    api_secret: str
    passphrase: str = ""
    more_keys: Mapping[str, str] = {}
    seed: int = 7
    port: int = 0
    deposit_usdt: Decimal = Decimal(10_000_000)
    deposits: Mapping[str, Decimal] = {}
    basis: Decimal = Decimal(0)
    step_ms: int = 100
    replay_file: Path | None = None
    admin_token: str | None = None
    listen_key_ttl_ms: int = 60 * 60_000
    limits: Limits = Limits()

    def keys(self) -> dict[str, str]:
        """Return every key that enters the account, and its secret."""
        return {self.api_key: self.api_secret} | dict(self.more_keys)

    def deposited(self) -> dict[str, Decimal]:
        """Return what the account begins with, by asset."""
        return {"USDT": self.deposit_usdt} | dict(self.deposits)
