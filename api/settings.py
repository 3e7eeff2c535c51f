"""Settings: one TOML file, every value with a default in `ballast.toml`, secrets from the environment or from files."""

import os
import tomllib
from pathlib import Path
from typing import Any

import msgspec

from api.chain.settings import ChainSettings, ratio_faults
from api.gatekeeping.settings import GatekeeperSettings
from api.killing.settings import KillSettings
from domain.codec import from_json
from domain.market import Integrity
from domain.policy import (
    Asset,
    Band,
    CustodianTarget,
    Instrument,
    Pair,
    Policy,
    SettlementOrder,
    Styles,
    TreasuryPolicy,
)
from domain.policy_faults import policy_faults
from domain.quantity import Num
from domain.rebalancing.terms import Rebalancing
from domain.risk_terms import Risk
from domain.routing.terms import Routing


class SettingsError(Exception):
    """Say what is wrong with the settings and where."""


class BookSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Name the book."""

    prefix: str = "ballast"


class ServiceSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Name the servers; empty ones are embedded."""

    data_dir: str = ".ballast"
    postgres_owner: str = ""
    postgres_service: str = ""
    postgres_auditor: str = ""
    nats_core: str = ""
    nats_api: str = ""
    nats_worker: str = ""
    nats_subscriber: str = ""

    @property
    def embedded_postgres(self) -> bool:
        """Say whether Postgres is ours to start."""
        return not self.postgres_owner and not self.postgres_service

    @property
    def embedded_nats(self) -> bool:
        """Say whether NATS is ours to start."""
        return not self.nats_core


class HttpSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Set the HTTP entrance."""

    host: str = "127.0.0.1"
    port: int = 8080
    cors_origins: tuple[str, ...] = ("*",)
    source_rate_per_s: int = 50
    source_burst: int = 100
    benefactor_rate_per_s: int = 20
    benefactor_burst: int = 40
    keys_file: str = ""
    trusted_proxies: tuple[str, ...] = ()
    order_wait_ms: int = 10_000
    wallet_wait_ms: int = 2_000


class PolicySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Set what becomes the book's policy."""

    issued: str
    gas: Num
    quote_lifetime_ms: int
    order_expiry_min_ms: int
    last_look_bps: Num
    hedge_slippage_bps: Num
    hedge_orders_max: int
    hedge_retry_ms: int
    benefactors: tuple[str, ...]
    assets: tuple[Asset, ...]
    pairs: tuple[Pair, ...]
    instruments: tuple[Instrument, ...]
    integrity: Integrity = Integrity()
    settlement_order: SettlementOrder = SettlementOrder.HEDGE_FIRST
    delegate_slippage_bps_max: Num = Num(100)
    capacity_margin_bps: Num = Num(500)
    custodians: tuple[CustodianTarget, ...] = ()
    submission_expiry_margin_ms: int = 15_000
    settlement_attempts_max: int = 5
    settlement_replacements_max: int = 10
    transaction_cost_wei_max: int = 10**18
    treasury: TreasuryPolicy = TreasuryPolicy()
    routing: Routing = Routing()
    bands: tuple[Band, ...] = ()
    styles: Styles = Styles()
    rebalancing: Rebalancing = Rebalancing()
    risk: Risk = Risk()


class LimitSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Set one limit, until people change it."""

    control: str
    scope: str
    value: Num


class VenueSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Name one venue: the instruments to hear and, with keys, the account to act on."""

    name: str
    account: str = "main"
    symbols: tuple[str, ...]
    public: bool = True  # false: its market data is not heard
    private: bool = True  # false: its market data only, no account
    api_key: str = ""
    api_secret: str = ""
    passphrase: str = ""
    ccxt: dict[str, Any] = {}  # settings of ccxt's class, for a venue that has no dialect of ours
    orders_per_s: int = 0  # our own order rate, orders and cancels together; 0: the venue's, below what it documents
    order_burst: int = 0  # how many of them at once; set with orders_per_s


class LoopbackSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Send the real host names of venues and oracles to a simulator on this machine; port 0: to the real ones."""

    port: int = 0
    ca: str = ""


class PythSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Name the Pyth feeds to hear through Hermes; none: not heard. Signers: a file, else the routers."""

    feeds: dict[str, str] = {}
    api_key: str = ""
    signers: str = ""


class RedstoneSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Name the RedStone feeds to hear through its gateway; none: not heard. Signers: a file, else production."""

    feeds: tuple[str, ...] = ()
    api_key: str = ""
    signers: str = ""


class ChainSourceSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Name what to read on chain, by asset, and the RPC endpoints that must agree; nothing named: nothing read.

    `chainlink` are aggregators' addresses, `pyth` feed ids at Pyth's own contract.
    """

    chainlink: dict[str, str] = {}
    pyth: dict[str, str] = {}
    rpc: tuple[str, ...] = ()
    quorum: int = 2


class OracleSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Set the oracles."""

    pyth: PythSettings = PythSettings()
    redstone: RedstoneSettings = RedstoneSettings()
    chain: ChainSourceSettings = ChainSourceSettings()


class RetentionSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Set how many days of sampled market data are kept, by table."""

    books: int = 7
    trades: int = 7
    marks: int = 90
    funding: int = 730
    oracles: int = 90


class SimulatorSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Set the simulated venues and oracles of a demonstration; they speak the true wire protocols over TLS.

    Where `[chain]` names no endpoint there is a simulated chain too: a real EVM that makes a block each `block_ms`.
    """

    enabled: bool = False
    seed: int = 7
    replay: str = ""
    deposit_usdt: Num = Num(10_000_000)
    block_ms: int = 1_000


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Hold every setting of a process."""

    policy: PolicySettings
    book: BookSettings = BookSettings()
    services: ServiceSettings = ServiceSettings()
    http: HttpSettings = HttpSettings()
    chain: ChainSettings = ChainSettings()
    gatekeeper: GatekeeperSettings = GatekeeperSettings()
    kill: KillSettings = KillSettings()
    limits: tuple[LimitSettings, ...] = ()
    venues: tuple[VenueSettings, ...] = ()
    loopback: LoopbackSettings = LoopbackSettings()
    oracles: OracleSettings = OracleSettings()
    retention: RetentionSettings = RetentionSettings()
    simulator: SimulatorSettings = SimulatorSettings()

    @property
    def data_dir(self) -> Path:
        """Return the folder of embedded data."""
        return Path(self.services.data_dir)

    @property
    def keys_file(self) -> Path:
        """Return the file of API keys."""
        return Path(self.http.keys_file) if self.http.keys_file else self.data_dir / "keys.json"

    def book_policy(self) -> Policy:
        """Return the policy that these settings ask for."""
        wanted = self.policy
        return Policy(
            issued=wanted.issued,
            assets=wanted.assets,
            pairs=wanted.pairs,
            instruments=wanted.instruments,
            integrity=wanted.integrity,
            benefactors=wanted.benefactors,
            chain_id=self.chain.chain_id,
            minting_contract=self.chain.minting_contract,
            gas=wanted.gas,
            quote_lifetime_ms=wanted.quote_lifetime_ms,
            order_expiry_min_ms=wanted.order_expiry_min_ms,
            last_look_bps=wanted.last_look_bps,
            hedge_slippage_bps=wanted.hedge_slippage_bps,
            hedge_orders_max=wanted.hedge_orders_max,
            hedge_retry_ms=wanted.hedge_retry_ms,
            chain_required=True,
            settlement_order=wanted.settlement_order,
            delegate_slippage_bps_max=wanted.delegate_slippage_bps_max,
            capacity_margin_bps=wanted.capacity_margin_bps,
            custodians=wanted.custodians,
            submission_expiry_margin_ms=wanted.submission_expiry_margin_ms,
            settlement_attempts_max=wanted.settlement_attempts_max,
            settlement_replacements_max=wanted.settlement_replacements_max,
            transaction_cost_wei_max=wanted.transaction_cost_wei_max,
            treasury=wanted.treasury,
            routing=wanted.routing,
            bands=wanted.bands,
            styles=wanted.styles,
            rebalancing=wanted.rebalancing,
            risk=wanted.risk,
        )


