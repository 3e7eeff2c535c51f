"""How to reach the oracles: what to follow, whom to believe, how long to wait."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import msgspec

from adapters.oracle.signers import REDSTONE_PRODUCTION, ROUTERS, SignerSet
from adapters.rpc.settings import Endpoint

HERMES_HOST = "hermes.pyth.network"
REDSTONE_HOST = "oracle-gateway.a.redstone.finance"

PYTH_FEEDS: Mapping[str, str] = MappingProxyType(
    {
        "ETH": "ff61491a931112ddf1bd8147cd1b641375f79f5825126d665480874634fd0ace",
        "BTC": "e62df6c8b4a85fe1a67db44dc12de5db330f7ac66b72dc658afedf0f4a415b43",
        "USDT": "2b89b9dc8fdf9f34709a5b106b472f0f39bb6ca9ce04b0fd7f2e971688e2e53b",
        "USDC": "eaa020c61cc479712813461ce153894a96a6c00b21ed0cfc2798d1f9a9e9c94a",
        "USDe": "6ec879b1e9963de5ee97e9c8710b742d6228252a5e2ca12d4ae81d7fe5ee8c5d",
        "stETH": "846ae1bdb6300b817cee5fdee2a6da192775030db5615b94a465f53bd40850b5",
        "wstETH": "6df640f3b8963d8f8358f791f352b8364513f6ab1cca5ed3f1f7b5448980e784",
    }
)
"""Pyth's ids of dollar feeds, by base asset."""

REDSTONE_FEEDS: Mapping[str, str] = MappingProxyType({name: name for name in ("ETH", "BTC", "USDT", "USDC", "USDe")})
CHAINLINK_FEEDS: Mapping[str, str] = MappingProxyType(
    {
        "ETH": "0x5f4eC3Df9cbd43714FE2740f5E3616155c5b8419",
        "BTC": "0xF4030086522a5bEEa4988F8cA5B36dbC97BeE88c",
        "USDT": "0x3E7d1eAB13ad0104d2750B8863b489D65364e32D",
        "USDe": "0xa569d910839Ae8865Da8F8e70FfFb0cBA869F961",
    }
)
PYTH_CONTRACT = "0x4305FB66699C3B2702D4d05CF36551390A4c69C6"
MAINNET = 1


class Loopback(msgspec.Struct, frozen=True, kw_only=True):
    """Send the oracles' real host names to a simulator: its port on 127.0.0.1 and the authority to trust."""

    port: int
    ca_file: Path


class HermesSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Say which Pyth feeds to follow: ids by base asset, all quoted in USD. Without `loopback` the real host is asked.

    A feed that is not heard of for `silence_ms` is lost. `api_key` is the bearer key; it stands in no log or error.
    """

    feeds: Mapping[str, str] = PYTH_FEEDS
    signers: SignerSet = ROUTERS
    api_key: str = ""
    host: str = HERMES_HOST
    loopback: Loopback | None = None
    timeout_ms: int = 5_000
    silence_ms: int = 5_000
    name: str = "pyth"

    def __repr__(self) -> str:
        """Leave the key out."""
        return f"HermesSettings({self.host}, {', '.join(self.feeds)})"


class RedstoneSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Say which RedStone feeds to follow: names by base asset, all quoted in USD.

    The nodes sign every ten seconds; packages that are older than `age_ms_max` are lost, as on chain.
    """

    feeds: Mapping[str, str] = REDSTONE_FEEDS
    signers: SignerSet = REDSTONE_PRODUCTION
    api_key: str = ""
    host: str = REDSTONE_HOST
    service: str = "redstone-primary-prod"
    loopback: Loopback | None = None
    timeout_ms: int = 5_000
    poll_ms: int = 2_000
    age_ms_max: int = 180_000
    name: str = "redstone"

    def __repr__(self) -> str:
        """Leave the key out."""
        return f"RedstoneSettings({self.host}, {', '.join(self.feeds)})"


class ChainSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Say which contracts to read through which endpoints, and how many must give the same answer at the same block.

    A majority must, so that no two answers can both win. `chainlink` are aggregators' addresses, `pyth` feed ids, both
    by base asset and quoted in USD. `ca_file` is the authority to trust for a simulator.
    """

    endpoints: tuple[Endpoint, ...]
    quorum: int
    chainlink: Mapping[str, str] = CHAINLINK_FEEDS
    pyth: Mapping[str, str] = {}
    pyth_contract: str = PYTH_CONTRACT
    chain_id: int = MAINNET
    ca_file: Path | None = None
    timeout_ms: int = 3_000
    poll_ms: int = 6_000
    lag_blocks_max: int = 5
    head_age_ms_max: int = 120_000
