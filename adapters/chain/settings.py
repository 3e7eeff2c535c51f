"""How to reach the chain and how far its sender may go. Amounts are atoms, fees wei a unit of gas."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import msgspec

from adapters.rpc.settings import Endpoint

GWEI = 10**9
DOLLAR = 10**18
NO_ASSETS: Mapping[str, int] = MappingProxyType({})


class ChainSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Say which contract to read through which endpoints, and how many must say the same: a majority.

    Heads are polled every `poll_ms`, every `quiet_poll_ms` while a WebSocket tells of them. A head older than
    `head_age_ms_max` is none (0: any age will do, for a chain that only moves when asked). One question for logs spans
    `log_blocks_max` blocks, fewer where a node refuses. A contract wallet may use `contract_signature_gas` to look at
    a signature. `issued_token` is what the contract must issue, lower case; "": whatever it says.
    """

    endpoints: tuple[Endpoint, ...]
    quorum: int
    chain_id: int
    minting_contract: str
    issued_token: str = ""
    ca_file: Path | None = None
    timeout_ms: int = 3_000
    lag_blocks_max: int = 5
    poll_ms: int = 2_000
    quiet_poll_ms: int = 12_000
    head_age_ms_max: int = 120_000
    log_blocks_max: int = 2_000
    contract_signature_gas: int = 300_000


class FeeSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Say what to offer: `base_fee_percent` of the head's base fee and a priority fee that grows with each try.

    Private relays take none without a priority fee: it is never zero.
    """

    priority_fee_wei: int = GWEI
    base_fee_percent: int = 200
    bump_percent: int = 25
    max_fee_wei_max: int = 300 * GWEI
    priority_fee_wei_max: int = 20 * GWEI


class GasSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Bound the gas of each kind of call; a mint needs `leg` more for each custodian after the first.

    A first mint takes 221k, a redeem 136k. More is offered where a node's estimate asks for it, up to `limit_max`.
    """

    mint: int = 300_000
    leg: int = 60_000
    redeem: int = 250_000
    cancel: int = 21_000
    limit_max: int = 2_500_000


class LimitSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Bound what one transaction may move, whatever was asked and whoever signs.

    `collateral_max` are atoms by asset, lower case: an asset that is not named is not touched.
    """

    issued_max: int = 5_000_000 * DOLLAR
    collateral_max: Mapping[str, int] = NO_ASSETS


class SendingSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Say how a sender's transactions are paid and sent: to every endpoint, or to a private relay alone."""

    fees: FeeSettings = FeeSettings()
    gas_limit_max: int = 2_500_000
    relay: Endpoint | None = None


class MintingSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Say how mints and redeems are paid, bounded and sent. `relay` is a private one: then no other sees them first."""

    fees: FeeSettings = FeeSettings()
    gas: GasSettings = GasSettings()
    limits: LimitSettings = LimitSettings()
    relay: Endpoint | None = None


class RemoteSignerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Say where the key is: a signer that speaks `eth_signTransaction` over TLS, and the address it must sign for.

    `ca_file` is the authority to trust, `client_file` our own certificate and key (PEM), where one is asked for.
    """

    url: str
    address: str
    ca_file: Path | None = None
    client_file: Path | None = None
    timeout_ms: int = 5_000

    def __repr__(self) -> str:
        """Leave the URL out: it may hold a key."""
        return f"RemoteSignerSettings({self.address})"