def read_settings(path: Path) -> Settings:
    """Read a settings file, TOML or (as a running house writes it for its roles) JSON.

    Raise `SettingsError` with the place and the mend.
    """
    try:
        content = path.read_bytes()
        document = msgspec.json.decode(content) if path.suffix == ".json" else tomllib.loads(content.decode())
    except FileNotFoundError as error:
        raise SettingsError(f"{path} does not exist: copy ballast.toml from the repository and edit it") from error
    except (tomllib.TOMLDecodeError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: {error}") from error
    try:
        settings = msgspec.convert(document, Settings, dec_hook=from_json)
    except msgspec.ValidationError as error:
        raise SettingsError(f"{path}: {error}") from error
    _check(settings, path)
    return settings


def _check(settings: Settings, path: Path) -> None:
    symbols = {asset.symbol for asset in settings.policy.assets}
    contracts = {(item.venue, item.symbol) for item in settings.policy.instruments}
    for pair in settings.policy.pairs:
        if pair.collateral not in symbols:
            raise SettingsError(f"{path}: pair {pair.name} needs the asset {pair.collateral} under policy.assets")
        if pair.hedging == "perpetual" and (pair.venue, pair.symbol) not in contracts:
            raise SettingsError(f"{path}: pair {pair.name} needs its instrument under policy.instruments")
    for address in (
        *(asset.address for asset in settings.policy.assets),
        *settings.policy.benefactors,
        *(custodian.address for custodian in settings.policy.custodians),
        settings.chain.minting_contract,
        settings.chain.issued_token,
        *(each.contract for each in settings.chain.ratios),
    ):
        if address != address.lower() or not address.startswith("0x"):
            raise SettingsError(f"{path}: write the address {address} in lower case, with 0x")
    _check_treasury(settings, symbols, path)
    _check_instruments(settings, path)
    wrong = ratio_faults(settings.chain.ratios, settings.policy.assets)
    if wrong:
        raise SettingsError(f"{path}: {wrong}")
    names = [(venue.name, venue.account) for venue in settings.venues]
    if len(set(names)) < len(names):
        raise SettingsError(f"{path}: each venue account stands once under venues")


def _check_instruments(settings: Settings, path: Path) -> None:
    """Refuse to hedge where nothing is heard, or on an account that is not ours to act on."""
    heard = {(venue.name, symbol) for venue in settings.venues if venue.public for symbol in venue.symbols}
    acted = {(venue.name, venue.account) for venue in settings.venues if venue.private}
    for item in settings.policy.instruments:
        if (item.venue, item.symbol) not in heard:
            raise SettingsError(f"{path}: hedges trade {item.symbol} on {item.venue}: add it under venues")
        if (item.venue, item.account) not in acted:
            raise SettingsError(f"{path}: hedges trade on {item.venue} as {item.account}: add that account to venues")
    wrong = policy_faults(settings.book_policy())
    if wrong:
        raise SettingsError(f"{path}: {wrong}")


def _check_treasury(settings: Settings, symbols: set[str], path: Path) -> None:
    for band in settings.policy.treasury.bands:
        if band.asset not in symbols:
            raise SettingsError(f"{path}: the treasury's band of {band.asset} needs the asset under policy.assets")
        if not 0 <= band.minimum <= band.target <= band.maximum:
            raise SettingsError(f"{path}: the treasury's band of {band.asset} must have minimum <= target <= maximum")


def secret(value: str, beside: Path) -> str:
    """Return a setting's secret: `env:NAME`, `file:PATH`, or the value itself.

    Raise `SettingsError` naming the variable or file, never the secret.
    """
    if value.startswith("env:"):
        name = value.removeprefix("env:")
        found = os.environ.get(name)
        if not found:
            raise SettingsError(f"the environment variable {name} is not set")
        return found
    if value.startswith("file:"):
        place = beside / value.removeprefix("file:")
        try:
            return place.read_text().strip()
        except OSError as error:
            raise SettingsError(f"the secret file {place} cannot be read: {error.strerror}") from error
    return value
